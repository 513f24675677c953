//! The limit by size: what goes for it in which order, what never does, and that it is told.

use std::path::Path;

use herald_core::change::What;
use herald_core::entry::decode;
use herald_core::limited::Limited;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value as Cell;

use super::super::limit::Stop;
use super::super::*;
use super::history::{DAY, Deed, History, NOW, deeds, entries, held, keeping, rows};
use crate::store::sqlite::size;
use crate::store::{JournalReader, NotTold};

fn for_ever(limit: u64) -> Keeping {
    Keeping { runs: None, results: None, quiet: None, size: Some(limit) }
}

/// A history in which things are long, in a journal that may be only so large.
fn history(keeping: Keeping, bulk: usize) -> History {
    let mut history = History::new(keeping);
    history.bulk = bulk;
    history
}

impl History {
    /// Some jobs a day, said or quiet, that return something of that day.
    fn days(&mut self, quiet: bool, contents: std::ops::Range<u8>, jobs: usize) {
        for content in contents {
            for _ in 0..jobs {
                self.happen(&Deed::Job { quiet, minions: 1 });
                self.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
            }
            self.happen(&Deed::Pass(24));
        }
    }

    /// From now on it may be only so large.
    fn limit(&mut self, limit: u64) {
        let sinks = self.retention.sinks.clone();
        self.retention.keep(for_ever(limit), sinks);
        self.sweep();
    }

    fn used(&self) -> u64 {
        let connection = Connection::open(&self.kept.path).unwrap();
        let ask = |sql| number(&connection, sql).unwrap() as u64;
        (ask("PRAGMA page_count") - ask("PRAGMA freelist_count")) * 4096
    }

    fn count(&self, sql: &str) -> i64 {
        let connection = Connection::open(&self.kept.path).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What entries say that the limit took.
    fn limited(&self) -> Vec<Limited> {
        let connection = Connection::open(&self.kept.path).unwrap();
        let mut contents = held(&connection);
        let changes = entries(&connection).into_iter().filter(|(_, bytes)| bytes[33] == 23);
        let whats = changes.map(|(_, bytes)| decode(&bytes, &mut contents).unwrap().1.what);
        let limited = whats.map(|what| match what {
            What::Limited(limited) => limited,
            other => panic!("{other:?}"),
        });
        limited.collect()
    }

    fn extent(&self) -> crate::store::Extent {
        JournalReader::open(&self.kept.path).unwrap().extent().unwrap()
    }

    fn serve(&self, sink: &str, settled: i64, failing_since: Option<i64>) {
        let connection = Connection::open(&self.kept.path).unwrap();
        let sql = "INSERT OR REPLACE INTO sink (name, since, settled, failing_since) \
                   VALUES (?1, 0, ?2, ?3)";
        let failing_since = failing_since.map(|at| at * 1_000_000);
        connection.execute(sql, rusqlite::params![sink, settled, failing_since]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 25, ..ProptestConfig::default() })]

    #[test]
    fn within_any_limit_what_is_young_or_open_is_whole(
        deeds in deeds(), keeping in keeping(), limit in 200u64..1200, bulk in 0usize..60_000,
    ) {
        let keeping = Keeping { size: Some(limit << 10), ..keeping };
        let mut history = history(keeping.clone(), bulk);
        for deed in &deeds {
            history.happen(deed);
        }
        history.happen(&Deed::Pass(1));
        history.check(&keeping);
        let room = (limit << 10) * 3 / 4;
        let is_told = history.retention.watch.vain().is_some();
        prop_assert!(is_told || history.used() <= room, "{} of {room}", history.used());
        prop_assert_eq!(history.extent().stopped_by.is_some(), is_told);
    }
}

#[test]
fn contents_of_quiet_runs_go_first_then_contents_then_runs() {
    let mut history = history(for_ever(4 << 20), 50_000);
    history.days(true, 0..20, 1);
    history.days(false, 20..40, 1);
    for _ in 0..40 {
        history.happen(&Deed::Pass(24));
    }
    let bodies = |history: &History, quiet: bool| {
        let fun = if quiet { "test.ping" } else { "cmd.run" };
        history.count(&format!(
            "SELECT count(*) FROM return JOIN payload ON payload.id = shape \
             JOIN job ON job.id = return.job WHERE funs LIKE '%{fun}%'"
        ))
    };
    assert_eq!((bodies(&history, true), bodies(&history, false)), (20, 20), "there is room");
    history.limit(2600 << 10);
    let (quiet, loud) = (bodies(&history, true), bodies(&history, false));
    assert!((1..20).contains(&quiet) && loud == 20, "{quiet} and {loud}");
    history.limit(1200 << 10);
    let (quiet, loud) = (bodies(&history, true), bodies(&history, false));
    assert!(quiet == 0 && (1..20).contains(&loud), "{quiet} and {loud}");
    let runs = |history: &History| history.count("SELECT count(*) FROM run");
    assert_eq!(runs(&history), 40);
    // The oldest of each went.
    let first = "SELECT min(return.at) FROM return JOIN payload ON payload.id = shape";
    let limited = history.limited();
    let last = limited.last().unwrap();
    assert!(history.count(first) / 86_400_000_000 >= i64::from(last.results_before));
    assert!(limited.iter().all(|one| one.last == 0 && one.unsaid.is_empty()), "{limited:?}");
    let taken = history.extent().taken.unwrap();
    assert_eq!((taken.why.as_str(), taken.runs), ("limit", 0));
    history.check(&for_ever(0));
}

#[test]
fn the_oldest_runs_go_once_contents_do_not_do() {
    let mut history = history(for_ever(100 << 20), 200);
    history.days(false, 0..40, 10);
    let runs = |history: &History| history.count("SELECT count(*) FROM run");
    assert_eq!(runs(&history), 400);
    // What is free and what is not merged yet take their part.
    let less = |history: &History, by: u64| (history.used() - (by << 10)) * 16 / 11;
    let limit = less(&history, 60);
    history.limit(limit);
    assert_eq!(history.retention.watch.vain(), None);
    let (left, first) = (runs(&history), history.count("SELECT min(id) FROM run"));
    assert!(left > 290 && left < 400, "{left}: those of the last month stay");
    assert_eq!(first, 400 - left + 1, "the oldest went");
    assert_eq!(history.extent().taken.unwrap().why, "limit");
    let last = history.limited().last().unwrap().last;
    assert_eq!(last as i64 + 1, history.count("SELECT min(number) FROM entry"));
    // And then those of the last month, but for three days.
    let limit = less(&history, 200);
    history.limit(limit);
    let left = runs(&history);
    assert!((29..290).contains(&left), "{left}");
    history.limit(240 << 10);
    assert_eq!(history.retention.watch.vain(), Some(&Stop::Young));
    let left = runs(&history);
    assert!((29..40).contains(&left), "{left}");
    history.check(&for_ever(0));
}

#[test]
fn a_limit_that_can_not_be_kept_is_told_and_told_to_be_over() {
    let mut history = history(for_ever(300 << 10), 50_000);
    for content in 0..20 {
        history.happen(&Deed::Job { quiet: false, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
    }
    history.happen(&Deed::Pass(24));
    assert_eq!(history.retention.watch.vain(), Some(&Stop::Young));
    let extent = history.extent();
    assert_eq!(extent.limit, Some(300 << 10));
    assert_eq!(extent.stopped_by, Some(("young".to_owned(), None)));
    assert_eq!(history.count("SELECT count(*) FROM payload WHERE kind = 5"), 20);
    history.happen(&Deed::Pass(24 * 4));
    assert_eq!(history.extent().stopped_by, None);
    assert_eq!(history.count("SELECT count(*) FROM payload WHERE kind = 5"), 0);
    history.check(&for_ever(0));
}

#[test]
fn what_is_open_is_not_taken_for_the_limit() {
    let mut history = history(for_ever(100 << 20), 5_000);
    history.happen(&Deed::Job { quiet: false, minions: 2 });
    history.happen(&Deed::Return { job: 0, minion: 0, failed: true, content: 200 });
    history.happen(&Deed::Pass(24));
    history.days(false, 0..40, 5);
    let connection = Connection::open(&history.kept.path).unwrap();
    connection.execute("UPDATE run SET status = 'running' WHERE id = 1", []).unwrap();
    history.limit(600 << 10);
    assert_eq!(history.extent().stopped_by, Some(("open".to_owned(), None)));
    assert_eq!(history.count("SELECT count(*) FROM run"), 201);
    let failure = "SELECT count(*) FROM failure JOIN payload ON payload.id = body";
    assert_eq!(history.count(failure), 1, "what failed in it");
}

/// What an able sink is owed is never taken; what one is owed that nobody mends for a week is, and
/// it is told which runs will not be said there.
#[test]
fn what_is_owed_goes_for_the_limit_only_once_a_sink_is_given_up_and_it_is_told() {
    let mut history = history(for_ever(100 << 20), 5_000);
    history.days(false, 0..40, 5);
    history.retention.sinks = vec!["ops".to_owned(), "able".to_owned()];
    history.serve("ops", 0, None);
    history.serve("able", i64::MAX, None);
    history.limit(600 << 10);
    let runs = |history: &History| history.count("SELECT count(*) FROM run");
    let owed = Some(("owed".to_owned(), Some("ops".to_owned())));
    assert_eq!((runs(&history), history.extent().stopped_by), (200, owed.clone()));
    assert_eq!(history.count("SELECT count(*) FROM payload WHERE kind = 5"), 40);
    // In trouble, but not for long.
    history.serve("ops", 0, Some(NOW.get() - 5 * DAY));
    history.happen(&Deed::Pass(24));
    assert_eq!((runs(&history), history.extent().stopped_by), (200, owed));
    history.happen(&Deed::Pass(24));
    let left = runs(&history);
    assert!(left < 200, "{left}");
    let not_told: Vec<NotTold> =
        JournalReader::open(&history.kept.path).unwrap().not_told(100).unwrap();
    assert!(not_told.iter().all(|one| one.unsaid.sink == "ops"));
    let told: u64 = not_told.iter().map(|one| one.unsaid.runs).sum();
    assert_eq!(told as i64, 200 - left, "each that went, and once");
    let by_entries: u64 =
        history.limited().iter().flat_map(|one| &one.unsaid).map(|one| one.runs).sum();
    assert_eq!(by_entries, told);
    let reader = JournalReader::open(&history.kept.path).unwrap();
    let all = reader.not_told_after("ops", 0).unwrap().unwrap();
    assert_eq!(all.unsaid.runs, told);
    assert_eq!(reader.not_told_after("ops", all.entry).unwrap(), None);
    history.check(&for_ever(0));
}

/// The file itself, with what is not merged into it yet, is no larger than it may be.
#[test]
fn the_file_on_disk_stays_within_its_limit() {
    let limit = 16 << 20;
    let mut history = history(for_ever(limit), 400_000);
    let on_disk = |path: &Path| size::on_disk(path);
    let mut largest = 0;
    for content in 0..60 {
        history.happen(&Deed::Job { quiet: content % 2 == 0, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
        history.happen(&Deed::Pass(12));
        largest = largest.max(on_disk(&history.kept.path));
    }
    let whole = on_disk(&history.whole.path);
    assert!(whole > 20 << 20, "{whole}");
    let now = on_disk(&history.kept.path);
    assert!(now <= limit, "{now} of {limit}, at most {largest}");
    assert!(history.count("SELECT count(*) FROM payload WHERE kind = 5") > 10);
    assert_eq!(
        rows(&Connection::open(&history.kept.path).unwrap(), "PRAGMA quick_check"),
        [[Cell::Text("ok".to_owned())]]
    );
}
