//! What must be true after it was killed however often: of the journal, and of the channel.
//!
//! The journal is asked by the program's own reader; the channel by what people see in it, and by the
//! label that each of a bot's messages carries.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use fake_slack::{By, Channel, Message};
use herald_core::burst::MOST_COMMANDS;
use herald_core::outbox::read_runs;
use herald_core::owed::Part;
use herald_core::run::{Flag, Job, Run, RunId, RunKind, RunStatus};
use salt_herald::store::JournalReader;

use super::story::{Deed, Sent, Story, Tells, Told};

/// What stands at a message that was sent again because nobody could look.
pub(super) const REPEAT: &str = "may be a repeat";

/// What the journal has of a job of the story.
pub(super) struct Known {
    pub(super) run: Run,
    pub(super) job: Job,
    returned: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// What the journal has of a job, if anything.
pub(super) fn known(reader: &mut JournalReader, told: &Told) -> Option<Known> {
    let mut found = reader.runs_with_jid(&told.jid).unwrap();
    assert!(found.len() < 2, "{} is in {} runs", told.mark, found.len());
    let (run, jobs) = found.pop()?;
    assert_eq!(jobs.len(), 1, "{}: {jobs:#?}", told.mark);
    let job = jobs.into_iter().next()?;
    let minions = reader.minions().unwrap();
    let names = |set: &herald_core::minions::MinionSet| {
        set.iter().map(|minion| minions.name(minion).to_owned()).collect()
    };
    let (returned, failed) = (names(&job.tally.returned), names(&job.tally.failed));
    Some(Known { run, job, returned, failed })
}

/// Whether the journal has what an event told; nothing where that can't be seen by itself.
fn has(known: Option<&Known>, deed: Deed, tells: &Tells) -> Option<bool> {
    let Some(known) = known else {
        return (*tells != Tells::More).then_some(false);
    };
    match tells {
        // Without it, its first slice looks like a job of its own.
        Tells::Begin if deed == Deed::Batch => Some(known.run.head.kind == RunKind::Batch),
        Tells::Begin => Some(!known.run.flags.contains(&Flag::NoStart)),
        Tells::Return(minion) => Some(known.returned.contains(minion)),
        Tells::RunnerReturn => Some(known.job.ended),
        Tells::More => None,
    }
}

/// How many of a life's events the journal has: the first ones, up to some point, and none behind it.
pub(super) fn count_recorded(reader: &mut JournalReader, story: &Story, life: &[Sent]) -> usize {
    let mut recorded = 0;
    let mut lost: Option<&Sent> = None;
    for (index, sent) in life.iter().enumerate() {
        let told = &story.jobs[sent.job];
        match has(known(reader, told).as_ref(), told.deed, &sent.tells) {
            Some(true) => {
                let mark = &told.mark;
                assert!(lost.is_none(), "{mark} {sent:?} is recorded, but not {lost:?} before it");
                recorded = index + 1;
            }
            Some(false) => lost = lost.or(Some(sent)),
            None => {}
        }
    }
    recorded
}

/// The run of a job, as the events that were recorded make it; what is wrong about it is told.
pub(super) fn check_run(known: &Known, told: &Told) {
    let (run, mark) = (&known.run, &told.mark);
    assert!(run.head.command.contains(mark.as_str()), "{mark}: {}", run.head.command);
    let failing: BTreeSet<String> = known.returned.intersection(&told.failing).cloned().collect();
    assert_eq!(known.failed, failing, "{mark}: {run:#?}");
    let silent = known.job.tally.expected.len() > known.job.tally.returned.len();
    let runner_is_out = known.job.returns_itself && !known.job.ended;
    let wanted = match () {
        () if runner_is_out => RunStatus::Running,
        () if !failing.is_empty() => RunStatus::Failed,
        () if silent => RunStatus::Incomplete,
        () => RunStatus::Succeeded,
    };
    assert_eq!(run.status, wanted, "{mark}: {run:#?} {:#?}", known.job);
}

/// With a job cache everything is known in the end: that it began, and each return.
pub(super) fn lacks(known: Option<&Known>, told: &Told) -> Option<String> {
    let mark = &told.mark;
    if told.happened.is_empty() {
        return None;
    }
    let Some(known) = known else { return Some(format!("{mark} is not in the journal")) };
    let lacks =
        told.happened.iter().find(|tells| has(Some(known), told.deed, tells) == Some(false));
    lacks.map(|lacks| format!("{mark} lacks {lacks:?}: {:#?}", known.run))
}

/// A message, read once.
struct Read<'a> {
    message: &'a Message,
    shown: String,
    part: Option<Part>,
    /// How many commands stand in it.
    commands: usize,
}

impl Read<'_> {
    /// More runs are told in it than have a line of their own.
    fn folds(&self) -> bool {
        self.commands >= MOST_COMMANDS
    }
}

/// A channel, and where each run is told of in it.
pub(super) struct Heard<'a> {
    messages: Vec<Read<'a>>,
    /// By the label.
    by_run: HashMap<(Part, RunId), Vec<usize>>,
    /// By the mark of the command that stands in it.
    by_mark: HashMap<String, Vec<usize>>,
}

impl<'a> Heard<'a> {
    pub(super) fn of(channel: &'a Channel) -> Self {
        let mut heard =
            Self { messages: Vec::new(), by_run: HashMap::new(), by_mark: HashMap::new() };
        for (index, message) in channel.messages.iter().enumerate() {
            let payload = |key: &str| {
                let metadata = message.content.metadata.as_ref()?;
                metadata.pointer(&format!("/event_payload/{key}"))?.as_str()
            };
            let part = payload("part").and_then(Part::from_name);
            for run in payload("runs").and_then(read_runs).unwrap_or_default() {
                heard.by_run.entry((part.unwrap(), run)).or_default().push(index);
            }
            let shown = message.content.shown();
            let marks: BTreeSet<String> = shown
                .match_indices("role")
                .filter_map(|(at, _)| shown.get(at..at + 9).map(str::to_owned))
                .collect();
            let commands = marks.len();
            for mark in marks {
                heard.by_mark.entry(mark).or_default().push(index);
            }
            heard.messages.push(Read { message, shown, part, commands });
        }
        heard
    }

    pub(super) fn said(&'a self, known: &Known, told: &'a Told) -> Said<'a> {
        Said { mark: &told.mark, run: known.run.id, heard: self }
    }
}

/// What a channel says of one run.
pub(super) struct Said<'a> {
    mark: &'a str,
    run: RunId,
    heard: &'a Heard<'a>,
}

/// How long after its connection broke a message may arrive so that it must still be found.
const LATE: Duration = Duration::from_millis(190);

impl<'a> Said<'a> {
    /// The bot's messages that are this part of the run, by their label or by what they say.
    fn by_bot(&self, part: Part) -> Vec<&'a Read<'a>> {
        let Heard { messages, by_run, by_mark } = self.heard;
        // The label says what was told when it was posted: one that was found after a kill may tell of
        // fewer runs by now. It counts where not every run has a line.
        let counts = |index: &&usize| part != Part::Message || messages[**index].folds();
        let named = by_run.get(&(part, self.run)).into_iter().flatten().filter(counts);
        let shown = by_mark.get(self.mark).into_iter().flatten().filter(|_| part == Part::Message);
        let found: BTreeSet<usize> = named.chain(shown).copied().collect();
        found
            .into_iter()
            .map(|index| &messages[index])
            .filter(|read| read.message.by == By::Bot && read.part == Some(part))
            .collect()
    }

    /// The symbol before the run's command in a message.
    fn symbol(&self, read: &Read<'_>) -> Option<char> {
        read.shown.lines().find(|line| line.contains(self.mark))?.chars().next()
    }

    /// What is wrong about what the bot says of a run; `doubtful` counts what arrived too late to be
    /// found or waited for.
    pub(super) fn wrong_at_bot(&self, run: &Run, doubtful: &mut usize) -> Option<String> {
        let before = *doubtful;
        for part in Part::ALL {
            let messages = self.by_bot(*part);
            let in_time = |read: &&&Read<'_>| read.message.late.is_none_or(|late| late < LATE);
            let sure = messages.iter().filter(in_time).count();
            if sure > 1 {
                let (mark, all) = (self.mark, describe(&messages));
                return Some(format!("{mark} {part:?} is there {sure} times:{all}"));
            }
            *doubtful += messages.len() - messages.len().min(1);
        }
        let mut messages = self.by_bot(Part::Message);
        if messages.is_empty() {
            return Some(format!("{} is not said", self.mark));
        }
        messages.extend(self.by_bot(Part::Ending));
        let edited_late = |read: &&&Read<'_>| {
            let last = read.message.edits.last().and_then(|edit| edit.late);
            last.is_some_and(|late| late >= LATE)
        };
        *doubtful += messages.iter().filter(edited_late).count();
        let wanted = symbol_of(run);
        let shown: Vec<char> = messages.iter().filter_map(|read| self.symbol(read)).collect();
        // What came too late to be waited for may stand there.
        // A digest of what was missed says how it was found, once.
        let is_found = run.flags.contains(&Flag::Backfilled);
        let is_folded = shown.is_empty() && messages.iter().any(|read| read.folds());
        let is_right = *doubtful > before
            || is_folded
            || is_found
            || !shown.is_empty() && shown.iter().all(|symbol| *symbol == wanted);
        if !is_right {
            let all = describe(&messages);
            return Some(format!("{} shows {shown:?}, not {wanted}:{all}", self.mark));
        }
        let threads = self.by_bot(Part::Thread).len();
        (run.status == RunStatus::Failed && threads == 0 && !is_found)
            .then(|| format!("{} lacks its thread", self.mark))
    }

    /// What is wrong about what the webhook says of a run; `marked` counts what bears the mark.
    pub(super) fn wrong_at_webhook(&self, run: &Run, marked: &mut usize) -> Option<String> {
        let found = self.heard.by_mark.get(self.mark).into_iter().flatten();
        let said: Vec<&Read<'_>> = found
            .map(|index| &self.heard.messages[*index])
            .filter(|read| read.message.by == By::Webhook)
            .collect();
        if said.is_empty() && self.heard.messages.iter().any(Read::folds) {
            return None;
        }
        if said.is_empty() {
            return Some(format!("{} is not said by the webhook", self.mark));
        }
        let is_marked = |read: &Read<'_>| read.shown.contains(REPEAT);
        *marked += said.iter().filter(|read| is_marked(read)).count();
        // Its own ending, or whatever told of its beginning.
        let is_ending = |read: &Read<'_>| self.symbol(read) != Some('◐') && read.commands == 1;
        for ending in [true, false] {
            let is_sure = |read: &&&Read<'_>| !is_marked(read) && is_ending(read) == ending;
            let sure = said.iter().filter(is_sure).count();
            if sure > 1 {
                let all = describe(&said);
                return Some(format!("{} is there {sure} times:{all}", self.mark));
            }
        }
        let wanted = symbol_of(run);
        let is_found = run.flags.contains(&Flag::Backfilled);
        let is_bad = !is_found && matches!(run.status, RunStatus::Failed | RunStatus::Incomplete);
        (is_bad && said.iter().all(|read| self.symbol(read) != Some(wanted)))
            .then(|| format!("{} never ends:{}", self.mark, describe(&said)))
    }
}

/// Messages with their places, for a failure.
fn describe(messages: &[&Read<'_>]) -> String {
    let one = |read: &&Read<'_>| {
        format!("\n{} late {:?}: {}", read.message.ts, read.message.late, read.shown)
    };
    messages.iter().map(one).collect()
}

fn symbol_of(run: &Run) -> char {
    herald_core::compose::mood(run).symbol()
}
