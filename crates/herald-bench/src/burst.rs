//! A burst: a hundred commands in 3.3 s, each another, with Slack's limits in force. When does each
//! stand in the channel, in whatever message?

use std::time::Duration;

use fake_slack::{Channel, FakeSlack, Options as SlackOptions};
use tokio::time::Instant;

use crate::bus::{Bus, send};
use crate::fleet::{command, jid};
use crate::herald::Herald;
use crate::latency::slack_table;
use crate::table::{Table, percentile};
use crate::{Failure, Options};

/// So many commands were published in so long on a real master, with the usual reactor beside it.
const COMMANDS: usize = 100;
const WITHIN: Duration = Duration::from_millis(3300);

pub(crate) fn measure(options: &Options, table: &mut Table) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let slack = runtime.block_on(FakeSlack::start(SlackOptions::default()))?;
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(folder.path())?;
    let _herald = Herald::start(options, folder.path(), bus.folder(), &slack_table(&slack))?;
    let mut stream = bus.accept()?;
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 0..COMMANDS {
        let due = start + WITHIN.mul_f64(number as f64 / COMMANDS as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        sent.push(Instant::now());
        send(&mut stream, &[command(&jid(number), "web1", &line(number))])?;
    }
    let all = |channel: &Channel| (0..COMMANDS).all(|number| seen(channel, number).is_some());
    let channel = runtime
        .block_on(slack.wait_for(all, Duration::from_secs(120)))
        .map_err(|_| "not all of a burst were said")?;
    let mut waits: Vec<f64> = sent
        .iter()
        .enumerate()
        .filter_map(|(number, sent)| Some(seen(&channel, number)?.duration_since(*sent)))
        .map(|wait| wait.as_secs_f64())
        .collect();
    let messages = format!("{} messages", channel.roots().count());
    let (median, last) = (percentile(&mut waits, 50.0), percentile(&mut waits, 100.0));
    table.row("burst of 100, visible, median", format!("{median:.2} s"), messages);
    table.row("burst of 100, visible, slowest", format!("{last:.2} s"), "limit: 3 s");
    Ok(())
}

/// A line that is no other's beginning.
fn line(number: usize) -> String {
    format!("echo burst-{number:03}")
}

/// When a command was first to be seen.
fn seen(channel: &Channel, number: usize) -> Option<Instant> {
    let line = line(number);
    channel.changes.iter().find(|change| change.shown.contains(&line)).map(|change| change.at)
}
