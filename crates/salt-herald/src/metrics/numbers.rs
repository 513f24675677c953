//! The numbers: what is counted, under which names, with which labels.
//!
//! A handle that was not registered counts for nobody, so that who counts need not know whether
//! anybody looks. What each means to an operator stands in `docs/metrics.md`.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use herald_core::change::GapReason;
use herald_core::run::{RunKind, RunStatus, Standing};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A label with a name that is known beforehand, or comes from the config.
type Label = [(&'static str, String); 1];
/// Two of them.
type Labels = [(&'static str, String); 2];
/// A number of seconds with a fraction.
type Seconds = Gauge<f64, AtomicU64>;

/// From a fast disk's to one that hangs, in seconds.
const COMMITS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];
/// From a chat's answer on a good day to a time-out, in seconds.
const REQUESTS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Why something is taken out of the journal.
const TAKEN: [&str; 2] = ["age", "limit"];

/// A size as gauges take it.
pub fn gauge_of(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Of the master's bus, and of what waits behind it.
#[derive(Debug, Clone, Default)]
pub struct BusNumbers {
    /// Whether it is heard.
    pub connected: Gauge,
    /// When the last event came.
    last_event: Seconds,
    /// Events that were taken from the queue.
    pub events: Counter,
    /// Those of them that could not be understood.
    pub unreadable: Counter,
    /// Events that did not fit into the queue.
    pub dropped: Counter,
    /// How many bytes wait in the queue.
    pub waiting: Gauge,
    /// How many may.
    pub limit: Gauge,
    gaps: Family<Label, Counter>,
}

impl BusNumbers {
    pub(super) fn register(&self, registry: &mut Registry) {
        let all = [
            ("bus_events", "Events read from the master's bus", &self.events),
            ("bus_unreadable_events", "Events that could not be understood", &self.unreadable),
            ("bus_dropped_events", "Events that did not fit into the queue", &self.dropped),
        ];
        for (name, help, counter) in all {
            registry.register(name, help, counter.clone());
        }
        let help = "Whether the master's bus is heard";
        registry.register("bus_connected", help, self.connected.clone());
        let (help, last) = ("When the last event came; 0 before the first", &self.last_event);
        registry.register_with_unit("bus_last_event_timestamp", help, Unit::Seconds, last.clone());
        let help = "Events that wait between the bus and the journal";
        registry.register_with_unit("queue_waiting", help, Unit::Bytes, self.waiting.clone());
        let help = "How much may wait there until events are dropped";
        registry.register_with_unit("queue_limit", help, Unit::Bytes, self.limit.clone());
        registry.register("gaps", "Times in which no run was seen", self.gaps.clone());
        for reason in GapReason::ALL {
            self.gaps.get_or_create_owned(&[("reason", label(reason.name()))]);
        }
    }

    /// A time in which nothing was seen is over.
    pub fn gap(&self, reason: GapReason) {
        self.gaps.get_or_create(&[("reason", label(reason.name()))]).inc();
    }

    /// An event came.
    pub fn event_at(&self, at: Timestamp) {
        self.events.inc();
        self.last_event.set(at.as_duration().as_secs_f64());
    }
}

/// Of the journal.
#[derive(Debug, Clone)]
pub struct JournalNumbers {
    commits: Histogram,
    failed: Counter,
    /// Whether it can't be written.
    pub trouble: Gauge,
    /// Whether it takes long to write it.
    pub slow: Gauge,
    /// How many bytes the file takes, with what is not merged into it yet.
    pub size: Gauge,
    /// How many it may; 0: any number.
    pub limit: Gauge,
    /// Whether it takes more than it may, and no more can go.
    pub over: Gauge,
    taken_runs: Family<Label, Counter>,
    taken_bytes: Family<Label, Counter>,
}

impl Default for JournalNumbers {
    fn default() -> Self {
        let commits = Histogram::new(COMMITS);
        Self {
            commits,
            failed: Counter::default(),
            trouble: Gauge::default(),
            slow: Gauge::default(),
            size: Gauge::default(),
            limit: Gauge::default(),
            over: Gauge::default(),
            taken_runs: Family::default(),
            taken_bytes: Family::default(),
        }
    }
}

impl JournalNumbers {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "How long a commit took until it was on disk";
        let commits = self.commits.clone();
        registry.register_with_unit("journal_commit_duration", help, Unit::Seconds, commits);
        let help = "Commits that failed; each is tried again";
        registry.register("journal_failed_commits", help, self.failed.clone());
        let help = "Whether the journal can't be written at the moment";
        registry.register("journal_trouble", help, self.trouble.clone());
        let help = "Whether commits take seconds at the moment, or one does not come back";
        registry.register("journal_slow", help, self.slow.clone());
        let help = "How much the journal takes, with what is not merged into its file yet";
        registry.register_with_unit("journal_size", help, Unit::Bytes, self.size.clone());
        let help = "How much it may take; 0 without a limit";
        registry.register_with_unit("journal_limit", help, Unit::Bytes, self.limit.clone());
        let help = "Whether it takes more than it may, and no more can go";
        registry.register("journal_over_limit", help, self.over.clone());
        let help = "Runs that were taken out";
        registry.register("journal_taken_runs", help, self.taken_runs.clone());
        let (help, bytes) = ("Contents that were taken out", self.taken_bytes.clone());
        registry.register_with_unit("journal_taken", help, Unit::Bytes, bytes);
        TAKEN.iter().for_each(|why| self.took(why, 0, 0));
    }

    /// So many runs, and bytes of contents, were taken out for that reason.
    pub fn took(&self, why: &str, runs: u64, bytes: u64) {
        let why = [("why", label(why))];
        self.taken_runs.get_or_create(&why).inc_by(runs);
        self.taken_bytes.get_or_create(&why).inc_by(bytes);
    }

    /// A commit that began then is on disk, or could not be written.
    pub fn commit(&self, began: Instant, done: bool) {
        if done {
            self.commits.observe(began.elapsed().as_secs_f64());
        } else {
            self.failed.inc();
        }
    }
}

/// Of the runs.
#[derive(Debug, Clone, Default)]
pub struct RunNumbers {
    started: Family<Label, Counter>,
    ended: Family<Labels, Counter>,
    /// How many have not ended.
    pub open: Gauge,
    stood: Family<Label, Counter>,
    /// Events and returns that a minion made up, as far as that can be told.
    pub forged_events: Counter,
}

impl RunNumbers {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("runs_started", "Runs that began", self.started.clone());
        let help = "Runs that ended; one that a late return ends anew counts again";
        registry.register("runs_ended", help, self.ended.clone());
        registry.register("runs_open", "Runs that have not ended", self.open.clone());
        let help = "Jobs that were looked for in the master's job cache";
        registry.register("jobs_looked_for", help, self.stood.clone());
        let help = "Events and returns that a minion made up";
        registry.register("forged_events", help, self.forged_events.clone());
        for standing in Standing::ALL {
            self.stood.get_or_create_owned(&[("standing", label(standing.name()))]);
        }
        for kind in RunKind::ALL {
            self.started.get_or_create_owned(&[("kind", label(kind.name()))]);
            for status in RunStatus::ALL.iter().filter(|one| **one != RunStatus::Running) {
                self.ended.get_or_create_owned(&ending(*kind, *status));
            }
        }
    }

    /// A run began.
    pub fn started(&self, kind: RunKind) {
        self.started.get_or_create(&[("kind", label(kind.name()))]).inc();
    }

    /// So many jobs were looked for in the job cache.
    pub fn stood(&self, standing: Standing, jobs: usize) {
        let count = self.stood.get_or_create(&[("standing", label(standing.name()))]);
        count.inc_by(jobs as u64);
    }

    /// A run ended.
    pub fn ended(&self, kind: RunKind, status: RunStatus) {
        self.ended.get_or_create(&ending(kind, status)).inc();
    }
}

fn ending(kind: RunKind, status: RunStatus) -> Labels {
    [("kind", label(kind.name())), ("status", label(status.name()))]
}

/// What a sink can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A message of its own.
    Post,
    /// A message in a thread.
    Reply,
    /// A message that stands is rewritten.
    Edit,
    /// That something is the matter at another sink.
    Notice,
}

impl Request {
    const ALL: [Self; 4] = [Self::Post, Self::Reply, Self::Edit, Self::Notice];

    fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Reply => "reply",
            Self::Edit => "edit",
            Self::Notice => "notice",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct RequestTimes;

impl MetricConstructor<Histogram> for RequestTimes {
    fn new_metric(&self) -> Histogram {
        Histogram::new(REQUESTS)
    }
}

/// Of all sinks.
#[derive(Debug, Clone)]
pub struct SinkFamilies {
    owed: Family<Label, Gauge>,
    trouble: Family<Label, Gauge>,
    doubtful: Family<Label, Gauge>,
    given_up: Family<Label, Counter>,
    said: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    times: Family<Labels, Histogram, RequestTimes>,
}

impl Default for SinkFamilies {
    fn default() -> Self {
        Self {
            owed: Family::default(),
            trouble: Family::default(),
            doubtful: Family::default(),
            given_up: Family::default(),
            said: Family::default(),
            errors: Family::default(),
            times: Family::new_with_constructor(RequestTimes),
        }
    }
}

impl SinkFamilies {
    pub(super) fn register(&self, registry: &mut Registry) {
        let all = [
            ("sink_owed", "Messages of which the sink lacks the latest word", &self.owed),
            (
                "sink_trouble",
                "Whether the sink can't be told anything at the moment",
                &self.trouble,
            ),
            ("sink_doubtful_posts", "Posts that may have arrived, or not", &self.doubtful),
        ];
        for (name, help, family) in all {
            registry.register(name, help, family.clone());
        }
        let help = "Messages that were refused for good";
        registry.register("sink_given_up", help, self.given_up.clone());
        registry.register("sink_said", "Requests that the sink took", self.said.clone());
        registry.register("sink_errors", "Requests that it did not", self.errors.clone());
        let (help, times) = ("How long a request took until its answer", self.times.clone());
        registry.register_with_unit("sink_request_duration", help, Unit::Seconds, times);
    }

    /// Forgets how sinks are. What they were told stays counted.
    pub fn begin_anew(&self) {
        for family in [&self.owed, &self.trouble, &self.doubtful] {
            family.clear();
        }
    }

    /// Those of one sink, by the name that it has in the config, and with all errors that it knows.
    pub fn of(&self, sink: &str, errors: &[&'static str]) -> SinkNumbers {
        let label = [("sink", sink.to_owned())];
        for request in Request::ALL {
            self.said.get_or_create_owned(&request_of(sink, request));
        }
        for error in errors {
            self.errors.get_or_create_owned(&error_of(sink, error));
        }
        SinkNumbers {
            owed: self.owed.get_or_create_owned(&label),
            trouble: self.trouble.get_or_create_owned(&label),
            doubtful: self.doubtful.get_or_create_owned(&label),
            given_up: self.given_up.get_or_create_owned(&label),
            sink: sink.to_owned(),
            all: self.clone(),
        }
    }
}

/// Of one sink.
#[derive(Debug, Clone)]
pub struct SinkNumbers {
    /// How many messages lack the latest word.
    pub owed: Gauge,
    /// Whether nothing can be said there.
    pub trouble: Gauge,
    /// Posts of which it is not known whether they arrived.
    pub doubtful: Gauge,
    /// Messages that were refused for good.
    pub given_up: Counter,
    sink: String,
    all: SinkFamilies,
}

impl SinkNumbers {
    /// A request came to this: taken, or an error with a name from a fixed list.
    pub fn answered(&self, request: Request, took: Duration, outcome: Result<(), &'static str>) {
        let labels = request_of(&self.sink, request);
        self.all.times.get_or_create(&labels).observe(took.as_secs_f64());
        match outcome {
            Ok(()) => self.all.said.get_or_create(&labels).inc(),
            Err(error) => self.all.errors.get_or_create(&error_of(&self.sink, error)).inc(),
        };
    }
}

fn request_of(sink: &str, request: Request) -> Labels {
    [("sink", sink.to_owned()), ("request", request.name().to_owned())]
}

fn error_of(sink: &str, error: &str) -> Labels {
    [("sink", sink.to_owned()), ("error", error.to_owned())]
}

/// A name as labels write it.
fn label(name: &str) -> String {
    name.replace(' ', "_")
}
