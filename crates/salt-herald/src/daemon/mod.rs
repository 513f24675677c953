//! The daemon: the only place that knows all families. It puts them together, keeps them running,
//! and takes them apart in the right order.

mod access;
mod backfill;
mod confirm;
mod disk;
mod ending;
mod intake;
mod publishing;
mod recording;
mod reload;
mod reminded;
mod settings;
mod socket;
mod walker;
mod watchdog;

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::change::GapReason;
use herald_core::ledger;
use herald_core::redact::Redactor;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use backfill::backfill;
pub use intake::{Counts, Intake};
pub use recording::{ReplayReport, record, replay, replay_with};
pub use settings::ledger_settings;
pub use socket::socket_path;

use access::Groups;
use backfill::{Backfills, Requests};
use confirm::Looks;
use publishing::Publishing;
use settings::live_settings;
use socket::Socket;
use walker::job_cache_of;

use crate::config::{BusAddress, Config, JournalConfig, LoadOptions};
use crate::marks;
use crate::metrics::{Metrics, gauge_of};
pub use crate::publish::Pace;
use crate::seal::SealKey;
use crate::source::{self, Bus, Clock, Heard, Item, Queue};
use crate::store::{self, Disk, Journal, JournalReader, JournalWriter, StoreError};
use crate::web::Web;

/// Why the daemon could not run.
pub type RunError = Box<dyn Error + Send + Sync>;

/// How long what is owed may still be said after the request to stop.
const GRACE: Duration = Duration::from_secs(3);
/// How long after an event the master has written its files.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// How long after a job's event its load is waited for in the job cache.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(2);
/// How long after a gap the job cache is looked into once more: a master whose publisher alone was
/// ended goes on by itself, and can be late with its files.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long the end may take in all.
const END: Duration = Duration::from_millis(4_500);
/// How often it is noted that the bus is heard.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// How many items make one batch at the most.
const MOST: usize = 512;

/// Runs until told to stop by SIGTERM or SIGINT; reads the config again, as `options` say, at SIGHUP.
///
/// # Errors
/// When the config has a mistake, the journal can't be opened, or no thread can be had.
pub fn run(config: Config, options: LoadOptions, limits: Limits) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let reloads = reload::on_hangup(options);
        serve(config, limits, stop_signal(), reloads).await
    });
    // A disk that does not answer is not waited for.
    runtime.shutdown_background();
    outcome
}

/// What a daemon may take up, and how long it may take to end.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of events may wait between the bus and the journal.
    pub waiting: usize,
    /// How long what is owed may still be said after the request to stop.
    pub grace: Duration,
    /// How fast things are said.
    pub pace: Pace,
    /// How long after an event the master has written the files of it.
    pub written_within: Duration,
    /// How long after a job's event its load is waited for in the job cache; zero: not at all.
    pub confirmed_within: Duration,
    /// How long after a gap the job cache is looked into once more.
    pub look_again: Duration,
    /// How many bytes may wait in memory while the journal can't be written.
    pub memory: usize,
    /// How long the end may take in all.
    pub end: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting: source::MAX_WAITING,
            grace: GRACE,
            pace: Pace::default(),
            written_within: WRITTEN_WITHIN,
            look_again: LOOK_AGAIN,
            confirmed_within: CONFIRMED_WITHIN,
            memory: store::MEMORY,
            end: END,
        }
    }
}

/// Runs until `stop` completes. Everything that was read is on disk when this returns. What comes over
/// `reloads` is in force from then on, as far as that can be without a restart.
///
/// # Errors
/// When the journal can't be opened, no thread can be had, or the intake ends by itself.
pub async fn serve(
    config: Config,
    limits: Limits,
    stop: impl Future<Output = ()>,
    reloads: mpsc::Receiver<Config>,
) -> Result<(), RunError> {
    if let Some(folder) = config.journal.path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let metrics = Arc::new(Metrics::new());
    let journal = Journal::open_or_read(&config.journal.path, limits.memory)?;
    let writer = journal
        .counted_by(&metrics.journal)
        .sealed_by(SealKey::if_usable(&config.journal.path))
        .into_writer()?;
    let reader = writer.reader()?;
    ask_journal(&metrics, &writer);
    tracing::info!(
        journal = %config.journal.path.display(),
        version = env!("CARGO_PKG_VERSION"),
        "salt-herald begins"
    );
    // Before the bus is heard: what comes first is news already.
    let sinks = metrics.sinks.clone();
    let mut publishing = Publishing::start(&config, &writer, limits, sinks).await?;
    writer.keep(config.journal.keeping.clone(), publishing.sinks()).await?;
    let (groups, before) = (Groups::of(&config.access), Groups::noted(&reader)?);
    let (outcome, bus) = match listen(&config, limits, reader, writer.clone(), &metrics) {
        Ok(mut bus) => {
            groups.open_journal(before, &config.journal.path);
            groups.note(&writer)?;
            let requests = bus.requests.clone();
            let socket = Socket::open(&config.journal.path, groups, requests, &writer);
            let _watch = disk::Watch::start(&writer);
            let web = Web::start(metrics, config.metrics.listen.clone());
            let publishing = &mut publishing;
            let mut now = Now { config, publishing, writer: &writer, limits, web, groups, socket };
            (listen_until(&mut bus, stop, reloads, &mut now).await, Some(bus))
        }
        Err(error) => (Err(error), None),
    };
    ending::end(bus, publishing, writer, limits).await?;
    outcome
}

async fn listen_until(
    bus: &mut Listening,
    stop: impl Future<Output = ()>,
    mut reloads: mpsc::Receiver<Config>,
    now: &mut Now<'_>,
) -> Result<(), RunError> {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let mut stop = std::pin::pin!(stop);
    let vouch = watchdog::vouch(Arc::clone(&bus.pulse));
    let mut vouch = std::pin::pin!(vouch);
    let mut disk = std::pin::pin!(disk::tell_systemd(now.writer.disk(), now.writer.slow()));
    let mut written = now.writer.disk();
    let outcome = loop {
        tokio::select! {
            () = &mut stop => break Ok(()),
            () = &mut vouch => {}
            () = &mut disk => {}
            () = access::until_written_again(&mut written) => {
                now.groups.open_journal_soon(Groups::default(), &now.config.journal.path);
            }
            Some(config) = reloads.recv() => {
                if let Err(error) = now.change_to(config, bus).await {
                    break Err(error);
                }
            }
            ended = &mut bus.ended => {
                break Err(ended.unwrap_or_else(|_| "the intake ended".to_owned()).into());
            }
        }
    };
    tracing::info!("salt-herald ends");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    outcome
}

/// What is in force.
struct Now<'a> {
    config: Config,
    publishing: &'a mut Publishing,
    writer: &'a JournalWriter,
    limits: Limits,
    web: Web,
    groups: Groups,
    socket: Socket,
}

impl Now<'_> {
    /// Puts another config in force. The bus is read on meanwhile.
    async fn change_to(&mut self, config: Config, bus: &Listening) -> Result<(), RunError> {
        let settings = Some(live_settings(&config, self.limits));
        *bus.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        reload::say_what_waits(&self.config, &config);
        // The runs stand in the file that is open.
        let path = self.config.journal.path.clone();
        self.config = Config { journal: JournalConfig { path, ..config.journal }, ..config };
        self.web.change_to(self.config.metrics.listen.clone());
        let groups = Groups::of(&self.config.access);
        groups.open_journal_soon(self.groups, &self.config.journal.path);
        self.socket.open_to(groups);
        groups.note(self.writer)?;
        self.groups = groups;
        self.publishing.change_to(&self.config, self.writer, self.limits).await?;
        let keeping = self.config.journal.keeping.clone();
        self.writer.keep(keeping, self.publishing.sinks()).await?;
        tracing::info!("the config was read again");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("the config was read again")]);
        Ok(())
    }
}

/// Lets the metrics say whether the journal can be written.
fn ask_journal(metrics: &Metrics, writer: &JournalWriter) {
    let (numbers, disk, slow) = (metrics.journal.clone(), writer.disk(), writer.slow());
    let size = writer.size();
    metrics.ask(move || {
        numbers.trouble.set(i64::from(matches!(*disk.borrow(), Disk::Away(_))));
        numbers.slow.set(i64::from(slow.borrow().is_some()));
        numbers.size.set(i64::try_from(size()).unwrap_or(i64::MAX));
    });
}

/// Lets the metrics say how much waits between the bus and the journal.
fn ask_queue(metrics: &Metrics, queue: Arc<Queue>) {
    let bus = metrics.bus.clone();
    metrics.ask(move || {
        bus.waiting.set(gauge_of(queue.waiting()));
        bus.limit.set(gauge_of(queue.limit()));
    });
}

/// Completes at SIGTERM and SIGINT. They are taken up at once: one that came while all is being begun
/// would end us without an end.
fn stop_signal() -> impl Future<Output = ()> {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let [Ok(mut terminate), Ok(mut interrupt)] = signals else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// The two threads between the bus and the journal.
struct Listening {
    stop: Arc<AtomicBool>,
    /// What the ledger shall go by from now on.
    settings: Arc<Mutex<Option<ledger::Settings>>>,
    /// Goes on while the bus is read.
    pulse: Arc<AtomicU64>,
    bus: JoinHandle<()>,
    intake: JoinHandle<()>,
    /// The way to ask for a back-fill.
    requests: Requests,
    /// Tells when the intake ends by itself, and why.
    ended: tokio::sync::oneshot::Receiver<String>,
}

impl Listening {
    /// Stops reading, and waits until what was read is handed to the journal.
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.bus.join();
        let _ = self.intake.join();
    }
}

fn listen(
    config: &Config,
    limits: Limits,
    reader: JournalReader,
    writer: JournalWriter,
    metrics: &Metrics,
) -> Result<Listening, RunError> {
    let queue = Queue::with_excuse(limits.waiting, Box::new(writer.excuse()));
    let queue = Arc::new(queue.counted_by(&metrics.bus));
    ask_queue(metrics, Arc::clone(&queue));
    let stop = Arc::new(AtomicBool::new(false));
    let heard_at = reader.noted("heard_at")?.and_then(|at| Timestamp::from_microsecond(at).ok());
    let blind = heard_at.map(|at| (at, GapReason::NotRunning));
    let now = Timestamp::now();
    let redactor = Redactor::new(marks::of_journal(&config.journal.path));
    let mut intake = Intake::new(live_settings(config, limits), redactor, reader, writer, now)?
        .counted_by(&metrics.bus, &metrics.runs);
    let looks = Looks::of(&config.master, limits.confirmed_within).filter(Looks::can_look);
    intake.writer().note("confirms", i64::from(looks.is_some()))?;
    if let Some(looks) = looks {
        intake = intake.confirmed_by(looks.start(Arc::clone(&queue))?);
    } else if !limits.confirmed_within.is_zero() {
        tracing::warn!(
            "no job can be confirmed: the master keeps them where salt-herald can't look"
        );
    }
    reminded::remind(&mut intake, &config.master);
    intake.note_opened(now);
    let (tell, ended) = tokio::sync::oneshot::channel();
    let (taken, settings) = (Arc::clone(&queue), Arc::new(Mutex::new(None)));
    let changed = Arc::clone(&settings);
    let (mut backfills, requests) =
        Backfills::start(job_cache_of(config, limits), Arc::clone(&queue))?;
    let thread = std::thread::Builder::new().name("intake".to_owned()).spawn(move || {
        if let Err(error) = take_all(&mut intake, &taken, &changed, &mut backfills) {
            tracing::error!(error = &error as &dyn Error, "the intake ended");
            let _ = tell.send(error.to_string());
        }
        taken.close();
        backfills.stop();
    })?;
    let pulse = Arc::new(AtomicU64::new(0));
    let bus = source::listen(bus_of(config), queue, Arc::clone(&stop), Arc::clone(&pulse), blind)?;
    Ok(Listening { stop, settings, pulse, bus, intake: thread, requests, ended })
}

/// Takes items until the queue is closed and empty.
fn take_all(
    intake: &mut Intake,
    queue: &Queue,
    changed: &Mutex<Option<ledger::Settings>>,
    backfills: &mut Backfills,
) -> Result<(), StoreError> {
    let mut connected = false;
    let mut noted: Option<Instant> = None;
    let mut clock = Clock::default();
    loop {
        let patience = backfills.patience(patience(intake, clock.steady()));
        let is_ready = backfills.is_ready(intake.writer());
        let Some(items) = queue.take(MOST, patience, is_ready) else { break };
        if let Some(settings) = changed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            intake.change_settings(settings);
        }
        for item in &items {
            connected = is_connected(item, connected);
            if matches!(item.heard, Heard::Stepped(_)) {
                clock.set();
            }
            intake.take(item)?;
            backfills.hear(item);
        }
        let now = clock.steady();
        intake.catch_up(now);
        intake.flush()?;
        if is_ready && items.is_empty() {
            backfills.take(intake, &queue.take_past())?;
        }
        if backfills.has_lost(intake.writer()) {
            intake.begin_anew(now)?;
        }
        backfills.turn(intake, now)?;
        let changed = items.iter().any(|item| matches!(item.heard, Heard::Connected | Heard::Lost));
        let is_due = noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY);
        if changed || (connected && is_due) {
            note(intake, now, connected)?;
            noted = Some(Instant::now());
        }
    }
    if connected {
        note(intake, Timestamp::now(), connected)?;
    }
    intake.flush_all()?;
    intake.writer().note("connected", 0)
}

fn note(intake: &mut Intake, now: Timestamp, connected: bool) -> Result<(), StoreError> {
    intake.flush_all()?;
    intake.writer().note("connected", i64::from(connected))?;
    if connected { intake.writer().note("heard_at", now.as_microsecond()) } else { Ok(()) }
}

fn is_connected(item: &Item, before: bool) -> bool {
    match item.heard {
        Heard::Connected => true,
        Heard::Lost => false,
        Heard::Frame(_)
        | Heard::TooLong { .. }
        | Heard::Gap { .. }
        | Heard::Stepped(_)
        | Heard::Looked { .. }
        | Heard::LookedUp { .. }
        | Heard::Past(_) => before,
    }
}

/// How long the intake may wait for the next item.
fn patience(intake: &Intake, now: Timestamp) -> Duration {
    let due = intake.next_timeout().map_or(NOTE_EVERY, |due| {
        Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
    });
    due.clamp(Duration::from_millis(1), NOTE_EVERY)
}

fn bus_of(config: &Config) -> Bus {
    match config.master.bus_address() {
        BusAddress::Unix(path) => Bus::Unix(path),
        BusAddress::Tcp(address) => Bus::Tcp(address),
    }
}
