"""Waits until minions answer test.ping.  Runs inside a Salt venv.

Publishes again and again, to those only that have not answered yet, and
leaves when all have.  Usage: probe.py MASTER_CONFIG SECONDS MINION...
Its last line names those that stayed silent, if any; its exit code tells.
"""

import sys
import time

import salt.client
import salt.config
import salt.utils.jid

PATIENCE = 0.7


def ping(client, missing: set) -> None:
    """One round: takes those that answer out of ``missing``."""
    jid = salt.utils.jid.gen_jid(client.opts)
    prefix = f"salt/job/{jid}/ret/"
    client.event.subscribe(prefix, match_type="startswith")
    try:
        if not client.run_job(sorted(missing), "test.ping", (), "list", jid=jid, listen=True):
            time.sleep(0.1)
            return
        deadline = time.monotonic() + PATIENCE
        while missing and time.monotonic() < deadline:
            event = client.event.get_event(wait=0.2, tag=prefix, match_type="startswith")
            if event and event.get("success"):
                missing.discard(event["id"])
    finally:
        client.event.unsubscribe(prefix, match_type="startswith")


def main() -> int:
    opts = salt.config.client_config(sys.argv[1])
    opts["timeout"] = 2
    deadline = time.monotonic() + float(sys.argv[2])
    missing = set(sys.argv[3:])
    while missing and time.monotonic() < deadline:
        try:
            with salt.client.LocalClient(mopts=opts) as client:
                while missing and time.monotonic() < deadline:
                    ping(client, missing)
        except Exception as error:  # the master is not there yet
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            time.sleep(0.1)
    print(*sorted(missing), sep=", ")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
