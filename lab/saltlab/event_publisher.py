"""Which of a master's processes publishes its events: the one that listens at the bus.

Asks the kernel, not a title, because Salt's titles depend on a package that need not be there.
Signals nobody.
"""

import os
import pathlib
import re

from . import processes
from .paths import LabError

_LISTENS = 0x10000


def find(master: int, socket: pathlib.Path) -> int:
    """The process below ``master`` that listens at a unix socket.

    Others may have inherited the socket; the last that was started has opened it.
    """
    inode = _listening(socket)
    below = processes.descendants(master)
    holders = [pid for pid in below if f"socket:[{inode}]" in _files(pid)]
    if not holders:
        raise LabError(f"no process of the master listens at {socket}")
    return holders[-1]


def resident(pid: int) -> int:
    """How much memory a process holds, in bytes; 0 when it is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _listening(socket: pathlib.Path) -> str:
    """The socket's inode, by the kernel's list."""
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        _num, _refs, _protocol, flags, _type, _state, inode, *path = line.split(maxsplit=7)
        if path == [str(socket)] and int(flags, 16) & _LISTENS:
            return inode
    raise LabError(f"nobody listens at {socket}")


def _files(pid: int) -> set[str]:
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    except OSError:
        pass
    return found
