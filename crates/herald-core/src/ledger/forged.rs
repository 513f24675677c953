//! Events that a minion made up: what can be told of them, and how much of it is recorded.
//!
//! It is not proof that all others are true: see the master's job cache.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use salt_event::event::Return;
use salt_event::time::is_jid;

use super::doubted::as_it_came;
use super::{Ledger, short};
use crate::change::What;
use crate::digest::Digest;
use crate::run::{Flag, RunId};
use crate::suspect::{Suspect, Why};

/// Most jids of forged jobs that are remembered.
const MAX_FORGED: usize = 256;
/// For how long those of a kind are counted together.
const COUNTED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// So many of a kind are recorded one by one.
const ONE_BY_ONE: u32 = 8;
/// Most kinds that are told apart.
const MOST_KINDS: usize = 256;

/// What was suspect of late, by who sent it, or else by whom it names.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    kinds: HashMap<(String, Why), Kind>,
    /// How many there were since somebody asked.
    heard: u64,
}

#[derive(Debug)]
struct Kind {
    since: Timestamp,
    count: u32,
}

impl Suspects {
    /// For how many the next of a kind is to be recorded. Whoever can send one can send a million: of
    /// more than a few an entry is made each time that they have become twice as many.
    fn weigh(&mut self, now: Timestamp, sender: &str, why: Why) -> Option<u32> {
        // Jobs are counted by how they stand.
        self.heard += u64::from(!matches!(why, Why::Unconfirmed | Why::NotPublished));
        self.kinds.retain(|_, kind| now.duration_since(kind.since).abs() < COUNTED_FOR);
        let key = (sender.to_owned(), why);
        let is_known = self.kinds.contains_key(&key);
        let key =
            if is_known || self.kinds.len() < MOST_KINDS { key } else { (String::new(), why) };
        let kind = self.kinds.entry(key).or_insert(Kind { since: now, count: 0 });
        kind.count = kind.count.saturating_add(1);
        match kind.count {
            count if count <= ONE_BY_ONE => Some(1),
            count if count.is_power_of_two() => Some(count / 2),
            _ => None,
        }
    }
}

impl Ledger {
    /// How many suspect events there were since the last call, recorded or not.
    pub fn take_suspects(&mut self) -> u64 {
        std::mem::take(&mut self.suspects.heard)
    }

    /// Records it, unless there were many like it.
    pub(super) fn suspect(&mut self, now: Timestamp, at: Timestamp, suspect: Suspect) {
        let by = if suspect.sender.is_empty() { &suspect.minion } else { &suspect.sender };
        let count = self.suspects.weigh(now, by, suspect.why);
        // What takes something back is always recorded: the master itself bears witness for it.
        let count = if suspect.why == Why::Displaced { Some(1) } else { count };
        if let Some(count) = count {
            let [jid, minion, sender, tag] =
                [&suspect.jid, &suspect.minion, &suspect.sender, &suspect.tag]
                    .map(|text| short(text));
            let suspect = Suspect { jid, minion, sender, tag, count, ..suspect };
            self.emit(at, What::Suspect(suspect), Vec::new());
        }
    }

    /// The master says who sent it, or (with an empty sender) only that it can't be its own.
    pub(super) fn note_forged(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        why: Why,
        sender: &str,
        tag: &str,
    ) {
        let [jid, minion] = ["", ""].map(str::to_owned);
        let (sender, tag) = (sender.to_owned(), tag.to_owned());
        let suspect =
            Suspect { why, job: None, jid, minion, sender, tag, said: Digest::ZERO, count: 1 };
        self.suspect(now, at, suspect);
    }

    /// A return that is not counted, or not any more.
    pub(super) fn note_false_return(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        why: Why,
        ret: &Return<'_>,
    ) {
        let job = self.job_of(ret);
        let said = match why {
            // What it said is gone; what is here is the other.
            Why::Displaced => self.returned_as(job, ret).unwrap_or(Digest::ZERO),
            _ => as_it_came(ret),
        };
        let suspect = Suspect {
            why,
            job,
            jid: ret.jid.clone().into_owned(),
            minion: ret.minion.to_owned(),
            sender: String::new(),
            tag: format!("salt/job/{}/ret/{}", ret.jid, ret.minion),
            said,
            count: 1,
        };
        self.suspect(now, at, suspect);
        let run = job.and_then(|job| self.state.jobs.get(&job)).map(|job| job.run);
        if let Some(run) = run.filter(|_| why.is_proof()) {
            self.flag(at, run, Flag::FalseReturn);
        }
    }

    /// The same where only the tag tells, as of data that is not whole: `JID/new`.
    pub(super) fn hear_cut_twin(&mut self, now: Timestamp, at: Timestamp, tag: &str) {
        if let Some((jid, rest)) = tag.split_once('/')
            && is_jid(jid)
            && (rest == "new" || rest.starts_with("ret/"))
        {
            self.hear_twin(now, at, tag, jid);
        }
    }

    /// A minion that fires events with a prefix has each of them on the bus twice, once under the
    /// bare tag, under which the master fires none.
    pub(super) fn hear_twin(&mut self, now: Timestamp, at: Timestamp, tag: &str, jid: &str) {
        self.note_forged(now, at, Why::Twin, "", tag);
        if self.forged.iter().any(|known| known == jid) {
            return;
        }
        if self.forged.len() >= MAX_FORGED {
            self.forged.pop_front();
        }
        self.forged.push_back(jid.to_owned());
        let job = self.by_jid.get(jid).and_then(|job| self.state.jobs.get(job));
        if let Some(run) = job.map(|job| job.run) {
            self.flag(at, run, Flag::Forged);
        }
    }

    /// The twin can come before the event itself.
    pub(super) fn flag_if_forged(&mut self, at: Timestamp, run: RunId, jid: &str) {
        if self.forged.iter().any(|known| known == jid) {
            self.flag(at, run, Flag::Forged);
        }
    }
}
