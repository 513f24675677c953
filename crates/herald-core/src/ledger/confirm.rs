//! Whether jobs are true: what the master's job cache tells of a job that was just heard of.
//!
//! The answer comes later than the job, and can come after its run's end: the run is revised then, and
//! its message rewritten. When the cache is looked into is not known here. What the cache itself tells
//! of the past needs no confirmation.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use salt_event::event::{NewJob, Origin, Return};

use super::head::known_user;
use super::{Ledger, named_set, short};
use crate::change::{Change, Storable, What};
use crate::confirm::{Found, Kept, deed};
use crate::digest::Digest;
use crate::minions::MinionSet;
use crate::run::{Flag, JobId, RunId, RunKind, Standing};
use crate::suspect::{Suspect, Why};

/// Most jobs that are looked for at the same time; those beyond stand as they are.
const MAX_AWAITED: usize = 8_192;

/// What can be looked for in the job cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confirm {
    /// The load of a job that the master published.
    pub jobs: bool,
    /// What it keeps as the load of a job that it knows by a return alone.
    pub returns: bool,
    /// It is certain whether there are masters below: the master's config could be read whole.
    pub below: bool,
}

/// What is looked for, and what was found and is not recorded yet.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// By jid.
    awaited: HashMap<String, Awaited>,
    /// To be looked for from now on.
    asked: Vec<String>,
    /// Jobs that are confirmed: they are recorded together.
    confirmed: BTreeSet<JobId>,
    /// When the last of them was.
    at: Timestamp,
    /// What the jobs in memory do, as they were published.
    deeds: HashMap<JobId, Digest>,
}

impl Confirming {
    /// A job goes out of memory.
    pub(super) fn forget(&mut self, job: JobId) {
        self.deeds.remove(&job);
    }

    /// Whether it was confirmed, and that is not recorded yet.
    pub(super) fn is_to_record(&self, job: JobId) -> bool {
        self.confirmed.contains(&job)
    }
}

#[derive(Debug)]
struct Awaited {
    job: JobId,
    heard: HeardBy,
}

/// By which word we know of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeardBy {
    /// It was published; and what it does, where that can be compared.
    Publication(Option<Digest>),
    /// It returned, and seems to have been published before.
    Return,
    /// It returned, and nobody published it: `salt-call`, a schedule.
    LoneReturn,
}

impl Ledger {
    /// The jids of jobs to be looked for that came up since the last call: see [`Self::hear_found`].
    pub fn take_to_confirm(&mut self) -> Vec<String> {
        std::mem::take(&mut self.confirming.asked)
    }

    /// Whether a job that is looked for is in memory no more: it is to be adopted before
    /// [`Self::hear_found`].
    pub fn lacks(&self, jid: &str) -> bool {
        let awaited = self.confirming.awaited.get(jid);
        awaited.is_some_and(|awaited| !self.state.jobs.contains_key(&awaited.job))
    }

    /// A job was looked for in the job cache.
    pub fn hear_found(&mut self, at: Timestamp, jid: &str, found: &Found) -> Vec<Change> {
        let Some(Awaited { job, heard }) = self.confirming.awaited.remove(jid) else {
            return Vec::new();
        };
        if let Found::Kept(Kept { user_above: Some(user), .. }) = found
            && self.may_be_from_above(job)
        {
            self.came_from_above(at, job, user);
        }
        if let Found::Kept(Kept { asked_by: Some(minion), .. }) = found
            && self.is_roots(job)
        {
            self.was_run_by(at, job, Some(format!("minion {}", short(minion))));
        }
        if let Some(standing) = standing_of(heard, found) {
            self.stand(at, job, standing);
            self.suspect_job(at, job, standing, found);
        }
        std::mem::take(&mut self.out)
    }

    /// The jobs that were confirmed since the last call, in one change.
    pub fn take_confirmed(&mut self) -> Vec<Change> {
        let jobs: Vec<JobId> = std::mem::take(&mut self.confirming.confirmed).into_iter().collect();
        if !jobs.is_empty() {
            let at = self.confirming.at;
            self.emit(at, What::Stood { standing: Standing::Confirmed, jobs }, Vec::new());
        }
        std::mem::take(&mut self.out)
    }

    /// The bus told of a job, or of one more slice of it.
    pub(super) fn confirm_published(&mut self, job: JobId, said: &NewJob<'_>) {
        if self.settings.confirm.jobs {
            let deed = self.confirming.deeds.get(&job).copied();
            self.await_load(job, &said.jid, || HeardBy::Publication(deed));
        }
    }

    /// Whether a job that is published again does what it did before. Of one that the journal gave back
    /// nobody knows.
    pub(super) fn does_same(&mut self, job: JobId, said: &NewJob<'_>) -> bool {
        match (self.confirming.deeds.get(&job).copied(), deed(&said.fun, said.arg)) {
            (Some(before), Some(now)) => before == now,
            (None, Some(now)) => {
                self.confirming.deeds.insert(job, now);
                true
            }
            (_, None) => true,
        }
    }

    /// The bus told of a batch (3008), whose load comes with its first slice.
    pub(super) fn confirm_batch(&mut self, job: JobId, jid: &str) {
        if self.settings.confirm.jobs {
            self.await_load(job, jid, || HeardBy::Publication(None));
        }
    }

    /// Only a return tells of a job. What a syndic passes on is kept as its master's.
    pub(super) fn confirm_returned(&mut self, job: JobId, kind: RunKind, ret: &Return<'_>) {
        let is_kept = ret.origin == Origin::Minion && !ret.through_syndic;
        if self.settings.confirm.returns && is_kept {
            let is_lone = matches!(kind, RunKind::Local | RunKind::Scheduled);
            let heard = if is_lone { HeardBy::LoneReturn } else { HeardBy::Return };
            self.await_load(job, &ret.jid, || heard);
        }
    }

    /// The job cache told of a job, or knows it, too.
    pub(super) fn confirm_past(&mut self, at: Timestamp, job: JobId) {
        self.stand(at, job, Standing::Confirmed);
    }

    fn await_load(&mut self, job: JobId, jid: &str, heard: impl FnOnce() -> HeardBy) {
        let standing = self.state.jobs.get(&job).and_then(|job| job.standing);
        let is_open = matches!(standing, None | Some(Standing::Unconfirmed));
        let awaited = &mut self.confirming.awaited;
        if is_open && awaited.len() < MAX_AWAITED && !awaited.contains_key(jid) {
            awaited.insert(jid.to_owned(), Awaited { job, heard: heard() });
            self.confirming.asked.push(jid.to_owned());
        }
    }

    /// A job that is not confirmed is to be said, whether or not its run is.
    fn suspect_job(&mut self, at: Timestamp, id: JobId, standing: Standing, found: &Found) {
        let why = match standing {
            Standing::Unconfirmed => Why::Unconfirmed,
            Standing::Forged => Why::NotPublished,
            Standing::Confirmed | Standing::ConfirmedLate | Standing::ByMinion => return,
        };
        let Some(jid) = self.state.jobs.get(&id).map(|job| job.jid.clone()) else {
            return;
        };
        let sender = match found {
            Found::Kept(Kept { minion, .. }) => minion.clone().unwrap_or_default(),
            Found::Nothing | Found::Unknown => String::new(),
        };
        let [minion, tag] = [String::new(), String::new()];
        let (job, said) = (Some(id), Digest::ZERO);
        self.suspect(at, at, Suspect { why, job, jid, minion, sender, tag, said, count: 1 });
    }

    /// Of a job that is confirmed or proved forged nothing else is found out.
    fn stand(&mut self, at: Timestamp, job: JobId, standing: Standing) {
        let Some(before) = self.state.jobs.get(&job).map(|job| job.standing) else {
            return;
        };
        let standing = match (before, standing) {
            (None, Standing::Confirmed) => {
                self.confirming.confirmed.insert(job);
                self.confirming.at = at;
                return;
            }
            (None, standing) => standing,
            (Some(Standing::Unconfirmed | Standing::ByMinion), Standing::Confirmed) => {
                Standing::ConfirmedLate
            }
            (Some(Standing::Unconfirmed), Standing::Forged) => Standing::Forged,
            _ => return,
        };
        self.emit(at, What::Stood { standing, jobs: vec![job] }, Vec::new());
    }

    /// Whether a job was published here by root, and perhaps brought by a syndic.
    fn may_be_from_above(&self, job: JobId) -> bool {
        self.settings.is_below && self.is_roots(job)
    }

    /// Whether a job is root's, by its publication: the master's own user, for whoever does not run it
    /// here.
    fn is_roots(&self, job: JobId) -> bool {
        let job = self.state.jobs.get(&job);
        let run = job.and_then(|job| self.state.runs.get(&job.run));
        run.is_some_and(|run| {
            // A batch that the master itself drives (3008) names its person in the same place.
            matches!(run.head.kind, RunKind::Command | RunKind::StateRun)
                && run.head.user.as_deref() == Some("root")
                && !run.flags.contains(&Flag::Syndic)
                && !run.flags.contains(&Flag::NoStart)
        })
    }

    /// A syndic brought a job from above, where this user ran it.
    fn came_from_above(&mut self, at: Timestamp, job: JobId, user: &str) {
        if let Some(run) = self.was_run_by(at, job, known_user(Some(user))) {
            self.flag(at, run, Flag::Syndic);
        }
    }

    /// The cache knows better who ran a job than the bus does.
    fn was_run_by(&mut self, at: Timestamp, job: JobId, user: Option<String>) -> Option<RunId> {
        let job = self.state.jobs.get(&job)?;
        let run = self.state.runs.get(&job.run)?;
        let (id, mut head, said) = (run.id, run.head.clone(), run.said);
        head.user = user;
        let said = said || self.settings.say.rule(&head).is_said();
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        let expected = named_set(MinionSet::new(), &mut payloads);
        self.emit(at, What::RunRevised { run: id, head, said, expected }, payloads);
        Some(id)
    }
}

/// How a job stands by what was found of it, if that tells.
fn standing_of(heard: HeardBy, found: &Found) -> Option<Standing> {
    let kept = match found {
        Found::Unknown => return None,
        Found::Nothing => return Some(Standing::Unconfirmed),
        Found::Kept(kept) => kept,
    };
    Some(match (heard, &kept.minion) {
        // The master keeps a return as a load only where there is none.
        (HeardBy::Publication(_), Some(_)) => Standing::Forged,
        (HeardBy::Publication(Some(said)), None) if kept.deed.is_some_and(|kept| kept != said) => {
            Standing::Forged
        }
        (HeardBy::Return, Some(_)) => Standing::ByMinion,
        _ => Standing::Confirmed,
    })
}
