#!/usr/bin/env python3
"""The quickstart: salt-herald at work beside a real master, from a fresh clone.

This file is the command line and the order of things.  The parts are in
``saltlab``: ``building`` makes the programs, ``services`` starts them,
``showing`` plays the commands, ``screen`` draws the channel.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys

sys.dont_write_bytecode = True

from saltlab import building, paths, processes, services, showing, venvs  # noqa: E402
from saltlab.paths import LabError  # noqa: E402
from saltlab.running import Running  # noqa: E402
from saltlab.screen import Screen  # noqa: E402
from saltlab.site import Wish  # noqa: E402


def main() -> int:
    args = _parser().parse_args()
    base = paths.home() / "quickstart"
    base.parent.mkdir(parents=True, exist_ok=True)
    with open(base.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("quickstart: it runs already, from this checkout", file=sys.stderr)
            return 1
        # What was killed could not tidy up.
        shutil.rmtree(base, ignore_errors=True)
        quick = Quickstart(args, base)
        return processes.supervised(quick.work, str(base), quick.tidy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quickstart",
        description="Shows salt-herald beside a real Salt master, with a stand-in for Slack.",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the tour; exit code 0 if everything that should be said was said",
    )
    parser.add_argument("--series", default="3006", choices=paths.SERIES, help="of Salt (3006)")
    return parser


class Quickstart:
    """One go, from the first line of text to the last process."""

    def __init__(self, args: argparse.Namespace, base):
        self.once, self.series, self.base = args.once, args.series, base
        self.running: Running | None = None
        self.part = "looking around"
        self.shows = False

    def work(self) -> int:
        """Runs in the worker; whatever happens, nothing is left behind."""
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(self.tidy)
                self._install()
                return self._show(stack)
        except (LabError, OSError, ValueError) as error:
            print(f"\nquickstart: {self.part} failed: {error}", file=sys.stderr, flush=True)
            return 1
        except processes.Ended:
            _say("\nEnding ...")
            # Once there was something to see, to end it is no failure.
            code = 0 if self.shows and not self.once else 130
        finally:
            processes.end_all([])
        _say(f"Ended. Kept for the next time: {_shown(paths.home())}, {_shown(building.target())}")
        return code

    def tidy(self) -> None:
        if self.running:
            self.running.tidy()
        shutil.rmtree(self.base, ignore_errors=True)

    def _install(self) -> None:
        for line in building.plan(self.series):
            _say(line)
        self.part = "preparing the build"
        building.need_compiler()
        self.part = "building salt-herald"
        building.build()
        self.part = "installing Salt"
        venvs.install(self.series)

    def _show(self, stack: contextlib.ExitStack) -> int:
        self.part = "starting the Salt master and its minions"
        _say(f"Starting a Salt {paths.salt_version(self.series)} master and four minions ...")
        self.base.mkdir()
        self.running = Running(Wish(series=self.series), self.base / "site", keep=False)
        site = stack.enter_context(self.running)
        site.start()
        self.part = "starting the stand-in for Slack"
        slack = services.FakeSlack(self.base)
        stack.callback(slack.stop)
        slack.start()
        self.part = "starting salt-herald"
        herald = services.Herald(self.base, site, slack)
        stack.callback(herald.stop)
        herald.write_config()
        _say(f"\nThe whole config, {_shown(herald.config)}:\n")
        _say("".join(f"    {line}\n" for line in herald.config.read_text().splitlines()))
        herald.start()
        self.part = "the tour"
        self.shows = True
        screen = Screen(slack)
        tour = showing.Tour(site, slack, herald, screen)
        tour.play()
        return self._after(tour)

    def _after(self, tour: showing.Tour) -> int:
        if self.once:
            tour.screen.settle([])
            missing = tour.missing()
            for line in missing:
                print(f"quickstart: not seen in the channel: {line}", file=sys.stderr)
            if not missing:
                _say("\nEverything that should be said was said.")
            return 1 if missing else 0
        self.part = "staying up"
        tour.screen.settle(showing.hints(tour))
        tour.stay()
        return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _shown(path) -> str:
    return paths.shown(path)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
