//! The journal against a disk that fails, and against the loss of power: whatever happens, it opens with
//! a beginning of what was to be recorded, which holds at least what was told to be recorded.
//!
//! A process writes a known history with `faults.c` between itself and the disk. Of what that wrote down,
//! the disk is made again as it can have been at any moment: what was synced is there, what was not is
//! there or not.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use herald_core::ledger::Settings;
use herald_core::redact::{Marks, Redactor};
use jiff::Timestamp;
use rustix::process::Signal;
use salt_event::capture::{Capture, Captured};
use salt_event::frame::FrameBuffer;
use salt_herald::daemon::Intake;
use salt_herald::source::{Item, take_frames};
use salt_herald::store::{Disk, Journal, JournalReader, MEMORY, StoreError};
use tempfile::TempDir;

use crate::app::{App, IN_TIME, Manner, shows};
use crate::chance::{Chance, rounds};
use crate::crash::Process;
use crate::events::{good, highstate, jid};
use crate::journal::{MADE, count, dump, open, verify_chain};

const FOLDER: &str = "SALT_HERALD_TEST_FAULTS";

/// What the real masters' buses come to, in order.
fn history() -> Vec<Item> {
    let bus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses/3008.bus");
    let bytes = std::fs::read(bus).unwrap();
    let (mut frames, mut items) = (FrameBuffer::default(), Vec::new());
    for record in Capture::read(&bytes).unwrap() {
        if let Captured::Bytes(bytes) = record.what {
            frames.push(bytes);
            take_frames(&mut frames, record.at, &mut items).unwrap();
        }
    }
    items
}

/// No test: the process that writes. What is on disk by its word, it notes in the file `told`.
#[test]
fn the_writer() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let writer = loop {
        // With a disk that fails, it may take more than one start.
        match Journal::open_or_read(&folder.join("journal.db"), MEMORY) {
            Ok(journal) => break journal.into_writer().unwrap(),
            Err(StoreError::Broken { what, .. }) => panic!("{what}"),
            Err(_) => {}
        }
    };
    let mut told = std::fs::File::create(folder.join("told")).unwrap();
    let items = history();
    let redactor = Redactor::new(Marks::new(&[7; 32]));
    let mut intake = Intake::new(
        Settings::default(),
        redactor,
        writer.reader().unwrap(),
        writer.clone(),
        items[0].at,
    )
    .unwrap();
    for some in items.chunks(4) {
        some.iter().for_each(|item| intake.take(item).unwrap());
        intake.flush().unwrap();
        runtime.block_on(writer.settle()).unwrap();
        let recorded = match &*writer.disk().borrow() {
            Disk::Well { .. } => *writer.version().borrow(),
            Disk::Away(away) => away.recorded,
        };
        writeln!(told, "{recorded}").unwrap();
    }
    drop(intake);
    let disk = writer.disk();
    writer.close();
    let is_well = matches!(*disk.borrow(), Disk::Well { .. });
    writeln!(told, "{}", if is_well { "all" } else { "not all" }).unwrap();
}

/// The shim, compiled once.
pub(crate) fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app/faults.c");
        let own = format!("faults-{}.so", std::process::id());
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(own);
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"];
        let done = Command::new("cc").args(flags).arg(&made).arg(source).arg("-ldl").status();
        assert!(done.unwrap().success(), "the C compiler does not take faults.c");
        made
    })
}

/// Lets the history be written, with faults or without.
fn write_history(folder: &Path, more: &[(&str, &str)]) {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "faults::the_writer", "--nocapture"])
        .env(FOLDER, folder)
        .env("FAULT_FOLDER", folder)
        .env("LD_PRELOAD", shim())
        .envs(more.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// What was told to be on disk at last, and whether everything was.
fn told(text: &str) -> (i64, bool) {
    let numbers = text.lines().filter_map(|line| line.parse().ok());
    (numbers.max().unwrap_or(0), text.lines().any(|line| line == "all"))
}

/// The entries, but for the name of the journal in them.
fn entries(path: &Path) -> Vec<Vec<u8>> {
    let connection = open(path);
    let mut select = connection.prepare("SELECT bytes FROM entry ORDER BY number").unwrap();
    let entries = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    entries.map(|bytes| bytes.unwrap().split_off(17)).collect()
}

/// The history as it is on a disk that does what it should.
fn model() -> &'static Vec<Vec<u8>> {
    static MODEL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        write_history(folder.path(), &[]);
        entries(&folder.path().join("journal.db"))
    })
}

/// Opens a journal as the next start would, and looks whether it is what it may be.
fn check(path: &Path, at_least: i64) {
    let journal = Journal::open(path).unwrap_or_else(|error| panic!("{error}"));
    close(journal, path);
    let found = verify_chain(path);
    assert!(found >= at_least, "{found} entries, and {at_least} were told of");
    let model = model();
    assert!(entries(path).iter().eq(model.iter().take(found as usize)), "not what was recorded");
    let made = |path: &Path| MADE.map(|table| dump(path, table));
    let before = made(path);
    Journal::rebuild(path).unwrap();
    assert!(made(path) == before, "what is queried is not what the entries say");
}

/// A process that another test starts meanwhile holds our lock's file until it is its own.
fn close(journal: Journal, path: &Path) {
    drop(journal);
    while JournalReader::holder(path).is_some() {
        std::thread::yield_now();
    }
}

/// One thing that was done to a file.
pub(crate) struct Op<'a> {
    what: u8,
    pub(crate) file: u8,
    at: usize,
    pub(crate) data: &'a [u8],
}

pub(crate) fn read_log(mut log: &[u8]) -> Vec<Op<'_>> {
    let mut ops = Vec::new();
    while log.len() >= 18 {
        let number = |from: usize| u64::from_le_bytes(log[from..from + 8].try_into().unwrap());
        let (what, file, at, length) = (log[0], log[1], number(2) as usize, number(10) as usize);
        let length = if what == b'W' { length } else { 0 };
        ops.push(Op { what, file, at, data: &log[18..18 + length] });
        log = &log[18 + length..];
    }
    ops
}

impl Op<'_> {
    /// Does it to a file; of what is written, so many bytes.
    pub(crate) fn redo(&self, file: &mut Vec<u8>, bytes: usize) {
        match self.what {
            b'W' => {
                let data = &self.data[..bytes];
                let end = self.at + data.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[self.at..end].copy_from_slice(data);
            }
            b'T' => file.resize(self.at, 0),
            _ => {}
        }
    }
}

/// A file as the disk has it after these operations, when power was lost: what came after the last sync is
/// there or not, in parts.
fn lose_power(ops: &[Op<'_>], file: u8, chance: &mut Chance) -> Vec<u8> {
    let own: Vec<&Op<'_>> = ops.iter().filter(|op| op.file == file).collect();
    let synced = own.iter().rposition(|op| op.what == b'S').map_or(0, |last| last + 1);
    let mut content = Vec::new();
    for (number, op) in own.iter().enumerate() {
        let bytes = match (number < synced, chance.below(4)) {
            (true, _) | (false, 0 | 1) => op.data.len(),
            // Sectors are whole.
            (false, 2) => op.data.len() / 1024 * 512,
            (false, _) => continue,
        };
        op.redo(&mut content, bytes);
    }
    content
}

/// A folder with a journal in it that is made of these bytes.
fn disk_with(database: &[u8], wal: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    std::fs::write(&path, database).unwrap();
    std::fs::write(folder.path().join("journal.db-wal"), wal).unwrap();
    (folder, path)
}

/// What the process wrote, and where the first promise stands in it.
fn logged() -> (Vec<u8>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    write_history(folder.path(), &[("FAULT_LOG", log.to_str().unwrap())]);
    let log = std::fs::read(log).unwrap();
    let first = read_log(&log).iter().position(|op| op.file == b't').unwrap();
    (log, first)
}

fn told_by(ops: &[Op<'_>]) -> i64 {
    let text: Vec<u8> =
        ops.iter().filter(|op| op.file == b't').flat_map(|op| op.data.to_vec()).collect();
    told(&String::from_utf8(text).unwrap()).0
}

#[test]
fn when_power_is_lost_what_was_told_to_be_recorded_is_there() {
    let mut chance = Chance::new();
    let (log, first) = logged();
    let ops = read_log(&log);
    for _ in 0..rounds(40, 1500) {
        let moment = first + chance.below((ops.len() - first) as u64) as usize;
        let before = &ops[..=moment];
        let database = lose_power(before, b'd', &mut chance);
        let wal = lose_power(before, b'w', &mut chance);
        eprintln!("power is lost after operation {moment} of {}", ops.len());
        let (_folder, path) = disk_with(&database, &wal);
        check(&path, told_by(before));
    }
}

#[test]
fn killed_at_any_write_it_is_whole() {
    let mut chance = Chance::new();
    let (log, first) = logged();
    let ops = read_log(&log);
    for _ in 0..rounds(30, 1500) {
        let moment = first + chance.below((ops.len() - first) as u64) as usize;
        let mut files = [Vec::new(), Vec::new()];
        for (number, op) in ops[..=moment].iter().enumerate() {
            let part = if number == moment {
                chance.below(op.data.len() as u64 + 1) as usize
            } else {
                op.data.len()
            };
            match op.file {
                b'd' => op.redo(&mut files[0], part),
                b'w' => op.redo(&mut files[1], part),
                _ => {}
            }
        }
        eprintln!("killed in operation {moment} of {}", ops.len());
        let (_folder, path) = disk_with(&files[0], &files[1]);
        check(&path, told_by(&ops[..moment]));
    }
}

#[test]
fn with_a_disk_that_fails_now_and_then_nothing_is_damaged_and_nothing_lost() {
    let mut chance = Chance::new();
    for _ in 0..rounds(4, 60) {
        let folder = tempfile::tempdir().unwrap();
        let seed = chance.below(1_000_000).to_string();
        let one_in = (40 + chance.below(800)).to_string();
        eprintln!("FAULT_SEED={seed} FAULT_ONE_IN={one_in}");
        write_history(folder.path(), &[("FAULT_SEED", &seed), ("FAULT_ONE_IN", &one_in)]);
        let (recorded, all) = told(&std::fs::read_to_string(folder.path().join("told")).unwrap());
        let at_least = if all { model().len() as i64 } else { recorded };
        check(&folder.path().join("journal.db"), at_least);
    }
}

#[test]
fn cut_at_any_byte_it_opens_with_a_beginning_or_is_refused_by_name() {
    let mut chance = Chance::new();
    let (log, _) = logged();
    let ops = read_log(&log);
    let files = |ops: &[Op<'_>]| {
        let mut files = [Vec::new(), Vec::new()];
        for op in ops {
            match op.file {
                b'd' => op.redo(&mut files[0], op.data.len()),
                b'w' => op.redo(&mut files[1], op.data.len()),
                _ => {}
            }
        }
        files
    };
    // Closed in order, all stands in the one; in the middle, nearly all in the other.
    let [closed, _] = files(&ops);
    let middle = files(&ops[..ops.len() * 3 / 4]);
    let (mut opened, mut refused) = (0, 0);
    for round in 0..rounds(40, 1500) {
        let [mut database, mut wal] =
            if round % 2 == 0 { [closed.clone(), Vec::new()] } else { middle.clone() };
        let cut = if round % 2 == 0 { &mut database } else { &mut wal };
        let length = chance.below(cut.len() as u64) as usize;
        if round % 3 == 0 && length > 0 {
            // Or it is garbage from there on.
            cut[length..].fill(0xa5);
        } else {
            cut.truncate(length);
        }
        eprintln!("round {round}: cut at {length}");
        let (_folder, path) = disk_with(&database, &wal);
        match Journal::open(&path) {
            Err(StoreError::Broken { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
            Ok(journal) => {
                close(journal, &path);
                check(&path, 0);
                opened += 1;
            }
        }
    }
    eprintln!("{opened} opened, {refused} refused");
    assert!(opened > 0 && refused > 0);
}

/// The daemon on a disk that is slow while the file that is given is there.
fn start_on_slow_disk(app: &mut App) -> (Process, PathBuf) {
    let slow = app.folder.path().join("slow");
    let folder = app.folder.path().to_str().unwrap().to_owned();
    let env = [
        ("LD_PRELOAD", shim().to_str().unwrap()),
        ("FAULT_FOLDER", &folder),
        ("FAULT_SLOW", slow.to_str().unwrap()),
    ];
    let process = Process::start_with(app, &env);
    app.bus.accept();
    (process, slow)
}

/// A commit takes half a minute, and yet the bus is read, and the end comes in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_slow_delays_nothing_but_the_record() {
    let mut app = App::new(Manner::Bot).await;
    let (mut process, slow) = start_on_slow_disk(&mut app);
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    app.until("the delivery", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
    std::fs::write(&slow, "").unwrap();
    // More than the socket holds by itself: it is read though nothing can be recorded.
    let names: Vec<String> = (0..3000).map(|number| format!("web{number}")).collect();
    let begun = Instant::now();
    app.bus.send([highstate(&jid(2), &names)]);
    app.bus.send(names.iter().map(|name| good(&jid(2), name, false)));
    assert!(begun.elapsed() < IN_TIME, "{:?}", begun.elapsed());
    let asked = Instant::now();
    process.signal(Signal::TERM);
    assert!(process.ended(), "it ends well");
    assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
    std::fs::remove_file(&slow).unwrap();
    verify_chain(&app.journal());
    let recorded = count(&app.journal(), "return");
    assert!(recorded < 3000, "the disk was not slow: {recorded} returns are there");
    app.bus.hang_up();
    app.start().await;
    app.until("a gap", |journal| {
        let gaps = journal.gaps(9).unwrap();
        gaps.iter().any(|gap| gap.reason == "not running").then_some(())
    })
    .await;
    app.stop().await;
    assert!(Timestamp::now() > app.reader().gaps(1).unwrap()[0].from);
}

/// What `status` says, and with which code.
fn status(app: &App) -> (String, Option<i32>) {
    let config = app.write_config();
    let args = ["--config", config.to_str().unwrap(), "status"];
    let done = Command::new(env!("CARGO_BIN_EXE_salt-herald")).args(args).output().unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.code())
}

/// A sync does not come back: the bot waits for what it said to be noted, the webhook for leave to speak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_disk_that_does_not_answer_people_are_told_and_again_when_it_does() {
    for manner in [Manner::Bot, Manner::Webhook] {
        let mut app = App::new(manner).await;
        let (mut process, slow) = start_on_slow_disk(&mut app);
        app.bus.send([highstate(&jid(1), &["web1"])]);
        app.said("the highstate", |channel| shows(channel, "state.highstate")).await;
        app.until("the delivery", |_| (count(&app.journal(), "delivery") == 1).then_some(())).await;
        std::fs::write(&slow, "").unwrap();
        app.bus.send([highstate(&jid(2), &["web2"])]);
        app.said("the alarm", |channel| shows(channel, "The journal's disk is slow")).await;
        let (text, code) = status(&app);
        assert!(text.contains("! the disk has been slow for") && code == Some(1), "{text}");
        std::fs::remove_file(&slow).unwrap();
        let over = "The journal's disk is no longer slow";
        let channel = app.said("its end", |channel| shows(channel, over)).await;
        for part in ["The journal's disk is slow", over] {
            let standing = channel.roots().filter(|it| it.content.shown().contains(part)).count();
            assert_eq!(standing, 1, "{part}: {:#?}", channel.changes);
        }
        let (text, _) = status(&app);
        assert!(!text.contains("the disk has been slow"), "{text}");
        process.signal(Signal::TERM);
        assert!(process.ended(), "it ends well");
        verify_chain(&app.journal());
    }
}
