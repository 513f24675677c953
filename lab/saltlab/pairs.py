"""Sites with two masters: one below the other, or two beside each other.

Each master has a site, a folder and a bus of its own; here they are started in
the right order and described together.  What a single site does is in
``running``.
"""

import pathlib
import shutil
import time

from . import paths
from .paths import LabError
from .processes import Daemon
from .running import START_PATIENCE, Running
from .site import Site, Wish


def running(wish: Wish, root: pathlib.Path, keep: bool) -> Running:
    """The kind of site that is wished for."""
    if wish.syndic and wish.masters > 1:
        raise LabError("--syndic and --masters do not go together")
    if wish.syndic:
        return Syndicated(wish, root, keep)
    if wish.masters > 1:
        return Doubled(wish, root, keep)
    return Running(wish, root, keep)


class Pair(Running):
    """A site, and another one with the second master."""

    other: Running

    def all_daemons(self) -> list[Daemon]:
        return [*self.daemons(), *self.other.daemons()]

    def tidy(self) -> None:
        self.other.site.remove_sockets()
        super().tidy()

    def describe(self) -> dict:
        return {**super().describe(), "other": self.other.describe()}

    def _await_file(self, file: pathlib.Path) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not file.exists():
            self._check(deadline, f"{file.name} was not written")
            time.sleep(0.05)


class Syndicated(Pair):
    """An upper master with minions of its own, and a lower one with a syndic."""

    def __init__(self, wish: Wish, root: pathlib.Path, keep: bool):
        super().__init__(wish, root, keep)
        site = Site(wish, root / "lower", above=self.site)
        self.other = Running(wish, site.root, keep, site)
        self.syndic = self.other._daemon("syndic", "salt-syndic", site.config_dir)

    def daemons(self) -> list[Daemon]:
        return [*super().daemons(), self.syndic]

    def start(self) -> None:
        self.site.write()
        self.master.start()
        self.other.start()
        for minion in self.minions.values():
            minion.start()
        self.start_syndic()

    def await_answers(self) -> None:
        below = self.other.minions if self.syndic.alive() else {}
        all_minions = {**self.minions, **below}
        self._await_answers_of([name for name, one in all_minions.items() if one.alive()])

    def stop_syndic(self) -> None:
        self.syndic.stop()

    def start_syndic(self) -> None:
        if not self.syndic.alive():
            self.syndic.start()
        self.await_answers()

    def _minion(self, name: str) -> Daemon:
        return self.minions.get(name) or self.other._minion(name)


class Doubled(Pair):
    """Two masters with the same keys; every minion is connected to both."""

    def __init__(self, wish: Wish, root: pathlib.Path, keep: bool):
        super().__init__(wish, root, keep)
        site = Site(wish, root / "second", first=self.site)
        self.other = Running(wish, site.root, keep, site)

    def start(self) -> None:
        self.site.write()
        self.master.start()
        self._await_file(self.site.pki_dir / "master.pub")
        shutil.copytree(self.site.pki_dir, self.other.site.pki_dir)
        self.other.start()
        for minion in self.minions.values():
            minion.start()
        self.await_answers()

    def await_answers(self) -> None:
        names = [name for name, one in self.minions.items() if one.alive()]
        self._await_answers_of(names)
        if self.other.master.alive():
            self.other._await_answers_of(names)

    def stop_second(self) -> None:
        self.other.stop_master()

    def start_second(self) -> None:
        self.other.start_master()
        self.await_answers()
