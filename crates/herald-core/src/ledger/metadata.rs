//! Metadata: what a client says of a job beside its arguments. API clients do; nobody at a shell does
//! who does not type `--metadata`.
//!
//! 3007 and later tell it in `salt/job/J/publish`. On 3006 only the returns repeat it: there it is
//! the word of the first minion that returns. What it means is nobody's matter here.

use jiff::Timestamp;
use salt_event::msgpack::Token;
use salt_event::{Raw, Value};

use super::head::read;
use super::{Ledger, named_set};
use crate::change::{Storable, What};
use crate::minions::MinionSet;
use crate::redact::Secrets;
use crate::run::{Flag, JobId, RunKind};

/// Longest metadata that is kept, in bytes. What is longer is told by its length alone.
const MAX_METADATA: usize = 8_192;

impl Ledger {
    /// The master's word.
    pub(super) fn take_metadata(&mut self, at: Timestamp, jid: &str, metadata: Raw<'_>) {
        let Some(job) = self.by_jid.get(jid).copied() else {
            return;
        };
        let mut secrets = Secrets::default();
        self.note_metadata(at, job, metadata, &mut secrets);
        let run = self.state.jobs.get(&job).map(|job| job.run);
        if let Some(mut live) = run.and_then(|run| self.live.get_mut(&run)) {
            live.secrets.extend(&secrets);
            self.secrets.extend(&secrets);
        }
    }

    /// A minion's word: it stands where the master said nothing.
    pub(super) fn hear_metadata(&mut self, at: Timestamp, job: JobId, metadata: Option<Raw<'_>>) {
        if let Some(metadata) = metadata {
            self.note_metadata(at, job, metadata, &mut Secrets::default());
        }
    }

    fn note_metadata(
        &mut self,
        at: Timestamp,
        job: JobId,
        metadata: Raw<'_>,
        secrets: &mut Secrets,
    ) {
        let run = self.state.jobs.get(&job).and_then(|job| self.state.runs.get(&job.run));
        let Some(run) = run.filter(|run| run.head.metadata.is_none()) else {
            return;
        };
        if is_nothing(metadata) {
            return;
        }
        let (id, said, mut head) = (run.id, run.said, run.head.clone());
        let mut value = read(metadata);
        self.splitter.redactor().redact_value(&mut value, secrets);
        secrets.hide_value(&mut value);
        self.secrets.hide_value(&mut value);
        let is_client = is_published(head.kind);
        head.metadata = bounded(value);
        let mut payloads = Vec::new();
        let head = head.named(&mut payloads);
        let expected = named_set(MinionSet::new(), &mut payloads);
        self.emit(at, What::RunRevised { run: id, head, said, expected }, payloads);
        if is_client {
            self.flag(at, id, Flag::Api);
        }
    }
}

/// Metadata as a run keeps it.
pub(super) fn bounded(value: Value<'static>) -> Option<Value<'static>> {
    match value {
        Value::Nil => None,
        value => match value.to_bytes().len() {
            ..=MAX_METADATA => Some(value),
            length => Some(Value::from(format!("({length} bytes)"))),
        },
    }
}

fn is_nothing(metadata: Raw<'_>) -> bool {
    matches!(metadata.token(), Token::Nil | Token::Map(0) | Token::Str(b""))
}

/// A client published it. Schedules and `salt-call` have metadata of their own.
pub(super) fn is_published(kind: RunKind) -> bool {
    matches!(kind, RunKind::Command | RunKind::StateRun | RunKind::Batch)
}
