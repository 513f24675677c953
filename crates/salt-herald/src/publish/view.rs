//! What would be said now, read from the journal: of a run by itself, or of several in one message.
//!
//! Runs on a thread of its own beside the async world, because SQLite blocks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use herald_core::alarm::AlarmRules;
use herald_core::announce::Announcement;
use herald_core::burst::Likeness;
use herald_core::compose::{Context, Missed, Telling, announce, announce_quiet, announce_together};
use herald_core::digest::Digest;
use herald_core::names::Names;
use herald_core::outbox::fitting_jids;
use herald_core::owed::{
    Manner, STALE_AFTER, Said, Step, digest_of_message, digest_of_thread, next_step,
};
use herald_core::route::Route;
use herald_core::run::{Run, RunId, RunStatus};
use jiff::Timestamp;
use tokio::time::Instant;

use super::missed::{self, Finding, ended_within};
use super::routing;
use crate::store::{Delivery, DeliveryState, JournalReader, Part, StoreError};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// One run.
    Run(RunId),
    /// Several runs in one message; this is the first of them.
    Together(RunId),
}

/// One run, or several in one message, at one sink.
#[derive(Debug)]
pub(super) struct View {
    pub(super) announcement: Announcement,
    /// What the announcement says was let go of: only what is owed is known, not the words.
    pub(super) is_thin: bool,
    /// The version that this was made from; of several runs the latest.
    pub(super) version: u64,
    /// What came before this version owes nothing here; of several runs the least of those that their
    /// message does not show yet.
    pub(super) owed_since: u64,
    pub(super) step: Option<Step>,
    /// Which of the run's messages is edited and has the thread.
    pub(super) part: Part,
    pub(super) message: Option<String>,
    pub(super) thread: Option<String>,
    /// Nothing was ever said of it here.
    pub(super) is_new: bool,
    /// Or so it seems: what was said of it can't be read.
    pub(super) is_unknown: bool,
    /// The back-fill that found it, if it is to be told of with that.
    pub(super) missed: Option<(u64, Missed)>,
    /// Nothing of the past is news: it is told of once all of it is found. It is owed all the same, so
    /// that it is looked for when it may be there already.
    pub(super) is_held: bool,
    /// Not to be said before: what decides where it goes may still come.
    pub(super) waits_until: Option<Instant>,
    /// The first run in its message, where it is told together with others.
    pub(super) lead: Option<RunId>,
    /// It was told as old news.
    pub(super) late: bool,
    /// The jids of the run, as many as a message carries.
    pub(super) jids: Vec<String>,
    /// When the run began; of several the first.
    pub(super) began: Timestamp,
    /// When something last happened to it.
    pub(super) news_at: Timestamp,
    pub(super) likeness: Likeness,
}

impl View {
    /// Lets go of the words, which are most of it: who takes the step reads them again.
    pub(super) fn thin(&mut self) {
        let Announcement { mood, finished, .. } = self.announcement;
        self.announcement = Announcement {
            mood,
            finished,
            // By which people know it, should it never be said.
            command: std::mem::take(&mut self.announcement.command),
            byline: String::new(),
            tally: String::new(),
            details: Vec::new(),
            details_left_out: 0,
            commands: Vec::new(),
            commands_left_out: 0,
            mention: None,
        };
        self.is_thin = true;
    }
}

/// How a sink is served.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) sink: String,
    pub(super) edits: bool,
    pub(super) slow_after: Duration,
    pub(super) master: Option<String>,
    pub(super) names: Arc<Names>,
    pub(super) routes: Arc<Vec<Route>>,
    pub(super) alarms: Arc<AlarmRules>,
    /// To be rewritten, though they say what they should.
    pub(super) rewrite: Arc<BTreeSet<Subject>>,
}

/// What a look came to: no view where there is nothing to say.
pub(super) type Looked = Vec<(Subject, Option<View>)>;

/// Reads runs and decides what the sink is owed of them, and of those with which they were told.
pub(super) fn look(
    reader: &mut JournalReader,
    service: &Service,
    ids: &[RunId],
) -> Result<Looked, StoreError> {
    let mut looked = Vec::new();
    let mut leads = BTreeSet::new();
    for id in ids {
        let view = look_at_run(reader, service, *id)?;
        leads.extend(view.as_ref().and_then(|view| view.lead));
        looked.push((Subject::Run(*id), view));
    }
    for lead in leads {
        looked.push((Subject::Together(lead), look_at_together(reader, service, lead)?));
    }
    Ok(looked)
}

fn look_at_run(
    reader: &mut JournalReader,
    service: &Service,
    id: RunId,
) -> Result<Option<View>, StoreError> {
    let Some((run, version)) = reader.run(id)? else {
        return Ok(None);
    };
    let deliveries = reader.deliveries(id, &service.sink)?;
    let Some(announcement) = announcement(reader, service, &run)? else {
        return Ok(None);
    };
    let is_owed = !deliveries.is_empty() || routing::leads_here(reader, service, &run)?;
    let waits_until = routing::waits_until(service, &run).filter(|_| deliveries.is_empty());
    let now = Timestamp::now();
    let took = run.finished_at.map(|at| at.duration_since(run.started_at).unsigned_abs());
    let age = run.finished_at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
    let manner = Manner {
        edits: service.edits,
        slow: took.is_some_and(|took| took > service.slow_after),
        stale: age.is_some_and(|age| age > STALE_AFTER),
    };
    let finding = missed::finding(reader, &run)?;
    let found = match finding {
        Finding::Found(entry, missed) => Some((entry, missed)),
        Finding::News | Finding::UnderWay => None,
    };
    let was_told_late = deliveries.iter().any(|delivery| delivery.late);
    let is_told = |(_, missed): (u64, Missed)| ended_within(missed, run.finished_at);
    let manner =
        Manner { stale: manner.stale || was_told_late && found.is_some_and(is_told), ..manner };
    let mut said = said(&deliveries, version, &announcement);
    if service.rewrite.contains(&Subject::Run(id)) {
        said.message = said.message.map(|_| Digest::ZERO);
        said.ending = said.ending.map(|_| Digest::ZERO);
    }
    let part = if said.together { Part::Ending } else { Part::Message };
    Ok(Some(View {
        step: next_step(&announcement, said, manner).filter(|_| is_owed),
        announcement,
        is_thin: false,
        version,
        owed_since: version,
        part,
        message: place(&deliveries, part),
        thread: place(&deliveries, Part::Thread),
        is_new: deliveries.is_empty(),
        is_unknown: deliveries.is_empty() && reader.is_said_unknown(id)?,
        is_held: deliveries.is_empty() && finding == Finding::UnderWay,
        missed: found,
        waits_until: waits_until.filter(|_| found.is_none()),
        lead: deliveries.iter().find_map(|delivery| delivery.lead),
        late: false,
        jids: fitting_jids(run.jids.iter().map(String::as_str)),
        began: run.started_at,
        news_at: reader.news_at(&run)?,
        likeness: Likeness::of(&run.head),
    }))
}

/// A message about several runs has no thread, and can be rewritten where messages can.
fn look_at_together(
    reader: &mut JournalReader,
    service: &Service,
    lead: RunId,
) -> Result<Option<View>, StoreError> {
    let runs = reader.told_together(lead, &service.sink)?;
    let deliveries = reader.deliveries(lead, &service.sink)?;
    let Some(own) = deliveries.iter().find(|delivery| delivery.part == Part::Message) else {
        return Ok(None);
    };
    let telling = match own.late {
        false => Telling::News,
        true => {
            let missed = missed::told_as_missed(reader, runs.iter().map(|(run, _)| run))?;
            missed.map_or(Telling::Late, Telling::Missed)
        }
    };
    let version = runs.iter().map(|(_, version)| *version).max().unwrap_or_default();
    let not_shown = reader.not_shown(lead, &service.sink)?;
    let owed_since = not_shown.iter().map(|(_, version)| *version).min();
    let owed_since = owed_since.map_or(version, |least| least.min(version));
    let runs: Vec<Run> = runs.into_iter().map(|(run, _)| run).collect();
    let Some(announcement) = compose(reader, service, &runs, telling)? else {
        return Ok(None);
    };
    let digest = digest_of_message(&announcement);
    let is_said = (own.version == version || own.said == Some(digest.0))
        && !service.rewrite.contains(&Subject::Together(lead));
    let is_owed = service.edits && !is_said && own.state == DeliveryState::Said;
    let step = if announcement.finished { Step::Finish } else { Step::Progress };
    let first = runs.first();
    Ok(first.map(|first| View {
        step: is_owed.then_some(step),
        announcement,
        is_thin: false,
        version,
        owed_since,
        part: Part::Message,
        message: own.message.clone(),
        thread: None,
        is_new: false,
        is_unknown: false,
        is_held: false,
        missed: None,
        waits_until: None,
        lead: Some(lead),
        late: own.late,
        jids: Vec::new(),
        began: first.started_at,
        news_at: own.at,
        likeness: Likeness::of(&first.head),
    }))
}

/// What some runs would be told as in one message, the latest of their versions, and their jids, as
/// many as the message carries: the first of each come first.
pub(super) fn compose_together(
    reader: &mut JournalReader,
    service: &Service,
    ids: &[RunId],
    telling: Telling,
) -> Result<Option<(Announcement, u64, Vec<String>)>, StoreError> {
    let (mut runs, mut version) = (Vec::new(), 0);
    for id in ids {
        if let Some((run, changed)) = reader.run(*id)? {
            version = version.max(changed);
            runs.push(run);
        }
    }
    runs.sort_by_key(|run| run.id);
    let first = runs.iter().filter_map(|run| run.jids.first());
    let more = runs.iter().flat_map(|run| run.jids.iter().skip(1));
    let jids = fitting_jids(first.chain(more).map(String::as_str));
    let announcement = compose(reader, service, &runs, telling)?;
    Ok(announcement.map(|announcement| (announcement, version, jids)))
}

fn compose(
    reader: &mut JournalReader,
    service: &Service,
    runs: &[Run],
    telling: Telling,
) -> Result<Option<Announcement>, StoreError> {
    let context = Context {
        master: service.master.as_deref(),
        minions: reader.minions()?,
        names: &service.names,
    };
    Ok(announce_together(runs, telling, context))
}

fn place(deliveries: &[Delivery], part: Part) -> Option<String> {
    deliveries
        .iter()
        .find(|delivery| delivery.part == part)
        .and_then(|delivery| delivery.message.clone())
}

fn announcement(
    reader: &mut JournalReader,
    service: &Service,
    run: &Run,
) -> Result<Option<Announcement>, StoreError> {
    let together = if run.told_with == Some(run.id) && !run.said {
        reader.told_with(run.id)?
    } else {
        vec![run.clone()]
    };
    let has_failed = run.status != RunStatus::Running;
    let ids: Vec<RunId> = together.iter().map(|run| run.id).collect();
    let failures = if has_failed { reader.failures(&ids)? } else { Vec::new() };
    let context = Context {
        master: service.master.as_deref(),
        minions: reader.minions()?,
        names: &service.names,
    };
    Ok(match together.as_slice() {
        [run] => Some(announce(run, &failures, context)),
        runs => announce_quiet(runs, &failures, context),
    })
}

/// What was said, by digest. What was said of this very version is as it should be, though this
/// salt-herald would say it in other words: an upgrade does not edit what is closed.
fn said(deliveries: &[Delivery], version: u64, announcement: &Announcement) -> Said {
    let mut said = Said::default();
    for delivery in deliveries {
        let is_this = delivery.version == version && delivery.said.is_some();
        let digest = match delivery.part {
            _ if !is_this => delivery.said.map(Digest),
            Part::Thread => Some(digest_of_thread(announcement)),
            Part::Message | Part::Ending => Some(digest_of_message(announcement)),
        };
        let given_up = delivery.state == DeliveryState::GivenUp;
        match delivery.part {
            // That others' message can't be edited any more does not keep it from having its own.
            Part::Message if delivery.lead.is_some() => said.together = true,
            Part::Message => {
                (said.message, said.mood) = (digest, delivery.mood);
                said.given_up |= given_up;
            }
            Part::Thread => (said.thread, said.thread_given_up) = (digest, given_up),
            Part::Ending => {
                said.ending = digest;
                said.given_up |= given_up;
            }
        }
    }
    said
}
