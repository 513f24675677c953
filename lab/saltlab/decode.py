#!/usr/bin/env python3
"""Prints the events of a capture, one Python dict a line.

Runs inside a Salt venv, for its msgpack.  Usage: decode.py FILE.bus [--jobs]
With --jobs it prints one JSON map {jid: [time, tag, fun]} instead.  It is a
looking glass for people and for the tour's sidecar, no reference decoder.
"""

import json
import pathlib
import sys

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from saltlab import capture  # noqa: E402

_LOOSE = {
    "raw": False,
    "unicode_errors": "surrogateescape",
    "strict_map_key": False,
    "ext_hook": lambda code, data: f"<ext {code}: {data!r}>",
}


def events(path: pathlib.Path):
    """(microseconds, tag, data) of every event; restarts at reconnections."""
    buffer = bytearray()
    for when, kind, chunk in capture.records(path):
        if kind == capture.REOPENED:
            buffer.clear()
        buffer += chunk
        for body in _frames(buffer):
            tag, _, data = body.partition(b"\n\n")
            yield when, tag.decode(errors="replace"), msgpack.unpackb(data, **_LOOSE)


def _frames(buffer: bytearray):
    """Takes complete frames off the front of the buffer."""
    while buffer:
        prefixed = buffer[0] < 0x80
        if prefixed and len(buffer) < 4:
            return
        start = 4 if prefixed else 0
        unpacker = msgpack.Unpacker(max_buffer_size=0, **{**_LOOSE, "raw": False})
        unpacker.feed(bytes(buffer[start:]))
        try:
            frame = unpacker.unpack()
        except msgpack.OutOfData:
            return
        del buffer[: start + unpacker.tell()]
        body = frame["body"]
        yield body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")


def jobs(path: pathlib.Path) -> dict:
    found: dict = {}
    for when, tag, data in events(path):
        jid = data.get("jid") if isinstance(data, dict) else None
        if jid and data.get("fun") and data.get("cmd") != "_minion_event":
            found.setdefault(str(jid), [when / 1e6, tag, data["fun"]])
    return found


def main() -> None:
    path = pathlib.Path(sys.argv[1])
    if "--jobs" in sys.argv[2:]:
        print(json.dumps(jobs(path)))
        return
    for when, tag, data in events(path):
        print(f"{when / 1e6:.3f} {tag} {data!r}")


if __name__ == "__main__":
    main()
