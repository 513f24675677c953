//! A master below another: who ran above what its syndic brings, by the master's job cache.

use std::path::Path;

use herald_core::run::{Flag, RunStatus};
use salt_event::Value;
use sha2::{Digest, Sha256};

use crate::app::{App, Manner, all, shows};
use crate::events::{Event, good, jid, map, new_job, text, texts};

/// What the master keeps of a job: with these keywords it was published.
fn keep(cache: &Path, jid: &str, keywords: Vec<(&str, Value<'static>)>) {
    let hash: String = Sha256::digest(jid).iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = cache.join("jobs").join(&hash[..2]).join(&hash[2..]);
    std::fs::create_dir_all(&folder).unwrap();
    let load = map(vec![
        ("jid", text(jid)),
        ("fun", text("cmd.run")),
        ("arg", texts(&["uptime"])),
        ("tgt", text("*")),
        ("user", text("root")),
        ("cmd", text("publish")),
        ("kwargs", map(keywords)),
    ]);
    std::fs::write(folder.join("jid"), jid).unwrap();
    std::fs::write(folder.join(".load.p"), load.to_bytes()).unwrap();
}

fn by_root(mut job: Event) -> Event {
    if let Value::Map(fields) = &mut job.data {
        fields.retain(|(name, _)| *name != text("user"));
        fields.push((text("user"), text("root")));
    }
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ran_it_above_is_asked_of_the_job_cache() {
    let mut app = App::new(Manner::Bot).await;
    let cache = app.folder.path().join("cache");
    let config = app.folder.path().join("salt");
    std::fs::create_dir(&config).unwrap();
    let text_of_config = format!("syndic_master: top\ncachedir: {}\n", cache.display());
    std::fs::write(config.join("master"), text_of_config).unwrap();
    app.start().await;
    let user = |name: &str| vec![("user", text(name))];
    keep(&cache, &jid(1), user("sudo_carol"));
    keep(&cache, &jid(2), vec![("show_jid", Value::Bool(false))]);
    for number in 1..=3 {
        let job = new_job(&jid(number), "cmd.run", vec![text("uptime")], &["web1", "web2"]);
        app.bus.send([
            by_root(job),
            good(&jid(number), "web1", false),
            good(&jid(number), "web2", false),
        ]);
    }
    app.until_over(3).await;
    let runs = app.reader().runs(&all()).unwrap();
    let of = |number: u32| runs.iter().find(|run| run.jids == [jid(number)]).unwrap();
    let found = |number: u32| {
        let run = of(number);
        (run.head.user.as_deref(), run.flags.contains(&Flag::Syndic), run.status)
    };
    assert_eq!(found(1), (Some("carol"), true, RunStatus::Succeeded));
    assert_eq!(found(2), (Some("root"), false, RunStatus::Succeeded), "it is this master's own");
    assert_eq!(found(3), (Some("root"), false, RunStatus::Succeeded), "nothing is kept of it");
    app.said("who it was", |channel| shows(channel, "carol")).await;
    app.stop().await;
}
