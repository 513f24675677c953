//! Sites with two masters: a salt-herald beside each, and what each of them sees.

use serde_json::{Value, json};

use crate::herald::Herald;
use crate::lab::Lab;
use crate::outages;

/// Whether a run has these words in its command.
fn says<'w>(words: &'w str) -> impl Fn(&Value) -> bool + 'w {
    move |run| run["command"].as_str().is_some_and(|line| line.contains(words))
}

/// An upper master with two minions, and a lower one with two others and a syndic.
pub(crate) fn below(series: &str) {
    let mut lab = Lab::up(series, &["--syndic", "--minions", "2"]);
    let (upper, lower) = (Herald::start(&lab), Herald::beside(lab.other_config_dir()));

    lab.salt(&["*", "cmd.run", "echo from above"]);
    let all =
        json!({"status": "succeeded", "flags": [], "minions": {"expected": 4, "returned": 4}});
    upper.run_told("a command for all", says("from above"), &all);
    upper.channel_where("its end", |channel| {
        channel.messages.iter().any(|message| {
            let shown = message.content.shown();
            shown.contains("from above") && shown.contains("4 succeeded")
        })
    });
    let passed_on = json!({"flags": ["syndic"], "minions": {"returned": 2}});
    lower.run_told("the same below", says("from above"), &passed_on);

    lab.salt(&["-L", "web1,top1,ghost", "cmd.run", "echo on a list"]);
    let listed = json!({"minions": {"expected": 2, "returned": 2, "missing": ["ghost"]}});
    upper.run_told("a list", says("on a list"), &listed);

    lab.salt_on_other(&["web*", "cmd.run", "echo only below"]);
    let own = json!({"status": "succeeded", "flags": [], "minions": {"returned": 2}});
    lower.run_told("a command on the master below", says("only below"), &own);
    let heard = json!({
        "kind": "command", "status": "succeeded", "minions": {"expected": 2, "returned": 2}
    });
    let is_heard = |run: &Value| {
        let flags = run["flags"].as_array();
        says("only below")(run) && flags.is_some_and(|flags| flags.contains(&json!("syndic")))
    };
    upper.run_told("the same above", is_heard, &heard);

    if outages::all() {
        lab.order("stop-syndic");
        lab.salt(&["*", "cmd.run", "echo alone"]);
        let half = json!({"status": "incomplete", "minions": {"returned": 2}});
        upper.run_told("a command that is not passed on", says("alone"), &half);
        lab.order("start-syndic");
    }
    for herald in [&upper, &lower] {
        for run in herald.runs() {
            let flags = run["flags"].to_string();
            let is_doubted = flags.contains("unconfirmed") || flags.contains("not_published");
            assert!(!is_doubted, "{run:#}");
        }
    }
    let ssh = upper.runs().into_iter().find(|run| run["kind"] == "ssh");
    assert_eq!(ssh, None, "nothing is taken for salt-ssh's");
}

/// Two masters with the same minions.
pub(crate) fn beside(series: &str) {
    let lab = Lab::up(series, &["--masters", "2", "--minions", "2"]);
    let (first, second) = (Herald::start(&lab), Herald::beside(lab.other_config_dir()));
    lab.salt(&["*", "cmd.run", "echo by the first"]);
    lab.salt_on_other(&["*", "cmd.run", "echo by the second"]);
    lab.salt_call("web1", &["cmd.run", "echo by itself"]);
    for (herald, words) in
        [(&first, "by the first"), (&second, "by the second"), (&first, "by itself")]
    {
        herald.run_told(words, says(words), &json!({"status": "succeeded", "flags": []}));
    }
    for (herald, words) in [(&second, "by the first"), (&first, "by the second")] {
        let others = herald.runs().iter().filter(|run| says(words)(run)).count();
        assert_eq!(others, 0, "{words} is in its own master's journal only");
    }
}
