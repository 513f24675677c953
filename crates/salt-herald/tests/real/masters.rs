//! Sites with two masters: a salt-herald beside each, and what each of them sees.

use serde_json::{Value, json};

use crate::ended;
use crate::herald::Herald;
use crate::lab::Lab;
use crate::outages;

/// Whether a run that is over has these words in its command.
fn over<'w>(words: &'w str) -> impl Fn(&Value) -> bool + 'w {
    move |run| ended(run) && run["command"].as_str().is_some_and(|line| line.contains(words))
}

fn flags(run: &Value) -> Vec<&str> {
    run["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// An upper master with two minions, and a lower one with two others and a syndic.
pub(crate) fn below(series: &str) {
    let mut lab = Lab::up(series, &["--syndic", "--minions", "2"]);
    let (upper, lower) = (Herald::start(&lab), Herald::beside(lab.other_config_dir()));

    lab.salt(&["*", "cmd.run", "echo from above"]);
    let run = upper.run_where("a command for all", over("from above"));
    assert_eq!((&run["status"], flags(&run)), (&json!("succeeded"), vec![]), "{run}");
    assert_eq!((&run["minions"]["expected"], &run["minions"]["returned"]), (&json!(4), &json!(4)));
    upper.channel_where("its end", |channel| {
        channel.messages.iter().any(|message| {
            let shown = message.content.shown();
            shown.contains("from above") && shown.contains("4 succeeded")
        })
    });
    let run = lower.run_where("the same below", over("from above"));
    assert_eq!((&run["minions"]["returned"], flags(&run)), (&json!(2), vec!["syndic"]), "{run}");

    lab.salt(&["-L", "web1,top1,ghost", "cmd.run", "echo on a list"]);
    let run = upper.run_where("a list", over("on a list"));
    assert_eq!(
        (&run["minions"]["expected"], &run["minions"]["missing"]),
        (&json!(2), &json!(["ghost"]))
    );

    lab.salt_on_other(&["web*", "cmd.run", "echo only below"]);
    let run = lower.run_where("a command on the master below", over("only below"));
    assert_eq!((&run["status"], flags(&run)), (&json!("succeeded"), vec![]), "{run}");
    let run = upper.run_where("the same above", over("only below"));
    assert_eq!((&run["kind"], &run["status"]), (&json!("command"), &json!("succeeded")), "{run}");
    assert!(flags(&run).contains(&"syndic"), "{run}");
    assert_eq!((&run["minions"]["expected"], &run["minions"]["returned"]), (&json!(2), &json!(2)));

    if outages::all() {
        lab.order("stop-syndic");
        lab.salt(&["*", "cmd.run", "echo alone"]);
        let run = upper.run_where("a command that is not passed on", over("alone"));
        assert_eq!(run["status"], "incomplete", "{run}");
        assert_eq!(run["minions"]["returned"], 2, "{run}");
        lab.order("start-syndic");
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
        let run = herald.run_where(words, over(words));
        assert_eq!((&run["status"], flags(&run)), (&json!("succeeded"), vec![]), "{run}");
    }
    for (herald, words) in [(&second, "by the first"), (&first, "by the second")] {
        let others = herald.runs().into_iter().filter(over(words)).count();
        assert_eq!(others, 0, "{words} is in its own master's journal only");
    }
}
