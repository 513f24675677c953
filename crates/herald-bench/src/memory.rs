//! Memory: idle, and the most while a fleet's highstate goes through with a chat to tell.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use fake_slack::{FakeSlack, Options as SlackOptions};

use crate::bus::{Bus, send_paced};
use crate::fleet::{Likeness, highstate, jid};
use crate::herald::Herald;
use crate::latency::slack_table;
use crate::table::Table;
use crate::{Failure, Options};

pub(crate) fn measure(options: &Options, table: &mut Table) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let slack = runtime.block_on(FakeSlack::start(SlackOptions::default()))?;
    let frames = highstate(options.minions, Likeness::Alike, &jid(77));
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(folder.path())?;
    let herald = Herald::start(options, folder.path(), bus.folder(), &slack_table(&slack))?;
    let mut stream = bus.accept()?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = herald.usage()?;
    table.row("resident, idle", format!("{:.1} MB", idle.resident), "limit: 25 MB");
    let taken = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&taken);
    let sender =
        std::thread::spawn(move || send_paced(&mut stream, &frames, &seen).map(|()| stream));
    herald.wait_for_returns(options.minions, &taken)?;
    let is_closed = |channel: &fake_slack::Channel| format!("{channel:?}").contains("changed");
    let seen = runtime.block_on(slack.wait_for(is_closed, Duration::from_secs(60)));
    seen.map_err(|_| "the highstate's end was not said")?;
    let peak = herald.usage()?.peak;
    let _stream = sender.join().map_err(|_| "the sender died")??;
    let limit = format!("limit: 100 MB; {} minions", options.minions);
    table.row("resident at most, a fleet's highstate", format!("{peak:.1} MB"), limit);
    Ok(())
}
