//! What a minion can put on a real master's bus in the master's name, and what is made of it.
//!
//! Each form is sent with the minion's own credentials, by Salt's own `event.send` and
//! `event.fire_master`; what a master lets pass differs between releases.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::herald::Herald;
use crate::lab::Lab;

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A jid that no master made.
fn jid(number: u32) -> String {
    format!("2099010100000000{number:04}")
}

fn job(jid: &str, arg: &str) -> Value {
    json!({
        "jid": jid, "fun": "cmd.run", "arg": [arg], "tgt": "*", "tgt_type": "glob",
        "user": "sudo_alice", "minions": ["web1", "web2"], "missing": [],
    })
}

fn returned(jid: &str, minion: &str) -> Value {
    json!({
        "cmd": "_return", "id": minion, "jid": jid, "fun": "cmd.run", "fun_args": ["echo"],
        "return": "all is well", "retcode": 0, "success": true, "user": "sudo_alice",
    })
}

/// Sends an event as `event.send` does: the master names the sender.
fn send(lab: &Lab, tag: &str, data: &Value) {
    let sent = lab.salt_call("web2", &["event.send", tag, &data.to_string()]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

/// Sends an event in a list, under a tag that is cut in two where the minion likes: the master fires
/// it as its own.
fn send_in_list(lab: &Lab, pretag: Option<&str>, tag: &str, data: &Value) {
    let load = json!({"events": [{"tag": tag, "data": data}], "pretag": pretag});
    let load = format!("preload={load}");
    let sent = lab.salt_call("web2", &["event.fire_master", "{}", "lab", &load]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

fn has(flag: &'static str, jid: &str) -> impl Fn(&Value) -> bool {
    move |run| run["jid"] == *jid && run["flags"].to_string().contains(flag)
}

fn none_of(herald: &Herald, jid: &str) {
    let runs: Vec<Value> = herald.runs().into_iter().filter(|run| run["jid"] == *jid).collect();
    assert!(runs.is_empty(), "{runs:#?}");
}

pub(crate) fn all_forms(series: &str, options: &[&str]) {
    let lab = Lab::up(series, options);
    let herald = Herald::start(&lab);
    a_job_that_never_was(&lab, &herald);
    a_return_that_never_was(&lab, &herald);
    a_known_job_with_other_contents(&lab, &herald);
    returns_that_nobody_gave(&lab, &herald);
    lab.salt(&["web1", "cmd.run", "echo by the master"]);
    let run = herald.run_where("a job of the master's", |run| {
        run["command"].to_string().contains("by the master") && crate::ended(run)
    });
    assert_eq!(run["flags"], json!([]), "{run:#}");
    // Forms that name the sender came before it, and made no run.
    none_of(&herald, &jid(1));
    none_of(&herald, &jid(2));
    keys_that_change(&lab, &herald);
    herald.channel_where("that it is unconfirmed", |channel| {
        channel.messages.iter().any(|message| {
            let shown = message.content.shown();
            shown.contains("made up") && shown.contains("said to be alice")
        })
    });
}

/// What people do to keys is in the journal, and that minions authenticate is no news.
fn keys_that_change(lab: &Lab, herald: &Herald) {
    lab.salt_key(&["--include-accepted", "-r", "web1"]);
    lab.salt_key(&["--include-rejected", "-a", "web1"]);
    lab.salt_key(&["-d", "web1"]);
    let told = || {
        let output = herald.command(&["log", "--keys", "--json", "--minion", "web1"]);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let acts = text.lines().map(|line| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            event["act"].as_str().expect("an act").to_owned()
        });
        // A minion whose key was rejected may try again meanwhile.
        acts.filter(|act| act != "failed").collect::<Vec<_>>()
    };
    let until = Instant::now() + PATIENCE;
    while told().len() < 3 {
        assert!(Instant::now() < until, "{:?}", told());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(told()[..3], ["rejected", "accepted", "deleted"]);
}

fn a_job_that_never_was(lab: &Lab, herald: &Herald) {
    send(lab, &format!("salt/job/{}/new", jid(1)), &job(&jid(1), "echo made up"));
    // Wherever the tag is cut, its end is on the bus, too.
    for (number, pretag, tag) in [
        (3, "salt/job".to_owned(), format!("{}/new", jid(3))),
        (4, format!("salt/job/{}", jid(4)), "new".to_owned()),
        (5, "salt".to_owned(), format!("job/{}/new", jid(5))),
    ] {
        send_in_list(lab, Some(&pretag), &tag, &job(&jid(number), "echo made up"));
        herald.run_where("a job made up", has("unconfirmed", &jid(number)));
        let run = herald.run_where("its twin", has("forged", &jid(number)));
        assert_eq!(run["command"], "salt '*' cmd.run 'echo made up'");
    }
}

fn a_return_that_never_was(lab: &Lab, herald: &Herald) {
    let tag = |number| format!("salt/job/{}/ret/web1", jid(number));
    send(lab, &tag(2), &returned(&jid(2), "web1"));
    // In another's name, and byte for byte like the master's.
    send_in_list(lab, None, &tag(6), &returned(&jid(6), "web1"));
    let run = herald.run_where("a return made up", has("unconfirmed", &jid(6)));
    assert!(run["flags"].to_string().contains("no_start"), "{run:#}");
}

/// Sends what only a minion's own return, or a syndic's, is sent as.
fn send_raw(lab: &Lab, load: &Value) {
    let sent =
        lab.salt_call("web2", &["event.fire_master", "{}", "lab", &format!("preload={load}")]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

/// A return in another's name is only counted where the master keeps it, and that is only what came by
/// that minion's own key.
fn returns_that_nobody_gave(lab: &Lab, herald: &Herald) {
    lab.salt_async(&["web1", "cmd.run", "sleep 12; echo the truth; exit 3"]);
    let run = herald.run_where("a job that takes a while", |run| {
        run["command"].to_string().contains("the truth")
    });
    let jid = run["jid"].as_str().expect("a jid").to_owned();
    let lie = |minion: &str| json!({"tag": format!("salt/job/{jid}/ret/{minion}"), "data": returned(&jid, minion)});
    // Of one that was asked, before it returns; of one that was not, and of one that there is not.
    let load = json!({"events": [lie("web1"), lie("web2"), lie("web9")], "pretag": null});
    send_raw(lab, &load);
    // In its own name, which the master keeps; and as a syndic, of which this master has none.
    send_raw(lab, &merged(returned(&jid, "web2"), json!({"return": "by web2 itself"})));
    let through = json!({"web8": {"return": "all is well", "retcode": 0, "success": true}});
    let through = json!([{"id": "web2", "jid": jid, "fun": "cmd.run", "return": through}]);
    send_raw(lab, &json!({"cmd": "_syndic_return", "load": through}));
    let run = herald.run_where("the truth", |run| run["jid"] == *jid && run["status"] == "failed");
    let flags = run["flags"].to_string();
    assert!(flags.contains("false_return") && flags.contains("unasked_return"), "{run:#}");
    let told = json!({"minions": {"expected": 2, "returned": 2, "failed": 1}});
    herald.run_told("the truth", |run| run["jid"] == *jid, &told);
}

fn merged(mut one: Value, more: Value) -> Value {
    if let (Some(one), Value::Object(more)) = (one.as_object_mut(), more) {
        one.extend(more);
    }
    one
}

fn a_known_job_with_other_contents(lab: &Lab, herald: &Herald) {
    lab.salt(&["web1", "cmd.run", "echo first"]);
    let first = herald.run_where("the first", |run| {
        run["command"].to_string().contains("echo first") && crate::ended(run)
    });
    let known = first["jid"].as_str().expect("a jid").to_owned();
    let mut other = job(&known, "echo second");
    other["user"] = first["user"].clone();
    send_in_list(lab, Some("salt/job"), &format!("{known}/new"), &other);
    let run = herald.run_where("the conflict", has("conflict", &known));
    assert_eq!((&run["command"], &run["minions"]), (&first["command"], &first["minions"]));
    assert!(!run["flags"].to_string().contains("unconfirmed"), "{run:#}");
}
