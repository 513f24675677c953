#!/usr/bin/env python3
"""Posts one line about a Salt job to an incoming webhook.

The usual script behind a reactor, for comparison: it does what such scripts
do, and no more.  It does not look at the answer.
"""

import json
import sys
import urllib.parse
import urllib.request


def main() -> None:
    url, user, fun, arg, tgt = sys.argv[1:6]
    message = {
        "username": "salt",
        "icon_emoji": ":salt:",
        "text": f"*{user}* runs `{fun} {arg}` on `{tgt}`",
    }
    body = urllib.parse.urlencode({"payload": json.dumps(message)}).encode()
    urllib.request.urlopen(url, data=body, timeout=10)


if __name__ == "__main__":
    main()
