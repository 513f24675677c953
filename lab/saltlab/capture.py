"""Records the raw bytes of a master's event bus into a file.

The file is the line ``salt-herald capture 1``, then records: microseconds
since the epoch (8 bytes, big-endian), a kind (1 byte; 0: bytes as they were
read, 1: the connection was lost and opened anew), a length (4 bytes,
big-endian) and that many bytes.  It does not look into the bytes: where a
frame ends is not its business.
"""

import contextlib
import pathlib
import socket
import struct
import threading
import time

HEADER = b"salt-herald capture 1\n"
BYTES, REOPENED = 0, 1
_RECORD = struct.Struct(">QBI")


class Tap:
    """A thread that reads the bus until it is closed; reconnects by path."""

    def __init__(self, pub_socket: str, tcp_port: int | None, out: pathlib.Path):
        self._address = (pub_socket, tcp_port)
        self._file = open(out, "wb")
        self._file.write(HEADER)
        self._ending = threading.Event()
        self.last_bytes = time.monotonic()
        self.seen = bytearray()
        self._bus = self._open()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _open(self) -> socket.socket:
        path, port = self._address
        if port is None:
            bus, address = socket.socket(socket.AF_UNIX), path
        else:
            bus, address = socket.socket(socket.AF_INET), ("127.0.0.1", port)
        try:
            bus.connect(address)
        except OSError:
            bus.close()
            raise
        bus.settimeout(0.2)
        return bus

    def _read(self) -> None:
        while not self._ending.is_set():
            try:
                chunk = self._bus.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                chunk = b""
            if chunk:
                self.last_bytes = time.monotonic()
                self.seen += chunk
                self._write(BYTES, chunk)
            else:
                self._reopen()

    def _reopen(self) -> None:
        self._bus.close()
        while not self._ending.is_set():
            with contextlib.suppress(OSError):
                self._bus = self._open()
                self._write(REOPENED, b"")
                return
            time.sleep(0.02)

    def _write(self, kind: int, data: bytes) -> None:
        self._file.write(_RECORD.pack(time.time_ns() // 1000, kind, len(data)) + data)

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._bus.close()
        self._file.close()


def records(path: pathlib.Path):
    """The records of a capture: (microseconds, kind, bytes)."""
    with open(path, "rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise ValueError(f"{path} is no capture")
        while head := file.read(_RECORD.size):
            when, kind, length = _RECORD.unpack(head)
            yield when, kind, file.read(length)
