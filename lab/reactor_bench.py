#!/usr/bin/env python3
"""Measures the usual reactor and its script: from a job's event to the request to the webhook.

On a real master with four minions, a receiver on loopback, and first single
commands on an idle machine, then a burst.  What it prints is JSON, or rows for
people with ``--rows``.  It compares with nothing and judges nothing.
"""

import argparse
import http.server
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True

from saltlab import paths, processes, running, venvs  # noqa: E402
from saltlab.paths import LabError  # noqa: E402
from saltlab.running import Running  # noqa: E402
from saltlab.site import Wish  # noqa: E402

_FUN = "test.arg"
_MARK = re.compile(r"bench-\d{4}")
_PATIENCE = 240.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", default="3006", choices=paths.SERIES)
    parser.add_argument("--idle", type=int, default=10, metavar="N", help="single commands (10)")
    parser.add_argument("--burst", type=int, default=100, metavar="N", help="at once (100)")
    parser.add_argument("--target", default="web1", help="whom the commands are for (web1)")
    parser.add_argument("--rows", action="store_true", help="rows for people, no JSON")
    args = parser.parse_args()
    venvs.install(args.series, out=sys.stderr)
    root, keep = running.choose_folder(None)
    sites: list[Running] = []

    def work() -> int:
        try:
            found = measure(args, root, keep, sites)
        except (LabError, OSError) as error:
            print(f"reactor_bench: {error}", file=sys.stderr)
            return 1
        except processes.Ended:
            return 130
        print(rows(found) if args.rows else json.dumps(found), flush=True)
        return 0

    return processes.supervised(work, str(root), lambda: [site.tidy() for site in sites])


def measure(args: argparse.Namespace, root, keep: bool, sites: list) -> dict:
    receiver = Receiver()
    wish = Wish(series=args.series, reactor=receiver.url, reactor_funs=_FUN)
    sites.append(Running(wish, root, keep))
    print("Starting a real master with the usual reactor ...", file=sys.stderr, flush=True)
    with sites[0] as site:
        site.start()
        bus = Bus(str(site.site.pub_socket))
        words = [f"bench-{number:04}" for number in range(1 + args.idle + args.burst)]
        # The first command after the start finds cold caches; it does not count.
        single(site, args.target, words[:1], receiver, bus)
        idle = single(site, args.target, words[1 : 1 + args.idle], receiver, bus)
        begun = time.monotonic()
        burst = words[1 + args.idle :]
        publish(site, args.target, burst)
        published = time.monotonic() - begun
        late = awaited(burst, receiver, site)
        delays = sorted(receiver.seen[word] - bus.seen[word] for word in burst if word not in late)
        return {
            "series": args.series,
            "salt": paths.salt_version(args.series),
            "target": args.target,
            "idle": {"commands": len(idle), **spread(idle)},
            "burst": {
                "commands": len(burst),
                "announced": len(delays),
                "publishing_seconds": round(published, 2),
                **spread(delays),
            },
        }


def single(
    site: Running, target: str, words: list[str], receiver: "Receiver", bus: "Bus"
) -> list[float]:
    """One at a time: each waits for the one before to be announced."""
    delays = []
    for word in words:
        publish(site, target, [word])
        if awaited([word], receiver, site):
            raise LabError(f"the reactor announced nothing in {_PATIENCE:.0f} s")
        delays.append(receiver.seen[word] - bus.seen[word])
    return sorted(delays)


def publish(site: Running, target: str, words: list[str]) -> None:
    script = str(paths.PEERS / "burst.py")
    config = str(site.site.config_dir / "master")
    argv = [str(site.site.bin / "python"), script, config, target, _FUN, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"publishing failed:\n{done.stderr[-2000:]}")


def awaited(words: list[str], receiver: "Receiver", site: Running) -> list[str]:
    """Waits until all were announced; returns those that never were."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and not all(word in receiver.seen for word in words):
        site.reap()
        time.sleep(0.02)
    return [word for word in words if word not in receiver.seen]


def spread(delays: list[float]) -> dict:
    if not delays:
        return {}
    return {
        "first_seconds": round(delays[0], 3),
        "median_seconds": round(statistics.median(delays), 3),
        "last_seconds": round(delays[-1], 3),
    }


def rows(found: dict) -> str:
    """From the event to the request, for people."""
    title = f"reactor and script, Salt {found['salt']}: from the event to the HTTP request"
    lines = [title, f"  (test.arg on {found['target']}, of four minions)"]
    for name, of in (("idle, one at a time", found["idle"]), ("a burst", found["burst"])):
        times = ", ".join(
            f"{key} {of[f'{key}_seconds']:.2f} s"
            for key in ("first", "median", "last")
            if f"{key}_seconds" in of
        )
        lines.append(f"  {name:<20} {of['commands']:>4} commands  {times}")
    lost = found["burst"]["commands"] - found["burst"]["announced"]
    return "\n".join(lines + ([f"  never announced: {lost}"] if lost else []))


class Receiver:
    """A webhook on loopback that notes when a marked message arrives."""

    def __init__(self):
        self.seen = seen = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                now = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for mark in _MARK.findall(urllib.parse.unquote_plus(body.decode())):
                    seen.setdefault(mark, now)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/x"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Bus:
    """Notes when a mark is first on the bus: a job's first event is its ``new``."""

    def __init__(self, path: str):
        self.seen: dict[str, float] = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := self._socket.recv(1 << 16):
            now = time.monotonic()
            data = rest + chunk
            for mark in _MARK.findall(data.decode("latin-1")):
                self.seen.setdefault(mark, now)
            rest = data[-16:]


if __name__ == "__main__":
    sys.exit(main())
