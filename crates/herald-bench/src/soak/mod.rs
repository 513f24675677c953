//! A soak: a busy site's hour of traffic, many times as fast, for as long as is wanted. What the
//! daemon uses and how long it takes must be the same in the end as in the beginning, and nothing may
//! be lost.
//!
//! What is measured is the daemon only; what the stand-in for Slack keeps in memory is its own matter.

mod judge;
mod probe;
mod proof;
mod site;
mod traffic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake_slack::{Channel, FakeSlack, Options as SlackOptions};

use crate::bus::Bus;
use crate::herald::Herald;
use crate::latency::slack_table;
use crate::table::Table;
use crate::{Failure, Options};
use judge::{Judged, Limit};
use probe::{Probe, Sample};
use traffic::{Line, Sent};

/// How long, and how much.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Soak {
    /// How many minutes, 5 at least; three of them, or a sixth if that is more, are for warming up.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..))]
    minutes: u32,
    /// How many times a busy site's rate.
    #[arg(long, default_value_t = 200.0)]
    times: f64,
}

/// Where all is said but what latency is taken by: Slack's limits would be measured otherwise.
const TRAFFIC: &str = "traffic";
/// Until the bounded caches are full: SQLite's is, when the journal is larger than it, 12 MB.
const WARM: Duration = Duration::from_secs(180);
/// Between two samples.
const EVERY: Duration = Duration::from_secs(3);
/// So much of the plan must really have been sent.
const PACE: f64 = 0.98;

pub(crate) fn measure(options: &Options, soak: Soak, table: &mut Table) -> Result<(), Failure> {
    let length = Duration::from_secs(60 * u64::from(soak.minutes));
    let runtime = tokio::runtime::Runtime::new()?;
    let slack = Arc::new(runtime.block_on(FakeSlack::start(SlackOptions::default()))?);
    slack.add_channel(Channel::new(TRAFFIC, false));
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(folder.path())?;
    let herald = Herald::start(options, folder.path(), bus.folder(), &config(&slack))?;
    let line = Arc::new(Line::open(bus)?);
    let site = site::Site::new(soak.times, length);
    let planned = site.events_per_second();
    let (cable, chat) = (Arc::clone(&line), Arc::clone(&slack));
    let sender = std::thread::spawn(move || traffic::send(site, &cable, &chat));
    let mut probe = Probe::new(&herald, &line, &slack)?;
    let samples = sample(&mut probe, length)?;
    let sent = sender.join().map_err(|_| "the sender died")??;
    let mut troubles = Vec::from_iter(pace(&sent, planned, table));
    troubles.extend(judge_all(&samples, length, table));
    table.row(
        "processor time",
        format!("{:.0} % of a core", 100.0 * herald.usage()?.cpu / length.as_secs_f64()),
        format!("{:.1} MB journal", herald.journal_size()?),
    );
    troubles.extend(proof::check(options, folder.path(), &sent, &probe, table)?);
    match troubles.as_slice() {
        [] => Ok(()),
        _ => Err(troubles.join("; ").into()),
    }
}

/// One bot, two channels; minions that never answer are given up soon, so that the number of open runs
/// is steady before anything is judged.
fn config(slack: &FakeSlack) -> String {
    format!(
        "{}routes:\n  - {{name: probes, user: {}, to: bench}}\n  - {{name: rest, to: \"bench#{TRAFFIC}\"}}\n\
         runs:\n  patience: 20\n",
        slack_table(slack),
        probe::USER,
    )
}

fn sample(probe: &mut Probe<'_>, length: Duration) -> Result<Vec<Sample>, Failure> {
    let start = Instant::now();
    let mut samples: Vec<Sample> = Vec::new();
    while start.elapsed() < length {
        let sample = probe.take(start)?;
        if samples.len().is_multiple_of(20) {
            eprintln!("  {sample}");
        }
        samples.push(sample);
        std::thread::sleep(EVERY);
    }
    Ok(samples)
}

fn pace(sent: &Sent, planned: f64, table: &mut Table) -> Option<String> {
    let rate = sent.within as f64 / sent.planned_for.max(sent.took).as_secs_f64();
    table.row(
        "events sent",
        format!("{rate:.0} a second"),
        format!("planned: {planned:.0}; {} in all", sent.events),
    );
    table.row(
        "bus hung up, Slack said 429",
        format!("{} and {} times", sent.hang_ups, sent.refusals),
        format!("at most {:.1} s behind the plan", sent.behind.as_secs_f64()),
    );
    (rate < planned * PACE)
        .then(|| format!("the machine can't keep up: {rate:.0} events a second of {planned:.0}"))
}

type Figure = fn(&Sample) -> f64;

/// What is judged of each sample, and how much more it may be in the end.
const FIGURES: [(Limit, Figure); 5] = [
    (Limit { name: "resident", unit: "MB", share: 0.10, floor: 4.0 }, |sample| sample.resident),
    (Limit { name: "file handles", unit: "", share: 0.0, floor: 2.0 }, |sample| sample.handles),
    (Limit { name: "threads", unit: "", share: 0.0, floor: 2.0 }, |sample| sample.threads),
    (Limit { name: "event to commit", unit: "ms", share: 0.5, floor: 50.0 }, |sample| {
        sample.commit
    }),
    (Limit { name: "event to Slack", unit: "ms", share: 0.5, floor: 250.0 }, |sample| sample.said),
];

fn judge_all(samples: &[Sample], length: Duration, table: &mut Table) -> Vec<String> {
    let warm = (length / 6).max(WARM);
    let judged: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= warm).collect();
    let mut troubles = Vec::new();
    for (limit, figure) in FIGURES {
        let series: Vec<(f64, f64)> =
            judged.iter().map(|sample| (sample.at.as_secs_f64(), figure(sample))).collect();
        match Judged::of(&series) {
            None => troubles.push(format!("{}: too few samples to judge", limit.name)),
            Some(judged) => {
                table.row(limit.name, limit.figure(&judged), limit.beside(&judged));
                troubles.extend(limit.trouble(&judged));
            }
        }
    }
    troubles
}
