//! Runs: what one person or schedule set going. A run gets one message.
//!
//! Plain data with the arithmetic of sets. Which events make a run is the ledger's matter.

use std::collections::BTreeSet;

use jiff::Timestamp;
use salt_event::Value;

use crate::minions::{MinionNo, MinionSet};

/// A run's number in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// A job's number in its journal; a jid is not unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Enums with a stable name (JSON, SQL) and a stable number (entries) for each variant.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The stable name, as JSON and SQL show it.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }

            /// The stable number, as entries hold it.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The one with that number.
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }

            /// The one with that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

pub(crate) use named;

named! {
    /// What kind of run it is.
    RunKind {
        /// States on minions.
        StateRun = 1, "state_run";
        /// Any other execution function on minions.
        Command = 2, "command";
        /// The same, slice by slice.
        Batch = 3, "batch";
        /// `state.orchestrate` with its children.
        Orchestration = 4, "orchestration";
        /// A runner on the master.
        Runner = 5, "runner";
        /// A wheel function on the master.
        Wheel = 6, "wheel";
        /// `salt-call` on a minion.
        Local = 7, "local";
        /// A minion's schedule.
        Scheduled = 8, "scheduled";
        /// `salt-ssh`.
        Ssh = 9, "ssh";
    }
}

named! {
    /// How far a run is.
    RunStatus {
        /// Minions are still to return.
        Running = 1, "running";
        /// All returned and nothing failed.
        Succeeded = 2, "succeeded";
        /// Something failed.
        Failed = 3, "failed";
        /// Nothing failed, but somebody never answered.
        Incomplete = 4, "incomplete";
    }
}

named! {
    /// What is to be known of a run beyond its counts.
    Flag {
        /// Its start was not seen: who ran it, and on which minions, is not known.
        NoStart = 1, "no_start";
        /// What holds its jobs together was inferred.
        Inferred = 2, "inferred";
        /// Salt refused it on a minion because another state run was running there.
        Collision = 3, "collision";
        /// A minion returned after the run was taken for ended.
        LateReturn = 4, "late_return";
        /// A minion returned that was not known to be asked.
        UnaskedReturn = 5, "unasked_return";
        /// We were blind while it ran.
        Gap = 6, "gap";
        /// Salt left something out of an event because it was too large.
        Trimmed = 7, "trimmed";
        /// The same jid was published again with other contents.
        Conflict = 8, "conflict";
        /// A minion fired events of its own under its jid.
        Forged = 9, "forged";
        /// No command line says it exactly, or not the one that is shown.
        Inexact = 10, "inexact";
        /// It bears metadata, as API clients send it.
        Api = 11, "api";
        /// After a time in which we were blind, the job cache told of it, or of a part of it.
        Backfilled = 12, "backfilled";
        /// A syndic passed it on: down to here, and then who ran it above is not known; or up to here,
        /// from a master below.
        Syndic = 13, "syndic";
        /// The master's job cache does not hold it, as it would if the master had published it: who sent
        /// it is not known.
        Unconfirmed = 14, "unconfirmed";
        /// The master published no such job: somebody made it up.
        NotPublished = 15, "not_published";
        /// Of each time in which we were blind while it ran, the job cache was read whole.
        Mended = 16, "mended";
        /// A return in it was made up, as far as the master's job cache tells.
        FalseReturn = 17, "false_return";
        /// Something secret was taken out of what it names, after it had been recorded.
        Scrubbed = 18, "scrubbed";
    }
}

named! {
    /// Whether a job is true, by the one witness that there is beside the bus: the master's job cache.
    Standing {
        /// The cache holds its load, and that is the master's.
        Confirmed = 1, "confirmed";
        /// The cache did not hold it in time.
        Unconfirmed = 2, "unconfirmed";
        /// What the cache holds shows that the master published no such job.
        Forged = 3, "forged";
        /// As the first, but only after it had been taken for unconfirmed.
        ConfirmedLate = 4, "confirmed_late";
        /// It is known by its returns, and the cache, too, holds only what a minion returned: what was
        /// published long ago, or under another jid, or never.
        ByMinion = 5, "by_minion";
    }
}

/// What a run is, in words: everything that its command line says.
#[derive(Debug, Clone, PartialEq)]
pub struct RunHead {
    /// What kind of run it is.
    pub kind: RunKind,
    /// Who; nothing when the bus does not say. `sudo_alice` is alice.
    pub user: Option<String>,
    /// The command line, redacted, for a shell.
    pub command: String,
    /// The functions.
    pub funs: Vec<String>,
    /// The target as text; empty for runners and wheel functions.
    pub tgt: String,
    /// How the target is meant.
    pub tgt_type: String,
    /// Whether it only shows what would change.
    pub test: bool,
    /// The schedule's name, where one set it going.
    pub schedule: Option<String>,
    /// The environment of the state tree, where the command names one.
    pub saltenv: Option<String>,
    /// What a client, `--metadata` or a schedule said of it beside its arguments; redacted.
    pub metadata: Option<Value<'static>>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number in this journal.
    pub id: RunId,
    /// What it is.
    pub head: RunHead,
    /// When it began, by the master's clock.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How far it is.
    pub status: RunStatus,
    /// Its jobs, in the order of their beginning.
    pub jobs: Vec<JobId>,
    /// Their jids, likewise.
    pub jids: Vec<String>,
    /// Whether it is said at once, or only recorded.
    pub said: bool,
    /// The run whose message tells of this one's failure.
    pub told_with: Option<RunId>,
    /// The minions of all its jobs.
    pub tally: Tally,
    /// The jids of state runs that it met on a minion, as Salt says.
    pub collides_with: BTreeSet<String>,
    /// What else is to be known.
    pub flags: BTreeSet<Flag>,
    /// What failed without belonging to a minion: a runner's own failure.
    pub own_failure: bool,
}

impl Run {
    /// Its beginning is known after all, if its target is: what was to be said of that holds no more.
    pub(crate) fn learn_start(&mut self) {
        if !self.head.tgt.is_empty() && self.flags.remove(&Flag::NoStart) {
            self.flags.remove(&Flag::Inexact);
        }
    }

    /// More is expected of it, whether or not it was taken for ended.
    pub(crate) fn reopen(&mut self) {
        self.status = RunStatus::Running;
        self.finished_at = None;
    }
}

/// Who was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    /// Asked.
    pub expected: MinionSet,
    /// Returned.
    pub returned: MinionSet,
    /// Returned with a failure; never in `succeeded`.
    pub failed: MinionSet,
    /// Returned with changes, failed or not.
    pub changed: MinionSet,
    /// Would change (`test=True`), failed or not.
    pub would_change: MinionSet,
    /// Listed in the target, but the master knows no such minion.
    pub missing: MinionSet,
    /// Asked, and given up.
    pub silent: MinionSet,
}

impl Tally {
    /// Returned without a failure.
    pub fn succeeded(&self) -> u64 {
        self.returned.len() - self.failed.intersection_len(&self.returned)
    }

    /// Asked, not given up, and not returned.
    pub fn waiting(&self) -> MinionSet {
        &(&self.expected - &self.returned) - &self.silent
    }

    /// Whether [`Self::waiting`] holds anybody: returned and silent minions are asked ones, and
    /// nobody is both, so that counting is enough.
    pub fn is_waiting(&self) -> bool {
        self.returned.len() + self.silent.len() < self.expected.len()
    }

    /// Takes up what one minion returned.
    pub fn take(&mut self, minion: MinionNo, outcome: &Outcome) {
        self.expected.insert(minion);
        self.returned.insert(minion);
        self.silent.remove(minion);
        if outcome.failed {
            self.failed.insert(minion);
        }
        if outcome.changed {
            self.changed.insert(minion);
        }
        if outcome.would_change {
            self.would_change.insert(minion);
        }
    }

    /// Takes back what one minion returned.
    pub(crate) fn forget(&mut self, minion: MinionNo) {
        for set in self.of_returns() {
            set.remove(minion);
        }
    }

    /// Takes up what one minion returned, as another tally has it.
    pub(crate) fn take_of(&mut self, minion: MinionNo, other: &Tally) {
        let others = [&other.returned, &other.failed, &other.changed, &other.would_change];
        for (set, other) in self.of_returns().into_iter().zip(others) {
            if other.contains(minion) {
                set.insert(minion);
            }
        }
    }

    fn of_returns(&mut self) -> [&mut MinionSet; 4] {
        [&mut self.returned, &mut self.failed, &mut self.changed, &mut self.would_change]
    }

    /// Takes up another tally.
    pub fn merge(&mut self, other: &Tally) {
        self.expected |= &other.expected;
        self.returned |= &other.returned;
        self.failed |= &other.failed;
        self.changed |= &other.changed;
        self.would_change |= &other.would_change;
        self.missing |= &other.missing;
        self.silent |= &other.silent;
        self.silent -= &self.returned;
    }
}

/// What one return comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// By return code, by `success`, or by a state's result.
    pub failed: bool,
    /// A state says that it changed something.
    pub changed: bool,
    /// A state says that it would change something.
    pub would_change: bool,
    /// The return code; of several functions the worst.
    pub retcode: Option<i64>,
    /// How many states were run.
    pub states: u32,
    /// How many of them failed.
    pub states_failed: u32,
    /// How many of them changed something, or would.
    pub states_changed: u32,
    /// The sum of the states' durations, in microseconds.
    pub duration: u64,
}

/// A job: one publication, one jid.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number in this journal.
    pub id: JobId,
    /// The run that it belongs to.
    pub run: RunId,
    /// Salt's id.
    pub jid: String,
    /// Its functions.
    pub funs: Vec<String>,
    /// When it was published.
    pub started_at: Timestamp,
    /// Who was asked, and what came of it.
    pub tally: Tally,
    /// Ended: all returned, or the rest was given up. Of a runner or a wheel function: it returned.
    pub ended: bool,
    /// Runners and wheel functions return themselves, once, and ask no minions.
    pub returns_itself: bool,
    /// Whether it is true; nothing where nobody could tell.
    pub standing: Option<Standing>,
}

impl Job {
    /// Ends a job that asks minions when nobody is waited for. One that returns itself ends by
    /// nothing else: its return still counts when it comes after it was given up.
    pub(crate) fn settle(&mut self) {
        if !self.returns_itself {
            self.ended = !self.tally.is_waiting();
        }
    }
}
