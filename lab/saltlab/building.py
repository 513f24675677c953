"""Builds salt-herald and its stand-ins with cargo, and says beforehand what for.

Everything lands in cargo's target folder.  Only a missing C compiler comes
from apt-get, when we are root; else it is said what to type.
"""

import os
import pathlib
import shutil
import sys

from . import paths, processes
from .paths import LabError

PACKAGES = ("salt-herald", "fake-slack")
_COMPILER = ["gcc", "libc6-dev"]


def target() -> pathlib.Path:
    """Cargo's target folder."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or paths.REPO / "target").absolute()


def program(name: str) -> pathlib.Path:
    return target() / "release" / name


def plan(series: str) -> list[str]:
    """What will be installed, and where, for people."""
    missing = [] if _has_compiler() else [f"  {' '.join(_COMPILER)}, by apt-get: a C compiler"]
    return [
        "salt-herald beside a real Salt master, its minions, and a stand-in for Slack.",
        "It installs:",
        f"  salt-herald and fake-slack, built by cargo, in {paths.shown(target())}",
        f"  Salt {paths.salt_version(series)} from PyPI, in {paths.shown(paths.venv(series))}",
        *missing,
        "and nothing outside of these. The first time takes minutes, the next seconds.",
        "",
    ]


def need_compiler() -> None:
    """Makes sure that C can be compiled: SQLite and the TLS library are built from it."""
    if _has_compiler():
        return
    hint = f"there is no C compiler; on Debian: apt-get install -y {' '.join(_COMPILER)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(hint)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", *_COMPILER]
    for argv in (install, ["apt-get", "update", "-q"], install):
        if processes.call(argv, env=env) == 0 and argv is install:
            return
    raise LabError(f"apt-get could not install it; {hint}")


def build(packages: tuple[str, ...] = PACKAGES) -> None:
    """``cargo build --release``; cargo shows how far it is."""
    argv = [cargo(), "build", "--release", "--locked"]
    for package in packages:
        argv += ["-p", package]
    print(f"Building: {' '.join(['cargo', *argv[1:]])}", flush=True)
    code = processes.call(argv, cwd=paths.REPO, stdout=sys.stderr)
    if code:
        raise LabError(f"cargo ended with exit code {code}; what it said stands above")


def cargo() -> str:
    """Cargo, also where rustup puts it when the shell does not know yet."""
    found = shutil.which("cargo") or shutil.which("cargo", path=os.path.expanduser("~/.cargo/bin"))
    if not found:
        raise LabError("there is no cargo; https://rustup.rs installs Rust for a single user")
    return found


def _has_compiler() -> bool:
    return any(map(shutil.which, ("cc", "gcc", "clang")))
