#!/usr/bin/env python3
"""Puts jobs with large returns on a master's event bus, at a steady rate, as minions' returns come.

Runs inside a Salt venv.  Usage: flood.py MASTER_CONFIG MEGABYTES MEGABYTES_A_SECOND.  No minion takes
part, so that the bus is the only thing that works.  Each return is of its own, so that a journal has
to keep it.
"""

import datetime
import os
import sys
import time

import salt.config
import salt.utils.event

MINIONS = [f"flood{number}" for number in range(20)]
#: Random bytes in a return; it is twice as long in hexadecimal.
BYTES = 10_000


def main() -> int:
    config, megabytes, rate = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    opts = salt.config.master_config(config)
    bus = salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=False)
    begun, sent = time.monotonic(), 0
    while sent < megabytes * 1e6:
        for tag, data, size in one_job():
            if not bus.fire_event(data, tag):
                print("an event was not taken", file=sys.stderr)
                return 1
            sent += size
            time.sleep(max(0.0, begun + sent / (rate * 1e6) - time.monotonic()))
    return 0


def one_job():
    """The events of one job, each with its tag and about its length in bytes."""
    jid = datetime.datetime.now().strftime("%Y%m%d%H%M%S%f")
    head = {"jid": jid, "tgt": "*", "tgt_type": "glob", "user": "root", "fun": "cmd.run"}
    arg = ["head -c 10000 /dev/urandom | xxd -p"]
    yield f"salt/job/{jid}/new", dict(head, arg=arg, minions=MINIONS, missing=[]), 500
    for minion in MINIONS:
        said = {
            "cmd": "_return",
            "id": minion,
            "success": True,
            "return": os.urandom(BYTES).hex(),
            "retcode": 0,
            "jid": jid,
            "fun": "cmd.run",
            "fun_args": arg,
        }
        yield f"salt/job/{jid}/ret/{minion}", said, 2 * BYTES


if __name__ == "__main__":
    sys.exit(main())
