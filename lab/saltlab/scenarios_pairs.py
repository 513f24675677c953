"""The scenarios of sites with two masters; see ``scenarios`` for what one is.

``{etc}`` is the upper master's or the first one's config folder, ``{other}`` the lower
master's or the second one's.
"""

from .scenarios import RUN, SALT, call

OTHER_SALT = ["{bin}/salt", "-c", "{other}"]
OTHER_RUN = ["{bin}/salt-run", "-c", "{other}"]
_SECRET = "echo connect --password=lab-syndic-s3cret-51c8"
_SCHEDULE = ["function=test.version", "seconds=4", "persist=False"]

#: web1 to db1 are behind the syndic, top1 and top2 are not.
SYNDIC: dict[str, list] = {
    "ping": [[*SALT, "*", "test.ping"]],
    "highstate": [[*SALT, "*", "state.highstate"]],
    "command": [[*SALT, "*", "cmd.run", _SECRET]],
    "list": [[*SALT, "-L", "web1,top1,ghost", "test.version"]],
    "list-below": [[*SALT, "-L", "web1,web2", "test.version"]],
    "glob-below": [[*SALT, "web*", "grains.get", "id"]],
    "failing-command": [[*SALT, "web2", "cmd.run", "echo oops >&2; exit 3"]],
    "no-match": [[*SALT, "nobody*", "test.ping"]],
    "batch": [[*SALT, "-b", "2", "*", "state.apply", "common"]],
    "slow": [[*SALT, "-t", "2", "web2,top1", "-L", "state.apply", "slow", 'pillar={{"seconds": 12}}']],
    "async": [[*SALT, "--async", "web*", "state.apply", "common"], ("wait", "6")],
    "silent": [
        ("order", "stop-minion", "web3"),
        [*SALT, "*", "test.version"],
        ("order", "start-minion", "web3"),
    ],
    "salt-call": [[*call("web1"), "state.apply", "common"], ("wait", "1")],
    "runner": [[*RUN, "jobs.list_jobs"]],
    "lower-command": [[*OTHER_SALT, "web*", "cmd.run", "echo below"]],
    "lower-state": [[*OTHER_SALT, "web1", "state.apply", "common"]],
    "lower-silent": [
        ("order", "stop-minion", "web3"),
        [*OTHER_SALT, "*", "test.version"],
        ("order", "start-minion", "web3"),
    ],
    "lower-batch": [[*OTHER_SALT, "-b", "2", "*", "test.version"]],
    "lower-runner": [[*OTHER_RUN, "jobs.list_jobs"]],
    "syndic-away": [
        ("order", "stop-syndic"),
        [*SALT, "*", "test.version"],
        ("order", "start-syndic"),
    ],
    "last-words": [[*SALT, "*", "test.ping"]],
}

#: All minions have both masters.
TWO_MASTERS: dict[str, list] = {
    "ping": [[*SALT, "*", "test.ping"]],
    "ping-second": [[*OTHER_SALT, "*", "test.ping"]],
    "highstate": [[*SALT, "*", "state.highstate"]],
    "command-second": [[*OTHER_SALT, "web*", "cmd.run", "echo second"]],
    "both-at-once": [
        ["&", *SALT, "web1,web2", "-L", "state.apply", "slow", 'pillar={{"seconds": 4}}'],
        ("wait", "2"),
        [*OTHER_SALT, "web1", "state.apply", "common"],
    ],
    "salt-call": [[*call("web1"), "state.apply", "common"], ("wait", "1")],
    "schedule": [
        [*SALT, "web1", "schedule.add", "often", *_SCHEDULE],
        ("wait", "6"),
        [*SALT, "web1", "schedule.delete", "often"],
    ],
    "event": [[*call("web2"), "event.send", "shop/deploy/finished", "{{}}"]],
    "second-away": [
        ("order", "stop-second"),
        [*SALT, "*", "test.version"],
        [*call("db1"), "test.version"],
        ("order", "start-second"),
    ],
    "last-words": [[*SALT, "*", "test.ping"]],
}
