"""Plays the scenarios one after the other while the bus is captured.

A site with two masters has two buses, and two captures: FILE.bus, FILE-other.bus.
Beside the capture it writes FILE.json: what was run when, how it ended and
which jobs it set going.  It does not judge what it sees.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

from . import paths
from .capture import Tap
from .paths import LabError
from .running import Running
from .scenarios import SCENARIOS
from .scenarios_pairs import SYNDIC, TWO_MASTERS

_QUIET = 0.7
_COMMAND_PATIENCE = 120


def play(site: Running, out: pathlib.Path, only: list[str] | None) -> int:
    scenarios = _scenarios_for(site)
    chosen = only or list(scenarios)
    if unknown := [name for name in chosen if name not in scenarios]:
        raise LabError(f"unknown scenario {unknown[0]!r}; known: {', '.join(scenarios)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    where = site.describe()
    taps = [Tap(where["pub_socket"], where["tcp_pub_port"], out)]
    if other := where.get("other"):
        beside = out.with_name(f"{out.stem}-other{out.suffix}")
        taps.append(Tap(other["pub_socket"], other["tcp_pub_port"], beside))
    played = []
    try:
        for name in chosen:
            print(f"{name} ...", file=sys.stderr, flush=True)
            played.append(_play_one(site, taps, name, scenarios[name]))
    finally:
        for tap in taps:
            tap.close()
    _add_jobs(site, out, played)
    summary = {key: where[key] for key in ("series", "version", "minions", "dir")}
    sidecar = pathlib.Path(f"{out}.json")
    sidecar.write_text(json.dumps({**summary, "scenarios": played}, indent=1) + "\n")
    return 0


def _scenarios_for(site: Running) -> dict[str, list]:
    if site.site.wish.syndic:
        return SYNDIC
    return TWO_MASTERS if site.site.wish.masters > 1 else SCENARIOS


def _play_one(site: Running, taps: list[Tap], name: str, steps: list) -> dict:
    told: dict = {"name": name, "start": time.time(), "steps": []}
    behind: list[tuple[dict, subprocess.Popen]] = []
    for step in steps:
        _step(site, step, told["steps"], behind)
    for entry, process in behind:
        _finish(entry, process)
    deadline = time.monotonic() + 5
    while time.monotonic() < min(deadline, max(tap.last_bytes for tap in taps) + _QUIET):
        time.sleep(0.05)
    site.reap()
    told["end"] = time.time()
    return told


def _step(site: Running, step, told: list, behind: list) -> None:
    if step[0] == "wait":
        time.sleep(float(step[1]))
    elif step[0] == "order":
        _, verb, *rest = step
        getattr(site, verb.replace("-", "_"))(*rest)
        told.append({"order": [verb, *rest]})
    else:
        waits = step[0] != "&"
        entry, process = _start(site, step if waits else step[1:])
        told.append(entry)
        if waits:
            _finish(entry, process)
        else:
            behind.append((entry, process))


def _start(site: Running, template: list[str]) -> tuple[dict, subprocess.Popen]:
    where = site.describe()
    other = where.get("other", {})
    names = {
        "bin": where["bin"],
        "etc": where["config_dir"],
        "other": other.get("config_dir"),
        "m": where["minion_config_dirs"] | other.get("minion_config_dirs", {}),
        "peers": str(paths.PEERS),
        "scratch": where["scratch"],
    }
    argv = [word.format(**names) for word in template]
    told = [word.replace(f"{paths.LAB}/", "lab/") for word in argv[1:]]
    entry = {"argv": [os.path.basename(argv[0]), *told], "start": time.time()}
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return entry, process


def _finish(entry: dict, process: subprocess.Popen) -> None:
    try:
        output = process.communicate(timeout=_COMMAND_PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        output = process.communicate()[0] + "\n(killed: it took too long)"
    entry["end"] = time.time()
    entry["exit_code"] = process.returncode
    entry["output"] = output[-2000:]


def _add_jobs(site: Running, out: pathlib.Path, played: list[dict]) -> None:
    """Fills in the jobs that each scenario set going, by the time they showed."""
    argv = [str(site.site.bin / "python"), str(pathlib.Path(__file__).with_name("decode.py"))]
    done = subprocess.run([*argv, str(out), "--jobs"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"the capture cannot be decoded:\n{done.stderr}")
    for jid, (when, tag, fun) in json.loads(done.stdout).items():
        for scenario in played:
            if scenario["start"] <= when <= scenario["end"]:
                found = {"jid": jid, "tag": tag, "fun": fun}
                scenario.setdefault("jobs", []).append(found)
