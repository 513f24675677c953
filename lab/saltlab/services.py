"""The stand-in for Slack and salt-herald itself, as the quickstart runs them.

Each starts once, says when it is ready, and stops.  Where they are is asked of
them, never guessed: the stand-in chooses a free port.
"""

import json
import pathlib
import re
import subprocess
import time
import urllib.request

from . import building, processes
from .paths import LabError
from .running import Running

PATIENCE = 30.0
_TAIL = 15


class Service:
    """A program with a log of its own."""

    def __init__(self, name: str, base: pathlib.Path):
        self.name, self.log = name, base / f"{name}.log"
        self.daemon: processes.Daemon | None = None
        self._base = base

    def launch(self, argv: list[str]) -> None:
        self.daemon = processes.Daemon(self.name, argv, self.log, str(self._base))
        self.daemon.start()

    def stop(self) -> None:
        if self.daemon:
            self.daemon.stop()

    def check(self) -> None:
        """Complains when it ended by itself."""
        if self.daemon and not self.daemon.alive():
            raise LabError(f"{self.name} ended by itself{self.tail()}")

    def tail(self) -> str:
        """The end of the log, as the end of a message."""
        return tail(self.log)

    def await_ready(self, ready) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} was not ready in {PATIENCE:.0f} s{self.tail()}")
            time.sleep(0.05)


class FakeSlack(Service):
    """The stand-in for Slack, and what stands in its channel."""

    def __init__(self, base: pathlib.Path):
        super().__init__("fake-slack", base)
        self.address = ""

    def start(self) -> None:
        self.launch([str(building.program("fake-slack")), "--listen", "127.0.0.1:0"])
        self.await_ready(self._find_address)

    def _find_address(self) -> bool:
        found = re.search(r"listening on (http://\S+)", self.log.read_text())
        self.address = found.group(1) if found else ""
        return bool(found)

    def text(self, columns: int, color: bool) -> list[str]:
        """The channel as lines for a terminal."""
        color_part = "&color=1" if color else ""
        return self._get(f"/channel.txt?columns={columns}{color_part}").splitlines()

    def messages(self) -> list[dict]:
        return json.loads(self._get("/channel"))["messages"]

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.read().decode()
        except OSError as error:
            self.check()
            raise LabError(f"fake-slack gives no channel: {error}{self.tail()}") from error


class Herald(Service):
    """salt-herald with a journal and a config of its own."""

    def __init__(self, base: pathlib.Path, site: Running, slack: FakeSlack):
        super().__init__("salt-herald", base)
        self.config = base / "herald"
        self.journal = base / "journal" / "journal.db"
        self._site, self._slack = site, slack

    def write_config(self) -> None:
        self.config.write_text(
            f"salt:\n"
            f"  config_dir: {json.dumps(str(self._site.site.config_dir))}\n"
            f"journal:\n"
            f"  path: {json.dumps(str(self.journal))}\n"
            f"slack:\n"
            f"  monitoring:\n"
            f"    token: xoxb-fake-token\n"
            f'    channel: "#monitoring"\n'
            f"    api_url: {self._slack.address}/api/\n"
            f"    checkpoints: false\n"
        )
        # It holds what would be a secret elsewhere.
        self.config.chmod(0o600)

    def start(self) -> None:
        self.launch([*self.command(), "run"])
        self.await_ready(self._hears)

    def command(self) -> list[str]:
        return [str(building.program("salt-herald")), "--config", str(self.config)]

    def _hears(self) -> bool:
        """``status`` says by its exit code whether the daemon hears the master."""
        argv = [*self.command(), "status"]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE
        )
        return done.returncode == 0


def tail(log: pathlib.Path) -> str:
    """The last lines of a log, indented, as the end of a message."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
    except OSError:
        lines = []
    return "".join(f"\n    {log.name}: {line}" for line in lines)
