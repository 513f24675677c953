//! Posts that may have arrived though no clear answer came: they are noted before they are sent,
//! looked for before they are sent again, and marked where nobody can look. Edits that may still
//! arrive are waited for: the last one to come must be the last one that was made.
//!
//! A worker sends one request at a time, so there is never more than one such post on its way. What
//! is found is taken for said and then edited as any other message. Which of the messages that are
//! found counts is decided in [`herald_core::outbox`].

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use herald_core::outbox::{Adoption, Doubt, Found, Label, adopt, strange_jids};
use herald_core::owed::{Part, Step};
use herald_core::run::RunId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::choose::Next;
use super::pace::Pace;
use super::view::{Subject, View};
use super::worker::Worker;
use crate::chat::{DeliveryError, MessageRef, Search, Sought};
use crate::store::{Delivery, DeliveryState};

/// A chat may take up a message a while after its connection broke.
const LATE: Duration = Duration::from_secs(2);
/// Looking may fail so often in a row before it is done without.
const MOST_STUMBLES: u32 = 6;

/// What is not known of a sink's posts.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// The channel is to be looked through before anything new is posted there.
    channel: bool,
    /// So are these runs' threads before anything is said in them.
    threads: BTreeSet<RunId>,
    /// Posts after this time count; before there was no doubt.
    since: Option<(Timestamp, Instant)>,
    /// So do posts after this time, though nothing is in doubt.
    reach: Option<Timestamp>,
    /// The channel was looked through: what an earlier process did is known.
    has_looked: bool,
    /// Not before then: what is on its way needs time to arrive.
    not_before: Option<Instant>,
    /// Nor is anything rewritten before then: an edit that comes late must not undo a later one.
    edits_not_before: Option<Instant>,
    /// The posts in doubt.
    open: Doubt,
    /// Those of them for which nobody can look: they are sent again with a mark.
    repeats: Doubt,
    /// Runs of which something may have been said that the journal does not know, each taken up once.
    suspected: BTreeSet<RunId>,
    stumbles: u32,
    /// The sink can't be asked anything.
    mute: bool,
    pace: Pace,
    /// What was left open by an earlier process was taken up.
    begun: bool,
}

/// Where to look for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the channel.
    Channel,
    /// In the thread of a run's message.
    Thread(RunId),
}

impl Doubts {
    /// For a sink that can be asked, or can't.
    pub(super) fn new(can_seek: bool, pace: Pace) -> Self {
        Self { mute: !can_seek, pace, ..Self::default() }
    }

    /// Since when posts count. The clock may have been put since, and was right before or is now:
    /// the earlier of both counts.
    fn since(&self) -> Option<Timestamp> {
        let (since, noted) = self.since?;
        let by_now = Timestamp::now().checked_sub(noted.elapsed()).unwrap_or(since);
        Some(since.min(by_now))
    }

    /// Nothing is looked for before what is on its way had time to arrive.
    fn wait_for_late(&mut self) {
        self.not_before = Some(Instant::now() + self.pace.wait(LATE));
    }

    /// An edit may be on its way.
    pub(super) fn wait_for_edit(&mut self) {
        self.edits_not_before = Some(Instant::now() + self.pace.wait(LATE));
    }

    /// Until when nothing is rewritten.
    pub(super) fn edits_rest_until(&self, now: Instant) -> Option<Instant> {
        self.edits_not_before.filter(|until| *until > now)
    }

    /// How many posts are in doubt.
    pub(super) fn count(&self) -> usize {
        self.open.union(&self.repeats).count()
    }

    fn all(&self) -> Doubt {
        self.open.union(&self.repeats).copied().collect()
    }

    fn forget(&mut self, part: Part, runs: &[RunId]) {
        for run in runs {
            self.open.remove(&(part, *run));
            self.repeats.remove(&(part, *run));
        }
    }

    /// No clear answer came.
    fn arise(&mut self, part: Part, runs: &[RunId], since: Timestamp) {
        let posts = runs.iter().map(|run| (part, *run));
        if self.mute {
            self.repeats.extend(posts);
            return;
        }
        self.open.extend(posts);
        self.since.get_or_insert((since, Instant::now()));
        self.wait_for_late();
        match part {
            Part::Thread => self.threads.extend(runs),
            Part::Message | Part::Ending => self.channel = true,
        }
    }

    /// It can't be read whether anything was said of a run.
    pub(super) fn suspect(&mut self, run: RunId, began: Timestamp) {
        if self.suspected.insert(run) {
            let since = self.since.map_or(began, |(since, _)| since.min(began));
            self.since = Some((since, Instant::now()));
            Part::ALL.iter().for_each(|part| self.arise(*part, &[run], since));
        }
    }

    /// Something may have been said of a run, though nothing says so: it is looked for where that can
    /// be done.
    pub(super) fn look_first(&mut self, run: RunId, began: Timestamp) {
        if !self.mute && self.suspected.insert(run) {
            self.channel = true;
            self.reach = Some(self.reach.map_or(began, |reach| reach.min(began)));
        }
    }

    /// The place was looked through, or can't be: then what is in doubt there is to be marked.
    fn close(&mut self, place: Place, in_vain: bool) {
        let is_there = |part: Part, run: RunId| match place {
            Place::Channel => part != Part::Thread,
            Place::Thread(of) => part == Part::Thread && run == of,
        };
        let (closed, open) = self.open.iter().partition(|(part, run)| is_there(*part, *run));
        self.open = open;
        if in_vain {
            let closed: Doubt = closed;
            self.repeats.extend(closed);
        } else {
            self.repeats.retain(|(part, run)| !is_there(*part, *run));
        }
        match place {
            Place::Channel => {
                (self.channel, self.has_looked) = (false, true);
                self.reach = None;
            }
            Place::Thread(run) => {
                self.threads.remove(&run);
            }
        }
        self.stumbles = 0;
        if !self.channel && self.threads.is_empty() {
            (self.since, self.not_before) = (None, None);
        }
    }

    /// Whether a run's message is to be marked when it is posted.
    pub(super) fn is_repeat(&self, part: Part, run: RunId) -> bool {
        self.repeats.contains(&(part, run))
    }

    /// What has to come before a step: nothing, a look, or time for what is on its way.
    pub(super) fn before(&self, step: Step, run: RunId, now: Instant) -> Option<Next> {
        let place = match step {
            Step::Post | Step::PostEnding if self.channel => Place::Channel,
            Step::Reply if self.threads.contains(&run) => Place::Thread(run),
            Step::Post | Step::PostEnding | Step::Reply => return None,
            Step::Finish | Step::UpdateReply | Step::Progress => {
                return self.edits_rest_until(now).map(Next::Wait);
            }
        };
        Some(match self.not_before.filter(|until| *until > now) {
            Some(until) => Next::Wait(until),
            None => Next::Look(place),
        })
    }
}

/// The message that a step posts, if it posts one.
pub(super) fn posted_part(step: Step) -> Option<Part> {
    match step {
        Step::Post => Some(Part::Message),
        Step::PostEnding => Some(Part::Ending),
        Step::Reply => Some(Part::Thread),
        Step::Finish | Step::UpdateReply | Step::Progress => None,
    }
}

impl Worker {
    /// Takes up what an earlier process left open: what it posted last may not be noted.
    pub(super) fn begin_doubts(&mut self) {
        if self.doubts.begun {
            return;
        }
        self.doubts.begun = true;
        if self.pending.values().any(|view| view.step.is_some_and(|it| posted_part(it).is_none())) {
            self.doubts.wait_for_edit();
        }
        let owed = self.owed_posts();
        // It stays noted until it is settled: this process can end before that, too. What a backup
        // does not know to be said may be owed only later.
        let lineage = &self.lineage;
        self.state.doubt.retain(|post| owed.contains(post) || lineage.is_from_backup(post.1));
        let known = self.state.doubt.clone();
        if self.doubts.mute {
            self.doubts.repeats = known;
            return;
        }
        let posts = || owed.iter().chain(&known);
        self.doubts.channel = posts().any(|(part, _)| *part != Part::Thread);
        let threads = posts().filter(|(part, _)| *part == Part::Thread);
        self.doubts.threads = threads.map(|(_, run)| *run).collect();
        self.doubts.open = known;
        self.doubts.wait_for_late();
    }

    /// The posts that are owed.
    fn owed_posts(&self) -> Doubt {
        let post = |(subject, view): (&Subject, &View)| match subject {
            Subject::Run(run) => Some((posted_part(view.step?)?, *run)),
            Subject::Together(_) => None,
        };
        self.pending.iter().filter_map(post).collect()
    }

    /// The runs that wait to be told as missed, with the entry of the back-fill that found each.
    fn missed(&self) -> Vec<(RunId, u64)> {
        let found = |(subject, view): (&Subject, &View)| match subject {
            Subject::Run(run) => Some((*run, view.missed.filter(|_| view.is_new)?.0)),
            Subject::Together(_) => None,
        };
        self.pending.iter().filter_map(found).collect()
    }

    /// What a post is about.
    pub(super) fn label(&self, part: Part, runs: &[RunId]) -> Label {
        Label {
            journal: self.lineage.label_of(runs).to_owned(),
            origin: self.lineage.origin().to_owned(),
            sink: self.service.sink.clone(),
            part,
            runs: runs.to_vec(),
            jids: Vec::new(),
            together: false,
            late: false,
            missed: None,
        }
    }

    /// Notes what is about to be posted: if we end before its answer is noted, it may be there.
    ///
    /// Where it can be looked for later, nobody waits for the disk: the search does not need the
    /// note.
    pub(super) async fn begin_post(&mut self, part: Part, runs: &[RunId]) {
        let mut doubt = self.doubts.all();
        doubt.extend(runs.iter().map(|run| (part, *run)));
        self.state.doubt = doubt;
        self.note_state().await;
        if !self.doubts.mute && !self.state.blind {
            return;
        }
        let writer = self.writer.clone();
        if let Err(error) = self.patiently(writer.settle()).await {
            tracing::error!(%error, "what is being said can't be noted");
        }
    }

    /// Notes what became of a post that began at that time.
    pub(super) async fn end_post<T>(
        &mut self,
        part: Part,
        runs: &[RunId],
        began: Timestamp,
        sent: &Result<T, DeliveryError>,
    ) {
        match sent {
            Ok(_) => self.doubts.forget(part, runs),
            Err(DeliveryError::InDoubt(_)) => self.doubts.arise(part, runs, began),
            Err(_) => {}
        }
        // A success is noted with its delivery: a run that was said is in no doubt.
        self.state.doubt = self.doubts.all();
        if sent.is_err() {
            self.note_state().await;
        }
    }

    /// Looks for what is in doubt.
    pub(super) async fn look_for(&mut self, place: Place) {
        let last = self.last_delivery().await;
        let near = last.as_ref().map(|(_, message)| MessageRef(message.clone()));
        let (thread, since) = match place {
            Place::Channel => (None, self.look_since(last.map(|(at, _)| at))),
            Place::Thread(run) => {
                let view = self.pending.get(&Subject::Run(run));
                let Some(message) = view.and_then(|view| view.message.clone()) else {
                    self.doubts.close(place, false);
                    return;
                };
                (Some(MessageRef(message)), Timestamp::UNIX_EPOCH)
            }
        };
        let search = Search { since, near: near.as_ref(), thread: thread.as_ref() };
        let why = match self.sink.seek(search).await {
            Ok(Sought::Found(found)) => {
                self.state.blind = false;
                self.take_for_said(place, &found).await;
                return;
            }
            Ok(Sought::CanNotTell(why)) => {
                self.state.blind = true;
                why
            }
            Ok(Sought::Stumbled(error)) => {
                self.doubts.stumbles += 1;
                let is_patient = self.doubts.stumbles < MOST_STUMBLES;
                self.log_search(&error);
                if is_patient && self.comes_back(&error).await {
                    return;
                }
                error.to_string()
            }
            Err(error) => {
                self.log_search(&error);
                if self.comes_back(&error).await {
                    return;
                }
                error.to_string()
            }
        };
        if self.doubts.count() > 0 {
            tracing::warn!(
                sink = self.service.sink,
                why,
                "can't look whether a message arrived: what is in doubt is said again, with a mark"
            );
        }
        self.doubts.close(place, true);
    }

    fn log_search(&self, error: &DeliveryError) {
        let (sink, label) = (self.service.sink.as_str(), error.label());
        let error = error as &dyn std::error::Error;
        tracing::warn!(sink, label, error, "looking whether a message arrived failed");
    }

    /// Where nobody knows when it was posted: after what was noted last, or after what is owed began.
    fn look_since(&self, last: Option<Timestamp>) -> Timestamp {
        let began = || self.pending.values().map(|view| view.began).min();
        let earlier = last.filter(|_| !self.doubts.has_looked);
        let since = match (self.doubts.since(), earlier) {
            (Some(since), Some(earlier)) => Some(since.min(earlier)),
            (since, _) => since,
        };
        let since = since.or(last).or_else(began).unwrap_or_else(Timestamp::now);
        self.doubts.reach.map_or(since, |reach| reach.min(since))
    }

    /// The latest message at the sink: when, and where it stands.
    pub(super) async fn last_delivery(&self) -> Option<(Timestamp, String)> {
        let sink = self.service.sink.clone();
        self.with_reader(move |reader| reader.last_delivery(&sink)).await.ok().flatten()
    }

    async fn take_for_said(&mut self, place: Place, found: &[Found]) {
        let owed = self.owed_posts();
        let missed = self.missed();
        let by_jid = self.runs_by_jid(found).await;
        let adopted = adopt(found, &self.lineage, &self.service.sink, &owed, &missed, &by_jid);
        let mut runs = Vec::new();
        for adoption in adopted {
            let count = adoption.runs.len();
            tracing::info!(sink = self.service.sink, runs = count, "a message had arrived");
            let deliveries = self.deliveries_of(&adoption);
            self.note(deliveries).await;
            if adoption.part != Part::Thread {
                // What was said behind it is not known either.
                self.doubts.threads.extend(&adoption.runs);
            }
            runs.extend(adoption.runs);
        }
        self.doubts.close(place, false);
        self.state.doubt = self.doubts.all();
        self.succeeded().await;
        self.look_at(runs).await;
    }

    /// The runs that had other numbers when messages were posted that were found: the journal went back
    /// to a backup, or lost what was in memory.
    async fn runs_by_jid(&self, found: &[Found]) -> HashMap<String, RunId> {
        let jids = strange_jids(found, &self.lineage, &self.service.sink);
        if jids.is_empty() {
            return HashMap::new();
        }
        let jids: Vec<String> = jids.into_iter().map(str::to_owned).collect();
        let runs = self.with_reader(move |reader| reader.only_runs_with_jids(&jids)).await;
        runs.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "whose messages were found can't be looked up");
            HashMap::new()
        })
    }

    /// What it says is not known, so that it is rewritten.
    fn deliveries_of(&self, adoption: &Adoption) -> Vec<Delivery> {
        let lead = adoption.runs.first().copied().filter(|_| adoption.together);
        let delivery = |run: &RunId| Delivery {
            run: *run,
            sink: self.service.sink.clone(),
            part: adoption.part,
            lead,
            late: adoption.late,
            message: Some(adoption.place.clone()),
            said: Some([0; 32]),
            mood: None,
            version: 0,
            state: DeliveryState::Said,
            error: None,
            at: Timestamp::now(),
        };
        adoption.runs.iter().map(delivery).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_said_is_looked_for_once_or_marked() {
        let (run, other) = (RunId(7), RunId(8));
        let mut asked = Doubts::new(true, Pace::default());
        asked.suspect(run, Timestamp::UNIX_EPOCH);
        let later = Instant::now() + 2 * LATE;
        for (step, place) in [(Step::Post, Place::Channel), (Step::Reply, Place::Thread(run))] {
            let before = asked.before(step, run, later);
            assert!(matches!(before, Some(Next::Look(it)) if it == place), "{step:?}");
        }
        assert_eq!(asked.since(), Some(Timestamp::UNIX_EPOCH));
        asked.close(Place::Channel, false);
        asked.suspect(run, Timestamp::UNIX_EPOCH);
        assert!(asked.before(Step::Post, run, later).is_none());

        let mut mute = Doubts::new(false, Pace::default());
        mute.suspect(run, Timestamp::UNIX_EPOCH);
        assert!(mute.before(Step::Post, run, later).is_none());
        assert!(mute.is_repeat(Part::Message, run) && !mute.is_repeat(Part::Message, other));
    }
}
