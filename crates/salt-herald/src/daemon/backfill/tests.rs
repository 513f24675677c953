//! Back-fills by hand: the thread that looks is a real one, and everything else is done in turn.

use std::convert::Infallible;

use herald_core::change::GapReason;
use herald_core::ledger::Settings;
use herald_core::redact::{Marks, Redactor};
use jiff::tz::TimeZone;
use rusqlite::Connection;
use tempfile::TempDir;

use super::due::GIVE_UP;
use super::*;
use crate::source::job_cache::made::Made;
use crate::store::{Disk, Journal, JournalReader};

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    made: Made,
    folder: TempDir,
    intake: Intake,
    writer: JournalWriter,
    queue: Arc<Queue>,
    backfills: Backfills,
}

impl Stage {
    fn new() -> Self {
        let (made, folder) = (Made::new(), tempfile::tempdir().unwrap());
        let writer =
            Journal::open(&folder.path().join("journal.db")).unwrap().into_writer().unwrap();
        let began = earlier(Duration::from_secs(3_600));
        let (redactor, reader) = (Redactor::new(Marks::new(&[7; 32])), writer.reader().unwrap());
        let mut intake =
            Intake::new(Settings::default(), redactor, reader, writer.clone(), began).unwrap();
        intake.note_opened(began);
        intake.flush().unwrap();
        let queue = Arc::new(Queue::new(1 << 20));
        let place = Where {
            root: made.jobs(),
            zone: TimeZone::UTC,
            keeps_returns: true,
            keep_jobs: Duration::ZERO,
            keep_runs: None,
            written_within: Duration::ZERO,
            look_again: Duration::from_millis(100),
        };
        let (backfills, _) = Backfills::start(place, Arc::clone(&queue)).unwrap();
        Self { made, folder, intake, writer, queue, backfills }
    }

    /// What the intake does when nothing is heard.
    fn turn(&mut self) {
        let is_ready = self.backfills.is_ready(&self.writer);
        self.queue.take(1, Duration::from_millis(5), is_ready);
        if is_ready {
            self.backfills.take(&mut self.intake, &self.queue.take_past()).unwrap();
        }
        self.intake.flush().unwrap();
        let now = Timestamp::now();
        if self.backfills.has_lost(&self.writer) {
            self.intake.begin_anew(now).unwrap();
        }
        self.backfills.turn(&mut self.intake, now).unwrap();
    }

    fn until<T>(&mut self, what: &str, found: impl Fn(&mut JournalReader) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut reader = self.writer.reader().unwrap();
        loop {
            self.turn();
            reader.follow().unwrap();
            if let Some(found) = found(&mut reader) {
                return found;
            }
            assert!(Instant::now() < until, "never {what}: {:#?}", reader.gaps(9));
        }
    }

    /// Nobody listened from then until now.
    fn gap(&mut self, from: Timestamp) {
        let heard = Heard::Gap { from, reason: GapReason::MasterAway };
        let item = Item { at: Timestamp::now(), heard };
        self.intake.take(&item).unwrap();
        self.backfills.hear(&item);
    }

    fn end(self) {
        self.queue.close();
        self.backfills.stop();
        drop(self.intake);
        self.writer.close();
    }
}

fn earlier(by: Duration) -> Timestamp {
    Timestamp::now() - by
}

fn jid_of(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S%6f").to_string()
}

/// What was added to all gaps, once all are filled.
fn added(journal: &mut JournalReader) -> Option<Added> {
    let gaps = journal.gaps(100).unwrap();
    let mut all = Added::default();
    for gap in &gaps {
        all.add(gap.filled?.backfill.added);
    }
    (!gaps.is_empty()).then_some(all)
}

#[test]
fn what_the_master_was_late_to_write_is_found_a_while_after_the_gap() {
    let mut stage = Stage::new();
    stage.gap(earlier(Duration::from_secs(2)));
    let first = stage.until("a gap that is filled", added);
    assert!(first.is_nothing());
    let gap = stage.until("a gap", |journal| journal.gaps(9).unwrap().pop());
    let (began, late) = (gap.to - Duration::from_secs(1), gap.to + Duration::from_millis(50));
    stage.made.job(&jid_of(began), &["web1"], late);
    stage.made.returns(&jid_of(began), "web1", late);
    let all = Added { runs: 1, returns: 1, completed: 0 };
    stage.until("that what was late is found", |journal| added(journal).filter(|it| *it == all));
    let gaps = stage.until("one gap", |journal| Some(journal.gaps(9).unwrap()));
    assert_eq!((gaps.len(), gaps[0].filled.unwrap().backfill.from), (1, gap.from));
    stage.end();
}

/// The journal has a gap where the ledger knows a run: nothing would be missing to a back-fill.
#[test]
fn what_the_journal_refused_is_found_in_the_job_cache() {
    let mut stage = Stage::new();
    let connection = Connection::open(stage.folder.path().join("journal.db")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    let refuse = "CREATE TRIGGER refused BEFORE INSERT ON run WHEN NOT EXISTS \
                  (SELECT 1 FROM gap) BEGIN SELECT RAISE(ABORT, 'no'); END";
    connection.execute_batch(refuse).unwrap();
    let began = earlier(Duration::from_secs(60));
    stage.made.job(&jid_of(began), &["web1"], began);
    stage.made.returns(&jid_of(began), "web1", began + Duration::from_secs(1));
    // As if it had been heard.
    let cache = stage.made.open();
    let jobs = cache.list(Timestamp::MIN, Timestamp::MAX).unwrap().jobs;
    let mut counter = Counter::new([]);
    let told = cache.events(jobs).pieces(|at, piece| {
        stage.intake.take_past(at, &piece, &mut counter).unwrap();
        Ok::<(), Infallible>(())
    });
    let Ok(_) = told;
    stage.intake.flush().unwrap();
    let found = stage.until("a gap that is filled", added);
    assert_eq!(found, Added { runs: 1, returns: 1, completed: 0 });
    let runs = stage.until("runs", |journal| journal.count_runs().ok());
    assert_eq!((runs, stage.intake.open_runs()), (1, 0));
    assert!(matches!(*stage.writer.disk().borrow(), Disk::Well { .. }));
    stage.end();
}

#[test]
fn of_gaps_that_were_not_read_whole_the_last_counts() {
    let mut stage = Stage::new();
    std::fs::remove_dir_all(stage.made.root.path()).unwrap();
    stage.gap(earlier(Duration::from_secs(9)));
    stage.until("a gap without a cache", added);
    let gap = stage.until("a gap", |journal| journal.gaps(9).unwrap().pop());
    std::fs::create_dir_all(stage.made.jobs()).unwrap();
    stage.gap(earlier(Duration::from_millis(1)));
    stage.intake.flush().unwrap();
    let until = stage.until("that a gap was not read", |journal| journal.blind_until(0).unwrap());
    assert!(until >= gap.to);
    stage.until("both gaps", |journal| {
        journal.gaps(9).unwrap().iter().all(|gap| gap.filled.is_some()).then_some(())
    });
    // The second was read: what begins from now on is seen in full, though it came after the first.
    let until = stage.until("that one was", |journal| journal.blind_until(u64::MAX >> 1).unwrap());
    assert_eq!(until, gap.to);
    stage.end();
}

#[test]
fn a_gap_that_never_comes_is_not_waited_for_for_ever() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let gap = |to| Gap {
        entry: 1,
        from: at(0),
        to: at(to),
        reason: "not running".to_owned(),
        filled: None,
    };
    let since = Instant::now();
    let due = Due { to: Some(at(10)), since };
    assert!(due.waits_for(&[gap(9)], since + GIVE_UP - MOMENT));
    assert!(!due.waits_for(&[gap(9), gap(10)], since));
    assert!(!due.waits_for(&[gap(9)], since + GIVE_UP));
    assert!(!Due { to: None, since }.waits_for(&[], since));
}

/// What is found there is refused each time.
#[test]
fn what_the_journal_refuses_again_and_again_is_not_looked_for_without_a_rest() {
    let mut stage = Stage::new();
    let connection = Connection::open(stage.folder.path().join("journal.db")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    let refuse = "CREATE TRIGGER refused BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'no'); END";
    connection.execute_batch(refuse).unwrap();
    let began = earlier(Duration::from_secs(60));
    stage.made.job(&jid_of(began), &["web1"], began);
    stage.gap(earlier(Duration::from_secs(120)));
    // Found for the gap, and once more for the gap that stands in its place; then it rests.
    let until = Instant::now() + PATIENCE;
    let rests = |stage: &Stage| {
        stage.backfills.due.is_some_and(|due| !due.is_ripe(Instant::now()))
            && stage.backfills.now.is_none()
            && stage.backfills.settling.is_none()
    };
    while !rests(&stage) {
        stage.turn();
        assert!(Instant::now() < until, "it never rests");
    }
    assert!(stage.writer.lost() > 1);
    assert!(stage.backfills.patience(Duration::from_secs(3_600)) > MOMENT);
    for _ in 0..100 {
        stage.turn();
        let is_over = stage.backfills.due.is_none_or(|due| due.is_ripe(Instant::now()));
        assert!(is_over || stage.backfills.now.is_none(), "it looks again without a rest");
        if is_over {
            break;
        }
    }
    stage.end();
}
