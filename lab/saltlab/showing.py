"""The quickstart's tour: what is run, what the channel must say of it, what to try then.

It waits for what it wants to see and never for a span of time.  A message is
judged by its words alone, so that their order may change.
"""

import shlex
import subprocess
import time

from . import building, paths
from .paths import LabError
from .running import Running
from .screen import Screen
from .services import FakeSlack, Herald, tail

_PATIENCE = 120.0
#: How long a message may take after its command has ended.
_SETTLE = 60.0
_POLL = 0.1
#: Long enough for another command to start meanwhile, on a busy machine too.
_SLOW = 12


class Tour:
    """Commands on a real master, while the channel is looked at."""

    def __init__(self, site: Running, slack: FakeSlack, herald: Herald, screen: Screen):
        self.site, self.slack, self.herald, self.screen = site, slack, herald, screen
        self._log = herald.log.with_name("salt.log")

    def play(self) -> None:
        highstate = ["*", "state.highstate"]
        self._announce("1 of 3: a highstate, with a state that fails on web3", highstate)
        self._finish(self._salt(highstate))
        self._await(highstate_failed)
        command = ["-G", "roles:web", "cmd.run", "df -h /"]
        self._announce("2 of 3: a command", command)
        self._finish(self._salt(command))
        self._await(command_done)
        self._collide()

    def _collide(self) -> None:
        slow = ["-L", "web1,web2", "state.apply", "slow", f'pillar={{"seconds": {_SLOW}}}']
        second = ["web*", "state.apply", "web"]
        self._announce("3 of 3: a slow state run, and another one that meets it", slow, second)
        first = self._salt(slow)
        self._until(lambda: self._busy("web1") and self._busy("web2"), "web1 and web2 are busy")
        self._finish(self._salt(second))
        self._finish(first)
        self._await(collision_named)
        self._await(slow_done)

    def missing(self) -> list[str]:
        """What the channel should say by now, but does not."""
        messages = self.slack.messages()
        return [check.__doc__.rstrip(".") for check in CHECKS if not check(messages)]

    def stay(self) -> None:
        """Keeps the channel drawn until we are told to end."""
        while True:
            self.screen.refresh(hints(self))
            self._look_after()
            time.sleep(_POLL)

    def _announce(self, title: str, *commands: list[str]) -> None:
        lines = [f"  $ {shlex.join(['salt', *command])}" for command in commands]
        self.screen.say([title, *lines])

    def _salt(self, words: list[str]) -> subprocess.Popen:
        argv = [str(self.site.site.bin / "salt"), "-c", str(self.site.site.config_dir), *words]
        with open(self._log, "ab") as log:
            log.write(f"$ {shlex.join(['salt', *words])}\n".encode())
            log.flush()
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _finish(self, command: subprocess.Popen) -> None:
        """Waits for a command; that it found failed states is no failure of ours."""
        self._until(lambda: command.poll() is not None, f"{shlex.join(command.args[3:])} ends")

    def _busy(self, minion: str) -> bool:
        """Whether a state run has begun there: minions note their jobs in ``proc``."""
        proc = self.site.site.root / "minions" / minion / "cache" / "proc"
        try:
            return any(b"state.apply" in entry.read_bytes() for entry in proc.iterdir())
        except OSError:
            return False

    def _await(self, check) -> None:
        """Waits until a message stands; the tour goes on without it if need be."""
        deadline = time.monotonic() + _SETTLE
        while not check(self.slack.messages()) and time.monotonic() < deadline:
            self._wait_a_little()

    def _until(self, done, what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise LabError(f"waited in vain until {what}{tail(self._log)}")
            self._wait_a_little()

    def _wait_a_little(self) -> None:
        self.screen.show()
        self._look_after()
        time.sleep(_POLL)

    def _look_after(self) -> None:
        self.herald.check()
        self.slack.check()
        if not self.site.master.alive():
            raise LabError(f"the Salt master ended by itself{tail(self.site.master.log)}")
        own = (self.herald, self.slack)
        self.site.reap({service.daemon.pid for service in own if service.daemon})


def _roots(messages: list[dict], *needles: str) -> list[tuple[str, str]]:
    """Messages that say all of these, and what their threads say."""
    found = []
    for root in (m for m in messages if m.get("thread_ts") in (None, m["ts"])):
        if all(needle in _plain(root) for needle in needles):
            thread = [m for m in messages if m.get("thread_ts") == root["ts"] and m is not root]
            found.append((_plain(root), "\n".join(map(_plain, thread))))
    return found


def _plain(message: dict) -> str:
    texts: list[str] = []
    _collect([message.get(key) for key in ("text", "blocks", "attachments")], texts)
    return "\n".join(texts)


def _collect(value, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        _collect([value[key] for key in sorted(value) if key != "type"], texts)
    elif isinstance(value, list):
        for item in value:
            _collect(item, texts)


def highstate_failed(messages: list[dict]) -> bool:
    """the highstate, closed as failed, which names web3 there and in its thread."""
    return any(
        "web3" in thread and "certificate" in thread
        for _, thread in _roots(messages, "state.highstate", "✗", "web3")
    )


def command_done(messages: list[dict]) -> bool:
    """the command, closed as done on three minions."""
    return bool(_roots(messages, "cmd.run", "df -h /", "✓"))


def collision_named(messages: list[dict]) -> bool:
    """the state run that met another, which names the minions and the other run."""
    return any(
        "web1" in root + thread and "running" in thread
        for root, thread in _roots(messages, "web*", "state.apply web", "✗")
    )


def slow_done(messages: list[dict]) -> bool:
    """the slow state run, closed as done, with what it changed."""
    return any("◐" not in root for root, _ in _roots(messages, "state.apply slow", "2 changed"))


CHECKS = (highstate_failed, command_done, collision_named, slow_done)


def hints(tour: Tour) -> list[str]:
    """What can be tried, and where everything is."""
    site, herald, slack = tour.site.site, tour.herald, tour.slack
    config = paths.shown(herald.config)
    program = f"{paths.shown(building.program('salt-herald'))} --config {config}"
    salt = f"{paths.shown(site.bin / 'salt')} -c {paths.shown(site.config_dir)}"
    logs = f"{paths.shown(site.logs)}/, {paths.shown(herald.log)}"
    return [
        "Everything stays up until Ctrl-C. In another terminal, try:",
        f"  {salt} 'web*' cmd.run 'echo hi'",
        f"  {salt} db1 state.apply",
        f"  {program} log",
        f"  {program} show last failed",
        f"  {program} show web3",
        f"  {program} tail",
        "",
        f"  channel  {slack.address}/channel.txt",
        f"  journal  {paths.shown(herald.journal)}",
        f"  bus      {paths.shown(site.pub_socket)}",
        f"  logs     {logs}",
    ]
