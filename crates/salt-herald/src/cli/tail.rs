//! `tail`: runs as they begin and end. It looks at the journal a few times a second, so it needs
//! nothing of the daemon but that it writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use herald_core::minions::Minions;
use herald_core::run::{Run, RunId, RunStatus};
use jiff::Timestamp;

use super::args::TailArgs;
use super::output::Output;
use super::row::{Columns, Row};
use super::trouble::Trouble;
use super::{Found, journal, output};
use crate::store::{JournalReader, RunFilter};

/// How often the journal is looked at.
const PERIOD: Duration = Duration::from_millis(150);

/// Follows one journal.
struct Tail {
    path: PathBuf,
    reader: JournalReader,
    version: u64,
    shown: Shown,
    json: bool,
}

/// What was shown of runs that have not ended.
struct Shown {
    all: bool,
    running: HashMap<RunId, RunStatus>,
}

/// Carries out the command; ends with Ctrl-C.
pub(super) fn run(
    config: Option<&Path>,
    args: &TailArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let path = journal::path(config, &args.reading)?;
    let reader = JournalReader::open(&path)?;
    if JournalReader::holder(&path).is_none() {
        output::note("salt-herald: the daemon is not running: nothing new comes until it is\n");
    }
    let mut tail = Tail {
        version: reader.last_version()?,
        reader,
        path,
        shown: Shown { all: args.all, running: HashMap::new() },
        json: args.reading.json,
    };
    tail.history(args.lines, out)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(follow(tail, out))
}

async fn follow(mut tail: Tail, out: &mut Output) -> Result<Found, Trouble> {
    let ended = tokio::signal::ctrl_c();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            _ = &mut ended => return Ok(Found::NothingWrong),
            () = tokio::time::sleep(PERIOD) => tail.look(out)?,
        }
    }
}

impl Tail {
    /// Some past runs, as they are now.
    fn history(&mut self, count: usize, out: &mut Output) -> Result<(), Trouble> {
        let filter = RunFilter { said: !self.shown.all, limit: count, ..RunFilter::default() };
        let runs = if count == 0 { Vec::new() } else { self.reader.runs(&filter)? };
        for run in &runs {
            self.shown.take(run);
            self.show(run, out)?;
        }
        // What runs already is told at its end only.
        let running = RunFilter { running: true, limit: usize::MAX, ..RunFilter::default() };
        for run in self.reader.runs(&running)? {
            self.shown.take(&run);
        }
        out.flush()
    }

    fn look(&mut self, out: &mut Output) -> Result<(), Trouble> {
        if self.reader.is_unchanging() {
            self.reader = JournalReader::open(&self.path)?;
        }
        out.view.now = Timestamp::now();
        loop {
            let changed = self.reader.changed_after(self.version)?;
            let Some((_, last)) = changed.last() else {
                return out.flush();
            };
            self.version = *last;
            for (run, _) in &changed {
                if self.shown.take(run) || (self.json && self.shown.is_wanted(run)) {
                    self.show(run, out)?;
                }
            }
        }
    }

    fn show(&self, run: &Run, out: &mut Output) -> Result<(), Trouble> {
        if self.json {
            return out.json(&journal::object(&self.reader, run)?);
        }
        let text = line(run, self.reader.known_minions(), out);
        out.print(&text)
    }
}

fn line(run: &Run, minions: &Minions, out: &Output) -> String {
    Row::of_change(run, minions, &out.view).text(Columns::live(out.view.width))
}

impl Shown {
    fn is_wanted(&self, run: &Run) -> bool {
        self.all || journal::is_for_people(run)
    }

    /// Takes note of a run, and says whether it began or ended.
    fn take(&mut self, run: &Run) -> bool {
        if !self.is_wanted(run) {
            return false;
        }
        let before = match run.status {
            RunStatus::Running => self.running.insert(run.id, run.status),
            // A late return changes an ended run; how it ended then is news only when it differs.
            status => self.running.insert(run.id, status),
        };
        if self.running.len() > 4096 {
            self.running.retain(|_, status| *status == RunStatus::Running);
        }
        before != Some(run.status)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use herald_core::run::{RunHead, RunKind, Tally};

    use super::*;

    fn run(status: RunStatus, said: bool) -> Run {
        Run {
            id: RunId(1),
            head: RunHead {
                kind: RunKind::Command,
                user: None,
                command: "salt web1 test.ping".to_owned(),
                funs: Vec::new(),
                tgt: String::new(),
                tgt_type: String::new(),
                test: false,
                schedule: None,
                saltenv: None,
                metadata: None,
            },
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
            status,
            jobs: Vec::new(),
            jids: Vec::new(),
            said,
            told_with: None,
            tally: Tally::default(),
            collides_with: BTreeSet::new(),
            flags: BTreeSet::new(),
            own_failure: false,
        }
    }

    #[test]
    fn shows_a_beginning_and_an_end_once() {
        let mut shown = Shown { all: false, running: HashMap::new() };
        assert!(shown.take(&run(RunStatus::Running, true)));
        assert!(!shown.take(&run(RunStatus::Running, true)));
        assert!(shown.take(&run(RunStatus::Incomplete, true)));
        assert!(!shown.take(&run(RunStatus::Incomplete, true)));
        assert!(shown.take(&run(RunStatus::Failed, true)));
        assert!(!shown.take(&run(RunStatus::Failed, false)));
    }
}
