//! Who ran a thing, by a real master's word: each way in which people and minions set a job going.

use serde_json::Value;

use crate::herald::Herald;
use crate::lab::Lab;

/// Anybody may log in, and minions may publish to minions.
const OPTIONS: [&str; 6] = [
    "--minions",
    "2",
    "--master-opt",
    "external_auth: {auto: {'*': ['.*', '@runner', '@wheel']}}",
    "--master-opt",
    "peer: {'.*': ['.*']}",
];

const LOGIN: [&str; 6] =
    ["-a", "auto", "--username", "carol", "--password", "lab-eauth-s3cret-90c1"];

pub(crate) fn each_is_called_what_salt_calls_them(series: &str) {
    let lab = Lab::up(series, &OPTIONS);
    let herald = Herald::start(&lab);
    let is_by = |said: &'static str, user: Option<&'static str>| {
        let run = herald.run_where(said, |run| {
            run["command"].to_string().contains(said) && run["user"].as_str() == user
        });
        assert!(!run["flags"].to_string().contains("unconfirmed"), "{run:#}");
    };
    lab.salt(&["web1", "cmd.run", "echo by root"]);
    is_by("echo by root", Some("root"));
    lab.as_sudo("alice", "salt", &["web1", "cmd.run", "echo by sudo"]);
    is_by("echo by sudo", Some("alice"));
    lab.as_sudo("alice", "salt-run", &["test.arg", "by-sudo"]);
    is_by("test.arg by-sudo", Some("alice"));
    lab.salt(&[&LOGIN[..], &["web1", "cmd.run", "echo by login"]].concat());
    is_by("echo by login", Some("carol"));
    lab.salt_run(&[&LOGIN[..], &["test.arg", "by-login"]].concat());
    is_by("test.arg by-login", Some("carol"));
    lab.salt_call("web1", &["cmd.run", "echo by call"]);
    is_by("echo by call", None);
    // On the bus it is root's.
    lab.salt_call("web2", &["publish.publish", "web1", "cmd.run", "echo by minion"]);
    let run = herald.run_where("by the minion", |run: &Value| {
        run["command"] == "salt web1 cmd.run 'echo by minion'" && run["user"] == "minion web2"
    });
    assert_eq!(run["kind"], "command", "{run:#}");
}
