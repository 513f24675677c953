//! The master's event bus: its unix socket, or TCP with `ipc_mode: tcp`.
//!
//! A thread that connects, reads, splits into frames, and queues. It never writes to the bus, and
//! does not look into a frame. When the connection ends it connects again, by path: a master makes
//! its socket anew at every start.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use herald_core::change::GapReason;
use jiff::Timestamp;
use salt_event::frame::{Frame, FrameBuffer, FrameError};

use super::{Clock, Heard, Item, Queue};

/// Where the bus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// `<sock_dir>/master_event_pub.ipc`.
    Unix(PathBuf),
    /// `127.0.0.1:4512` and the like.
    Tcp(SocketAddr),
}

/// How long to wait before the next try to connect.
const RETRY: Duration = Duration::from_millis(200);
/// How long a read waits, so that a request to stop is heard.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a port of this machine may take: far less than the watchdog waits for a turn of the thread.
const CONNECT: Duration = Duration::from_secs(2);
/// How much is read at once, in bytes.
const READ: usize = 128 << 10;

/// Listens until told to stop, and closes the queue then.
///
/// `blind` says since when nothing was heard before, and why: told as a gap at the first
/// connection. `pulse` goes on while the thread does.
///
/// # Errors
/// When no thread can be had.
pub fn listen(
    bus: Bus,
    queue: Arc<Queue>,
    stop: Arc<AtomicBool>,
    pulse: Arc<AtomicU64>,
    blind: Option<(Timestamp, GapReason)>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("bus".to_owned()).spawn(move || {
        let (told, clock, turned, stalled) = (String::new(), Clock::default(), None, None);
        let mut listener =
            Listener { bus, queue, stop, pulse, blind, told, clock, turned, stalled };
        listener.run();
        listener.queue.close();
    })
}

struct Listener {
    bus: Bus,
    queue: Arc<Queue>,
    stop: Arc<AtomicBool>,
    pulse: Arc<AtomicU64>,
    blind: Option<(Timestamp, GapReason)>,
    /// The last trouble that was logged: each is logged once.
    told: String,
    clock: Clock,
    /// When the thread last turned.
    turned: Option<(Instant, Timestamp)>,
    /// It did not turn between these times: somebody froze it, or the machine.
    stalled: Option<(Timestamp, Timestamp)>,
}

/// A thread that did not turn for so long was frozen.
const FROZEN: Duration = Duration::from_secs(10);
/// So long after that the master may tell that it gave us up meanwhile.
const FROZEN_LATELY: Duration = Duration::from_secs(30);

impl Listener {
    fn run(&mut self) {
        let mut before = None;
        while !self.is_stopped() {
            let socket = socket(&self.bus);
            match connect(&self.bus) {
                Ok(stream) => {
                    // The master is there as it was: it wanted to be rid of us.
                    if let Some((from, GapReason::MasterAway)) = self.blind
                        && before.is_some()
                        && before == socket
                    {
                        self.blind = Some((from, GapReason::CutOff));
                    }
                    self.say_connected();
                    let reason = self.read_all(stream);
                    if self.is_stopped() {
                        // It was heard to the end.
                        return;
                    }
                    before = socket;
                    let now = self.now();
                    self.blind = Some((self.blind_since(now), reason));
                    self.queue.push([Item { at: now, heard: Heard::Lost }]);
                }
                Err(error) => {
                    before = None;
                    self.say_trouble(&error);
                }
            }
            // Not at once: whoever takes connections only to end them would be asked without a rest.
            std::thread::sleep(RETRY);
        }
    }

    /// Asked at every turn, and so the place where the pulse goes on.
    fn is_stopped(&mut self) -> bool {
        let (now, turned) = (self.now(), Instant::now());
        if let Some((before, froze)) = self.turned.replace((turned, now))
            && turned.duration_since(before) > FROZEN
        {
            self.stalled = Some((froze, now));
        }
        self.pulse.fetch_add(1, Ordering::Relaxed);
        self.stop.load(Ordering::Relaxed)
    }

    /// What was not taken while we were frozen may be lost, though the connection ended after it.
    fn blind_since(&self, now: Timestamp) -> Timestamp {
        let is_fresh = |woke: Timestamp| now.duration_since(woke).unsigned_abs() < FROZEN_LATELY;
        self.stalled.filter(|(_, woke)| is_fresh(*woke)).map_or(now, |(froze, _)| froze)
    }

    /// The time. That the clock was put is told before anything that bears the new time.
    fn now(&mut self) -> Timestamp {
        let (now, step) = self.clock.read();
        if let Some(step) = step {
            tracing::warn!("the clock was put by {step:#}");
            self.queue.push([Item { at: now, heard: Heard::Stepped(step) }]);
        }
        now
    }

    fn say_connected(&mut self) {
        let at = self.now();
        let gap = self.blind.take().map(|(from, reason)| Heard::Gap { from, reason });
        let heard = gap.into_iter().chain([Heard::Connected]);
        self.queue.push(heard.map(|heard| Item { at, heard }));
        self.told.clear();
        tracing::info!(bus = %self.bus, "listening");
    }

    fn say_trouble(&mut self, error: &io::Error) {
        let trouble = error.to_string();
        if trouble != self.told {
            tracing::warn!(bus = %self.bus, error = %trouble, "the bus can't be reached; trying on");
            self.told = trouble;
        }
    }

    /// Reads until the connection ends, and says why it did.
    fn read_all(&mut self, mut stream: Box<dyn Read>) -> GapReason {
        let mut frames = FrameBuffer::default();
        let mut items = Vec::new();
        while !self.is_stopped() {
            let count = match stream.read(frames.room(READ)) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if is_patience(&error) => continue,
                Err(error) => {
                    tracing::warn!(bus = %self.bus, %error, "the bus broke off");
                    break;
                }
            };
            frames.filled(count);
            let outcome = take_frames(&mut frames, self.now(), &mut items);
            self.queue.push(items.drain(..));
            if let Err(error) = outcome {
                tracing::error!(bus = %self.bus, %error, "the bus can't be followed; beginning anew");
                return GapReason::Unreadable;
            }
        }
        if frames.pending() > 0 {
            tracing::warn!(bytes = frames.pending(), "the bus broke off inside an event");
        }
        GapReason::MasterAway
    }
}

/// Takes all whole frames out of a buffer.
///
/// # Errors
/// When the stream can't be followed any further.
pub fn take_frames(
    frames: &mut FrameBuffer,
    at: Timestamp,
    items: &mut Vec<Item>,
) -> Result<(), FrameError> {
    while let Some(frame) = frames.next_frame()? {
        let heard = match frame {
            Frame::Whole(bytes) => Heard::Frame(bytes.into()),
            Frame::TooLong { length, start } => Heard::TooLong { length: length as u64, start },
        };
        items.push(Item { at, heard });
    }
    Ok(())
}

/// Which socket stands in the bus's place: the master makes a new one at every start.
fn socket(bus: &Bus) -> Option<(u64, u64)> {
    match bus {
        Bus::Unix(path) => std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino())),
        Bus::Tcp(_) => None,
    }
}

/// Connects once. Reads give up after a moment: see [`is_patience`].
///
/// # Errors
/// When nobody listens there, or we may not.
pub fn connect(bus: &Bus) -> io::Result<Box<dyn Read>> {
    match bus {
        Bus::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        Bus::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, CONNECT)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
    }
}

/// Whether a read only waited for its moment in vain.
pub fn is_patience(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

impl std::fmt::Display for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bus::Unix(path) => write!(f, "{}", path.display()),
            Bus::Tcp(address) => write!(f, "{address}"),
        }
    }
}
