"""Arguments of ``salt`` that somebody could have typed, made up from a seed.

What Salt's parser makes of them are loads that a command line does say.
"""

import random

_TARGETS = {
    "": ["*", "web*", "web1", "web[12]", "db1", "grün*", "-web1", "", "a\nb", "tab\tbed", "x\n"],
    "-E": ["web[0-9]+", "(a|b)", ".*", "web\\d+$"],
    "-L": ["web1", "web1,web2", "web1 web2", "a, b ,c", "web1,", ",", "x\ny,z"],
    "-G": ["os:Debian", "roles:web", "roles:w*"],
    "-P": ["os:(Debian|Ubuntu)", "roles:.*"],
    "-N": ["frontends", "web-1"],
    "-R": ["%web", "%web:ALL"],
    "-C": ["G@os:Debian and web*", "E@web.* or  L@a,b", " not web1 ", "* and I@a:b\tand S@10.0.0.0/8"],
    "-I": ["role:db", "role:d*"],
    "-J": ["role:d.*"],
    "-S": ["10.0.0.0/8", "192.168.1.1", "::1"],
}
_FUNCTIONS = ["test.ping", "state.apply", "cmd.run", "test.arg", "pillar.items", "grün.x", "-x"]
_WORDS = [
    "", " ", "1", "-1", "1.5", "-0.0", "1e3", "0x10", "010", "1_000", "True", "false", "yes", "None",
    "null", "~", "web", "web,db", ",", "::", "a=b", "a==b", "pillar={\"a\": [1, true, null]}", "x=",
    "test=True", "n=1", "n=01", "s=\"1\"", "s='1'", "__kwarg__=1", "a.b=c", "a-b=c", "_=_", "k=None",
    "k= v", "k=a: b", "k=[1, 2", "k=# x", "k=1 # x", "k=a=b", "k==", "ä=1", "k=\n", "k=a\nb", "=x",
    "[]", "{}", "[1, '1', 1.0, true, ~]", "{a: 1, 2: b, true: c, ~: d, 1.5: e}", "{a: {b: [c, {d: e}]}}",
    "{__kwarg__: true, \"a b\": 1}", "{__kwarg__: false}", "[[[]]]", "[a, b", "{a", "a: b", "- a",
    "\"quoted\"", "'single'", "\"1\"", "\"a\\nb\"", "\"\\x1b\\0\\u202e\"", "it's", "\"", "'", "`id`",
    "$HOME", "$(id)", "\\", "\\n", "a\\b", "!", "!x", "!!str 1", "!!binary aGk=", "[!!binary aGk=]", "|",
    ">", ">-", "|-", "&", "&a", "&a b", "*", "*a", "[&x 1, *x]", "%", "@", "#", "# c", "a # c", "1 # c",
    "[1] # c", "a: b # c", "\"a # b\"", "---", "--- a", "...", "... a", "-", "--", "- ", "-x", "--foo",
    "-x=1", "?", ":", ": a", "a:", "=", "<<", "<<: a", "2026-11-22", "2026-11-22 10:00:00", "12:30:45",
    "20261122170000123456", "10000000000000000001", "-1234567890123456789", "18446744073709551615",
    "99999999999999999999999", "20261122170000123456_7", ".inf", "-.inf", ".nan", "a\nb", "a\n", "\n",
    "\t", "a\tb", "a\rb", "\x1b[31m", "\x07", "\x7f", "\x85", "\xa0", "\xa0a", "\u2028", "a\u2028b",
    "\u202ea", "\u200b", "\ufeff", "\ufeffa", "\uffff", "\U000e0041", "🧂", "日本", "e\u0301", "{x: [\"\\t\"]}",
    "[\"#\"]", "echo hi", "for i in 1 2; do echo \"$i\"; done", "awk '{print $1}' /etc/passwd",
    "s3://b/k?x=1&y=2", "VALUE", "[2026-11-22]", "{? [a] : b}", "{a: 1, a: 2}", "[0o7, 08, 0b1, 190:20:30]",
]
_PIECES = [
    "a", "1", "0", "_", "-", ".", ":", ": ", ",", "=", "#", " #", " ", "'", "\"", "\\", "[", "]", "{",
    "}", "!", "&", "*", "|", ">", "%", "@", "`", "$", "~", "\n", "\t", "\x1b", "\x85", "\u2028", "é",
    "true", "null", "1.5", "k=", "\\x41", "\\u202e", "---", "...",
]


def argv(chance: random.Random) -> list[str]:
    """One made-up command line of ``salt``, without the program."""
    option = chance.choice(list(_TARGETS))
    tgt = chance.choice(_TARGETS[option])
    count = chance.choice([1, 1, 1, 2, 3])
    fun = ",".join(chance.choice(_FUNCTIONS) for _ in range(count))
    separator = chance.choice([",", ",", "::", "and"])
    words = []
    for index in range(count):
        if index:
            words.append(separator)
        words += [_word(chance) for _ in range(chance.choice([0, 1, 1, 2, 3, 5]))]
    options = [option] if option else []
    if separator != ",":
        options.append(f"--args-separator={separator}")
    if chance.random() < 0.1:
        options += ["--no-parse=s"]
    # People know that what begins with a dash is no argument without this.
    return [*options, "--", tgt, fun, *words]


def _word(chance: random.Random) -> str:
    dice = chance.random()
    if dice < 0.7:
        return chance.choice(_WORDS)
    text = "".join(chance.choice(_PIECES) for _ in range(chance.randrange(7)))
    if dice < 0.8:
        return "k=" + text
    if dice < 0.86:
        return f"[{text}, {chance.choice(_WORDS)}]"
    if dice < 0.88:
        return (text or "x") * 400
    return text
