//! A bus as a master of any series has it: a real socket, whose other end is the app.
//!
//! It frames as the series does and can be as rude as a master is when it restarts. It blocks: tests
//! call it on their own thread, beside the runtime's.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use salt_event::Value;
use salt_event::msgpack::Token;
use salt_event::write_token;

use crate::events::{Event, map};

/// How a series puts frames into its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// 3006.0 to 3006.25, 3007, 3008.
    Bare,
    /// 3006.26 and later 3006.
    Length,
}

enum Listening {
    Unix(UnixListener),
    Tcp(TcpListener),
    Gone,
}

/// Where the bus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// The master's side of the bus.
pub(crate) struct FakeBus {
    pub(crate) place: Place,
    framing: Framing,
    listening: Listening,
    streams: Vec<Box<dyn Write + Send>>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl FakeBus {
    pub(crate) fn unix(folder: &Path, framing: Framing) -> Self {
        let place = Place::Unix(folder.join("master_event_pub.ipc"));
        let mut bus = Self { place, framing, listening: Listening::Gone, streams: Vec::new() };
        bus.come_back();
        bus
    }

    pub(crate) fn tcp(framing: Framing) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            place: Place::Tcp(listener.local_addr().unwrap()),
            framing,
            listening: Listening::Tcp(listener),
            streams: Vec::new(),
        }
    }

    /// Waits until the app has connected.
    pub(crate) fn accept(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !self.accept_now() {
            assert!(Instant::now() < until, "nobody connects to the bus");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Takes a connection if one waits.
    pub(crate) fn accept_now(&mut self) -> bool {
        let stream: Box<dyn Write + Send> = match &self.listening {
            Listening::Unix(listener) => match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    Box::new(stream)
                }
                Err(_) => return false,
            },
            Listening::Tcp(listener) => match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    Box::new(stream)
                }
                Err(_) => return false,
            },
            Listening::Gone => return false,
        };
        self.streams.push(stream);
        true
    }

    pub(crate) fn send(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let frame = frame(self.framing, &event);
            self.send_bytes(&frame);
        }
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        for stream in &mut self.streams {
            stream.write_all(bytes).unwrap();
        }
    }

    /// The connections, for a thread that sends beside the test.
    pub(crate) fn take_streams(&mut self) -> Streams {
        Streams(std::mem::take(&mut self.streams), self.framing)
    }

    /// Half of an event, and then nothing.
    pub(crate) fn send_half(&mut self, event: &Event) {
        let frame = frame(self.framing, event);
        self.send_bytes(&frame[..frame.len() / 2]);
    }

    /// A frame around any body.
    pub(crate) fn send_body(&mut self, body: &[u8]) {
        let frame = frame_of(self.framing, body);
        self.send_bytes(&frame);
    }

    /// Ends all connections; the socket stays.
    pub(crate) fn hang_up(&mut self) {
        self.streams.clear();
    }

    /// Nobody listens any more, but the socket's file is still there.
    pub(crate) fn refuse(&mut self) {
        self.hang_up();
        self.listening = Listening::Gone;
    }

    /// The socket's file is gone too.
    pub(crate) fn go_away_now(&mut self) {
        self.refuse();
        if let Place::Unix(path) = &self.place {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// A new socket in the old place.
    pub(crate) fn come_back(&mut self) {
        self.listening = match &self.place {
            Place::Unix(path) => {
                let _ = std::fs::remove_file(path);
                let listener = UnixListener::bind(path).unwrap();
                listener.set_nonblocking(true).unwrap();
                Listening::Unix(listener)
            }
            Place::Tcp(address) => {
                let listener = TcpListener::bind(address).unwrap();
                listener.set_nonblocking(true).unwrap();
                Listening::Tcp(listener)
            }
        };
    }
}

/// The connections of a bus.
pub(crate) struct Streams(Vec<Box<dyn Write + Send>>, Framing);

impl Streams {
    /// Whether anybody still reads.
    pub(crate) fn try_send(&mut self, event: &Event) -> bool {
        let frame = frame(self.1, event);
        self.0.iter_mut().all(|stream| stream.write_all(&frame).is_ok())
    }
}

/// An event's body: the tag, two line ends, the data.
pub(crate) fn body(event: &Event) -> Vec<u8> {
    let mut body = event.tag.clone().into_bytes();
    body.extend_from_slice(b"\n\n");
    event.data.write(&mut body);
    body
}

pub(crate) fn frame(framing: Framing, event: &Event) -> Vec<u8> {
    frame_of(framing, &body(event))
}

fn frame_of(framing: Framing, body: &[u8]) -> Vec<u8> {
    let mut bare = Vec::with_capacity(body.len() + 32);
    write_token(Token::Map(2), &mut bare);
    Value::from("head").write(&mut bare);
    map(Vec::new()).write(&mut bare);
    Value::from("body").write(&mut bare);
    write_token(Token::Bin(body), &mut bare);
    match framing {
        Framing::Bare => bare,
        Framing::Length => {
            let length = u32::try_from(bare.len()).unwrap();
            [&length.to_be_bytes(), &bare[..]].concat()
        }
    }
}
