//! The app under test, with a folder, a bus and a Slack of its own. It runs in this process, so
//! that a test can wait for its end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fake_slack::{Channel, FakeSlack, Options};
use salt_herald::config::{self, Config, LoadOptions};
use salt_herald::daemon::{self, Limits, RunError};
use salt_herald::store::JournalReader;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bus::{FakeBus, Framing, Place};

pub(crate) const TOKEN: &str = "xoxb-1-very-secret";
pub(crate) const WEBHOOK: &str = "T1/B1/very-secret";
/// How long a state is waited for; a machine under load is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// What is promised to take five seconds at most, and what a busy machine adds to it.
pub(crate) const IN_TIME: Duration = Duration::from_secs(20);

/// How the app may post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Bot,
    Webhook,
    Both,
}

pub(crate) struct App {
    pub(crate) folder: TempDir,
    pub(crate) bus: FakeBus,
    pub(crate) slack: FakeSlack,
    pub(crate) manner: Manner,
    /// The channel is told of checkpoints.
    pub(crate) checkpoints: bool,
    pub(crate) limits: Limits,
    /// More lines for the config.
    pub(crate) more: String,
    /// What the journal keeps, as the config says it.
    pub(crate) keeping: &'static str,
    /// Where the journal is, in the folder.
    pub(crate) place: &'static str,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), RunError>>,
}

impl App {
    /// Everything in its place, but the app does not run yet.
    pub(crate) async fn new(manner: Manner) -> Self {
        let options =
            Options { token: TOKEN.to_owned(), webhook: WEBHOOK.to_owned(), ..Options::default() };
        let folder = tempfile::tempdir().unwrap();
        let sockets = folder.path().join("sock");
        std::fs::create_dir(&sockets).unwrap();
        std::fs::create_dir(folder.path().join("cache")).unwrap();
        Self {
            bus: FakeBus::unix(&sockets, Framing::Length),
            folder,
            slack: FakeSlack::start(options).await.unwrap(),
            manner,
            checkpoints: false,
            // What tests put on the bus stands in no cache, or in one that says other things of it.
            limits: Limits {
                written_within: Duration::from_millis(200),
                confirmed_within: Duration::ZERO,
                ..Limits::default()
            },
            more: String::new(),
            keeping: "",
            place: "journal.db",
            running: None,
        }
    }

    /// The app listens, and says things with a bot's token.
    pub(crate) async fn started() -> Self {
        let mut app = Self::new(Manner::Bot).await;
        app.start().await;
        app
    }

    /// Puts another bus in place of the one that is there.
    pub(crate) fn with_bus(mut self, bus: impl FnOnce(PathBuf) -> FakeBus) -> Self {
        self.bus = bus(self.folder.path().join("sock"));
        self
    }

    /// Starts the app, and waits until it listens.
    pub(crate) async fn start(&mut self) {
        self.start_without_bus().await;
        self.bus.accept();
        self.until("connected", |journal| {
            (journal.noted("connected").unwrap() == Some(1)).then_some(())
        })
        .await;
    }

    /// Starts the app, whether or not there is a bus.
    pub(crate) async fn start_without_bus(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let (tell, stopped) = oneshot::channel();
        let stop = async move {
            let _ = stopped.await;
        };
        let (_, reloads) = tokio::sync::mpsc::channel(1);
        let daemon = daemon::serve(self.config(), self.limits, stop, reloads);
        let done = tokio::spawn(daemon);
        self.running = Some(Running { stop: tell, done });
    }

    /// Stops the app as SIGTERM does, and waits for its end.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        let _ = running.stop.send(());
        let ended = tokio::time::timeout(PATIENCE, running.done).await;
        ended.expect("it does not stop").unwrap().unwrap();
    }

    /// The config, read from a file as any other.
    pub(crate) fn config(&self) -> Config {
        let options = LoadOptions { file: Some(self.write_config()), ..LoadOptions::default() };
        config::load(&options).unwrap_or_else(|problems| panic!("{problems}")).0
    }

    /// Writes the config, and gives its place.
    pub(crate) fn write_config(&self) -> PathBuf {
        let folder = self.folder.path().display();
        let bus = match &self.bus.place {
            Place::Unix(path) => format!("  sock_dir: {}\n", path.parent().unwrap().display()),
            Place::Tcp(address) => {
                format!("  ipc_mode: tcp\n  tcp_master_pub_port: {}\n", address.port())
            }
        };
        let bot = format!(
            "  bot:\n    token: {TOKEN}\n    channel: \"#monitoring\"\n    api_url: {}\n    \
             checkpoints: {}\n",
            self.slack.api_url(),
            self.checkpoints,
        );
        let webhook = format!("  webhook:\n    webhook_url: {}\n", self.slack.webhook_url());
        let sinks = match self.manner {
            Manner::Bot => format!("slack:\n{bot}"),
            Manner::Webhook => format!("slack:\n{webhook}"),
            Manner::Both => format!("slack:\n{bot}{webhook}"),
        };
        let (more, place, keeping) = (&self.more, self.place, self.keeping);
        let text = format!(
            "salt:\n  config_dir: {folder}/salt\n  cachedir: {folder}/cache\n  timeout: 1\n  gather_job_timeout: 1\n{bus}\
             journal:\n  path: {folder}/{place}\n{keeping}{sinks}{more}"
        );
        let path = self.folder.path().join("herald");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join(self.place)
    }

    pub(crate) fn reader(&self) -> JournalReader {
        JournalReader::open(&self.journal()).unwrap()
    }

    /// Waits until the journal is as wanted, and gives what was found in it.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&mut JournalReader) -> Option<T>,
    ) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut reader) = JournalReader::open(&self.journal())
                && let Some(found) = look(&mut reader)
            {
                return found;
            }
            if let Some(running) = &self.running {
                assert!(!running.done.is_finished(), "it ended by itself");
            }
            assert!(Instant::now() < until, "the journal never shows: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until so many runs have begun.
    pub(crate) async fn until_began(&self, count: u64) {
        self.until("runs", |journal| (journal.count_runs().unwrap() >= count).then_some(())).await;
    }

    /// Waits until so many runs are over.
    pub(crate) async fn until_over(&self, count: usize) {
        let what = format!("{count} runs that are over");
        self.until(&what, |journal| {
            let runs = journal.runs(&all()).unwrap();
            let over = runs.iter().filter(|run| run.finished_at.is_some()).count();
            (over >= count).then_some(())
        })
        .await;
    }

    /// Waits until the channel is as wanted.
    pub(crate) async fn said(&self, what: &str, wanted: impl Fn(&Channel) -> bool) -> Channel {
        match self.slack.wait_for(wanted, PATIENCE).await {
            Ok(channel) => channel,
            Err(channel) => {
                let shown: Vec<String> = channel.changes.iter().map(|c| format!("{c:?}")).collect();
                panic!("the channel never shows: {what}\n{}", shown.join("\n"));
            }
        }
    }

    /// Waits until the channel's only message says something.
    pub(crate) async fn only_message_says(&self, part: &str) -> Channel {
        let channel = self.said(part, |channel| shows(channel, part)).await;
        assert_eq!(channel.roots().count(), 1, "{:#?}", channel.changes);
        channel
    }
}

/// Whether any message says something.
pub(crate) fn shows(channel: &Channel, part: &str) -> bool {
    channel.roots().any(|message| message.content.shown().contains(part))
}

/// The messages came no faster than one a second since then. Each by itself may be late, and the next one
/// close behind it.
pub(crate) fn no_hurry(channel: &Channel, since: tokio::time::Instant) {
    let after: Vec<_> = channel.roots().map(|message| message.at - since).collect();
    let least = (0..).map(|number| Duration::from_millis(950) * number);
    assert!(after.iter().zip(least).all(|(after, least)| *after >= least), "{after:?}");
}

/// Every run there is.
pub(crate) fn all() -> salt_herald::store::RunFilter {
    salt_herald::store::RunFilter { limit: 1_000_000, ..Default::default() }
}
