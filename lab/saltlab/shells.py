"""Command lines, taken apart by real POSIX shells.

It runs lines that salt-herald made: ``salt`` is a function there that prints its
arguments, and nothing else is run but what a line itself asks for.
"""

import pathlib
import shutil
import subprocess

#: What ``sh`` is on Debian, and what it is on Red Hat.
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"]}

_SALT = "salt() { printf '%s\\0' \"$#\" \"$@\"; }\n"
_TOGETHER = 500


def available() -> list[str]:
    return [name for name, argv in SHELLS.items() if shutil.which(argv[0])]


def split(shell: str, lines: list[str], folder: pathlib.Path) -> list[list[bytes] | None]:
    """The arguments that ``salt`` gets of each line; nothing of one that can't be read."""
    found: list[list[bytes] | None] = []
    for start in range(0, len(lines), _TOGETHER):
        some = lines[start : start + _TOGETHER]
        words = _run(shell, some, folder)
        if words is None or len(words) != len(some):
            words = [_one(shell, line, folder) for line in some]
        found += words
    return found


def _one(shell: str, line: str, folder: pathlib.Path) -> list[bytes] | None:
    words = _run(shell, [line], folder)
    return words[0] if words is not None and len(words) == 1 else None


def _run(shell: str, lines: list[str], folder: pathlib.Path) -> list[list[bytes]] | None:
    script = _SALT + "".join(line + "\n" for line in lines)
    done = subprocess.run(
        [*SHELLS[shell]],
        input=script.encode(),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    if done.returncode or done.stderr:
        return None
    pieces = done.stdout.split(b"\0")
    if pieces.pop() != b"":
        return None
    found, place = [], 0
    while place < len(pieces):
        count = int(pieces[place])
        found.append(pieces[place + 1 : place + 1 + count])
        place += 1 + count
    return found
