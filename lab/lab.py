#!/usr/bin/env python3
"""The lab: real Salt masters and minions for tests, benchmarks and recordings.

This file is the command line only; the work is done in ``saltlab``.
See README.md beside it.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True

from saltlab import paths, running, venvs  # noqa: E402
from saltlab.commands import tour, up  # noqa: E402
from saltlab.site import Wish  # noqa: E402


def main() -> int:
    args = _parser().parse_args()
    try:
        return args.act(args)
    except paths.LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    install = commands.add_parser("install", help="install Salt into venvs")
    install.add_argument("series", nargs="*", help=f"of {', '.join(paths.SERIES)} (all)")
    install.set_defaults(act=_install)

    for name, act, text in (
        ("up", _up, "bring a master and minions up; say where in one line of JSON"),
        ("tour", _tour, "play every scenario and capture the event bus"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--series", default="3006", choices=paths.SERIES)
        command.add_argument("--dir", help="an empty folder to work in, kept at the end")
        command.add_argument("--syndic", action="store_true", help="a master below, with a syndic")
        command.add_argument("--masters", type=int, default=1, choices=(1, 2), metavar="N")
        command.set_defaults(act=act)
        if name == "up":
            _up_options(command)
        else:
            command.add_argument("--out", required=True, metavar="FILE.bus")
            command.add_argument("--only", action="append", metavar="SCENARIO")
    return parser


def _up_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--minions", type=int, default=4, metavar="N")
    command.add_argument("--ipc-mode", choices=("ipc", "tcp"), default="ipc")
    command.add_argument("--master-opt", action="append", default=[], metavar="'key: value'")
    command.add_argument("--minion-opt", action="append", default=[], metavar="'key: value'")
    command.add_argument("--master-conf", action="append", default=[], metavar="FILE")
    command.add_argument("--file-roots", default=str(paths.TREE), metavar="DIR")
    command.add_argument("--reactor", metavar="WEBHOOK_URL", help="wire peers/reactor in")
    command.add_argument("--reactor-funs", default=Wish.reactor_funs, metavar="FUN,FUN")
    command.add_argument("--no-stdin", action="store_true", help="end by a signal only")


def _install(args: argparse.Namespace) -> int:
    for series in args.series or paths.SERIES:
        venvs.install(series)
    return 0


def _up(args: argparse.Namespace) -> int:
    venvs.install(args.series, out=sys.stderr)
    wish = Wish(
        series=args.series,
        minions=args.minions,
        ipc_mode=args.ipc_mode,
        master_opts=tuple(args.master_opt),
        minion_opts=tuple(args.minion_opt),
        master_confs=tuple(args.master_conf),
        file_roots=os.path.abspath(args.file_roots),
        reactor=args.reactor,
        reactor_funs=args.reactor_funs,
        syndic=args.syndic,
        masters=args.masters,
    )
    root, keep = running.choose_folder(args.dir)
    return up(wish, root, keep, listen=not args.no_stdin)


def _tour(args: argparse.Namespace) -> int:
    venvs.install(args.series, out=sys.stderr)
    root, keep = running.choose_folder(args.dir)
    wish = Wish(series=args.series, syndic=args.syndic, masters=args.masters)
    return tour(wish, root, keep, os.path.abspath(args.out), args.only)


if __name__ == "__main__":
    sys.exit(main())
