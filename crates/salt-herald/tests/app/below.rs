//! A master below another: who ran above what its syndic brings, by the master's job cache.

use std::path::{Path, PathBuf};

use herald_core::run::{Flag, RunStatus};
use salt_event::Value;
use salt_herald::store::JournalReader;
use sha2::{Digest, Sha256};

use crate::app::{App, Manner, PATIENCE, all, shows};
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

/// A master with one above, whose job cache is waited for as long as it takes.
async fn below() -> (App, PathBuf) {
    let mut app = App::new(Manner::Bot).await;
    app.limits.confirmed_within = PATIENCE;
    let cache = app.folder.path().join("cache");
    let config = app.folder.path().join("salt");
    std::fs::create_dir_all(cache.join("jobs")).unwrap();
    std::fs::create_dir(&config).unwrap();
    let text_of_config = format!("syndic_master: top\ncachedir: {}\n", cache.display());
    std::fs::write(config.join("master"), text_of_config).unwrap();
    app.start().await;
    (app, cache)
}

fn run_by_root(app: &mut App, number: u32) {
    let job = new_job(&jid(number), "cmd.run", vec![text("uptime")], &["web1", "web2"]);
    app.bus.send([
        by_root(job),
        good(&jid(number), "web1", false),
        good(&jid(number), "web2", false),
    ]);
}

/// Who ran a job, whether it came through a syndic, and how it is.
fn found(reader: &mut JournalReader, number: u32) -> (Option<String>, bool, RunStatus) {
    let runs = reader.runs(&all()).unwrap();
    let run = runs.into_iter().find(|run| run.jids == [jid(number)]).unwrap();
    (run.head.user, run.flags.contains(&Flag::Syndic), run.status)
}

fn user(name: &str) -> Vec<(&str, Value<'static>)> {
    vec![("user", text(name))]
}

fn of(name: &str, syndic: bool) -> (Option<String>, bool, RunStatus) {
    (Some(name.to_owned()), syndic, RunStatus::Succeeded)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ran_it_above_is_asked_of_the_job_cache() {
    let (mut app, cache) = below().await;
    keep(&cache, &jid(1), user("sudo_carol"));
    keep(&cache, &jid(2), vec![("show_jid", Value::Bool(false))]);
    (1..=3).for_each(|number| run_by_root(&mut app, number));
    app.until_over(3).await;
    app.said("who it was", |channel| shows(channel, "carol")).await;
    let mut reader = app.reader();
    assert_eq!(found(&mut reader, 1), of("carol", true));
    assert_eq!(found(&mut reader, 2), of("root", false), "it is this master's own");
    assert_eq!(found(&mut reader, 3), of("root", false), "nothing is kept of it");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ran_it_above_is_learned_though_the_load_is_written_after_the_end() {
    let (mut app, cache) = below().await;
    run_by_root(&mut app, 1);
    app.said("it is root's", |channel| shows(channel, "root")).await;
    app.until_over(1).await;
    assert_eq!(found(&mut app.reader(), 1), of("root", false));
    keep(&cache, &jid(1), user("carol"));
    app.until("who ran it above", |journal| (found(journal, 1) == of("carol", true)).then_some(()))
        .await;
    app.only_message_says("carol").await;
    app.stop().await;
}
