//! The publisher against a channel that fails by lot, with ends at any point: in the end each run's
//! message stands there once. Time is the runtime's own and passes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use herald_core::announce::Announcement;
use herald_core::burst::Plan;
use herald_core::change::{Change, What};
use herald_core::digest::Digest;
use herald_core::minions::MinionSet;
use herald_core::owed::Part;
use herald_core::run::{Job, JobId, Run, RunHead, RunId, RunKind, RunStatus, Tally};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::health::Health;
use super::pace::Budget;
use super::view::Subject;
use super::worker::{MOST_WHOLE, Worker};
use super::{Publisher, Settings, Target};
use crate::chat::Sink;
use crate::chat::memory::{Kind, Lot, Memory, Message};
use crate::store::{Batch, Journal, JournalReader, JournalWriter, RunFilter};

/// Longer than anything takes; of the runtime's own time.
const GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A journal that can be left behind as a crash leaves it.
pub(super) struct Disk {
    folder: TempDir,
    path: PathBuf,
    crashes: u32,
}

impl Disk {
    pub(super) fn new() -> Self {
        // What is asked here is not whether a disk is one: in memory it takes half the time.
        let memory = Path::new("/dev/shm");
        let above = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(above).unwrap();
        let path = folder.path().join("0.db");
        let disk = Self { folder, path, crashes: 0 };
        drop(Journal::open(&disk.path).unwrap());
        let body = b"\xa2no";
        let sql = "INSERT INTO payload VALUES (1, ?1, 1, ?2)";
        disk.connection().execute(sql, params![Digest::of(body).0, &body[..]]).unwrap();
        disk
    }

    pub(super) fn connection(&self) -> Connection {
        let connection = Connection::open(&self.path).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    /// What a crash at this moment leaves: what was written later is gone.
    fn crash(&mut self) {
        self.crashes += 1;
        let after = self.folder.path().join(format!("{}.db", self.crashes));
        std::fs::copy(&self.path, &after).unwrap();
        let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
        let _ = std::fs::copy(wal(&self.path), wal(&after));
        self.path = after;
    }
}

fn command(run: u64) -> String {
    format!("salt web1 cmd.run 'echo {run}'")
}

pub(super) fn run(id: u64, status: RunStatus) -> Run {
    let minions = |some: bool| if some { MinionSet::from_iter([0]) } else { MinionSet::new() };
    let is_over = status != RunStatus::Running;
    let now = Timestamp::now();
    Run {
        id: RunId(id),
        head: RunHead {
            kind: RunKind::Command,
            user: Some("alice".to_owned()),
            command: command(id),
            funs: vec!["cmd.run".to_owned()],
            tgt: "web1".to_owned(),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        },
        started_at: now,
        finished_at: is_over.then_some(now),
        status,
        jobs: Vec::new(),
        jids: Vec::new(),
        said: true,
        told_with: None,
        tally: Tally {
            expected: minions(true),
            returned: minions(is_over),
            failed: minions(status == RunStatus::Failed),
            ..Tally::default()
        },
        collides_with: Default::default(),
        flags: Default::default(),
        own_failure: false,
    }
}

pub(super) fn record(writer: &JournalWriter, disk: &Disk, run: Run) {
    let job = Job {
        id: JobId(run.id.0),
        run: run.id,
        jid: run.id.0.to_string(),
        funs: run.head.funs.clone(),
        started_at: run.started_at,
        tally: run.tally.clone(),
        ended: run.finished_at.is_some(),
        returns_itself: false,
        standing: None,
    };
    if run.status == RunStatus::Failed {
        let sql = "INSERT INTO failure VALUES (?1, 0, NULL, 1, 0)";
        disk.connection().execute(sql, params![run.id.0 as i64]).unwrap();
    }
    let what = What::Opened { version: "1".to_owned() };
    let change = Change { at: Timestamp::now(), what, payloads: Vec::new() };
    let batch =
        Batch { changes: vec![change], runs: vec![run], jobs: vec![job], ..Batch::default() };
    writer.record(batch).unwrap();
}

/// Time passes in small steps, so that who waits for the disk is not waited for for years.
fn clock() -> tokio::task::JoinHandle<()> {
    tokio::spawn(async {
        loop {
            sleep(Duration::from_millis(1)).await;
        }
    })
}

fn served(memory: &Memory) -> (Settings, Target) {
    let settings = Settings {
        alarms: Default::default(),
        master: None,
        names: Default::default(),
        routes: Default::default(),
        numbers: Default::default(),
        pace: Default::default(),
    };
    (
        settings,
        Target {
            sink: Sink::Memory(memory.clone()),
            slow_after: Duration::MAX,
            checkpoints: false,
        },
    )
}

/// One worker by itself, that does only what it is told.
pub(super) async fn worker(disk: &Disk, memory: &Memory) -> (JournalWriter, Worker) {
    let (_, stop) = watch::channel(false);
    worker_that_ends(disk, memory, stop, GRACE).await
}

async fn worker_that_ends(
    disk: &Disk,
    memory: &Memory,
    stop: watch::Receiver<bool>,
    grace: Duration,
) -> (JournalWriter, Worker) {
    let writer = Journal::open(&disk.path).unwrap().into_writer().unwrap();
    let (settings, target) = served(memory);
    let budget = Arc::new(Budget::for_edits(settings.pace));
    let health = Arc::new(Health::of(&[target.sink.name()]));
    let worker =
        Worker::start(settings, target, writer.clone(), budget, health, stop, grace).await.unwrap();
    (writer, worker)
}

/// Starts a publisher on what the disk holds; `live` goes on while it runs. It ends by itself when
/// nothing is owed, or is cut off where the channel says.
async fn process(disk: &mut Disk, memory: &Memory, live: impl AsyncFnOnce(&JournalWriter, &Disk)) {
    let writer = Journal::open(&disk.path).unwrap().into_writer().unwrap();
    let (settings, target) = served(memory);
    let (stop, stopping) = watch::channel(false);
    let publisher = Publisher::start(settings, vec![target], writer.clone(), stopping, GRACE).await;
    let has_ended = {
        let publishing = tokio::spawn(publisher.run());
        let living = async {
            live(&writer, disk).await;
            writer.settle().await.unwrap();
            stop.send_replace(true);
            std::future::pending::<()>().await;
        };
        let abort = publishing.abort_handle();
        tokio::select! {
            ended = publishing => { ended.unwrap(); true }
            () = memory.ended() => { abort.abort(); false }
            () = living => false,
        }
    };
    if !has_ended {
        disk.crash();
    }
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_is_not_waited_for_where_nothing_more_can_be_said() {
    let (disk, memory) = (Disk::new(), Memory::new(Kind::Bot, 1));
    memory.revoke(true);
    let (stop, stopping) = watch::channel(false);
    let grace = Duration::from_secs(20);
    let (writer, worker) = worker_that_ends(&disk, &memory, stopping, grace).await;
    record(&writer, &disk, run(1, RunStatus::Running));
    writer.settle().await.unwrap();
    let serving = tokio::spawn(worker.run());
    // It is refused, and not tried again for half a minute.
    sleep(Duration::from_secs(5)).await;
    assert!(!serving.is_finished());
    let stopped = Instant::now();
    stop.send_replace(true);
    serving.await.unwrap();
    assert!(stopped.elapsed() < grace / 2, "{:?}", stopped.elapsed());
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

/// Where each run stands: as a message of its own or as a line of one about several.
fn standing(messages: &[Message]) -> BTreeMap<String, Vec<&Message>> {
    let mut standing: BTreeMap<String, Vec<&Message>> = BTreeMap::new();
    let roots = messages.iter().filter(|message| message.label.part == Part::Message);
    for message in roots {
        let Announcement { command, commands, .. } = &message.said;
        let lines = commands.iter().map(|line| &line.command);
        for command in lines.chain((!command.is_empty()).then_some(command)) {
            standing.entry(command.clone()).or_default().push(message);
        }
    }
    standing
}

/// The messages of one kind about one run.
fn about(messages: &[Message], part: Part, run: u64) -> Vec<&Message> {
    let is_about =
        |message: &&Message| message.label.part == part && message.label.runs == [RunId(run)];
    messages.iter().filter(is_about).collect()
}

struct Story {
    messages: Vec<Message>,
    runs: Vec<u64>,
    failed: Vec<u64>,
}

/// Runs begin and end, the channel fails, the process is ended again and again; then all is calm.
async fn story(kind: Kind, seed: u64) -> Story {
    let clock = clock();
    let mut lot = Lot::new(seed);
    let memory = Memory::new(kind, seed);
    let mut disk = Disk::new();
    // Of the first lost answer it learns whether it may look.
    memory.lose_an_answer();
    process(&mut disk, &memory, async |writer, disk| {
        record(writer, disk, run(1, RunStatus::Running));
    })
    .await;
    let mut next = 2;
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..2 + lot.below(4) {
        memory.fail_one_in(Some(2 + lot.below(6)));
        memory.end_after((lot.below(4) > 0).then(|| lot.below(24)));
        let mut deeds = Vec::new();
        for _ in 0..1 + lot.below(6) {
            deeds.push((lot.below(3), lot.below(2_500), lot.below(3)));
        }
        let (next, open) = (&mut next, &mut open);
        let work = async |writer: &JournalWriter, disk: &Disk| {
            for (deed, pause, ending) in deeds {
                if deed == 0 && !open.is_empty() {
                    let id = open.remove(0);
                    let status = [RunStatus::Succeeded, RunStatus::Failed][(ending == 0) as usize];
                    record(writer, disk, run(id, status));
                } else {
                    for _ in 0..=deed {
                        record(writer, disk, run(*next, RunStatus::Running));
                        open.push(*next);
                        *next += 1;
                    }
                }
                writer.settle().await.unwrap();
                sleep(Duration::from_millis(pause)).await;
            }
        };
        process(&mut disk, &memory, work).await;
    }
    memory.fail_one_in(None);
    memory.end_after(None);
    process(&mut disk, &memory, async |_, _| {}).await;
    clock.abort();
    let all = RunFilter { limit: usize::MAX, ..RunFilter::default() };
    let found = JournalReader::open(&disk.path).unwrap().runs(&all).unwrap();
    let ids = |runs: &[Run]| runs.iter().map(|run| run.id.0).collect();
    let failed: Vec<Run> =
        found.iter().filter(|run| run.status == RunStatus::Failed).cloned().collect();
    Story { messages: memory.messages(), runs: ids(&found), failed: ids(&failed) }
}

/// Tells stories until something is wrong with one.
fn tell(kind: Kind, count: u64, check: impl Fn(&Story)) {
    let first: u64 = std::env::var("HERALD_SEED").map_or(1, |seed| seed.parse().unwrap());
    for seed in first..first + count {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let story = runtime.block_on(story(kind, seed));
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&story)));
        if checked.is_err() {
            for (place, message) in story.messages.iter().enumerate() {
                let Message { label, thread, repeat, said } = message;
                let runs: Vec<u64> = label.runs.iter().map(|run| run.0).collect();
                let lines: Vec<&String> = said.commands.iter().map(|line| &line.command).collect();
                let part = label.part;
                eprintln!(
                    "{place} {part:?} {runs:?} {thread:?} {repeat} {} {lines:?}",
                    said.command
                );
            }
            panic!("HERALD_SEED={seed} {kind:?}: {} runs", story.runs.len());
        }
    }
}

#[test]
fn a_bot_says_each_run_exactly_once() {
    tell(Kind::Bot, 160, |story| {
        let standing = standing(&story.messages);
        for run in &story.runs {
            let count = standing.get(&command(*run)).map_or(0, Vec::len);
            assert_eq!(count, 1, "run {run}");
        }
        for run in &story.failed {
            assert_eq!(about(&story.messages, Part::Thread, *run).len(), 1, "thread of {run}");
            assert!(about(&story.messages, Part::Ending, *run).len() <= 1, "ending of {run}");
        }
        assert!(story.messages.iter().all(|message| !message.repeat));
    });
}

/// Of what stands more than once all but one are marked.
fn check_repeats(story: &Story) {
    let standing = standing(&story.messages);
    for run in &story.runs {
        let found = standing.get(&command(*run)).map(Vec::as_slice).unwrap_or_default();
        assert!(!found.is_empty(), "run {run} was never said");
        let unmarked = found.iter().filter(|message| !message.repeat).count();
        assert!(unmarked <= 1, "run {run}: {found:#?}");
    }
    for run in &story.failed {
        for part in [Part::Ending, Part::Thread] {
            let found = about(&story.messages, part, *run);
            let unmarked = found.iter().filter(|message| !message.repeat).count();
            assert!(unmarked <= 1, "{part:?} of run {run}");
        }
    }
}

#[test]
fn a_webhook_marks_what_may_be_a_repeat() {
    tell(Kind::Webhook, 80, check_repeats);
}

#[test]
fn a_bot_that_may_not_look_marks_what_may_be_a_repeat() {
    tell(Kind::BlindBot, 80, check_repeats);
}

/// What would be said of all that waits, when a channel can't keep up, would fill the memory.
#[tokio::test]
async fn of_many_that_wait_the_words_of_few_are_kept() {
    let disk = Disk::new();
    let (writer, mut worker) = worker(&disk, &Memory::new(Kind::Bot, 1)).await;
    (1..=20).for_each(|id| record(&writer, &disk, run(id, RunStatus::Failed)));
    writer.settle().await.unwrap();
    worker.look_around().await;
    let in_words = worker.pending.values().filter(|view| !view.announcement.byline.is_empty());
    assert_eq!((in_words.count(), worker.pending.len()), (MOST_WHOLE, 20));
    let last = Subject::Run(RunId(20));
    assert!(worker.make_whole(last).await, "it is still owed");
    let announcement = &worker.pending[&last].announcement;
    assert_eq!(announcement.command, command(20));
    assert!(!announcement.byline.is_empty() && !announcement.details.is_empty());
    drop(worker);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

async fn look_at_all(writer: &JournalWriter, worker: &mut Worker) {
    writer.settle().await.unwrap();
    assert!(worker.look_around().await);
}

/// A channel that can't keep up is always owed something; what came before that need not be read again.
#[tokio::test]
async fn what_was_said_is_settled_though_more_is_owed_all_the_time() {
    let (disk, memory) = (Disk::new(), Memory::new(Kind::Bot, 1));
    let (writer, mut own) = worker(&disk, &memory).await;
    (1..=20).for_each(|id| record(&writer, &disk, run(id, RunStatus::Succeeded)));
    look_at_all(&writer, &mut own).await;
    own.note_settled(1).await;
    assert_eq!(own.state.settled, 0);
    for id in 1..=10 {
        own.take_step(Subject::Run(RunId(id))).await;
        own.note_settled(1).await;
    }
    assert_eq!((own.pending.len(), own.state.settled), (10, 10));
    writer.settle().await.unwrap();
    drop(own);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
    let (writer, mut next) = worker(&disk, &memory).await;
    look_at_all(&writer, &mut next).await;
    assert_eq!((next.pending.len(), next.looked_at), (10, 20));
    drop(next);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

/// It was noted to be in a message about several, the chat could not be asked to rewrite that, and then
/// somebody deleted it.
#[tokio::test]
async fn what_a_deleted_message_never_showed_is_said_in_another_though_it_was_killed_between() {
    let (disk, memory) = (Disk::new(), Memory::new(Kind::Bot, 1));
    let (writer, mut own) = worker(&disk, &memory).await;
    record(&writer, &disk, run(1, RunStatus::Running));
    look_at_all(&writer, &mut own).await;
    own.take_step(Subject::Run(RunId(1))).await;
    record(&writer, &disk, run(2, RunStatus::Succeeded));
    record(&writer, &disk, run(1, RunStatus::Succeeded));
    look_at_all(&writer, &mut own).await;
    memory.revoke(true);
    own.say(Plan::Join { lead: RunId(1), runs: vec![RunId(2)] }).await;
    own.note_settled(1).await;
    assert_eq!(own.state.settled, 1, "the one that is not shown holds it");
    writer.settle().await.unwrap();
    drop(own);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();

    memory.revoke(false);
    memory.delete(0);
    let (writer, mut next) = worker(&disk, &memory).await;
    look_at_all(&writer, &mut next).await;
    next.take_step(Subject::Together(RunId(1))).await;
    next.take_step(Subject::Run(RunId(2))).await;
    let messages = memory.messages();
    assert_eq!(about(&messages, Part::Message, 2).len(), 1, "{messages:#?}");
    assert!(next.pending.is_empty(), "{:#?}", next.pending);
    drop(next);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}

/// What it showed was seen by somebody, and is not said again.
#[tokio::test]
async fn what_a_message_showed_before_it_was_deleted_is_not_said_again() {
    let (disk, memory) = (Disk::new(), Memory::new(Kind::Bot, 1));
    let (writer, mut own) = worker(&disk, &memory).await;
    record(&writer, &disk, run(1, RunStatus::Running));
    look_at_all(&writer, &mut own).await;
    own.take_step(Subject::Run(RunId(1))).await;
    record(&writer, &disk, run(2, RunStatus::Running));
    look_at_all(&writer, &mut own).await;
    own.say(Plan::Join { lead: RunId(1), runs: vec![RunId(2)] }).await;
    assert!(own.pending.is_empty(), "it shows both");
    memory.delete(0);
    record(&writer, &disk, run(2, RunStatus::Succeeded));
    look_at_all(&writer, &mut own).await;
    own.take_step(Subject::Together(RunId(1))).await;
    assert!(own.pending.is_empty(), "{:#?}", own.pending);
    assert_eq!(memory.messages().len(), 1);
    drop(own);
    tokio::task::spawn_blocking(move || writer.close()).await.unwrap();
}
