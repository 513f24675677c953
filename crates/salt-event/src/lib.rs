//! Salt's event bus as typed events: framing, MessagePack, tags, jobs, returns and state results;
//! and back from a job to the command line that made it.
//!
//! Pure functions over borrowed bytes. This crate does no I/O, reads no clock, and knows nothing of
//! salt-herald: anybody who reads Salt's bus can use it.
//!
//! From bytes, as they come from the master's socket, to events:
//!
//! ```
//! use salt_event::event::{Kind, decode};
//! use salt_event::frame::{Frame, FrameBuffer};
//!
//! # fn frame(data: &[u8]) -> Vec<u8> {
//! #     let body = [b"salt/job/20261122175503902712/new\n\n", data].concat();
//! #     let mut frame = b"\x82\xa4head\x80\xa4body\xc4".to_vec();
//! #     frame.push(body.len() as u8);
//! #     [frame, body].concat()
//! # }
//! # let socket = frame(b"\x85\xa3jid\xb420261122175503902712\xa3fun\xa9test.ping\xa3tgt\xa1*\xa4user\xa5alice\xa7minions\x91\xa4web1");
//! let mut frames = FrameBuffer::default();
//! let mut jobs = Vec::new();
//! for piece in socket.chunks(16) {
//!     frames.push(piece);
//!     while let Some(frame) = frames.next_frame()? {
//!         let Frame::Whole(bytes) = frame else {
//!             continue; // Too long to be held; the stream goes on behind it.
//!         };
//!         // What can't be read is for the caller to count: it does not end the stream.
//!         let Ok(event) = decode(bytes) else { continue };
//!         if let Kind::NewJob(job) = event.kind {
//!             let minions = job.minions.items().count();
//!             jobs.push(format!("{} by {:?} on {minions}", job.fun.join(","), job.user));
//!         }
//!     }
//! }
//! assert_eq!(jobs, [r#"test.ping by Some("alice") on 1"#]);
//! # Ok::<(), salt_event::frame::FrameError>(())
//! ```

pub mod capture;
pub mod event;
pub mod frame;
mod header;
pub mod job_cache;
pub mod msgpack;
pub mod states;
pub mod tag;
pub mod time;
mod value;

pub use msgpack::Raw;
pub use value::{MAX_DEPTH, MAX_VALUES, Value, write_token};
