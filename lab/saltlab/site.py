"""Writes the configuration of one master and its minions into a folder.

Everything listens on 127.0.0.1, on ports that were free a moment ago, and
every path is inside the folder of the site.  It only writes files: starting
programs is left to ``running``.
"""

import contextlib
import dataclasses
import getpass
import json
import pathlib
import random
import shutil
import socket
import tempfile

from . import paths
from .paths import LabError

#: A path longer than this cannot be bound as a unix socket.
LONGEST_SOCKET = 107
#: The id of the master below, and so of its syndic.
LOWER = "lower"
#: The minions that the upper master has of its own.
UPPER_MINIONS = ["top1", "top2"]
_LONGEST_NAME = len("/web1/minion_event_0123456789_pull.ipc")
_IPC_PORTS = (
    "tcp_master_pub_port",
    "tcp_master_pull_port",
    "tcp_master_publish_pull",
    "tcp_master_workers",
)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the caller asked for."""

    series: str
    minions: int = 4
    ipc_mode: str = "ipc"
    master_opts: tuple[str, ...] = ()
    minion_opts: tuple[str, ...] = ()
    master_confs: tuple[str, ...] = ()
    file_roots: str = str(paths.TREE)
    reactor: str | None = None
    reactor_funs: str = "state.highstate,state.sls"
    syndic: bool = False
    masters: int = 1


class Site:
    """The folder of a site and the names of what is in it.

    A site can be below another (``above``: its master has a syndic) or beside
    another (``first``: a second master of the same minions).  It has the next
    address then and the same ports, since minions and syndics subscribe to the
    port in their own config, not to the one that a master tells them.
    """

    def __init__(
        self,
        wish: Wish,
        root: pathlib.Path,
        above: "Site | None" = None,
        first: "Site | None" = None,
    ):
        self.wish, self.root, self.above, self.first = wish, root, above, first
        self.interface = "127.0.0.2" if above or first else "127.0.0.1"
        self.bin = paths.bin_dir(wish.series)
        self.config_dir = root / "etc"
        self.master_dir = root / "master"
        self.cachedir = self.master_dir / "cache"
        self.logs = root / "log"
        other = above or first
        self.ports = other.ports if other else _free_ports(2 + len(_IPC_PORTS))
        self.minions = [] if first else _names(wish.minions)
        if wish.syndic and not above:
            self.minions = UPPER_MINIONS.copy()
        if wish.reactor:
            self.minions.append("master")
        self._short = _short_folder(root)

    @property
    def sockets(self) -> pathlib.Path:
        return self._short or self.root / "s"

    @property
    def sock_dir(self) -> pathlib.Path:
        return self.sockets / "m"

    @property
    def pub_socket(self) -> pathlib.Path:
        return self.sock_dir / "master_event_pub.ipc"

    @property
    def pki_dir(self) -> pathlib.Path:
        return self.master_dir / "pki"

    @property
    def tcp_pub_port(self) -> int | None:
        return self.ports[2] if self.wish.ipc_mode == "tcp" else None

    def minion_config_dir(self, name: str) -> pathlib.Path:
        return self.root / "minions" / name / "etc"

    def write(self) -> None:
        for folder in (self.logs, self.master_dir, self.sock_dir, self.config_dir / "master.d"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.config_dir / "master").write_text(_yaml(self._master()))
        _write_lines(self.config_dir / "master.d" / "lab.conf", self.wish.master_opts)
        for file in self.wish.master_confs:
            shutil.copy(file, self.config_dir / "master.d")
        if self.wish.reactor:
            self._write_reactor(self.wish.reactor)
        if self.above:
            (self.config_dir / "minion").write_text(_yaml(self._syndic()))
        for name in self.minions:
            folder = self.minion_config_dir(name)
            (folder / "minion.d").mkdir(parents=True, exist_ok=True)
            (folder / "minion").write_text(_yaml(self._minion(name)))
            _write_lines(folder / "minion.d" / "lab.conf", self.wish.minion_opts)
            (self.root / "scratch" / name).mkdir(parents=True, exist_ok=True)

    def remove_sockets(self) -> None:
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)

    def _master(self) -> dict:
        config = {
            "interface": self.interface,
            "publish_port": self.ports[0],
            "ret_port": self.ports[1],
            "user": getpass.getuser(),
            "root_dir": "/",
            "pki_dir": str(self.pki_dir),
            "cachedir": str(self.cachedir),
            "sock_dir": str(self.sock_dir),
            "pidfile": str(self.master_dir / "master.pid"),
            "log_file": str(self.logs / "master.log"),
            "key_logfile": str(self.logs / "key.log"),
            "log_level": "warning",
            "log_level_logfile": "warning",
            "auto_accept": True,
            "keysize": 2048,
            "worker_threads": 3,
            "gather_job_timeout": 4,
            "file_roots": {"base": [self.wish.file_roots]},
            "pillar_roots": {"base": [str(paths.PILLAR)]},
            "nodegroups": {"frontends": "L@web1,web2", "databases": "G@roles:db"},
        }
        if self.wish.ipc_mode == "tcp":
            config["ipc_mode"] = "tcp"
            config.update(zip(_IPC_PORTS, self.ports[2:]))
        if self.above:
            config |= {
                "id": LOWER,
                "syndic_master": self.above.interface,
                "syndic_pidfile": str(self.master_dir / "syndic.pid"),
                "syndic_log_file": str(self.logs / "syndic.log"),
            }
        elif self.wish.syndic:
            config["order_masters"] = True
        return config

    def _syndic(self) -> dict:
        """What a syndic reads beside its master's config: it is a minion of the one above."""
        return {
            "id": LOWER,
            "pki_dir": str(self.root / "syndic" / "pki"),
            "publish_port": self.above.ports[0],
            "master_port": self.above.ports[1],
        }

    def _minion(self, name: str) -> dict:
        home = self.root / "minions" / name
        role = name.rstrip("0123456789")
        return {
            "id": name,
            "master": self._masters_of_a_minion(),
            "publish_port": self.ports[0],
            "master_port": self.ports[1],
            "user": getpass.getuser(),
            "root_dir": "/",
            "pki_dir": str(home / "pki"),
            "cachedir": str(home / "cache"),
            "sock_dir": str(self.sockets / name),
            "pidfile": str(home / "minion.pid"),
            "log_file": str(self.logs / f"{name}.log"),
            "log_level": "warning",
            "log_level_logfile": "warning",
            "keysize": 2048,
            "acceptance_wait_time": 1,
            "random_reauth_delay": 0,
            "return_retry_timer": 1,
            "return_retry_timer_max": 2,
            "recon_default": 100,
            "recon_max": 500,
            "recon_randomize": False,
            "mine_enabled": False,
            "enable_gpu_grains": False,
            "enable_fqdns_grains": False,
            "master_tries": -1,
            "grains": {
                "roles": [{"m": "worker"}.get(role, role)],
                "lab_scratch": str(self.root / "scratch" / name),
            },
        }

    def _masters_of_a_minion(self) -> str | list[str]:
        if self.wish.masters == 1:
            return self.interface
        return [f"127.0.0.{number}" for number in range(1, self.wish.masters + 1)]

    def _write_reactor(self, url: str) -> None:
        """The usual construction (see ``peers/reactor``), filled in."""
        source, place = paths.PEERS / "reactor", self.root / "reactor"
        place.mkdir(exist_ok=True)
        shutil.copy(source / "announce.py", place)
        funs = json.dumps(self.wish.reactor_funs.split(","))
        words = {"@FUNS@": funs, "@SCRIPT@": str(place / "announce.py"), "@URL@": url}
        text = (source / "slack.sls").read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        (place / "slack.sls").write_text(text)
        config = (source / "reactor.conf").read_text().replace("@DIR@", str(place))
        (self.config_dir / "master.d" / "reactor.conf").write_text(config)


def _names(count: int) -> list[str]:
    first = ["web1", "web2", "web3", "db1"]
    return (first + [f"m{number}" for number in range(5, count + 1)])[:count]


def _yaml(config: dict) -> str:
    """JSON is YAML; one key a line keeps it readable."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def _write_lines(path: pathlib.Path, lines) -> None:
    path.write_text("".join(f"{line}\n" for line in lines) or "# nothing of its own\n")


def _short_folder(root: pathlib.Path) -> pathlib.Path | None:
    """A folder for sockets elsewhere, when the site's own path is too long."""
    if len(str(root / "s")) + _LONGEST_NAME <= LONGEST_SOCKET:
        return None
    place = pathlib.Path(tempfile.mkdtemp(prefix="salt-lab-"))
    if len(str(place)) + _LONGEST_NAME > LONGEST_SOCKET:
        raise LabError(f"{place} is too long a path for unix sockets; set TMPDIR")
    return place


def _free_ports(count: int) -> list[int]:
    """Ports below the ephemeral range, so that no client takes them meanwhile."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = random.randint(12000, 31999)
            trial = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                trial.bind(("127.0.0.1", port))
                found.append(port)
        return found
