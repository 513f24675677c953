//! Any history, any rules: what is kept is whole, what is not is gone, and the file can tell.

mod history;
mod limit;

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use rusqlite::types::Value as Cell;

use super::*;
use crate::store::JournalReader;
use crate::store::sqlite::cut;
use history::{DAY, Deed, File, History, NOW, deeds, keeping, rows};

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_whole_and_what_is_not_is_gone(deeds in deeds(), keeping in keeping()) {
        let mut history = History::new(keeping.clone());
        for deed in &deeds {
            history.happen(deed);
        }
        history.happen(&Deed::Pass(1));
        history.check(&keeping);
        // In the end nothing is left but what says so.
        let long = SignedDuration::from_hours(24 * 50).as_hours();
        history.happen(&Deed::Pass(long));
        history.happen(&Deed::Pass(long));
        history.check(&keeping);
        if keeping.runs.is_some() {
            let kept = Connection::open(&history.kept.path).unwrap();
            let left: Vec<_> = ["run", "job", "return", "failure", "delivery", "volatile"]
                .map(|table| rows(&kept, &format!("SELECT count(*) FROM {table}")))
                .into();
            prop_assert!(left.iter().all(|count| count[0][0] == Cell::Integer(0)), "{left:?}");
        }
    }
}

/// The script in the documentation, on a journal from which something was taken.
#[test]
fn the_script_in_the_documentation_checks_what_is_left() {
    let keeping = Keeping { runs: Some(Duration::from_secs(5 * DAY as u64)), ..Keeping::default() };
    let mut history = History::new(keeping.clone());
    for job in 0..8 {
        history.happen(&Deed::Job { quiet: job % 2 == 0, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: job });
        history.happen(&Deed::Pass(30));
    }
    history.check(&keeping);
    let kept = history.kept.writer().connection();
    let base = cut::base(kept).unwrap();
    assert!(base.last > 10, "{base:?}");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    JournalReader::open(&history.kept.path).unwrap().back_up(&copy, false, &mut |_| {}).unwrap();
    let text = include_str!("../../../../../../../docs/journal.md");
    let script = text.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let check = || {
        let done = std::process::Command::new("python3").arg("-c").arg(script).arg(&copy).output();
        let done = done.unwrap();
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned()
                + &String::from_utf8_lossy(&done.stderr),
        )
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" 0 named but gone, 0 bad"), "{said}");
    // It does find what was changed.
    let connection = Connection::open(&copy).unwrap();
    let sql = "UPDATE entry SET at = at + 1 WHERE number = (SELECT max(number) FROM entry)";
    connection.execute(sql, []).unwrap();
    drop(connection);
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
}

/// A machine boots with a clock that is wrong by years, and is put right a minute later.
#[test]
fn a_clock_that_is_wrong_for_a_minute_takes_nothing() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let keeping = Keeping { runs: days(9), results: days(6), quiet: days(3), size: None };
    for wrong in [10 * 365 * DAY, -10 * 365 * DAY] {
        let mut history = History::new(keeping.clone());
        for content in 0..4 {
            history.happen(&Deed::Job { quiet: false, minions: 1 });
            history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
            history.happen(&Deed::Pass(24));
        }
        for offset in [wrong, -wrong] {
            history.happen(&Deed::Restart);
            NOW.set(NOW.get() + offset);
            history.happen(&Deed::Job { quiet: true, minions: 1 });
            history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
            history.sweep();
        }
        let kept = Connection::open(&history.kept.path).unwrap();
        let count = |sql: &str| rows(&kept, sql)[0][0].clone();
        assert_eq!(count("SELECT count(*) FROM run"), Cell::Integer(6), "{wrong}");
        assert_eq!(count("SELECT count(*) FROM payload WHERE kind = 5"), Cell::Integer(4));
        assert_eq!(
            count("SELECT count(*) FROM day WHERE day > unixepoch() / 86400 + 400"),
            Cell::Integer(0)
        );
        // Once it is right again, all goes as ever.
        history.happen(&Deed::Pass(24 * 10));
        history.happen(&Deed::Pass(24));
        assert_eq!(count("SELECT count(*) FROM return"), Cell::Integer(0), "{wrong}");
    }
}

/// What is owed to a sink stays, and so does all that came after it.
#[test]
fn what_is_owed_to_a_sink_is_not_taken() {
    let keeping = Keeping { runs: Some(Duration::from_secs(5 * DAY as u64)), ..Keeping::default() };
    let mut history = History::new(keeping.clone());
    history.retention.keep(keeping, vec!["ops".to_owned()]);
    let runs = |history: &History| {
        let kept = Connection::open(&history.kept.path).unwrap();
        rows(&kept, "SELECT count(*) FROM run")[0][0].clone()
    };
    let settle = |history: &History, settled: i64| {
        let kept = Connection::open(&history.kept.path).unwrap();
        let sql = "INSERT OR REPLACE INTO sink (name, since, settled) VALUES ('ops', 0, ?1)";
        kept.execute(sql, [settled]).unwrap();
    };
    for _ in 0..4 {
        history.happen(&Deed::Job { quiet: false, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
    }
    history.happen(&Deed::Pass(24 * 30));
    assert_eq!(runs(&history), Cell::Integer(4), "it was never served");
    let kept_for = |history: &History| {
        JournalReader::open(&history.kept.path).unwrap().extent().unwrap().kept_for
    };
    assert_eq!(kept_for(&history).as_deref(), Some("ops"));
    let second = rows(&Connection::open(&history.kept.path).unwrap(), "SELECT version FROM run");
    let Cell::Integer(version) = second[1][0] else { panic!() };
    settle(&history, version);
    history.happen(&Deed::Pass(24));
    assert_eq!(runs(&history), Cell::Integer(2));
    assert_eq!(kept_for(&history).as_deref(), Some("ops"));
    settle(&history, i64::MAX);
    assert_eq!(kept_for(&history), None, "nothing is owed any more");
    history.happen(&Deed::Pass(24));
    assert_eq!(runs(&history), Cell::Integer(0));
}

/// A quiet run that fails is told; what came back in it before is kept as long as what failed.
#[test]
fn what_came_back_in_a_run_that_turns_out_to_be_told_is_kept_with_it() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let rules = || Keeping { runs: None, results: days(20), quiet: days(4), size: None };
    for (fails, left) in [(false, 0), (true, 2)] {
        let mut history = History::new(rules());
        history.happen(&Deed::Job { quiet: true, minions: 2 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content: 1 });
        history.happen(&Deed::Return { job: 0, minion: 1, failed: fails, content: 2 });
        history.happen(&Deed::Pass(24 * 10));
        let kept = Connection::open(&history.kept.path).unwrap();
        let bodies = rows(&kept, "SELECT count(*) FROM payload WHERE kind = 5");
        assert_eq!(bodies[0][0], Cell::Integer(left), "fails: {fails}");
        history.happen(&Deed::Pass(24 * 20));
        let bodies = rows(&kept, "SELECT count(*) FROM payload WHERE kind = 5");
        assert_eq!(bodies[0][0], Cell::Integer(0), "fails: {fails}");
    }
}

/// What is freed is given back in portions of many pages, and the file does get shorter.
#[test]
fn the_file_gets_shorter_by_what_is_freed() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::open(folder.path().join("journal.db"));
    let path = file.path.clone();
    let connection = file.writer().connection();
    connection.execute_batch("CREATE TABLE much (bytes BLOB)").unwrap();
    connection.execute("INSERT INTO much VALUES (zeroblob(16 << 20))", []).unwrap();
    connection.execute_batch("DROP TABLE much; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    let length = || std::fs::metadata(&path).unwrap().len();
    let (free_before, before): (i64, u64) = (free(), length());
    assert!(free_before > 4000, "{free_before}");
    let mut portions = 0;
    while give_back(connection, SPARE).unwrap() {
        portions += 1;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert!(portions <= free_before / PAGES, "{portions} portions for {free_before} pages");
    assert!(free() <= SPARE, "{} are free", free());
    assert!(before - length() >= 13 << 20, "{before} became {}", length());
}

/// Long contents are freed page by page: a step takes out a few of them only.
#[test]
fn long_contents_go_a_few_at_once() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let mut history =
        History::new(Keeping { runs: None, results: days(9), quiet: days(9), size: None });
    let connection = history.kept.writer().connection();
    for id in 1..=9 {
        let sql = "INSERT INTO payload VALUES (?1, randomblob(32), 5, zeroblob(1 << 20))";
        connection.execute(sql, [id]).unwrap();
        connection.execute("INSERT INTO used VALUES (?1, 0, 1, 0, 1 << 20)", [id]).unwrap();
    }
    while !matches!(history.retention.phase, Phase::Contents { .. }) {
        history.step();
    }
    for left in [7, 5, 3, 1, 0] {
        history.step();
        let count = rows(history.kept.writer().connection(), "SELECT count(*) FROM payload");
        assert_eq!(count[0][0], Cell::Integer(left));
    }
}

/// A late return comes to a run that was looked at already, before the chain is cut.
#[test]
fn a_run_that_changes_while_it_is_looked_for_old_ones_stays() {
    let days = |days: u64| Some(Duration::from_secs(days * DAY as u64));
    let keeping = Keeping { runs: days(5), results: days(5), quiet: days(5), size: None };
    let mut history = History::new(keeping);
    let whole = Keeping { runs: days(500), results: days(500), quiet: days(500), size: None };
    let rules = std::mem::replace(&mut history.retention.keeping, whole);
    for content in 0..3 {
        history.happen(&Deed::Job { quiet: false, minions: 1 });
        history.happen(&Deed::Return { job: 0, minion: 0, failed: false, content });
    }
    history.happen(&Deed::Pass(24 * 10));
    history.retention.keeping = rules;
    let looked = |history: &History| match &history.retention.phase {
        Phase::Scanning(scan) => !scan.is_at_its_beginning(),
        _ => false,
    };
    while !looked(&history) {
        history.step();
    }
    history.happen(&Deed::Return { job: 2, minion: 3, failed: true, content: 4 });
    history.sweep();
    let count = |history: &mut History| {
        rows(history.kept.writer().connection(), "SELECT count(*) FROM run")[0][0].clone()
    };
    assert_eq!(count(&mut history), Cell::Integer(3));
    history.happen(&Deed::Pass(24 * 10));
    assert_eq!(count(&mut history), Cell::Integer(0));
}
