"""The channel on the terminal, redrawn in place; elsewhere a line for each change.

Knows nothing of Salt: it asks the stand-in for lines and draws them, with some
lines of ours below.
"""

import os
import shutil
import sys

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Screen:
    """What stands on the terminal, or what was said of the stand-in's log."""

    def __init__(self, slack):
        self._slack = slack
        self._terminal = sys.stdout.isatty()
        self._color = self._terminal and not os.environ.get("NO_COLOR")
        self._drawn: list[str] = []
        self._size = _size()
        self._below: list[str] = []
        self._turn = 0
        self._logged = len(self._log_lines())

    def say(self, doing: list[str]) -> None:
        """What is going on, as the lines below the channel."""
        self._below = doing
        if not self._terminal:
            print("", *doing, sep="\n", flush=True)
        self.show()

    def show(self) -> None:
        """Draws what changed since."""
        if not self._terminal:
            self._print_log()
            return
        self._turn += 1
        mark = _SPINNER[self._turn % len(_SPINNER)]
        title, *rest = self._below or [""]
        self._draw([f"{mark} {title}", *rest])

    def settle(self, below: list[str]) -> None:
        """Nothing is going on any more; these lines stay below the channel."""
        self._below = []
        if not self._terminal:
            self._print_log()
            print("\n".join(below), flush=True)
            return
        if len(self._drawn) >= self._size.lines:
            # Its beginning left the screen before it was complete.
            self._drawn = []
        self._draw(below)

    def refresh(self, below: list[str]) -> None:
        """As ``settle``, when there may be something new."""
        if self._terminal:
            self._draw(below)
        else:
            self._print_log()

    def _draw(self, below: list[str]) -> None:
        size = _size()
        lines = self._slack.text(size.columns, self._color)
        lines += ["", *(line[: size.columns - 1] if line else line for line in below)]
        out = ""
        if size != self._size:
            # Nobody knows how the terminal broke the old lines anew.
            out, self._drawn, self._size = "\x1b[2J\x1b[H", [], size
        same = _same(lines, self._drawn)
        if same == len(lines) == len(self._drawn):
            return
        start = max(same, len(self._drawn) - (size.lines - 1))
        up = len(self._drawn) - start
        out += f"\x1b[{up}A" if up else ""
        out += "\r\x1b[J" + "".join(f"{line}\n" for line in lines[start:])
        self._drawn = lines
        sys.stdout.write(out)
        sys.stdout.flush()

    def _print_log(self) -> None:
        """What the stand-in says of each change, since last time."""
        lines = self._log_lines()
        new = lines[self._logged :]
        self._logged = len(lines)
        for line in new:
            print(f"  {line}" if line else "", flush=True)

    def _log_lines(self) -> list[str]:
        return self._slack.log.read_text(errors="replace").split("\n")[:-1]


def _same(new: list[str], old: list[str]) -> int:
    """How many lines at the beginning need not be drawn again."""
    count = 0
    for left, right in zip(new, old):
        if left != right:
            break
        count += 1
    return count


def _size() -> os.terminal_size:
    return shutil.get_terminal_size((80, 24))
