//! Sends a site's traffic when it is due: late if it must be, but never less. Now and then the bus
//! hangs up, and Slack says that it was too much.

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fake_slack::{FakeSlack, Fault};

use super::site::{Begun, Deed, Site};
use crate::Failure;
use crate::bus::{self, Bus};

/// The daemon's connection to the bus, which is another after a hang-up.
pub(super) struct Line {
    bus: Bus,
    stream: Mutex<UnixStream>,
}

impl Line {
    pub(super) fn open(bus: Bus) -> Result<Self, Failure> {
        let stream = Mutex::new(bus.accept()?);
        Ok(Self { bus, stream })
    }

    /// Sends frames whole; gives the moment when the last one was.
    pub(super) fn send(&self, frames: &[Vec<u8>]) -> Result<Instant, Failure> {
        bus::send(&mut self.stream(), frames)?;
        Ok(Instant::now())
    }

    /// Ends the connection and waits for the next one. Nothing is sent meanwhile, so nothing is missed.
    fn hang_up(&self) -> Result<(), Failure> {
        let mut stream = self.stream();
        stream.shutdown(std::net::Shutdown::Both)?;
        *stream = self.bus.accept()?;
        Ok(())
    }

    fn stream(&self) -> MutexGuard<'_, UnixStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) events: usize,
    /// All jobs, quiet ones too, and how many returns.
    pub(super) jids: Vec<String>,
    pub(super) returns: usize,
    pub(super) hang_ups: usize,
    pub(super) refusals: usize,
    /// The most that it was behind the plan.
    pub(super) behind: Duration,
    /// Of the time in which calls are made: the events, until the last was due, and until it was sent.
    pub(super) within: usize,
    pub(super) planned_for: Duration,
    pub(super) took: Duration,
}

/// Sends everything.
pub(super) fn send(mut site: Site, line: &Line, slack: &FakeSlack) -> Result<Sent, Failure> {
    let mut sent = Sent::default();
    let start = Instant::now();
    while let Some((due, deed)) = site.next() {
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        sent.behind = sent.behind.max(start.elapsed().saturating_sub(due));
        match deed {
            Deed::HangUp => {
                line.hang_up()?;
                sent.hang_ups += 1;
            }
            Deed::Refuse => {
                slack.fail_next(None, 1, Fault::RateLimited { retry_after: Some("1".to_owned()) });
                sent.refusals += 1;
            }
            Deed::Call(kind) => sent.note(line, site.call(kind, due))?,
            Deed::Return(back) => {
                line.send(&[back.frame()])?;
                sent.events += 1;
                sent.returns += 1;
            }
        }
        if site.is_within(due) {
            (sent.within, sent.planned_for, sent.took) = (sent.events, due, start.elapsed());
        }
    }
    Ok(sent)
}

impl Sent {
    fn note(&mut self, line: &Line, begun: Begun) -> Result<(), Failure> {
        line.send(&begun.frames)?;
        self.events += begun.frames.len();
        self.returns += begun.returns;
        self.jids.push(begun.jid);
        Ok(())
    }
}
