#!/usr/bin/env python3
"""Proves that Salt reads our command lines back: one series, in its venv.

Usage: proving.py PROGRAM SEED COUNT TYPED.  PROGRAM is herald-core's example
``command_lines``.  Prints one JSON map of figures; ends with 1 if a line that
is said to be exact is not, if one that somebody could type is not exact, or if
one with something hidden does not stop as it is.
"""

import collections
import io
import json
import pathlib
import random
import shlex
import subprocess
import sys
import tempfile

import msgpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from saltlab import publishing, shells, typed  # noqa: E402

_SHOWN = 5
#: So many lines with something hidden are tried as they are.
_STOPPED = 200


class Pairs(list):
    """A map as it stands on the wire: with keys of any type, also twice."""


_WIRE = {
    "raw": False,
    "strict_map_key": False,
    "object_pairs_hook": Pairs,
    "unicode_errors": "surrogateescape",
    "max_buffer_size": 0,
}


def main() -> int:
    program, seed, count, typed_count = sys.argv[1], *map(int, sys.argv[2:5])
    with tempfile.TemporaryDirectory() as folder:
        proof = Proof(program, pathlib.Path(folder))
        proof.prove("made up", proof.made_up(seed, count))
        proof.prove("typed", proof.typed(seed, typed_count), all_exact=True)
        proof.prove_hidden("hidden", proof.hidden(seed, typed_count))
        print(json.dumps({"shells": proof.shells, "figures": proof.figures, "wrong": proof.wrong}))
        return 1 if proof.wrong else 0


class Proof:
    def __init__(self, program: str, folder: pathlib.Path):
        self._program, self._folder = program, folder
        self._salt = publishing.Salt(folder)
        self.shells = shells.available()
        self.figures: dict[str, collections.Counter] = {}
        self.wrong = 0

    def made_up(self, seed: int, count: int):
        """(load, line, exact) of what the example makes up."""
        return _said(self._say("generate", str(seed), str(count)))

    def hidden(self, seed: int, count: int):
        """(load, line, exact, parameters) of loads with a secret in them."""
        return _said(self._say("hide", str(seed), str(count)))

    def typed(self, seed: int, count: int):
        """The same of what Salt makes of words that somebody could type."""
        chance, loads = random.Random(seed), []
        refused = 0
        while len(loads) < count:
            try:
                loads.append(self._salt.published(typed.argv(chance)))
            except publishing.Refused:
                refused += 1
                if refused > 20 * count + 100:
                    raise
        packed = b"".join(msgpack.packb(load, use_bin_type=True) for load in loads)
        return _said(self._say("say", given=packed))

    def prove(
        self, name: str, said: list, all_exact: bool = False, as_shown: bool = True
    ) -> None:
        figures = self.figures[name] = collections.Counter(loads=len(said))
        lines = [line for _, line, _ in said]
        argvs = [shells.split(shell, lines, self._folder) for shell in self.shells]
        for (load, line, exact), *words in zip(said, *argvs, strict=True):
            trouble = self._trouble(load, line if as_shown else "", words)
            figures["exact" if exact else "inexact"] += 1
            figures["tgt_type " + str(dict(load).get("tgt_type"))] += 1
            if exact and trouble:
                self._complain(name, "said to be exact", load, line, trouble)
            elif not exact and not trouble:
                figures["inexact, but Salt publishes the same"] += 1
            if all_exact and not exact:
                self._complain(name, "can be typed, but is inexact", load, line, trouble)

    def prove_hidden(self, name: str, said: list) -> None:
        """That a line stops as it is shown, and says the load again once its parameters are set."""
        hiding = [one for one in said if any("${" + key + ":?" in one[1] for key, _ in one[3])]
        for load, line, _, _ in hiding[:_STOPPED]:
            for shell in self.shells:
                if shells.split(shell, [line], self._folder)[0] is not None:
                    self._complain(name, f"{shell} does not stop", load, line, None)
        set_before = [
            (load, "".join(f"{key}={shlex.quote(value)}; " for key, value in values) + line, exact)
            for load, line, exact, values in hiding
            if "\0" not in str(values)
        ]
        self.prove(name, set_before, as_shown=False)

    def _trouble(self, load: list, line: str, words: list) -> str | None:
        """Why Salt does not publish this load when it is given this line."""
        if any(not char.isprintable() and char not in "\u00a0\u3000" for char in line):
            hidden = [char for char in line if ord(char) < 32 or 127 <= ord(char) < 160]
            if hidden:
                return f"the line holds {hidden!r}"
        if None in words:
            return "a shell can't read it"
        if any(other != words[0] for other in words[1:]):
            return f"the shells differ: {words}"
        argv = [word.decode("utf-8", "surrogateescape") for word in words[0]]
        try:
            published = self._salt.published(argv)
        except publishing.Refused as refused:
            return f"salt refuses: {refused}"
        if _strict(load) != _strict(published):
            return f"salt publishes {published!r}"
        return None

    def _complain(self, name: str, what: str, load, line: str, trouble) -> None:
        self.wrong += 1
        if self.wrong <= _SHOWN:
            print(f"{name}: {what}\n  load: {load!r}\n  line: {line}\n  {trouble}", file=sys.stderr)

    def _say(self, *words: str, given: bytes = b"") -> bytes:
        argv = [self._program, *words]
        return subprocess.run(argv, input=given, stdout=subprocess.PIPE, check=True).stdout


def _said(data: bytes) -> list:
    return list(msgpack.Unpacker(io.BytesIO(data), **_WIRE))


def _strict(value):
    """A value with its type at every place: 1, 1.0, True and "1" are four."""
    if isinstance(value, (dict, Pairs)):
        pairs = value.items() if isinstance(value, dict) else value
        return ("map", sorted(((_strict(key), _strict(item)) for key, item in pairs), key=repr))
    if isinstance(value, (list, tuple)):
        return ("list", [_strict(item) for item in value])
    return (type(value).__name__, repr(value))


if __name__ == "__main__":
    sys.exit(main())
