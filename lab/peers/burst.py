#!/usr/bin/env python3
"""Publishes commands as ``salt --async`` does, one after the other.

Runs inside a Salt venv.  Usage: burst.py MASTER_CONFIG TARGET FUNCTION WORD...
For each word there is one command, with that word as its argument.  One
program for all, since a hundred command lines take longer to start than a
master to publish.
"""

import sys

import salt.client


def main() -> int:
    config, target, function, *words = sys.argv[1:]
    with salt.client.LocalClient(config) as client:
        silent = [word for word in words if not client.cmd_async(target, function, [word])]
    if silent:
        print(f"not published: {', '.join(silent)}", file=sys.stderr)
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
