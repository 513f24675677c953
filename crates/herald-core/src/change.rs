//! Changes: everything that the journal records, one entry each. The ledger decides them, folding
//! them ([`crate::state::State::apply`]) gives the runs again.
//!
//! A change holds no secret: what could be one was redacted before it was made.

use jiff::Timestamp;
use salt_event::Value;

use crate::backfill::Backfill;
use crate::digest::Digest;
use crate::key::KeyAct;
use crate::limited::Limited;
use crate::minions::{MinionNo, MinionSet, read_set, set_bytes};
use crate::payload::{Payload, PayloadKind};
use crate::run::{Flag, JobId, Outcome, RunHead, RunId, RunKind, RunStatus, Standing, named};
use crate::scrub::Scrub;
use crate::seal::Seal;
use crate::suspect::{Suspect, Why};

/// Something that happened, with the contents that it is the first to name.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When, by the master's clock where it says so.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Contents that the journal may not hold yet.
    pub payloads: Vec<Payload>,
}

named! {
    /// Why we were blind.
    GapReason {
        /// salt-herald was not running.
        NotRunning = 1, "not running";
        /// The master was away, or refused the connection.
        MasterAway = 2, "master away";
        /// Events came faster than they could be taken up.
        QueueFull = 3, "queue full";
        /// The stream could not be followed, and was begun anew.
        Unreadable = 4, "stream unreadable";
        /// The master ended the connection, and took the next one at once.
        CutOff = 5, "cut off by the master";
        /// The journal could not be written, and there was no room for it in memory either.
        DiskAway = 6, "disk away";
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The daemon opened the journal.
    Opened {
        /// Its version.
        version: String,
    },
    /// Nothing was seen for a time.
    Gap {
        /// Since when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
        /// Why.
        reason: GapReason,
    },
    /// A minion was seen for the first time, and has a number from now on.
    MinionSeen {
        /// The number.
        minion: MinionNo,
        /// The id.
        name: String,
    },
    /// A run began.
    RunStarted {
        /// Its number.
        run: RunId,
        /// What it is.
        head: Named<RunHead>,
        /// Whether it is said at once.
        said: bool,
    },
    /// More is known of a run than at its beginning.
    RunRevised {
        /// The run.
        run: RunId,
        /// What it is, as we know now.
        head: Named<RunHead>,
        /// Whether it is said.
        said: bool,
        /// Minions that belong to it beyond those of its jobs so far.
        expected: Named<MinionSet>,
    },
    /// A job was published.
    JobStarted {
        /// Its number.
        job: JobId,
        /// The run that it belongs to.
        run: RunId,
        /// Salt's id.
        jid: String,
        /// Its functions.
        funs: Vec<String>,
        /// The load, redacted.
        load: Digest,
        /// Who was asked.
        expected: Named<MinionSet>,
        /// Listed, but no such minion.
        missing: Named<MinionSet>,
        /// It is a runner or a wheel function.
        returns_itself: bool,
    },
    /// More minions belong to a job.
    JobExpects {
        /// The job.
        job: JobId,
        /// Who else was asked.
        expected: Named<MinionSet>,
    },
    /// Fewer minions belong to a job than was thought.
    JobNarrowed {
        /// The job.
        job: JobId,
        /// Syndics: they are minions, but only passed it on to those below.
        passed_on: Named<MinionSet>,
        /// Listed, but no such minion: as it is known now.
        missing: Named<MinionSet>,
    },
    /// A job belongs to another run than was thought. The run that it leaves may have no job left:
    /// then it stays, without jobs, for the message that may stand somewhere.
    JobMoved {
        /// The job.
        job: JobId,
        /// The run that it belongs to.
        to: RunId,
    },
    /// A minion returned, or a runner or wheel function ended.
    Returned {
        /// The job.
        job: JobId,
        /// Which minion; nothing for runners and wheel functions.
        minion: Option<MinionNo>,
        /// What it comes to.
        outcome: Outcome,
        /// What it consists of.
        shape: Digest,
        /// Times, durations and order of its states, packed.
        volatile: Vec<u8>,
        /// What failed in it.
        failures: Vec<Failure>,
        /// Jids of state runs that Salt says were in its way.
        collides_with: Vec<String>,
    },
    /// A run ended: all returned, or the rest was given up.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
        /// Who never answered.
        silent: Named<MinionSet>,
    },
    /// A run's failure is told in the message of another.
    ToldWith {
        /// The run.
        run: RunId,
        /// The other; itself, when it is the first.
        with: RunId,
    },
    /// Something is to be known of a run.
    Flagged {
        /// The run.
        run: RunId,
        /// What.
        flag: Flag,
    },
    /// An event claims to be the master's word on a job, but a minion sent it. Salt-herald 0.1 wrote it;
    /// [`What::Suspect`] says more.
    Forged {
        /// The true sender; empty where only the form tells that it is not the master's.
        sender: String,
        /// The tag that it bore.
        tag: String,
    },
    /// A minion made something up, or may have.
    Suspect(Suspect),
    /// An event that can't be read.
    Unreadable {
        /// Its tag, as far as it can be read.
        tag: String,
        /// Its length in bytes.
        length: u64,
        /// The digest of its bytes, or of what was kept of them.
        digest: Digest,
    },
    /// The job cache was read for what we were blind to.
    Backfilled(Backfill),
    /// Some jobs were looked for in the master's job cache. Of those that are confirmed at once there can
    /// be many in one entry, of others there is one.
    Stood {
        /// How they stand.
        standing: Standing,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// Something happened to a minion's key, or by it.
    Key {
        /// What.
        act: KeyAct,
        /// Whose.
        minion: String,
        /// The digest of the key's text; zero where the bus does not say.
        key: Digest,
    },
    /// What is old was taken out: a checkpoint, from which on the chain can be checked.
    Cut(Cut),
    /// The journal became too large, and something was taken out for that.
    Limited(Limited),
    /// How the chain stands, signed.
    Sealed(Seal),
    /// A secret that had slipped through was taken out of contents.
    Scrubbed(Scrub),
}

/// Where the chain begins from now on, and what has to be known of what stood before.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// The number of the last entry that went.
    pub last: u64,
    /// Its hash, on which the next entry's builds.
    pub hash: Digest,
    /// Runs up to this one went, with all of their jobs: the numbers are not given again.
    pub run: RunId,
    /// Numbers of jobs up to this one are not given again.
    pub job: JobId,
    /// All minions that were ever seen, by number.
    pub minions: Named<MinionNames>,
}

/// The ids of minions, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MinionNames(pub Vec<String>);

impl What {
    /// The payloads by which it is folded, and a job's load: they stay as long as its entry. What a
    /// return consists of is not among them.
    pub fn contents(&self) -> [Option<Digest>; 3] {
        match self {
            What::RunStarted { head, .. } => [Some(head.digest), None, None],
            What::RunRevised { head, expected, .. } => {
                [Some(head.digest), Some(expected.digest), None]
            }
            What::JobStarted { load, expected, missing, .. } => {
                [Some(*load), Some(expected.digest), Some(missing.digest)]
            }
            What::JobNarrowed { passed_on, missing, .. } => {
                [Some(passed_on.digest), Some(missing.digest), None]
            }
            What::JobExpects { expected: set, .. } | What::RunEnded { silent: set, .. } => {
                [Some(set.digest), None, None]
            }
            What::Cut(cut) => [Some(cut.minions.digest), None, None],
            _ => [None, None, None],
        }
    }

    /// The runs that it names: those that it changes beside its job's.
    pub fn runs(&self) -> [Option<RunId>; 2] {
        match self {
            What::RunStarted { run, .. }
            | What::RunRevised { run, .. }
            | What::RunEnded { run, .. }
            | What::Flagged { run, .. }
            | What::JobStarted { run, .. }
            | What::JobMoved { to: run, .. } => [Some(*run), None],
            What::ToldWith { run, with } => [Some(*run), Some(*with)],
            _ => [None, None],
        }
    }

    /// The job that it changes.
    pub fn job(&self) -> Option<JobId> {
        match self {
            What::JobStarted { job, .. }
            | What::JobExpects { job, .. }
            | What::JobNarrowed { job, .. }
            | What::JobMoved { job, .. }
            | What::Returned { job, .. } => Some(*job),
            // That all is well changes nothing that is said of a run.
            What::Stood { standing, jobs } if *standing != Standing::Confirmed => {
                jobs.first().copied()
            }
            What::Suspect(Suspect { why: Why::Displaced, job, .. }) => *job,
            _ => None,
        }
    }
}

/// One thing that failed in a return: what it is named by, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The state's definition; [`Digest::ZERO`] where a whole function failed.
    pub definition: Digest,
    /// The state's result, or the whole return.
    pub body: Digest,
    /// It failed only because something else did.
    pub follows: bool,
}

/// A value with the name of the payload that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    /// The value.
    pub value: T,
    /// The payload's name.
    pub digest: Digest,
}

/// What can be a payload by itself.
pub trait Storable: Sized {
    /// Its kind.
    const KIND: PayloadKind;
    /// The payload's bytes.
    fn to_payload_bytes(&self) -> Vec<u8>;
    /// Reads it back.
    fn from_payload_bytes(bytes: &[u8]) -> Option<Self>;

    /// Names the value, and puts its payload with the others.
    fn named(self, payloads: &mut Vec<Payload>) -> Named<Self> {
        let payload = Payload::new(Self::KIND, &self.to_payload_bytes());
        let digest = payload.digest;
        payloads.push(payload);
        Named { value: self, digest }
    }
}

impl Storable for MinionSet {
    const KIND: PayloadKind = PayloadKind::Set;

    fn to_payload_bytes(&self) -> Vec<u8> {
        set_bytes(self)
    }

    fn from_payload_bytes(bytes: &[u8]) -> Option<Self> {
        read_set(bytes)
    }
}

impl Storable for MinionNames {
    const KIND: PayloadKind = PayloadKind::Minions;

    fn to_payload_bytes(&self) -> Vec<u8> {
        Value::Array(self.0.iter().map(|name| Value::from(name.as_str())).collect()).to_bytes()
    }

    fn from_payload_bytes(bytes: &[u8]) -> Option<Self> {
        let raw = salt_event::msgpack::Reader::new(bytes).raw().ok()?;
        let name = |name: salt_event::Raw<'_>| name.text().map(str::to_owned);
        raw.items().map(name).collect::<Option<_>>().map(Self)
    }
}

impl Storable for RunHead {
    const KIND: PayloadKind = PayloadKind::Head;

    fn to_payload_bytes(&self) -> Vec<u8> {
        let text = |text: &Option<String>| match text {
            Some(text) => Value::from(text.clone()),
            None => Value::Nil,
        };
        let funs = self.funs.iter().map(|fun| Value::from(fun.as_str())).collect();
        Value::Map(vec![
            ("kind".into(), self.kind.name().into()),
            ("user".into(), text(&self.user)),
            ("command".into(), self.command.as_str().into()),
            ("fun".into(), Value::Array(funs)),
            ("tgt".into(), self.tgt.as_str().into()),
            ("tgt_type".into(), self.tgt_type.as_str().into()),
            ("test".into(), Value::Bool(self.test)),
            ("schedule".into(), text(&self.schedule)),
            ("saltenv".into(), text(&self.saltenv)),
            ("metadata".into(), self.metadata.clone().unwrap_or(Value::Nil)),
        ])
        .to_bytes()
    }

    fn from_payload_bytes(bytes: &[u8]) -> Option<Self> {
        let raw = salt_event::msgpack::Reader::new(bytes).raw().ok()?;
        let text = |key: &str| raw.get(key).and_then(|value| value.text()).map(str::to_owned);
        let funs = raw.get("fun")?.items().filter_map(|fun| fun.text().map(str::to_owned));
        Some(RunHead {
            kind: RunKind::from_name(&text("kind")?)?,
            user: text("user"),
            command: text("command")?,
            funs: funs.collect(),
            tgt: text("tgt")?,
            tgt_type: text("tgt_type")?,
            test: raw.get("test")?.boolean()?,
            schedule: text("schedule"),
            saltenv: text("saltenv"),
            metadata: match raw.get("metadata").map(Value::read) {
                None | Some(Ok(Value::Nil)) => None,
                Some(read) => Some(read.ok()?.into_owned()),
            },
        })
    }
}
