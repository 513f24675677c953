//! Which messages runs would have come to, had they been said as they happened: the publisher's
//! decisions with a clock that is only counted.
//!
//! The same [`crate::burst`] decides as for real. What a chat answers is not played: it takes a
//! message a second, and never fails.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::burst::{ALIKE_FOR, Likeness, MIXED_FOR, MOST_RUNS, Open, Plan, Waiting, plan};
use crate::run::RunId;

/// A run that is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The run.
    pub run: RunId,
    /// When there is something to say of it.
    pub at: Timestamp,
    /// What it is like.
    pub likeness: Likeness,
    /// When it was over, if it ended badly: among others, that is worth a message of its own.
    pub bad_at: Option<Timestamp>,
    /// When it was over, if it ended badly or took so long that a chat which can't edit says so.
    pub ending_at: Option<Timestamp>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it is posted.
    pub at: Timestamp,
    /// The runs that it tells of at its end.
    pub runs: Vec<RunId>,
}

/// How long a chat rests between two messages.
const EVERY: Duration = Duration::from_secs(1);

/// The messages of some runs, which are in the order of their time; `edits` says whether messages can
/// be edited.
pub fn rehearse(due: &[Due], edits: bool) -> Vec<Message> {
    let mut stage = Stage::default();
    let mut coming = due.iter().peekable();
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut now = Timestamp::MIN;
    loop {
        match coming.peek() {
            Some(next) if waiting.is_empty() => now = now.max(next.at),
            None if waiting.is_empty() => break,
            _ => {}
        }
        while let Some(next) = coming.next_if(|next| next.at <= now) {
            let (run, likeness, news_at) = (next.run, next.likeness, next.at);
            waiting.push(Waiting { run, likeness, news_at, missed: None });
        }
        match plan(&waiting, &stage.open(now), now) {
            Some(Plan::Post(_) | Plan::Late(_) | Plan::Missed(_)) if now < stage.free_at => {
                now = stage.free_at
            }
            Some(Plan::Post(runs)) => stage.post(now, take(&mut waiting, &runs), edits),
            // Old news take up nothing.
            Some(Plan::Late(runs) | Plan::Missed(runs)) => {
                stage.post(now, take(&mut waiting, &runs), false)
            }
            Some(Plan::Join { lead, runs }) => stage.join(now, lead, &take(&mut waiting, &runs)),
            None => break,
        }
    }
    stage.end(due, edits)
}

/// Takes runs out of those that wait.
fn take(waiting: &mut Vec<Waiting>, runs: &[RunId]) -> Vec<Waiting> {
    let runs: HashSet<RunId> = runs.iter().copied().collect();
    waiting.extract_if(.., |one| runs.contains(&one.run)).collect()
}

struct Stage {
    messages: Vec<Message>,
    live: Vec<Live>,
    free_at: Timestamp,
}

/// A message that can take up more.
struct Live {
    open: Open,
    place: usize,
    begun: Timestamp,
    written: Timestamp,
}

impl Default for Stage {
    fn default() -> Self {
        Self { messages: Vec::new(), live: Vec::new(), free_at: Timestamp::MIN }
    }
}

impl Stage {
    fn open(&mut self, now: Timestamp) -> Vec<Open> {
        let messages = &self.messages;
        self.live.retain(|live| {
            let (since, span) =
                if live.open.mixed { (live.begun, MIXED_FOR) } else { (live.written, ALIKE_FOR) };
            let has_room = messages.get(live.place).is_some_and(|it| it.runs.len() < MOST_RUNS);
            has_room && now.duration_since(since).unsigned_abs() < span
        });
        self.live.iter().map(|live| live.open.clone()).collect()
    }

    fn post(&mut self, now: Timestamp, runs: Vec<Waiting>, edits: bool) {
        self.free_at = now.checked_add(EVERY).unwrap_or(now);
        let Some(lead) = runs.first().map(|one| one.run) else { return };
        if edits {
            let mut open = Open { lead, commands: Vec::new(), mixed: false };
            add(&mut open, &runs);
            open.mixed = open.commands.len() > 1;
            let place = self.messages.len();
            self.live.push(Live { open, place, begun: now, written: now });
        }
        let runs = runs.into_iter().map(|one| one.run).collect();
        self.messages.push(Message { at: now, runs });
    }

    fn join(&mut self, now: Timestamp, lead: RunId, runs: &[Waiting]) {
        let Some(live) = self.live.iter_mut().find(|live| live.open.lead == lead) else { return };
        add(&mut live.open, runs);
        live.written = now;
        if let Some(message) = self.messages.get_mut(live.place) {
            message.runs.extend(runs.iter().map(|one| one.run));
        }
    }

    /// What is said of endings in messages of their own.
    fn end(self, due: &[Due], edits: bool) -> Vec<Message> {
        let alone: HashSet<RunId> = self
            .messages
            .iter()
            .filter(|message| message.runs.len() == 1)
            .flat_map(|message| message.runs.iter().copied())
            .collect();
        let ending = |due: &Due| {
            let at = match (alone.contains(&due.run), edits) {
                (true, true) => None,
                // What was over before it was said, was said as it ended.
                (true, false) => due.ending_at.filter(|at| *at > due.at),
                (false, _) => due.bad_at,
            };
            at.map(|at| Message { at, runs: vec![due.run] })
        };
        let endings: Vec<Message> = due.iter().filter_map(ending).collect();
        let mut messages = self.messages;
        messages.extend(endings);
        messages.sort_by_key(|message| message.at);
        messages
    }
}

fn add(open: &mut Open, runs: &[Waiting]) {
    let mut known: HashSet<Likeness> = open.commands.iter().copied().collect();
    let new = runs.iter().map(|one| one.likeness).filter(|likeness| known.insert(*likeness));
    open.commands.extend(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunHead, RunKind};
    use proptest::prelude::*;

    fn due(run: u64, second: i64, what: &str) -> Due {
        let head = RunHead {
            kind: RunKind::Command,
            user: Some("alice".to_owned()),
            command: format!("salt web{run} cmd.run {what}"),
            funs: vec!["cmd.run".to_owned()],
            tgt: format!("web{run}"),
            tgt_type: "glob".to_owned(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        };
        let at = Timestamp::from_second(1_795_300_000 + second).unwrap();
        let likeness = Likeness::of(&head);
        Due { run: RunId(run), at, likeness, bad_at: None, ending_at: None }
    }

    fn told(due: &[Due], edits: bool) -> Vec<(i64, Vec<u64>)> {
        let short = |message: Message| {
            let runs = message.runs.iter().map(|run| run.0).collect();
            (message.at.as_second() - 1_795_300_000, runs)
        };
        rehearse(due, edits).into_iter().map(short).collect()
    }

    #[test]
    fn runs_far_apart_have_a_message_each() {
        let runs = [due(1, 0, "a"), due(2, 100, "a"), due(3, 110, "b")];
        assert_eq!(told(&runs, true), [(0, vec![1]), (100, vec![2]), (110, vec![3])]);
    }

    #[test]
    fn the_same_again_is_one_message_where_it_can_be_edited() {
        let runs: Vec<Due> = (0..5).map(|n| due(n, n as i64 * 40, "a")).collect();
        assert_eq!(told(&runs, true), [(0, vec![0, 1, 2, 3, 4])]);
        assert_eq!(told(&runs, false).len(), 5);
    }

    #[test]
    fn a_flood_is_a_digest_and_what_fails_in_it_has_its_own() {
        let mut runs: Vec<Due> = (0..30).map(|n| due(n, 0, &n.to_string())).collect();
        runs[7].bad_at = runs[7].at.checked_add(jiff::SignedDuration::from_secs(9)).ok();
        let told = told(&runs, true);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!((told[0].1.len(), &told[1]), (30, &(9, vec![7])));
    }

    #[test]
    fn a_webhook_says_a_bad_or_slow_end_again() {
        let mut run = due(1, 0, "a");
        run.ending_at = run.at.checked_add(jiff::SignedDuration::from_secs(90)).ok();
        assert_eq!(told(&[run], false), [(0, vec![1]), (90, vec![1])]);
        assert_eq!(told(&[run], true), [(0, vec![1])]);
    }

    proptest! {
        #[test]
        fn every_run_is_told_once(runs in prop::collection::vec((0_i64..400, 0_u8..20), 0..200), edits: bool) {
            let mut seconds: Vec<(i64, u8)> = runs;
            seconds.sort_unstable();
            let runs: Vec<Due> = (0..).zip(&seconds).map(|(n, (at, what))| due(n, *at, &what.to_string())).collect();
            let messages = rehearse(&runs, edits);
            let mut told: Vec<u64> = messages.iter().flat_map(|message| message.runs.iter().map(|run| run.0)).collect();
            told.sort_unstable();
            prop_assert_eq!(told, (0..runs.len() as u64).collect::<Vec<_>>());
            // One a second at the most, and nothing before its time.
            for pair in messages.windows(2) {
                prop_assert!(pair[1].at.duration_since(pair[0].at).as_secs() >= 1);
            }
            for message in &messages {
                let first = message.runs.first().and_then(|run| runs.get(run.0 as usize)).unwrap();
                prop_assert!(message.at >= first.at);
            }
        }
    }
}
