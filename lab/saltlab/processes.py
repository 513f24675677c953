"""Starting, freezing and ending processes, so that none is left behind.

A command of the lab runs as two processes.  The *front* is what the caller
started: it passes signals on and waits.  The *worker* does everything, is the
parent of all Salt daemons and adopts their orphans (minions start jobs with a
double fork), so that "all our processes" is simply "all descendants of the
worker".  When the front dies, however it dies, the kernel tells the worker,
which ends them all; when the worker is killed, the front does it, by a mark in
the daemons' environment and command lines.  Knows nothing of Salt.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

MARK = "SALT_LAB_SITE"
PATIENCE = 3.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


class Ended(BaseException):
    """Raised in the worker's main thread when it is told to end."""


def supervised(work, mark: str, tidy) -> int:
    """Runs ``work()`` in a worker under a front; returns the exit code.

    ``tidy()`` is called by the front if the worker could not end by itself.
    """
    front = os.getpid()
    worker = os.fork()
    if worker == 0:
        code = 1
        try:
            _become_worker(front)
            code = work()
        except Ended:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            end_all([])
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return _attend(worker, mark, tidy)


def deaf() -> None:
    """From here on no signal interrupts the worker: it is ending already."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _become_worker(front: int) -> None:
    def end(_signal, _frame):
        deaf()
        raise Ended

    os.setsid()
    for number in _SIGNALS:
        signal.signal(number, end)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != front:
        raise Ended


def _attend(worker: int, mark: str, tidy) -> int:
    def pass_on(_signal, _frame):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    _, status = os.waitpid(worker, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        kill_marked(mark)
        tidy()
        return 128 - code
    return code


class Daemon:
    """A program that is meant to stay; the head of its own session."""

    def __init__(self, name: str, argv: list[str], log: pathlib.Path, mark: str):
        self.name, self.argv, self.log, self.mark = name, argv, log, mark
        self.process: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def start(self) -> None:
        worker = os.getpid()

        def die_with_the_worker():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != worker:
                os._exit(1)

        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, MARK: self.mark},
                start_new_session=True,
                preexec_fn=die_with_the_worker,
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, patience: float = PATIENCE) -> None:
        """Ends the program and all that it started."""
        if not self.alive():
            return
        family = [self.pid, *descendants(self.pid)]
        if patience:
            send(family, signal.SIGCONT)
            send([self.pid], signal.SIGTERM)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(map(running, family)):
            self.alive()
            time.sleep(0.02)
        send([pid for pid in family if running(pid)], signal.SIGKILL)
        self.process.wait()
        # A minion whose pidfile names a zombie believes that it runs already.
        while any(_stat(pid) for pid in family):
            bury(family)
            time.sleep(0.01)

    def freeze(self) -> None:
        send([self.pid, *descendants(self.pid)], signal.SIGSTOP)

    def thaw(self) -> None:
        send([self.pid, *descendants(self.pid)], signal.SIGCONT)


def end_all(polite_to: list[Daemon]) -> None:
    """Ends every descendant; those in ``polite_to`` get a moment to leave."""
    deaf()
    send(descendants(os.getpid()), signal.SIGCONT)
    send([d.pid for d in polite_to if d.alive()], signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and any(d.alive() for d in polite_to):
        time.sleep(0.02)
    while left := descendants(os.getpid()):
        send(left, signal.SIGKILL)
        reap()
        time.sleep(0.02)


def call(argv: list[str], **options) -> int:
    """Runs a program that should not be killed half-way, such as a package manager.

    When we are told to end meanwhile, it is interrupted as by Ctrl-C and gets a while.
    """
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options) as process:
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE * 10)
            process.kill()
            raise


def reap(known: tuple[int, ...] = ()) -> None:
    """Buries adopted orphans; children in ``known`` are left to their owners."""
    me = os.getpid()
    dead = [pid for pid, entry in _table().items() if entry == (me, "Z")]
    bury([pid for pid in dead if pid not in known])


def bury(pids: list[int]) -> None:
    """Takes zombies among our children out of the process table."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def send(pids, number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def running(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    entry = _stat(pid)
    return entry is not None and entry[1] not in "ZX"


def descendants(root: int) -> list[int]:
    """Every process below ``root``, parents before children."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _state) in _table().items():
        children.setdefault(parent, []).append(pid)
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def kill_marked(mark: str) -> None:
    """Ends every process that bears the mark of a site; needs no ancestry."""
    for _ in range(50):
        marked = [pid for pid in _pids() if pid != os.getpid() and _bears(pid, mark)]
        if not marked:
            return
        send(marked, signal.SIGKILL)
        time.sleep(0.02)


def _bears(pid: int, mark: str) -> bool:
    """By its environment, or by its title, which can overwrite that."""
    told = []
    for name in ("environ", "cmdline"):
        try:
            told.append(pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
        except OSError:
            told.append(b"")
    environ, title = told
    ours = f"{MARK}={mark}".encode() in environ.split(b"\0")
    daemon = b"/bin/salt-" in title and f"{mark}/".encode() in title
    return (ours or daemon) and running(pid)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _table() -> dict[int, tuple[int, str]]:
    entries = ((pid, _stat(pid)) for pid in _pids())
    return {pid: entry for pid, entry in entries if entry}


def _stat(pid: int) -> tuple[int, str] | None:
    """Parent and state of a process, or None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return int(parent), state
