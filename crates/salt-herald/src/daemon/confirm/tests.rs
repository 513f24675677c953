//! What is looked for in a job cache, and how long.

use herald_core::confirm::said;
use salt_event::Value;
use salt_event::msgpack::Reader;

use super::*;
use crate::source::job_cache::made::{Made, at, ids, map, text};

const LONG: Duration = Duration::from_secs(60);
const JID: &str = "20261122172611123456";

fn looks(made: &Made, within: Duration) -> Looks {
    Looks { root: made.jobs(), within }
}

fn answer(queue: &Queue) -> (String, Found) {
    let item = queue.take(1, LONG, false).unwrap().pop().expect("an answer within a minute");
    let Heard::Looked { jid, found } = item.heard else { panic!("{item:?}") };
    (jid.into(), found)
}

#[test]
fn a_load_is_waited_for_until_it_is_there() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
    assert!(confirmer.ask(Ask::Job(JID.into())));
    made.job(JID, &["web1"], at("17:26:11"));
    let (jid, Found::Kept(kept)) = answer(&queue) else { panic!("it is there") };
    assert_eq!((jid.as_str(), kept.minion, kept.user_above), (JID, None, None));
    assert!(kept.deed.is_some());
}

#[test]
fn a_load_that_does_not_come_is_nothing_and_without_a_cache_nobody_knows() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let moment = Duration::from_millis(1);
    let mut confirmer = looks(&made, moment).start(Arc::clone(&queue)).unwrap();
    confirmer.ask(Ask::Job(JID.into()));
    assert_eq!(answer(&queue), (JID.to_owned(), Found::Nothing));
    std::fs::remove_dir(made.jobs()).unwrap();
    confirmer.ask(Ask::Job(JID.into()));
    assert_eq!(answer(&queue), (JID.to_owned(), Found::Unknown));
}

#[test]
fn what_a_minion_returned_is_no_load_of_the_masters() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let load = map(vec![
        ("cmd", text("_return")),
        ("id", text("web1")),
        ("jid", text(JID)),
        ("fun", text("cmd.run")),
        ("fun_args", ids(&["uptime"])),
        ("return", text("up 3 days")),
    ]);
    made.file(JID, ".load.p", &load.to_bytes(), at("17:26:11"));
    let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
    confirmer.ask(Ask::Job(JID.into()));
    let (_, Found::Kept(kept)) = answer(&queue) else { panic!("it is there") };
    assert_eq!(kept.minion.as_deref(), Some("web1"));
}

#[test]
fn more_than_fits_is_not_looked_for_and_waits_for_nobody() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
    // What the thread took up meanwhile is answered, what does not fit before it is refused.
    let refused = (0..3 * MOST).filter(|_| !confirmer.ask(Ask::Job(JID.into()))).count();
    made.job(JID, &["web1"], at("17:26:11"));
    let mut found = 0;
    for _ in refused..3 * MOST {
        found += usize::from(matches!(answer(&queue).1, Found::Kept(_)));
    }
    assert!((1..=2 * MOST).contains(&found), "{found}");
}

fn looked_up(queue: &Queue) -> FoundReturn {
    let item = queue.take(1, LONG, false).unwrap().pop().expect("an answer within a minute");
    let Heard::LookedUp { frame, found } = item.heard else { panic!("{item:?}") };
    assert_eq!(*frame, *b"as it came");
    found
}

#[test]
fn what_a_minion_returned_is_waited_for_and_compared() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
    let mut ask = |minion: &str| {
        let frame = b"as it came".as_slice().into();
        confirmer.ask(Ask::Return { jid: JID.into(), minion: minion.into(), frame })
    };
    assert!(ask("web1"));
    made.job(JID, &["web1"], at("17:26:11"));
    made.returns(JID, "web1", at("17:26:12"));
    let value = text("up 3 days").to_bytes();
    let (up, zero) = (Reader::new(&value).raw().unwrap(), Value::Int(0).to_bytes());
    let zero = Reader::new(&zero).raw().unwrap();
    assert_eq!(looked_up(&queue), FoundReturn::Kept(said(up, zero)));
    // No id of a minion leads out of the job's folder.
    let mut confirmer = looks(&made, Duration::ZERO).start(Arc::clone(&queue)).unwrap();
    for minion in ["web2", "..", ".", "../web1", "web1/../web1"] {
        let frame = b"as it came".as_slice().into();
        confirmer.ask(Ask::Return { jid: JID.into(), minion: minion.into(), frame });
        assert_eq!(looked_up(&queue), FoundReturn::Nothing, "{minion}");
    }
    made.file(JID, "nocache", b"", at("17:26:11"));
    let frame = b"as it came".as_slice().into();
    confirmer.ask(Ask::Return { jid: JID.into(), minion: "web2".into(), frame });
    assert_eq!(looked_up(&queue), FoundReturn::Unknown);
}

#[test]
fn so_many_bytes_of_returns_are_held_and_no_more() {
    let made = Made::new();
    let queue = Arc::new(Queue::new(1_000));
    let mut confirmer = looks(&made, LONG).start(Arc::clone(&queue)).unwrap();
    let mut ask = || {
        let frame = vec![0; MOST_HELD / 2].into();
        confirmer.ask(Ask::Return { jid: JID.into(), minion: "web1".into(), frame })
    };
    assert!(ask() && ask());
    assert!(!ask());
    made.job(JID, &["web1"], at("17:26:11"));
    made.returns(JID, "web1", at("17:26:12"));
    for _ in 0..2 {
        let item = queue.take(1, LONG, false).unwrap().pop().expect("an answer within a minute");
        assert!(matches!(item.heard, Heard::LookedUp { .. }));
    }
    assert!(ask());
}
