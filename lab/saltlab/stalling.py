"""Troubles of salt-herald, made on purpose, and the master's publisher while they last.

It measures and compares; printing is left to ``stalls.py``.  Each trouble is a context: it starts a
salt-herald with a journal of its own, breaks something, and ends all that it started.
"""

import contextlib
import dataclasses
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from . import event_publisher, paths
from .paths import LabError
from .running import Running

ALONE, HEALTHY, FROZEN = "no salt-herald", "in health", "frozen"
#: What a Slack takes to answer that is as good as none, in seconds.
LATE = 30.0
#: A publisher's memory varies by itself: with Python's arenas, and with how quick its readers are.
NOISE_RATIO, NOISE = 1.25, 8e6


@dataclasses.dataclass(frozen=True)
class Found:
    """The publisher's resident memory in bytes, and what else there is to say."""

    name: str
    before: float
    most: float
    after: float
    said: str = ""

    def row(self) -> str:
        figures = " | ".join(f"{figure / 1e6:.0f}" for figure in (self.before, self.most, self.after))
        return f"| {self.name} | {figures} | {self.said} |"


class Trial:
    """One master, and one trouble after the other."""

    def __init__(self, site: Running, herald: str, megabytes: float, rate: float):
        self.site, self.herald = site, os.path.abspath(herald)
        self.megabytes, self.rate = megabytes, rate
        self.publisher = 0
        self.found: list[Found] = []
        self.work = site.site.root / "herald"
        self.work.mkdir(parents=True, exist_ok=True)

    def warm_up(self) -> None:
        """What a publisher takes once, it takes now."""
        self.publisher = event_publisher.find(self.site.master.pid, self.site.site.pub_socket)
        with self._flood(self.megabytes / 2) as flood:
            self._watch(flood)

    def measure(self, name: str) -> Found | None:
        """The memory during one flood in one trouble; None when it can't be made here."""
        with _TROUBLES[name](self) as said:
            if said is None:
                return None
            time.sleep(1)
            before = self._resident()
            with self._flood(self.megabytes) as flood:
                most = self._watch(flood)
            time.sleep(3)
            after = self._resident()
            told = said() if callable(said) else ""
        self.found.append(Found(name, before, most, after, told))
        return self.found[-1]

    def frozen(self, seconds: float) -> Found:
        """The whole daemon stands still; then it goes on."""
        with self._herald() as herald:
            time.sleep(1)
            before, begun = self._resident(), time.monotonic()
            os.kill(herald.process.pid, signal.SIGSTOP)
            with self._flood(seconds * self.rate) as flood:
                most = self._watch(flood)
            took, at_end = time.monotonic() - begun, self._resident()
            os.kill(herald.process.pid, signal.SIGCONT)
            time.sleep(8)
            cut = herald.log.read_text().count("listening") > 1
        said = f"{seconds * self.rate:.0f} MB in {took:.0f} s, {at_end / 1e6:.0f} at their end; "
        said += "cut off" if cut else "not cut off"
        self.found.append(Found(FROZEN, before, most, self._resident(), said))
        return self.found[-1]

    def judge(self) -> list[str]:
        """What took more than the master takes without us, beyond its own noise."""
        usual = [found.most for found in self.found if found.name in (ALONE, HEALTHY)]
        if not usual:
            return []
        limit = max(usual) * NOISE_RATIO + NOISE
        return [
            f"{found.name}: {found.most / 1e6:.0f} MB; without trouble {max(usual) / 1e6:.0f} MB"
            for found in self.found
            if found.name != FROZEN and found.most > limit
        ]

    def _resident(self) -> float:
        resident = event_publisher.resident(self.publisher)
        if not resident:
            raise LabError("the master's publisher has ended")
        return resident

    def _watch(self, flood: subprocess.Popen) -> float:
        """The most memory until the flood ends."""
        most = 0.0
        while flood.poll() is None:
            most = max(most, self._resident())
            time.sleep(0.1)
        if flood.returncode:
            raise LabError(f"the flood ended with {flood.returncode}")
        return max(most, self._resident())

    @contextlib.contextmanager
    def _flood(self, megabytes: float):
        site = self.site.site
        argv = [site.bin / "python", paths.PEERS / "flood.py", site.config_dir / "master"]
        with _ended(subprocess.Popen([*map(str, argv), str(megabytes), str(self.rate)])) as flood:
            yield flood

    @contextlib.contextmanager
    def _herald(self, slack: str = "", journal: pathlib.Path | None = None, **env: str):
        """A daemon with a journal of its own, once it listens."""
        folder = self.work / str(len(list(self.work.iterdir())))
        folder.mkdir()
        journal = journal or folder / "journal.db"
        config, log = folder / "config", folder / "log"
        config.write_text(
            f"salt: {{config_dir: {self.site.site.config_dir}}}\n"
            f"journal: {{path: {journal}}}\n{slack}"
        )
        config.chmod(0o600)
        argv = [self.herald, "--config", str(config)]
        with open(log, "wb") as stderr:
            process = subprocess.Popen([*argv, "run"], stderr=stderr, env={**os.environ, **env})
        with _ended(process):
            deadline = time.monotonic() + 30
            while "listening" not in log.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"salt-herald does not listen:\n{log.read_text()}")
                time.sleep(0.05)
            yield Herald(process, argv, log, journal)


@dataclasses.dataclass(frozen=True)
class Herald:
    """A daemon that runs, how its commands begin, its log and its journal."""

    process: subprocess.Popen
    argv: list[str]
    log: pathlib.Path
    journal: pathlib.Path

    def stored(self) -> str:
        """How much of the flood is on disk; the rest waits, or was dropped and told of as a gap."""
        files = self.journal.parent.glob(self.journal.name + "*")
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        return f"journal {megabytes:.0f} MB, salt-herald itself {self.resident():.0f}"

    def resident(self) -> float:
        return event_publisher.resident(self.process.pid) / 1e6


# The troubles.  Each yields what there is to say at its end, or None when it can't be made.


@contextlib.contextmanager
def _alone(_trial: Trial):
    yield str


@contextlib.contextmanager
def _healthy(trial: Trial):
    with _slack(0.0) as sink, trial._herald(sink) as herald:
        yield herald.stored


@contextlib.contextmanager
def _slack_is_dead(trial: Trial):
    """It takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as dead:
        with trial._herald(_sink(dead.getsockname()[1])) as herald:
            yield herald.stored


@contextlib.contextmanager
def _slack_is_late(trial: Trial):
    with _slack(LATE) as sink, trial._herald(sink) as herald:
        yield herald.stored


@contextlib.contextmanager
def _disk_is_full(trial: Trial):
    place = trial.work / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        yield None
        return
    try:
        with trial._herald(journal=place / "journal.db") as herald:
            yield herald.stored
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextlib.contextmanager
def _disk_is_slow(trial: Trial):
    """Each sync takes two seconds more."""
    library = trial.work / "slow_disk.so"
    source = paths.PEERS / "slow_disk.c"
    argv = ["cc", "-shared", "-fPIC", "-DDELAY=2", "-o", str(library), str(source), "-ldl"]
    subprocess.run(argv, check=True)
    with trial._herald(LD_PRELOAD=str(library)) as herald:
        yield herald.stored


@contextlib.contextmanager
def _reader_hangs(trial: Trial):
    """One that never takes what it asked for, and one that is stopped in the middle."""
    with trial._herald() as herald:
        with trial._flood(10) as flood:
            trial._watch(flood)
        log = _reading(herald, "log", "--all", "--json")
        tail = _reading(herald, "tail", "--json")
        with _ended(log), _ended(tail):
            time.sleep(1)
            tail.send_signal(signal.SIGSTOP)
            yield herald.stored


_TROUBLES = {
    ALONE: _alone,
    HEALTHY: _healthy,
    "Slack is dead": _slack_is_dead,
    "Slack answers after 30 s": _slack_is_late,
    "the disk is full": _disk_is_full,
    "the disk is slow": _disk_is_slow,
    "a reader hangs": _reader_hangs,
}
NAMES = [*_TROUBLES, FROZEN]


def _reading(herald: Herald, *command: str) -> subprocess.Popen:
    return subprocess.Popen([*herald.argv, *command], stdout=subprocess.PIPE)


@contextlib.contextmanager
def _slack(delay: float):
    """A Slack that says yes to everything, as late as that."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            time.sleep(delay)
            answer = b'{"ok": true, "ts": "1.1", "channel": "C1"}'
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield _sink(server.server_address[1])
        finally:
            server.shutdown()


def _sink(port: int) -> str:
    url = f"http://127.0.0.1:{port}/api/"
    return f"slack: {{test: {{token: xoxb-lab, channel: C1, api_url: '{url}'}}}}\n"


@contextlib.contextmanager
def _ended(process: subprocess.Popen):
    """Leaves nothing behind, not even what is stopped."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()
