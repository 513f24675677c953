"""Installs Salt: one venv for each series, from pinned requirements.

Works with what pip and the machine are set up for: no index is named here,
and nothing is installed outside the venvs, but for ``python3-venv`` on a
Debian that lacks it (when we are root).  It does not upgrade or remove venvs
that nobody asked for.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from . import paths, processes
from .paths import LabError

STAMP = "lab-stamp"
BUILD_PINS = paths.REQUIREMENTS / "build.txt"


def install(series: str, out=sys.stdout) -> pathlib.Path:
    """Makes sure that the venv of a series is there and complete."""
    stamp, wanted = paths.venv(series) / STAMP, _digest(series)
    if _reads(stamp) == wanted:
        return paths.venv(series)
    with _locked(series):
        if _reads(stamp) != wanted:  # another caller may have been quicker
            _build(series, wanted, out)
    return paths.venv(series)


def _digest(series: str) -> str:
    """What the venv is made from: pins, interpreter, and its own place."""
    recipe = [paths.requirement_file(series).read_text(), BUILD_PINS.read_text()]
    recipe += [sys.version, str(paths.venv(series))]
    return hashlib.sha256("\0".join(recipe).encode()).hexdigest()


def _reads(stamp: pathlib.Path) -> str:
    try:
        return stamp.read_text().strip()
    except OSError:
        return ""


@contextlib.contextmanager
def _locked(series: str):
    folder = paths.home() / "venv"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{series}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(series: str, digest: str, out) -> None:
    place = paths.venv(series)
    print(
        f"Installing Salt {paths.salt_version(series)} into {paths.shown(place)} ...",
        file=out,
        flush=True,
    )
    shutil.rmtree(place, ignore_errors=True)
    _need_venv_module()
    _run([sys.executable, "-m", "venv", str(place)], "python3 -m venv failed")
    pins = str(paths.requirement_file(series))
    pip = [str(place / "bin" / "pip"), "install", "--quiet", "--no-deps", "-r", pins]
    _run(pip, f"pip could not install {paths.shown(paths.requirement_file(series))}")
    _run([str(place / "bin" / "salt"), "--version"], "the installed salt does not start")
    (place / STAMP).write_text(digest + "\n")


def _need_venv_module() -> None:
    """Debian splits venv's pip into a package of its own: get it, or say so."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    hint = "this Python has no venv module; on Debian: apt-get install -y python3-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(hint)
    code = processes.call(_APT, stdout=sys.stderr, env=_APT_ENV)
    if code:
        processes.call(["apt-get", "update", "-q"], stdout=sys.stderr)
        code = processes.call(_APT, stdout=sys.stderr, env=_APT_ENV)
    if code:
        raise LabError(f"apt-get could not install python3-venv; {hint}")
    importlib.invalidate_caches()


_APT = ["apt-get", "install", "-y", "-q", "python3-venv"]
_APT_ENV = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def _run(argv: list[str], complaint: str) -> None:
    """Runs a step; on failure the last lines of its output are the message."""
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # Old pips read the first for isolated builds, new ones the second.
    env["PIP_CONSTRAINT"] = env["PIP_BUILD_CONSTRAINT"] = str(BUILD_PINS)
    done = subprocess.run(
        argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join("    " + line for line in done.stdout.splitlines()[-15:])
        raise LabError(f"{complaint} (exit code {done.returncode}):\n{tail}")
