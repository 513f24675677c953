//! Killed again and again through a story told by chance, it loses nothing that it could know and
//! says nothing twice.
//!
//! Each life begins with a new socket: what the bus said while nobody listened is gone. It ends by
//! SIGKILL at a moment that is told by what was seen, not by the clock, so that a seed tells nearly
//! the same story again. Everything that the publisher waits for takes a tenth of its time.

mod check;
mod story;

use std::time::{Duration, Instant};

use fake_slack::Fault;
use rustix::process::Signal;
use salt_herald::store::{Journal, JournalReader};

use crate::app::{App, Manner};
use crate::cache::Cache;
use crate::chance::{Chance, rounds};
use crate::crash::{PACE, Process};
use crate::journal::{MADE, dump, verify_chain};

use check::{Heard, Known, Said, check_run, count_recorded, known, lacks};
use story::{Deed, Sent, Story};

/// When it is killed: after so much of something was seen.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before it reached the bus.
    Unborn(Duration),
    /// Everything was sent to it.
    Sent,
    /// So many entries were recorded.
    Recorded(u64),
    /// So many things changed in the channel.
    Said(usize),
    /// Slack was asked so often, with or without an answer.
    Asked(usize),
}

/// How long a moment is waited for: it need not come.
const PATIENCE: Duration = Duration::from_millis(900);

struct Ordeal {
    app: App,
    chance: Chance,
    story: Story,
    /// What was sent in each life, and how much of it was on disk at its end.
    lives: Vec<(Vec<Sent>, usize)>,
    /// The master's, if it keeps one.
    cache: Option<Cache>,
    kills: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_loses_nothing_and_says_nothing_twice() {
    let ordeal = Ordeal::new(false).await;
    undergo(ordeal, rounds(50, 1_000)).await;
}

/// The master goes on while it is dead, and keeps what happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_finds_every_run_in_the_job_cache() {
    let mut ordeal = Ordeal::new(true).await;
    ordeal.be_born().await;
    undergo(ordeal, rounds(15, 300)).await;
}

async fn undergo(mut ordeal: Ordeal, kills: usize) {
    let begun = Instant::now();
    for life in 1..=kills {
        ordeal.live_and_die().await;
        if life % 25 == 0 {
            verify_chain(&ordeal.app.journal());
            let (runs, took) = (ordeal.story.jobs.len(), begun.elapsed().as_secs());
            eprintln!("killed {life} times through {runs} runs in {took} s");
        }
    }
    ordeal.live_to_the_end().await;
    ordeal.check();
}

impl Ordeal {
    async fn new(is_kept: bool) -> Self {
        let mut app = App::new(Manner::Both).await;
        app.slack.change_options(|options| (options.posts, options.edits) = (None, None));
        app.more = "runs: {patience: 1}\n".to_owned();
        let cache = is_kept.then(|| Cache::of(&app));
        Self {
            app,
            chance: Chance::new(),
            story: Story::new(is_kept),
            lives: Vec::new(),
            cache,
            kills: 0,
        }
    }

    fn start(&mut self) -> Process {
        // Connections that a dead process left there are gone with it.
        self.app.bus.hang_up();
        self.app.bus.come_back();
        Process::start_with(&self.app, &[(PACE, "10")])
    }

    /// Listens once: what was before that is nobody's to find.
    async fn be_born(&mut self) {
        let mut process = self.start();
        self.app.bus.accept();
        self.app
            .until("connected", |journal| {
                (journal.noted("connected").unwrap() == Some(1)).then_some(())
            })
            .await;
        process.signal(Signal::TERM);
        assert!(process.ended(), "SIGTERM is an orderly end");
    }

    async fn live_and_die(&mut self) {
        let moment = self.moment();
        self.make_trouble();
        let mut process = self.start();
        let mut sent = Vec::new();
        if let Moment::Unborn(after) = moment {
            tokio::time::sleep(after).await;
        } else {
            self.app.bus.accept();
            let before =
                (last_entry(&self.app), self.app.slack.count_changes(), self.app.slack.calls());
            for (what, event) in self.story.go_on(&mut self.chance) {
                self.keep(&what);
                self.app.bus.send([event]);
                sent.push(what);
            }
            self.wait_for(moment, before).await;
        }
        process.signal(Signal::KILL);
        assert!(!process.ended(), "it ended by itself");
        self.kills += 1;
        self.app.slack.stop_failing();
        self.app.slack.settled().await.unwrap();
        if self.cache.is_some() {
            for (what, _) in self.story.go_on(&mut self.chance) {
                self.keep(&what);
            }
            return;
        }
        let recorded = self.count_recorded(&sent);
        self.lives.push((sent, recorded));
    }

    fn keep(&self, sent: &Sent) {
        if let Some(cache) = &self.cache {
            self.story.jobs[sent.job].keep(cache, &sent.tells);
        }
    }

    fn moment(&mut self) -> Moment {
        match self.chance.index(10) {
            0 => Moment::Unborn(Duration::from_millis(self.chance.index(80) as u64)),
            1 => Moment::Sent,
            2 | 3 => Moment::Recorded(1 + self.chance.index(12) as u64),
            4..7 => Moment::Said(1 + self.chance.index(4)),
            _ => Moment::Asked(1 + self.chance.index(8)),
        }
    }

    /// Slack loses answers, is slow, is overloaded, or is away, now and then.
    fn make_trouble(&mut self) {
        for method in ["chat.postMessage", "webhook", "chat.update"] {
            if !self.chance.happens(40) {
                continue;
            }
            let fault = self.chance.one_of(&[
                Fault::DroppedAnswer,
                Fault::DroppedAnswer,
                Fault::SlowAnswer(Duration::from_secs(30)),
                Fault::Slow(Duration::from_millis(30)),
                Fault::Late(Duration::from_millis(50)),
                Fault::Late(Duration::from_millis(400)),
                Fault::RateLimited { retry_after: Some("1".to_owned()) },
                Fault::Answer { status: 503, body: b"<html>".to_vec() },
                Fault::Dead,
            ]);
            self.app.slack.fail_next(Some(method), 1 + self.chance.index(2), fault);
        }
    }

    async fn wait_for(&self, moment: Moment, before: (u64, usize, usize)) {
        let until = Instant::now() + PATIENCE;
        let (entries, changes, calls) = before;
        let has_come = || match moment {
            Moment::Unborn(_) | Moment::Sent => true,
            Moment::Recorded(count) => last_entry(&self.app) >= entries + count,
            Moment::Said(count) => self.app.slack.count_changes() >= changes + count,
            Moment::Asked(count) => self.app.slack.calls() >= calls + count,
        };
        while !has_come() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn count_recorded(&self, sent: &[Sent]) -> usize {
        match JournalReader::open(&self.app.journal()) {
            Ok(mut reader) => count_recorded(&mut reader, &self.story, sent),
            // It was killed before it made one.
            Err(_) => 0,
        }
    }

    /// The last life: everything comes to its end, and nothing goes wrong.
    async fn live_to_the_end(&mut self) {
        let mut process = self.start();
        self.app.bus.accept();
        let mut sent = Vec::new();
        for (what, event) in self.story.end(&mut self.chance) {
            self.keep(&what);
            self.app.bus.send([event]);
            sent.push(what);
        }
        let until = Instant::now() + rounds(Duration::from_secs(60), Duration::from_secs(600));
        while let Some(wrong) = self.first_wrong() {
            assert!(Instant::now() < until, "it never comes right: {wrong}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        process.signal(Signal::TERM);
        assert!(process.ended(), "SIGTERM is an orderly end");
        if self.cache.is_some() {
            return;
        }
        let recorded = self.count_recorded(&sent);
        let seen = sent.iter().rposition(|sent| sent.tells != story::Tells::More);
        assert_eq!(recorded, seen.map_or(0, |last| last + 1), "all of the last life is recorded");
        self.lives.push((sent, recorded));
    }

    /// What is not yet as it should be in the end.
    fn first_wrong(&self) -> Option<String> {
        let mut reader = self.app.reader();
        let channel = self.app.slack.channel();
        let heard = Heard::of(&channel);
        self.story.jobs.iter().find_map(|told| {
            let known = known(&mut reader, told);
            if self.cache.is_some()
                && let Some(lacks) = lacks(known.as_ref(), told)
            {
                return Some(lacks);
            }
            let known = known?;
            let runner_is_out = known.job.returns_itself && !known.job.ended;
            if !runner_is_out && known.run.finished_at.is_none() {
                return Some(format!("{} is not over", told.mark));
            }
            let said = heard.said(&known, told);
            let wrong = said_as_owed(&said, &known, told, &mut 0, &mut 0)?;
            Some(format!("{wrong}\n{:#?}", reader.all_deliveries(known.run.id).unwrap()))
        })
    }

    fn check(&self) {
        let mut reader = self.app.reader();
        let channel = self.app.slack.channel();
        let heard = Heard::of(&channel);
        let (mut doubtful, mut marked, mut runs, mut lost) = (0, 0, 0, 0);
        for told in &self.story.jobs {
            let Some(known) = known(&mut reader, told) else {
                lost += 1;
                continue;
            };
            runs += 1;
            check_run(&known, told);
            let said = heard.said(&known, told);
            let wrong = said_as_owed(&said, &known, told, &mut doubtful, &mut marked);
            assert!(wrong.is_none(), "{wrong:?}");
        }
        for (sent, recorded) in &self.lives {
            assert!(
                count_recorded(&mut reader, &self.story, sent) >= *recorded,
                "it forgot: {sent:?}"
            );
        }
        let path = self.app.journal();
        let entries = verify_chain(&path);
        let before: Vec<_> = MADE.iter().map(|table| dump(&path, table)).collect();
        Journal::rebuild(&path).unwrap();
        for (table, before) in MADE.iter().zip(before) {
            assert!(before == dump(&path, table), "{table} is not what the entries make it");
        }
        let kills = self.kills;
        let messages = channel.messages.len();
        eprintln!(
            "{kills} kills: {runs} runs in the journal ({lost} were told to nobody), {entries} entries, \
             {messages} messages; {doubtful} in doubt, {marked} marked by the webhook"
        );
    }
}

fn said_as_owed(
    said: &Said<'_>,
    known: &Known,
    told: &story::Told,
    doubtful: &mut usize,
    marked: &mut usize,
) -> Option<String> {
    if told.deed == Deed::Quiet {
        return None;
    }
    said.wrong_at_bot(&known.run, doubtful).or_else(|| said.wrong_at_webhook(&known.run, marked))
}

fn last_entry(app: &App) -> u64 {
    JournalReader::open(&app.journal()).and_then(|reader| reader.last_entry()).unwrap_or_default()
}
