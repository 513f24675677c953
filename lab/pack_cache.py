#!/usr/bin/env python3
"""Packs a lab master's job cache into one JSON file, for the tests: files, times, bytes as hex.

Run it with the Python of a series' venv, which has msgpack, on a folder that ``lab.py tour --dir``
left behind.  The site's own folder is replaced, so that no path of this machine is in the file.
"""

import json
import pathlib
import re
import sys

import msgpack

PLACE = "/srv/lab"
VENV = re.compile(r"/[^\s\"]*/lib/python")


def main(site: str, out: str) -> None:
    place = pathlib.Path(site).resolve()
    root = place / "master" / "cache" / "jobs"
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    files = [packed(path, root, str(place)) for path in paths]
    lines = ",\n".join(json.dumps(file) for file in files)
    pathlib.Path(out).write_text(f"[\n{lines}\n]\n")


def packed(path: pathlib.Path, root: pathlib.Path, site: str) -> dict:
    data = path.read_bytes()
    if path.suffix == ".p":
        odd = {"unicode_errors": "surrogateescape"}
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, **odd)
        data = msgpack.packb(moved(value, site), **odd)
    return {
        "path": str(path.relative_to(root)),
        "at": path.stat().st_mtime_ns // 1000,
        "bytes": data.hex(),
    }


def moved(value, site: str):
    """The value with the site's folder replaced, in keys, too."""
    if isinstance(value, str):
        return VENV.sub("/opt/salt/lib/python", value.replace(site, PLACE))
    if isinstance(value, list):
        return [moved(item, site) for item in value]
    if isinstance(value, dict):
        return {moved(key, site): moved(item, site) for key, item in value.items()}
    return value


if __name__ == "__main__":
    main(*sys.argv[1:])
