"""The scenarios: what people do with Salt that its event bus tells of.

A scenario is a list of steps.  A step is a command line, whose words may name
``{bin}``, ``{etc}`` (the master's config folder), ``{other}`` (the one of a second
master), ``{m[web1]}`` (a minion's), ``{peers}``, ``{scratch}``; or an order to the lab (``("order",
"restart-minion", "web2")``) or a wait (``("wait", "4")``).  A step that starts
with ``&`` is not waited for before the next one.  Nothing is run here.
"""

import json

SALT = ["{bin}/salt", "-c", "{etc}"]
RUN = ["{bin}/salt-run", "-c", "{etc}"]
KEY = ["{bin}/salt-key", "-c", "{etc}"]
WHEEL = ["{bin}/python", "{peers}/wheel.py", "{etc}/master"]


def call(minion: str) -> list[str]:
    return ["{bin}/salt-call", "-c", "{m[" + minion + "]}"]


_LIES = {
    "jid": "20990101000000000001",
    "fun": "cmd.run",
    "arg": ["rm -rf /srv"],
    "tgt": "*",
    "tgt_type": "glob",
    "user": "root",
    "minions": ["web1", "web2", "web3", "db1"],
    "missing": [],
}
_FALSE_RETURN = {
    "cmd": "_return",
    "id": "db1",
    "jid": "20990101000000000002",
    "fun": "state.apply",
    "fun_args": [],
    "return": "all is well",
    "retcode": 0,
    "success": True,
}


def _braced(value: dict) -> str:
    """JSON for a word of a command line, safe from its placeholders."""
    return json.dumps(value).replace("{", "{{").replace("}", "}}")


def _forged_list(last: int, base: str, pretag: str | None) -> str:
    """A list of a job and a return, each under a tag that begins with ``base``."""
    jid = f"2099010100000000000{last}"
    base, pretag = base.replace("J", jid), pretag and pretag.replace("J", jid)
    events = [
        {"tag": f"{base}new", "data": {**_LIES, "jid": jid, "user": "sudo_alice"}},
        {"tag": f"{base}ret/db1", "data": {**_FALSE_RETURN, "jid": jid}},
    ]
    return _braced({"events": events, "pretag": pretag})


_FALSE_TAG = f"salt/job/{_FALSE_RETURN['jid']}/ret/db1"
_SECRET_COMMAND = [
    "echo connect --password=lab-cli-s3cret-19ff",
    "env={{PGPASSWORD: lab-env-s3cret-4d2a}}",
]
_SCHEDULE = ["function=state.apply", "job_args=['common']", "seconds=3", "persist=False"]
_NOISE = "printf '\\377\\000\\001\\033[31m\\302\\244\\200'"
_FIRE = [*call("web2"), "event.fire_master", "{{}}", "lab"]
_PILLAR = '{{"build": "1.4.2", "token": "lab-kwarg-s3cret-77c0"}}'

SCENARIOS: dict[str, list] = {
    "ping": [[*SALT, "*", "test.ping"]],
    "highstate": [[*SALT, "*", "state.highstate"]],
    "highstate-again": [[*SALT, "*", "state.apply"]],
    "state-apply-kwargs": [[*SALT, "web1", "state.apply", "web", f"pillar={_PILLAR}", "test=True"]],
    "state-apply-pillar": [[*SALT, "web*", "state.apply", "web", f"pillar={_PILLAR}"]],
    "state-sls-several": [[*SALT, "db1", "state.sls", "common,db", "saltenv=base"]],
    "secret-command": [[*SALT, "db1", "cmd.run", *_SECRET_COMMAND]],
    "list-with-ghost": [[*SALT, "-L", "web1,web2,ghost", "test.ping"]],
    "several-functions": [[*SALT, "web*", "test.ping,cmd.run", ",", "echo hi"]],
    "unknown-function": [[*SALT, "web1", "no.such", "x"]],
    "function-raises": [[*SALT, "web1", "test.exception", "message=boom"]],
    "render-error": [[*SALT, "web1", "state.apply", "unrendered"]],
    "missing-sls": [[*SALT, "web1", "state.apply", "nowhere"]],
    "failing-state": [[*SALT, "web3", "state.apply", "broken"]],
    "failing-command": [[*SALT, "web2", "cmd.run", "echo oops >&2; exit 3"]],
    "collision": [
        ["&", *SALT, "web1,web2", "-L", "state.apply", "slow", 'pillar={{"seconds": 6}}'],
        ("wait", "3"),
        [*SALT, "web1", "state.apply", "web"],
    ],
    "queued": [
        ["&", *SALT, "web1", "state.apply", "slow", 'pillar={{"seconds": 3}}'],
        ("wait", "2"),
        [*SALT, "web1", "state.apply", "common", "queue=True"],
    ],
    "long-job": [[*SALT, "-t", "2", "db1", "state.apply", "slow", 'pillar={{"seconds": 12}}']],
    "batch": [[*SALT, "-b", "2", "*", "state.apply", "common"]],
    "batch-percent": [[*SALT, "-b", "50%", "web*", "test.ping"]],
    "batch-async": [[*SALT, "--async", "-b", "2", "*", "test.ping"], ("wait", "3")],
    "grain-target": [[*SALT, "-G", "roles:web", "test.version"]],
    "compound-target": [[*SALT, "-C", "G@roles:web and not web3", "grains.get", "id"]],
    "regex-target": [[*SALT, "-E", "web[12]", "test.ping"]],
    "nodegroup-target": [[*SALT, "-N", "frontends", "test.ping"]],
    "no-match": [[*SALT, "nobody*", "test.ping"]],
    "async": [[*SALT, "--async", "web*", "state.apply", "common"], ("wait", "4")],
    "salt-call-state": [[*call("web1"), "state.apply", "web"]],
    "salt-call-ping": [[*call("db1"), "test.ping"]],
    "salt-call-local": [[*call("db1"), "--local", "test.ping"]],
    "schedule": [
        [*SALT, "web1", "schedule.add", "nightly", *_SCHEDULE],
        ("wait", "6"),
        [*SALT, "web1", "schedule.delete", "nightly"],
    ],
    "runner": [[*RUN, "jobs.list_jobs"]],
    "runner-async": [[*RUN, "--async", "manage.up"], ("wait", "8")],
    "orchestrate": [[*RUN, "state.orchestrate", "orch.deploy", f"pillar={_PILLAR}"]],
    "wheel": [[*WHEEL, "key.list_all"]],
    "find-job": [
        ["&", *SALT, "web2", "cmd.run", "sleep 3; echo --token=lab-running-s3cret-0b3e"],
        ("wait", "2"),
        [*SALT, "web2", "saltutil.running"],
    ],
    "keys": [
        [*KEY, "-L"],
        ("order", "stop-minion", "web2"),
        [*KEY, "-y", "-d", "web2"],
        ("order", "start-minion", "web2"),
    ],
    "key-reject-accept": [
        [*KEY, "-y", "--include-accepted", "-r", "web3"],
        [*KEY, "-y", "--include-rejected", "-a", "web3"],
    ],
    "minion-restart": [("order", "restart-minion", "db1")],
    "refresh": [[*SALT, "web1", "saltutil.refresh_pillar"]],
    "custom-event": [[*call("web1"), "event.send", "shop/deploy/finished", '{{"build": "1.4.2"}}']],
    "forged-new": [[*call("web2"), "event.send", f"salt/job/{_LIES['jid']}/new", _braced(_LIES)]],
    "forged-return": [[*call("web2"), "event.send", _FALSE_TAG, _braced(_FALSE_RETURN)]],
    # With a pretag: on the bus twice, under the full tag and under a piece of it.
    "forged-list-pretag": [[*_FIRE, "preload=" + _forged_list(3, "J/", "salt/job")]],
    "forged-list-pretag-deep": [[*_FIRE, "preload=" + _forged_list(4, "", "salt/job/J")]],
    # Without: the master drops the job and lets the return pass.
    "forged-list": [[*_FIRE, "preload=" + _forged_list(5, "salt/job/J/", None)]],
    "binary-return": [[*SALT, "web1", "cmd.run", _NOISE, "output_encoding=latin-1"]],
    "raw-bytes-return": [[*SALT, "web1", "hashutil.base64_b64decode", "/wD+gIE="]],
    "master-restart": [("order", "restart-master")],
    "last-words": [[*SALT, "*", "test.ping"]],
}
