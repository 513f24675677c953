#!/usr/bin/env python3
"""A subscriber as people write it in Python, for comparison.

Runs inside a Salt venv.  Reads the master's event bus with salt.utils.event,
counts what it decodes, and ends after --count events, or when none came for
--idle seconds; then prints one line of JSON.  Prints "ready" to stderr once it
is connected.  It keeps nothing and interprets nothing.
"""

import argparse
import json
import resource
import sys
import time

import salt.config
import salt.utils.event


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="the master's config file")
    parser.add_argument("--sock-dir", help="instead of the one of the config")
    parser.add_argument("--count", type=int, default=0, help="end after so many (0: never)")
    parser.add_argument("--idle", type=float, default=5.0, help="end after such a silence")
    parser.add_argument("--tag", default="", help="only tags that start with this")
    args = parser.parse_args()
    print(json.dumps(_read(args)))


def _read(args: argparse.Namespace) -> dict:
    opts = salt.config.client_config(args.config)
    sock_dir = args.sock_dir or opts["sock_dir"]
    with salt.utils.event.get_event(
        "master", sock_dir=sock_dir, opts=opts, listen=True
    ) as bus:
        before = _cpu()
        print("ready", file=sys.stderr, flush=True)
        events, first, last, tags = _count(bus, args)
        cpu = _cpu() - before
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "events": events,
        "seconds": round((last or 0) - (first or 0), 4),
        "cpu_seconds": round(cpu, 4),
        "max_rss_kib": usage.ru_maxrss,
        "first": first,
        "last": last,
        "tags": tags,
    }


def _count(bus, args: argparse.Namespace):
    events, first, last = 0, None, None
    tags: dict[str, int] = {}
    while not args.count or events < args.count:
        event = bus.get_event(wait=args.idle, tag=args.tag, full=True, auto_reconnect=True)
        if event is None:
            break
        last = time.time()
        first = first or last
        events += 1
        family = "/".join(event["tag"].split("/")[:2])
        tags[family] = tags.get(family, 0) + 1 if len(tags) < 1000 else 0
    return events, first, last, tags


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
