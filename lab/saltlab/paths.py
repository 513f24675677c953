"""Where things stand: the repository, the lab's own folder, the series.

Knows names and places only; it neither creates nor changes anything.
"""

import os
import pathlib
import re

LAB = pathlib.Path(__file__).resolve().parent.parent
REPO = LAB.parent
PEERS = LAB / "peers"
TREE = LAB / "salt-tree"
PILLAR = LAB / "pillar"
REQUIREMENTS = LAB / "requirements"

#: The series of Salt that the lab knows, oldest framing first.
SERIES = ("3006-old", "3006", "3007", "3008")


class LabError(Exception):
    """Something a person can act upon; shown as one message, with no trace."""


def home() -> pathlib.Path:
    """The folder for venvs: ``.lab`` in the repository, or HERALD_LAB_DIR."""
    return pathlib.Path(os.environ.get("HERALD_LAB_DIR") or REPO / ".lab").absolute()


def venv(series: str) -> pathlib.Path:
    return (home() / "venv").resolve() / series


def bin_dir(series: str) -> pathlib.Path:
    return venv(series) / "bin"


def requirement_file(series: str) -> pathlib.Path:
    if series not in SERIES:
        raise LabError(f"unknown series {series!r}; known: {', '.join(SERIES)}")
    return REQUIREMENTS / f"{series}.txt"


def salt_version(series: str) -> str:
    """The version of Salt that the requirement file of a series pins."""
    text = requirement_file(series).read_text()
    found = re.search(r"^salt==(\S+)", text, re.MULTILINE)
    if not found:
        raise LabError(f"{requirement_file(series)} pins no salt")
    return found.group(1)


def shown(path: pathlib.Path) -> str:
    """A path as a person would type it: relative when it is below here."""
    try:
        return str(path.relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)
