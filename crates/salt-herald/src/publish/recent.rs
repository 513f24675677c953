//! The messages at a sink that can still take up more runs: those that were written a short while
//! ago, so that people look at them anyway.
//!
//! It is forgotten at a restart; then the next run begins a new message.

use herald_core::burst::{ALIKE_FOR, Likeness, MIXED_FOR, MOST_RUNS, Open};
use herald_core::run::RunId;
use tokio::time::Instant;

/// Most messages that are remembered.
const MOST: usize = 64;

/// The latest messages of a sink.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Message>);

#[derive(Debug)]
struct Message {
    open: Open,
    begun: Instant,
    written: Instant,
    runs: usize,
}

impl Recent {
    /// Notes a new message about runs that are like this, in their order.
    pub(super) fn posted(&mut self, now: Instant, runs: &[(RunId, Likeness)]) {
        let Some((lead, _)) = runs.first() else { return };
        let mut open = Open { lead: *lead, commands: Vec::new(), mixed: false };
        add(&mut open, runs);
        open.mixed = open.commands.len() > 1;
        let count = runs.len();
        self.0.push(Message { open, begun: now, written: now, runs: count });
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Notes that a message took up more runs.
    pub(super) fn joined(&mut self, now: Instant, lead: RunId, runs: &[(RunId, Likeness)]) {
        if let Some(message) = self.0.iter_mut().find(|message| message.open.lead == lead) {
            add(&mut message.open, runs);
            message.written = now;
            message.runs += runs.len();
        }
    }

    /// A message takes up no more.
    pub(super) fn close(&mut self, lead: RunId) {
        self.0.retain(|message| message.open.lead != lead);
    }

    /// The messages that can take up more, the latest last.
    pub(super) fn open(&mut self, now: Instant) -> Vec<Open> {
        self.0.retain(|message| {
            let ends = if message.open.mixed {
                message.begun + MIXED_FOR
            } else {
                message.written + ALIKE_FOR
            };
            now < ends && message.runs < MOST_RUNS
        });
        self.0.iter().map(|message| message.open.clone()).collect()
    }
}

fn add(open: &mut Open, runs: &[(RunId, Likeness)]) {
    for (_, likeness) in runs {
        if !open.commands.contains(likeness) {
            open.commands.push(*likeness);
        }
    }
}
