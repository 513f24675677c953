//! Latency: from the event's last byte on the bus to the HTTP request at Slack's door, with the
//! journal's commit in between.

use std::time::Duration;

use fake_slack::{FakeSlack, Options as SlackOptions};

use crate::bus::{Bus, send};
use crate::fleet::{command, jid};
use crate::herald::Herald;
use crate::table::{Table, percentile};
use crate::{Failure, Options};

pub(crate) fn measure(options: &Options, table: &mut Table) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let slack = runtime.block_on(FakeSlack::start(SlackOptions::default()))?;
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(folder.path())?;
    let _herald = Herald::start(options, folder.path(), bus.folder(), &slack_table(&slack))?;
    let mut stream = bus.accept()?;
    let mut waits = Vec::new();
    for number in 0..options.commands {
        // Slack takes one message a second: each command finds its permission there.
        std::thread::sleep(Duration::from_millis(1100));
        // Each another: the same again would go into the first one's message.
        let frame = command(&jid(number), "web1", &format!("echo {number}"));
        let start = tokio::time::Instant::now();
        send(&mut stream, &[frame])?;
        let arrived = |channel: &fake_slack::Channel| channel.messages.len() > number;
        let channel = runtime.block_on(slack.wait_for(arrived, Duration::from_secs(20)));
        let channel = channel.map_err(|_| format!("command {number} was not said"))?;
        let message = channel.messages.get(number).ok_or("no message")?;
        waits.push(message.at.saturating_duration_since(start).as_secs_f64() * 1000.0);
    }
    let (median, high) = (percentile(&mut waits, 50.0), percentile(&mut waits, 99.0));
    table.row("event to Slack's door, median", format!("{median:.2} ms"), "limit: 2 ms");
    table.row("event to Slack's door, 99th percentile", format!("{high:.2} ms"), "limit: 10 ms");
    Ok(())
}

/// The `slack:` table of a config that tells the stand-in.
pub(crate) fn slack_table(slack: &FakeSlack) -> String {
    let options = SlackOptions::default();
    format!(
        "slack:\n  bench:\n    token: {:?}\n    channel: {:?}\n    api_url: {:?}\n    checkpoints: false\n",
        options.token,
        options.channel,
        slack.api_url()
    )
}
