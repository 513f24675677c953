#!/usr/bin/env python3
"""Calls a wheel function as a program on the master would.

Runs inside a Salt venv; Salt has no command line for wheel.
Usage: wheel.py MASTER_CONFIG FUNCTION [KEY=VALUE ...]
"""

import sys

import salt.config
import salt.wheel


def main() -> None:
    client = salt.wheel.WheelClient(salt.config.master_config(sys.argv[1]))
    kwargs = dict(word.split("=", 1) for word in sys.argv[3:])
    print(client.cmd(sys.argv[2], kwarg=kwargs))


if __name__ == "__main__":
    main()
