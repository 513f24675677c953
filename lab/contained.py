#!/usr/bin/env python3
"""Runs a command and ends everything that it left running, daemons included.

Usage: contained.py COMMAND [WORD ...].  Its exit code is the command's.
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True

from saltlab import processes  # noqa: E402


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    return processes.supervised(work, f"contained-{os.getpid()}", lambda: None)


def work() -> int:
    try:
        # Orphans come to us and are ended with us.
        return subprocess.run(sys.argv[1:], check=False).returncode
    except processes.Ended:
        return 143
    except OSError as error:
        print(f"contained: {error}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
