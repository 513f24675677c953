#!/usr/bin/env python3
"""Proves with Salt's own parser that our command lines say what they show.

Loads are made up from a seed, and argument lists that somebody could type.
salt-herald makes a line of each; real shells take it apart; the ``salt`` of each
series reads it, up to what it hands to the master.  That must be the load again,
with every type.  See docs/command-lines.md.
"""

import argparse
import json
import os
import pathlib
import secrets
import subprocess
import sys

sys.dont_write_bytecode = True

from saltlab import paths, venvs  # noqa: E402

SEED = 20261122
SERIES = ("3006", "3007", "3008")
WORKER = pathlib.Path(__file__).resolve().parent / "saltlab" / "proving.py"


def main() -> int:
    args = _parser().parse_args()
    seed = secrets.randbits(32) if args.seed == "random" else int(args.seed)
    try:
        program = args.program or _built()
        wrong = [_prove(series, program, seed, args) for series in args.series or SERIES]
    except paths.LabError as error:
        print(f"command lines: {error}", file=sys.stderr)
        return 2
    return 1 if any(wrong) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", action="append", choices=SERIES, help="one of them (all)")
    parser.add_argument("--count", type=int, default=20_000, help="loads for each series (%(default)s)")
    parser.add_argument("--typed", type=int, default=5_000, help="typed ones (%(default)s)")
    parser.add_argument("--seed", default=str(SEED), help="a number, or 'random' (%(default)s)")
    parser.add_argument("--program", help="herald-core's example command_lines (built by cargo)")
    return parser


def _built() -> str:
    """The example, built; cargo says where it is."""
    argv = ["cargo", "build", "-q", "--locked", "-p", "herald-core", "--example", "command_lines"]
    done = subprocess.run(
        [*argv, "--message-format", "json"],
        cwd=paths.REPO, stdout=subprocess.PIPE, check=False, text=True,
    )
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "command_lines":
            return message["executable"]
    raise paths.LabError("the example command_lines was not built")


def _prove(series: str, program: str, seed: int, args: argparse.Namespace) -> bool:
    """Whether anything was wrong."""
    venvs.install(series, out=sys.stderr)
    python = paths.bin_dir(series) / "python"
    argv = [python, WORKER, program, str(seed), str(args.count), str(args.typed)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, text=True, env=env)
    if done.returncode not in (0, 1) or not done.stdout:
        raise paths.LabError(f"the proof for {series} ended with {done.returncode}")
    found = json.loads(done.stdout.splitlines()[-1])
    place = f"Salt {paths.salt_version(series)}, seed {seed}, {' and '.join(found['shells'])}"
    print(f"{place}: {found['wrong']} wrong")
    for name, figures in found["figures"].items():
        kinds = sum(1 for figure in figures if figure.startswith("tgt_type "))
        shown = [f"{what}: {count}" for what, count in figures.items() if "tgt_type" not in what]
        print(f"  {name}: {', '.join(shown)}; {kinds} kinds of target")
    return bool(found["wrong"])


if __name__ == "__main__":
    sys.exit(main())
