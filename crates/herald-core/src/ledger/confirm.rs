//! What the master's job cache tells of a job that was just heard of.
//!
//! The answer comes later than the job, and can come after its run's end: the run is revised then, and
//! its message rewritten. When the cache is looked into is not known here.

use jiff::Timestamp;

use super::head::known_user;
use super::{Ledger, named_set};
use crate::change::{Change, Storable, What};
use crate::confirm::{Found, Kept};
use crate::minions::MinionSet;
use crate::run::{Flag, JobId, RunKind};

/// Most jobs that wait until somebody looks for them; they are taken after each event.
const MAX_WANTED: usize = 64;

impl Ledger {
    /// The jids of jobs that began since the last call, to be looked for: see [`Self::hear_found`].
    pub fn take_to_confirm(&mut self) -> Vec<String> {
        std::mem::take(&mut self.to_confirm)
    }

    /// The bus just told of a job.
    pub(super) fn want_confirmed(&mut self, jid: &str) {
        // Where nobody asks for them they do not pile up.
        if !self.past.is_now && self.to_confirm.len() < MAX_WANTED {
            self.to_confirm.push(jid.to_owned());
        }
    }

    /// Whether a job with that jid is in memory.
    pub fn knows(&self, jid: &str) -> bool {
        self.by_jid.contains_key(jid)
    }

    /// A job was looked for in the job cache.
    pub fn hear_found(&mut self, at: Timestamp, jid: &str, found: &Found) -> Vec<Change> {
        let Some(job) = self.by_jid.get(jid).copied() else {
            return Vec::new();
        };
        if let Found::Kept(Kept { user_above: Some(user), .. }) = found
            && self.may_be_from_above(job)
        {
            self.came_from_above(at, job, user);
        }
        std::mem::take(&mut self.out)
    }

    /// Whether a job was published here by root, and perhaps brought by a syndic.
    fn may_be_from_above(&self, job: JobId) -> bool {
        let job = self.state.jobs.get(&job);
        let run = job.and_then(|job| self.state.runs.get(&job.run));
        self.settings.is_below
            && run.is_some_and(|run| {
                // A batch that the master itself drives (3008) names its person in the same place.
                matches!(run.head.kind, RunKind::Command | RunKind::StateRun)
                    && run.head.user.as_deref() == Some("root")
                    && !run.flags.contains(&Flag::Syndic)
                    && !run.flags.contains(&Flag::NoStart)
            })
    }

    /// A syndic brought a job from above, where this user ran it.
    fn came_from_above(&mut self, at: Timestamp, job: JobId, user: &str) {
        let job = self.state.jobs.get(&job);
        let Some(run) = job.and_then(|job| self.state.runs.get(&job.run)) else {
            return;
        };
        let (id, mut head, said) = (run.id, run.head.clone(), run.said);
        head.user = known_user(Some(user));
        let said = said || self.settings.say.rule(&head).is_said();
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        let expected = named_set(MinionSet::new(), &mut payloads);
        self.emit(at, What::RunRevised { run: id, head, said, expected }, payloads);
        self.flag(at, id, Flag::Syndic);
    }
}
