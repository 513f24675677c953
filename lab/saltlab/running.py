"""A site with its programs: starts them, knows when they answer, ends them.

Takes orders (restart the master, freeze it, ...) as plain method calls; how
they arrive is the business of the command line.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import event_publisher, paths, processes
from .paths import LabError
from .processes import Daemon
from .site import Site, Wish

START_PATIENCE = 120.0


class Running:
    """One site, from its folder to its last process; a context manager."""

    def __init__(self, wish: Wish, root: pathlib.Path, keep: bool, site: Site | None = None):
        self.site, self.keep = site or Site(wish, root), keep
        self._probes: list[subprocess.Popen] = []
        self.master = self._daemon("master", "salt-master", self.site.config_dir)
        self.minions = {
            name: self._daemon(name, "salt-minion", self.site.minion_config_dir(name))
            for name in self.site.minions
        }

    def _daemon(self, name: str, program: str, config: pathlib.Path) -> Daemon:
        argv = [str(self.site.bin / program), "-c", str(config)]
        return Daemon(name, argv, self.site.logs / f"{name}.out", str(self.site.root))

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_exc) -> None:
        try:
            # What is thrown away need not be left in order.
            processes.end_all(self.all_daemons() if self.keep else [])
        finally:
            self.tidy()

    def daemons(self) -> list[Daemon]:
        return [self.master, *self.minions.values()]

    def all_daemons(self) -> list[Daemon]:
        """Those of other masters of the same site, too."""
        return self.daemons()

    def tidy(self) -> None:
        """Removes what is not to be kept."""
        self.site.remove_sockets()
        if not self.keep:
            shutil.rmtree(self.site.root, ignore_errors=True)

    def start(self) -> None:
        self.site.write()
        self.master.start()
        for minion in self.minions.values():
            minion.start()
        self.await_answers()

    def await_answers(self) -> None:
        """Returns when every minion that runs has answered a test.ping."""
        self._await_answers_of([name for name, one in self.minions.items() if one.alive()])

    def _await_answers_of(self, names: list[str]) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not self._listens():
            self._check(deadline, "the master's event bus did not open")
            time.sleep(0.05)
        probe = self._probe(names)
        while probe.poll() is None:
            try:
                self._check(deadline + 10, "the probe did not end")
            except BaseException:
                probe.kill()
                raise
            time.sleep(0.05)
        self._probes.remove(probe)
        said = probe.communicate()[0].strip().splitlines()
        if probe.returncode:
            raise LabError(f"no answer from {said[-1] if said else names}{self._log_tails()}")

    def _probe(self, names: list[str]) -> subprocess.Popen:
        script = str(pathlib.Path(__file__).with_name("probe.py"))
        config = str(self.site.config_dir / "master")
        argv = [str(self.site.bin / "python"), script, config, str(START_PATIENCE), *names]
        with open(self.site.logs / "probe.out", "ab") as log:
            probe = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
        self._probes.append(probe)
        return probe

    def _listens(self) -> bool:
        port = self.site.tcp_pub_port
        if port is None:
            kind, address = socket.AF_UNIX, str(self.site.pub_socket)
        else:
            kind, address = socket.AF_INET, ("127.0.0.1", port)
        with socket.socket(kind) as trial:
            return trial.connect_ex(address) == 0

    def _check(self, deadline: float, complaint: str) -> None:
        dead = [d.name for d in self.all_daemons() if d.pid and not d.alive()]
        if "master" in dead or (dead and len(dead) == len(self.minions)):
            raise LabError(f"{', '.join(dead)} ended by itself{self._log_tails()}")
        if time.monotonic() > deadline:
            raise LabError(f"{complaint} in time{self._log_tails()}")

    def _log_tails(self) -> str:
        text = ""
        for log in sorted(self.site.logs.glob("*")):
            lines = log.read_text(errors="replace").splitlines()[-8:]
            text += "".join(f"\n    {log.name}: {line}" for line in lines)
        return text

    def reap(self, others: set[int] = frozenset()) -> None:
        """Buries adopted orphans; ``others`` are the caller's own children."""
        known = {d.pid for d in self.all_daemons()} | {p.pid for p in self._probes} | others
        processes.reap(tuple(known))

    def describe(self) -> dict:
        site = self.site
        return {
            "series": site.wish.series,
            "version": paths.salt_version(site.wish.series),
            "dir": str(site.root),
            "config_dir": str(site.config_dir),
            "master_config": str(site.config_dir / "master"),
            "minion_config_dirs": {n: str(site.minion_config_dir(n)) for n in site.minions},
            "sock_dir": str(site.sock_dir),
            "pub_socket": str(site.pub_socket),
            "tcp_pub_port": site.tcp_pub_port,
            "cachedir": str(site.cachedir),
            "scratch": str(site.root / "scratch"),
            "minions": site.minions,
            "bin": str(site.bin),
            "pids": {d.name: d.pid for d in self.daemons()},
        }

    # What can be asked of a running site.

    def stop_master(self) -> None:
        self.master.stop()

    def start_master(self) -> None:
        if not self.master.alive():
            self.master.start()
        self.await_answers()

    def restart_master(self) -> None:
        self.stop_master()
        self.start_master()

    def freeze_master(self) -> None:
        self.master.freeze()

    def thaw_master(self) -> None:
        self.master.thaw()
        self.await_answers()

    def kill_master(self) -> None:
        """All of it at once, as by a loss of power: its sockets' files stay."""
        self.master.stop(patience=0)

    def freeze_publisher(self) -> None:
        processes.send([self._publisher()], signal.SIGSTOP)

    def thaw_publisher(self) -> None:
        processes.send([self._publisher()], signal.SIGCONT)
        self.await_answers()

    def kill_publisher(self) -> None:
        """Ends it, and waits until the master has started another.  3008 never does."""
        killed = self._publisher()
        processes.send([killed], signal.SIGKILL)
        deadline = time.monotonic() + START_PATIENCE
        while processes.running(killed) or not self._listens():
            self._check(deadline, "the master's event bus did not open again")
            time.sleep(0.05)
        self.await_answers()

    def _publisher(self) -> int:
        return event_publisher.find(self.master.pid, self.site.pub_socket)

    def stop_minion(self, name: str) -> None:
        self._minion(name).stop()

    def start_minion(self, name: str) -> None:
        if not self._minion(name).alive():
            self._minion(name).start()
        self.await_answers()

    def restart_minion(self, name: str) -> None:
        self.stop_minion(name)
        self.start_minion(name)

    def _minion(self, name: str) -> Daemon:
        if name not in self.minions:
            raise LabError(f"no minion {name!r}")
        return self.minions[name]


def choose_folder(wanted: str | None) -> tuple[pathlib.Path, bool]:
    """The folder of a site, and whether to keep it at the end."""
    if wanted is None:
        return pathlib.Path(tempfile.mkdtemp(prefix="salt-lab-")), False
    place = pathlib.Path(os.path.abspath(wanted))
    place.mkdir(parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise LabError(f"{place} is not empty")
    return place, True
