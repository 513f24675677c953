//! Throughput: a fleet's highstate, read, understood and journalled; beside a Python subscriber
//! that merely reads it, and beside reading the bytes and throwing them away.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use crate::bus::{Bus, send, send_paced};
use crate::fleet::{Likeness, highstate, jid};
use crate::herald::Herald;
use crate::table::{Table, median};
use crate::{Failure, Options, peers};

/// What one round came to.
struct Round {
    per_second: f64,
    cpu_micros: f64,
    journal: f64,
}

pub(crate) fn measure(options: &Options, table: &mut Table) -> Result<(), Failure> {
    let alike = highstate(options.minions, Likeness::Alike, &jid(1));
    let bytes: usize = alike.iter().map(Vec::len).sum();
    let each = bytes as f64 / alike.len() as f64 / 1000.0;
    table.row("a return", format!("{each:.1} KB"), format!("{} minions", options.minions));
    let python = match &options.salt_python {
        None => None,
        Some(python) => Some(peers::subscriber(python, &alike, options.rounds)?),
    };
    if let Some(python) = python {
        table.row("Python subscriber, reading only", format!("{python:.0} returns/s"), "peer");
    }
    let floor = read_only(&alike, options.rounds)?;
    table.row("read and thrown away", format!("{floor:.0} returns/s"), "limit");
    for (name, likeness) in [("alike", Likeness::Alike), ("different", Likeness::Different)] {
        let rounds = (0..options.rounds)
            .map(|round| journalled(options, likeness, round))
            .collect::<Result<Vec<_>, _>>()?;
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        let rate = of(|round| round.per_second);
        let ratio =
            python.map_or(String::new(), |python| format!("{:.1} × Python, ", rate / python));
        table.row(
            format!("journalled, minions {name}"),
            format!("{rate:.0} returns/s"),
            format!("{ratio}{:.1} % of the limit", 100.0 * rate / floor),
        );
        table.row(
            format!("  processor time, minions {name}"),
            format!("{:.1} µs a return", of(|round| round.cpu_micros)),
            format!("{:.1} MB journal", of(|round| round.journal)),
        );
    }
    Ok(())
}

fn journalled(options: &Options, likeness: Likeness, round: usize) -> Result<Round, Failure> {
    let frames = highstate(options.minions, likeness, &jid(10 + round));
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(folder.path())?;
    let herald = Herald::start(options, folder.path(), bus.folder(), "")?;
    let mut stream = bus.accept()?;
    let before = herald.usage()?;
    let start = Instant::now();
    let taken = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&taken);
    let sender =
        std::thread::spawn(move || send_paced(&mut stream, &frames, &seen).map(|()| stream));
    let end = herald.wait_for_returns(options.minions, &taken)?;
    let seconds = (end - start).as_secs_f64();
    let _stream = sender.join().map_err(|_| "the sender died")??;
    let count = options.minions as f64;
    Ok(Round {
        per_second: count / seconds,
        cpu_micros: (herald.usage()?.cpu - before.cpu) * 1e6 / count,
        journal: herald.journal_size()?,
    })
}

fn read_only(frames: &[Vec<u8>], rounds: usize) -> Result<f64, Failure> {
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let (mut sender, reader) = UnixStream::pair()?;
        let frames_sent = frames.to_vec();
        let start = Instant::now();
        let sending = std::thread::spawn(move || send(&mut sender, &frames_sent));
        let mut sink = std::io::sink();
        std::io::copy(&mut std::io::BufReader::with_capacity(128 << 10, reader), &mut sink)?;
        rates.push((frames.len() - 1) as f64 / start.elapsed().as_secs_f64());
        sending.join().map_err(|_| "the sender died")??;
    }
    Ok(median(rates))
}
