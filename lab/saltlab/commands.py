"""The commands ``up`` and ``tour``: a worker around a running site.

Reads orders from stdin and answers them on stdout, one line of JSON each.
What an order does is in ``running``.
"""

import json
import os
import pathlib
import select
import sys

from . import pairs, processes
from .paths import LabError
from .running import Running
from .site import Wish

_REAP_EVERY = 2.0


def up(wish: Wish, root: pathlib.Path, keep: bool, listen: bool) -> int:
    """Brings a site up and stays until told to end."""

    running = pairs.running(wish, root, keep)

    def work() -> int:
        with running as site:
            try:
                site.start()
                _say(site.describe())
                _obey(site, listen)
            except LabError as error:
                print(f"lab: {error}", file=sys.stderr, flush=True)
                return 1
        return 0

    return processes.supervised(work, str(root), running.tidy)


def tour(wish: Wish, root: pathlib.Path, keep: bool, out: str, only: list[str] | None) -> int:
    """Plays the scenarios on a fresh site and writes what the bus said."""
    from . import touring

    running = pairs.running(wish, root, keep)

    def work() -> int:
        with running as site:
            try:
                site.start()
                return touring.play(site, pathlib.Path(out), only)
            except LabError as error:
                print(f"lab: {error}", file=sys.stderr, flush=True)
                return 1

    return processes.supervised(work, str(root), running.tidy)


def _say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def _obey(site: Running, listen: bool) -> None:
    """Carries out the lines of stdin until it ends."""
    rest = b""
    sources = [sys.stdin.fileno()] if listen else []
    while True:
        ready, _, _ = select.select(sources, [], [], _REAP_EVERY)
        site.reap()
        if not ready:
            continue
        chunk = os.read(ready[0], 4096)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if order := line.decode(errors="replace").strip():
                _carry_out(site, order)


def _carry_out(site: Running, order: str) -> None:
    verb, *rest = order.split()
    act = getattr(site, _ORDERS[verb], None) if verb in _ORDERS else None
    try:
        if act is None:
            raise LabError(f"unknown order; known: {', '.join(_ORDERS)}")
        act(*rest)
    except (LabError, TypeError) as error:
        _say({"failed": order, "error": str(error)})
    else:
        _say({"done": order})


_ORDERS = {
    name: name.replace("-", "_")
    for name in (
        "restart-master",
        "stop-master",
        "start-master",
        "freeze-master",
        "thaw-master",
        "kill-master",
        "freeze-publisher",
        "thaw-publisher",
        "kill-publisher",
        "restart-minion",
        "stop-minion",
        "start-minion",
        "stop-syndic",
        "start-syndic",
        "stop-second",
        "start-second",
    )
}
