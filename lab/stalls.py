#!/usr/bin/env python3
"""Measures what salt-herald's troubles do to a Salt master: how much memory its publisher takes.

A real master, a steady flood of events, and in turn: no salt-herald, one in health, and one whose
Slack, disk, reader or whole process stands still.  All in one run, and judged against the first two.
Prints a table; exits with 1 when a trouble that may not reach the master did.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

from saltlab import paths, processes, running, stalling, venvs  # noqa: E402
from saltlab.paths import LabError  # noqa: E402
from saltlab.running import Running  # noqa: E402
from saltlab.site import Wish  # noqa: E402

HERALD = paths.REPO / "target" / "release" / "salt-herald"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", default="3006", choices=paths.SERIES)
    parser.add_argument("--herald", default=str(HERALD), metavar="PROGRAM", help="salt-herald to try")
    parser.add_argument("--megabytes", type=float, default=60, metavar="N", help="a trouble (60)")
    parser.add_argument("--rate", type=float, default=4, metavar="N", help="megabytes a second (4)")
    parser.add_argument("--frozen", type=float, default=80, metavar="N", help="seconds frozen (80)")
    parser.add_argument("--only", action="append", metavar="NAME", help=", ".join(stalling.NAMES))
    args = parser.parse_args()
    if not pathlib.Path(args.herald).is_file():
        parser.error(f"there is no {args.herald}: cargo build --release, or --herald")
    venvs.install(args.series, out=sys.stderr)
    root, keep = running.choose_folder(None)
    site = Running(Wish(series=args.series, minions=1), root, keep)

    def work() -> int:
        try:
            with site:
                site.start()
                return tell(args, stalling.Trial(site, args.herald, args.megabytes, args.rate))
        except (LabError, OSError) as error:
            print(f"stalls: {error}", file=sys.stderr)
            return 2

    return processes.supervised(work, str(root), site.tidy)


def tell(args: argparse.Namespace, trial: stalling.Trial) -> int:
    wanted = args.only or stalling.NAMES
    print(f"Salt {paths.salt_version(args.series)}: {args.megabytes:g} MB of events at "
          f"{args.rate:g} MB/s in each; the publisher's memory in MB\n")
    print("| | before | at most | after | |\n|---|---|---|---|---|", flush=True)
    trial.warm_up()
    for name in wanted:
        found = trial.frozen(args.frozen) if name == stalling.FROZEN else trial.measure(name)
        print(found.row() if found else f"| {name} | | | | left out: needs root |", flush=True)
    wrong = trial.judge()
    print("\n" + ("\n".join(wrong) if wrong else "No trouble reached the master."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
