//! A disk that is full, read-only or too slow: runs are said as not yet recorded, people are told, and
//! when it is well again everything is recorded, and nothing said twice.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fake_slack::Channel;
use herald_core::change::GapReason;
use salt_herald::store::{Journal, JournalReader};

use crate::app::{App, Manner, all, shows};
use crate::cache::{Cache, jid_of_now};
use crate::events::{good, highstate, jid, new_job, text};
use crate::journal::{count, open, verify_chain};

/// A disk of its own, where this user may have one. Else the journal is made to behave as on one.
enum Disk {
    Mounted(PathBuf),
    Pretended(PathBuf),
}

impl Disk {
    /// A small disk in the app's folder, for its journal.
    fn small(app: &mut App) -> Self {
        app.place = "disk/journal.db";
        let folder = app.folder.path().join("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", "size=8m", "none"], &folder);
        if mounted.is_ok_and(|done| done.status.success()) {
            Self::Mounted(folder)
        } else {
            eprintln!("no disk could be mounted: a trigger stands in for it");
            Self::Pretended(app.journal())
        }
    }

    /// Leaves not one byte free.
    fn fill(&self) {
        match self {
            Self::Mounted(folder) => {
                let mut filler = File::create(folder.join("filler")).unwrap();
                for size in [64 << 10, 4096, 1] {
                    while filler.write_all(&vec![0; size]).is_ok() {}
                }
            }
            Self::Pretended(journal) => {
                let sql = "CREATE TRIGGER no_room BEFORE INSERT ON entry \
                           BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
                open(journal).execute_batch(sql).unwrap();
            }
        }
    }

    fn free(&self) {
        match self {
            Self::Mounted(folder) => std::fs::remove_file(folder.join("filler")).unwrap(),
            Self::Pretended(journal) => {
                open(journal).execute_batch("DROP TRIGGER no_room").unwrap();
            }
        }
    }

    /// Makes it read-only, or writable again; whether that could be done.
    fn remount(&self, how: &str) -> bool {
        match self {
            Self::Mounted(folder) => {
                let options = format!("remount,{how}");
                run("mount", &["-o", &options], folder).is_ok_and(|done| done.status.success())
            }
            Self::Pretended(_) => false,
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(folder) = self {
            let _ = run("umount", &["-l"], folder);
        }
    }
}

fn run(program: &str, args: &[&str], folder: &Path) -> std::io::Result<Output> {
    Command::new(program).args(args).arg(folder).output()
}

fn echo(number: u32) -> crate::events::Event {
    new_job(&jid(number), "cmd.run", vec![text(&format!("echo {number}."))], &["web1"])
}

/// What a command comes to.
fn herald(app: &App, args: &[&str]) -> Output {
    let config = app.write_config();
    let mut command = Command::new(env!("CARGO_BIN_EXE_salt-herald"));
    command.args(["--config", config.to_str().unwrap()]).args(args).output().unwrap()
}

const MARK: &str = " · not yet recorded";

fn standing(channel: &Channel, part: &str) -> usize {
    channel.roots().filter(|message| message.content.shown().contains(part)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_runs_are_said_and_recorded_later_and_nothing_twice() {
    let mut app = App::new(Manner::Bot).await;
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    let disk = Disk::small(&mut app);
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), echo(2)]);
    app.said("what comes before", |channel| shows(channel, "echo 2.")).await;
    app.until("that it was said", |_| (count(&app.journal(), "delivery") == 2).then_some(())).await;
    disk.fill();
    // More than what the log of the database may have room for.
    let many: Vec<u32> = (10..40).collect();
    let big = |number: u32| {
        let arg = vec![text(&format!("echo {number}. {}", "x".repeat(60_000)))];
        new_job(&jid(100 + number), "cmd.run", arg, &["web1"])
    };
    for number in &many {
        app.bus.send([big(*number), good(&jid(100 + number), "web1", true)]);
    }
    app.said("that it is full", |channel| shows(channel, "The journal can't be written")).await;
    app.bus.send([echo(3), good(&jid(1), "web1", false)]);
    let channel = app.said("what is not recorded", |channel| {
        channel.roots().any(|message| {
            let shown = message.content.shown();
            shown.contains("echo 3.") && shown.contains(MARK)
        })
    });
    let channel = channel.await;
    assert!(shows(&channel, "database or disk is full. Runs are kept in memory"));
    assert_eq!(
        app.reader()
            .runs(&all())
            .unwrap()
            .iter()
            .filter(|run| run.head.command.contains("echo 3."))
            .count(),
        0
    );
    let why = "the journal's file can't be written, in memory since";
    let backup = app.folder.path().join("backup.db");
    let backup = backup.to_str().unwrap();
    for args in [&["log"][..], &["show", "last"], &["backup", backup]] {
        let done = herald(&app, args);
        let noted = String::from_utf8(done.stderr).unwrap();
        assert!(noted.contains(why) && noted.contains("database or disk is full"), "{noted}");
        assert!(done.status.success(), "{args:?}");
    }
    let elsewhere = JournalReader::elsewhere(&app.journal()).unwrap();
    assert!(elsewhere.contains("database or disk is full"), "{elsewhere}");
    disk.free();
    app.said("that it is written again", |channel| {
        shows(channel, "The journal is written again") && shows(channel, "Nothing was lost")
    })
    .await;
    let calm = app.said("no mark", |channel| !shows(channel, MARK)).await;
    assert_eq!(JournalReader::elsewhere(&app.journal()), None);
    assert_eq!(String::from_utf8(herald(&app, &["log"]).stderr).unwrap(), "");
    app.bus.send([good(&jid(1), "web2", false), good(&jid(3), "web1", false), echo(4)]);
    app.said("what comes after", |channel| {
        shows(channel, "echo 4.") && shows(channel, "2 unchanged")
    })
    .await;
    app.stop().await;
    let channel = app.slack.channel();
    for part in ["echo 2.", "echo 3.", "echo 4.", "highstate", "can't be written", "written again"]
    {
        assert_eq!(standing(&channel, part), 1, "{part} {:#?}", channel.changes);
    }
    assert!(channel.roots().count() <= calm.roots().count() + 1);
    let runs = app.reader().runs(&all()).unwrap();
    assert_eq!(runs.len(), 4 + many.len());
    assert_eq!(app.reader().gaps(9).unwrap(), []);
    verify_chain(&app.journal());
    drop(Journal::open(&app.journal()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_while_the_disk_is_full_it_tells_of_a_gap_from_the_last_recorded_moment() {
    let mut app = App::new(Manner::Bot).await;
    let disk = Disk::small(&mut app);
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.until("that it was said", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    let recorded = jiff::Timestamp::now();
    disk.fill();
    let big = new_job(&jid(2), "cmd.run", vec![text(&"x".repeat(6 << 20))], &["web1"]);
    app.bus.send([big, echo(3)]);
    app.said("a mark", |channel| shows(channel, MARK)).await;
    app.stop().await;
    app.bus.hang_up();
    disk.free();
    app.start().await;
    let gap = app
        .until("a gap", |journal| {
            let gaps = journal.gaps(9).unwrap();
            gaps.first().map(|gap| (gap.from, gap.to, gap.reason.clone()))
        })
        .await;
    assert!(gap.0 <= recorded && gap.1 > recorded, "{gap:?}");
    assert_eq!(gap.2, GapReason::NotRunning.name());
    // A number that a lost run had is another's now: its message is left alone.
    app.bus.send([echo(5)]);
    app.said("what comes after", |channel| shows(channel, "echo 5.")).await;
    app.bus.send([good(&jid(1), "web1", true)]);
    app.said("the old one", |channel| shows(channel, "1 changed")).await;
    app.stop().await;
    assert_eq!(standing(&app.slack.channel(), "echo 3."), 1, "what was said stays as it was");
    verify_chain(&app.journal());
}

/// The number that it had in memory is another's now, but it is the same job in the job cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_from_memory_that_was_lost_is_not_said_again() {
    let mut app = App::new(Manner::Bot).await;
    let disk = Disk::small(&mut app);
    app.start().await;
    let cache = Cache::of(&app);
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.until("that it was said", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    disk.fill();
    let big = new_job(&jid(2), "cmd.run", vec![text(&"x".repeat(6 << 20))], &["web1"]);
    let lost = jid_of_now();
    cache.job(&lost, "pkg.install", &["web1"]);
    app.bus.send([big, new_job(&lost, "pkg.install", vec![text("nginx")], &["web1"])]);
    app.said("it, with a mark", |channel| {
        shows(channel, MARK) && shows(channel, "pkg.install nginx")
    })
    .await;
    app.stop().await;
    cache.returns(&lost, "web1", 0);
    app.bus.hang_up();
    disk.free();
    app.start().await;
    app.until("that it is taken for said", |journal| {
        let (run, _) = journal.runs_with_jid(&lost).unwrap().pop()?;
        journal.is_announced(run.id).unwrap().then_some(())
    })
    .await;
    app.said("its end", |channel| shows(channel, "1 succeeded")).await;
    app.stop().await;
    let channel = app.slack.channel();
    assert_eq!(standing(&channel, "pkg.install nginx"), 1, "{:#?}", channel.changes);
    assert!(!shows(&channel, "may be a repeat"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_disk_that_can_only_be_read_it_begins_in_memory() {
    let mut app = App::new(Manner::Bot).await;
    let disk = Disk::small(&mut app);
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", false)]);
    app.only_message_says("1 of 2 returned").await;
    app.stop().await;
    app.bus.hang_up();
    if !disk.remount("ro") {
        eprintln!("no disk can be made read-only here");
        return;
    }
    app.start_without_bus().await;
    app.bus.accept();
    app.bus.send([good(&jid(1), "web2", true)]);
    app.said("the end, on top of what the file holds", |channel| {
        channel.roots().any(|message| {
            let shown = message.content.shown();
            shown.contains("1 changed") && shown.contains(MARK)
        }) && shows(channel, "The journal can't be written")
    })
    .await;
    assert!(disk.remount("rw"));
    app.said("no mark", |channel| !shows(channel, MARK) && shows(channel, "written again")).await;
    app.stop().await;
    assert_eq!(standing(&app.slack.channel(), "highstate"), 1);
    assert_eq!(app.reader().runs(&all()).unwrap()[0].tally.returned.len(), 2);
    verify_chain(&app.journal());
}

/// Nothing can be noted beside the journal then: the daemon itself is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_disk_became_read_only_status_learns_of_the_daemon() {
    let mut app = App::new(Manner::Bot).await;
    let disk = Disk::small(&mut app);
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"])]);
    app.only_message_says("0 of 2 returned").await;
    app.until("that it was said", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    if !disk.remount("ro") {
        eprintln!("no disk can be made read-only here");
        app.stop().await;
        return;
    }
    app.bus.send([echo(2)]);
    app.said("that it can't be written", |channel| shows(channel, "can't be written")).await;
    let status = String::from_utf8(herald(&app, &["status"]).stdout).unwrap();
    assert!(status.contains("! the journal can't be written"), "{status}");
    assert!(disk.remount("rw"));
    app.said("that it can", |channel| shows(channel, "written again")).await;
    let status = String::from_utf8(herald(&app, &["status"]).stdout).unwrap();
    assert!(!status.contains("can't be written"), "{status}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_in_memory_either_is_one_gap() {
    let mut app = App::new(Manner::Bot).await;
    (app.limits.memory, app.limits.waiting) = (1 << 20, 1 << 20);
    app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
    let disk = Disk::small(&mut app);
    app.start().await;
    disk.fill();
    let big = |number: u32, size: usize| {
        let arg = vec![text(&format!("echo {number}. {}", "x".repeat(size)))];
        new_job(&jid(number), "cmd.run", arg, &["web1"])
    };
    app.bus.send((1..5).map(|number| big(number, 60_000)));
    app.said("that it is full", |channel| shows(channel, "The journal can't be written")).await;
    // More than memory and the queue before it can hold.
    app.bus.send((10..600).map(|number| big(number, 30_000)));
    disk.free();
    let reason = app
        .until("a gap", |journal| journal.gaps(9).unwrap().first().map(|gap| gap.reason.clone()))
        .await;
    assert_eq!(reason, GapReason::DiskAway.name());
    app.said("what was lost", |channel| shows(channel, "found no room there: that is a gap")).await;
    app.bus.send([echo(999)]);
    app.until("what comes after", |journal| {
        let runs = journal.runs(&all()).unwrap();
        runs.iter().any(|run| run.head.command.contains("echo 999.")).then_some(())
    })
    .await;
    app.stop().await;
    let runs = app.reader().runs(&all()).unwrap().len();
    assert!((10..590).contains(&runs), "{runs}");
    verify_chain(&app.journal());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_can_not_be_read_ends_nothing() {
    let mut app = App::started().await;
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    // Whoever asks for a jid is refused from now on, as on a damaged page.
    open(&app.journal()).execute_batch("ALTER TABLE job RENAME COLUMN jid TO gone").unwrap();
    app.bus.send([echo(2)]);
    app.until("that it is recorded", |_| (count(&app.journal(), "run") == 2).then_some(())).await;
    open(&app.journal()).execute_batch("ALTER TABLE job RENAME COLUMN gone TO jid").unwrap();
    app.bus.send([echo(3), good(&jid(1), "web1", true)]);
    app.said("what came meanwhile, and after", |channel| {
        ["echo 2.", "echo 3.", "1 changed"].iter().all(|part| shows(channel, part))
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_fill_by_hand_fails_where_nothing_can_be_written() {
    let mut app = App::new(Manner::Bot).await;
    let disk = Disk::Pretended(app.journal());
    app.start().await;
    app.stop().await;
    let cache = Cache::of(&app);
    for _ in 0..3 {
        let job = jid_of_now();
        cache.job(&job, "cmd.run", &["web1"]);
        cache.returns(&job, "web1", 0);
    }
    disk.fill();
    let done = herald(&app, &["backfill", "--since", "1h"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("can't be written"), "{said}");
    disk.free();
}
