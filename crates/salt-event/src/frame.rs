//! Bytes of the bus to frames: where one event ends and the next begins, in both of Salt's framings.
//!
//! Which framing it is tells each frame's first byte: a map's header is never the first byte of a
//! length. Frames can arrive in pieces of any size; a piece is looked at once, and how the bytes
//! were cut never changes what comes out. Nothing is believed of a length before its bytes have
//! come, so memory never grows beyond what was really sent. This does not look inside a frame.

use thiserror::Error;

use crate::header::{Shape, number};

/// Frames longer than this many bytes are stepped over: Salt's own ceiling for one message is far
/// below.
pub const MAX_FRAME: usize = 256 << 20;

/// How many bytes of a frame that is stepped over are kept, to say what it was.
const KEPT_OF_SKIPPED: usize = 4096;

/// A buffer above so many bytes is made smaller when it is mostly empty.
const ROOMY: usize = 1 << 20;

/// The stream can't be followed any further: where the next frame begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame begins with this byte, or no map follows a length.
    #[error("byte {byte:#04x} begins no frame of a Salt event bus")]
    NotAFrame {
        /// The byte.
        byte: u8,
    },
    /// The frame holds a byte that MessagePack reserves.
    #[error("a frame breaks off with byte 0xc1 after {after} bytes")]
    Broken {
        /// How many bytes of the frame were good.
        after: usize,
    },
}

/// One frame, or what is known of one that was stepped over.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'b> {
    /// The MessagePack map `{head, body}`, whole, without a length before it.
    Whole(&'b [u8]),
    /// A frame above the limit, without its content.
    TooLong {
        /// Its length in bytes, without a length before it.
        length: usize,
        /// Its first 4096 bytes.
        start: Vec<u8>,
    },
}

/// Collects bytes and gives whole frames.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// Where the current frame goes on in `bytes`.
    start: usize,
    /// Where the bytes that have come end in `bytes`.
    end: usize,
    scan: Scan,
    /// What was let go of the current frame because it is too long.
    skipped: Option<Skipped>,
    limit: usize,
}

/// How far the current frame is understood.
#[derive(Debug, Clone, Copy)]
enum Scan {
    /// Nothing of it has come.
    Idle,
    /// A length stood before it: so many bytes are to come, or lie there already.
    Prefixed { left: usize },
    /// A bare map: `seen` bytes are done, `data` bytes are to be stepped over, then `values` follow.
    Bare { seen: usize, data: u64, values: u64 },
}

#[derive(Debug, Default)]
struct Skipped {
    length: usize,
    start: Vec<u8>,
}

impl Skipped {
    fn add(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        let kept = bytes.len().min(KEPT_OF_SKIPPED - self.start.len());
        self.start.extend_from_slice(bytes.get(..kept).unwrap_or_default());
    }
}

impl Default for FrameBuffer {
    fn default() -> Self {
        Self::with_limit(MAX_FRAME)
    }
}

impl FrameBuffer {
    /// A buffer that steps over frames longer than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, scan: Scan::Idle, skipped: None, limit }
    }

    /// Room of at least `size` bytes to read into; say with [`Self::filled`] how much was read.
    pub fn room(&mut self, size: usize) -> &mut [u8] {
        self.reclaim(size);
        if self.bytes.len() < self.end + size {
            self.bytes.resize(self.end + size, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes note that the first `count` bytes of the room were filled.
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Appends bytes, for those who have them already.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.filled(bytes.len());
    }

    /// How many bytes are held that [`Self::next_frame`] has not given out.
    pub fn pending(&self) -> usize {
        self.end - self.start
    }

    /// The next frame, or nothing while it is not whole.
    ///
    /// # Errors
    /// When the stream can't be followed any further; begin anew with a new connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(length) = self.scan()? else {
            return Ok(None);
        };
        self.scan = Scan::Idle;
        let begin = self.start;
        self.start += length;
        let bytes = self.bytes.get(begin..self.start).unwrap_or_default();
        if self.skipped.is_none() && length <= self.limit {
            return Ok(Some(Frame::Whole(bytes)));
        }
        let mut skipped = self.skipped.take().unwrap_or_default();
        skipped.add(bytes);
        Ok(Some(Frame::TooLong { length: skipped.length, start: skipped.start }))
    }

    /// Looks at what has come; gives how many bytes are left up to the current frame's end once all
    /// of them are there.
    fn scan(&mut self) -> Result<Option<usize>, FrameError> {
        if matches!(self.scan, Scan::Idle) {
            match self.begin()? {
                Some(scan) => self.scan = scan,
                None => return Ok(None),
            }
        }
        let whole = match self.scan {
            Scan::Idle => None,
            Scan::Prefixed { left } => (left <= self.pending()).then_some(left),
            Scan::Bare { .. } => self.scan_bare()?,
        };
        if whole.is_none() && (self.skipped.is_some() || self.at_least() > self.limit as u64) {
            self.drop_seen();
        }
        Ok(whole)
    }

    /// How long the current frame is at the least: every value that is announced takes a byte.
    fn at_least(&self) -> u64 {
        match self.scan {
            Scan::Idle => 0,
            Scan::Prefixed { left } => left as u64,
            Scan::Bare { seen, data, values } => {
                (seen as u64).saturating_add(data).saturating_add(values)
            }
        }
    }

    /// Tells the framing, and takes the length away. Behind a length a map has to follow: lost in
    /// the middle of a stream, we would otherwise take text for a length and wait for gigabytes.
    fn begin(&mut self) -> Result<Option<Scan>, FrameError> {
        let pending = self.bytes.get(self.start..self.end).unwrap_or_default();
        match *pending {
            [first, ..] if is_map(first) => Ok(Some(Scan::Bare { seen: 0, data: 0, values: 1 })),
            [0, 0, 0, 0, ..] => Err(FrameError::NotAFrame { byte: 0 }),
            [a @ 0..=0x7f, b, c, d, first, ..] => {
                if !is_map(first) {
                    return Err(FrameError::NotAFrame { byte: first });
                }
                self.start += 4;
                let left = u32::from_be_bytes([a, b, c, d]) as usize;
                Ok(Some(Scan::Prefixed { left }))
            }
            [0..=0x7f, ..] | [] => Ok(None),
            [byte, ..] => Err(FrameError::NotAFrame { byte }),
        }
    }

    fn scan_bare(&mut self) -> Result<Option<usize>, FrameError> {
        let Scan::Bare { mut seen, mut data, mut values } = self.scan else {
            return Ok(None);
        };
        let frame = self.bytes.get(self.start..self.end).unwrap_or_default();
        let whole = loop {
            let step = data.min((frame.len() - seen) as u64);
            seen += step as usize;
            data -= step;
            if data > 0 {
                break None;
            }
            if values == 0 {
                break Some(seen);
            }
            match header(frame.get(seen..).unwrap_or_default()) {
                Header::Incomplete => break None,
                Header::Reserved => {
                    let skipped = self.skipped.as_ref().map_or(0, |skipped| skipped.length);
                    return Err(FrameError::Broken { after: skipped.saturating_add(seen) });
                }
                Header::Whole { length, data: more, children } => {
                    seen += length;
                    data = more;
                    values = (values - 1).saturating_add(children);
                }
            }
        };
        self.scan = Scan::Bare { seen, data, values };
        Ok(whole)
    }

    /// Forgets the bytes of a frame that is too long, but for its beginning.
    fn drop_seen(&mut self) {
        let pending = self.pending();
        let (done, scan) = match self.scan {
            Scan::Idle => return,
            Scan::Prefixed { left } => {
                let left = left - pending;
                (pending, Scan::Prefixed { left })
            }
            Scan::Bare { seen, data, values } => {
                let begun = Scan::Bare { seen: 0, data, values };
                (seen, begun)
            }
        };
        let end = self.start + done;
        let bytes = self.bytes.get(self.start..end).unwrap_or_default();
        self.skipped.get_or_insert_default().add(bytes);
        self.start = end;
        self.scan = scan;
    }

    /// Moves what is pending to the front when the room behind it is short, but only when less is
    /// moved than was read since: so each byte is moved a few times at the most.
    fn reclaim(&mut self, size: usize) {
        let pending = self.pending();
        let is_short = self.bytes.len() - self.end < size;
        if pending > 0 && (!is_short || pending > self.start) {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, pending);
        // What a burst of large frames took is given back.
        let needed = pending.saturating_add(size).max(ROOMY / 2);
        if self.bytes.len() > ROOMY && self.bytes.len() / 4 > needed {
            self.bytes.truncate(needed);
            self.bytes.shrink_to_fit();
        }
    }
}

fn is_map(first: u8) -> bool {
    matches!(first, 0x80..=0x8f | 0xde | 0xdf)
}

enum Header {
    /// The header takes `length` bytes, then come `data` bytes, then `children` values.
    Whole {
        length: usize,
        data: u64,
        children: u64,
    },
    Incomplete,
    Reserved,
}

fn header(bytes: &[u8]) -> Header {
    let Some(&first) = bytes.first() else {
        return Header::Incomplete;
    };
    let shape = Shape::of(first);
    if shape.reserved {
        return Header::Reserved;
    }
    let width = usize::from(shape.width);
    let Some(digits) = bytes.get(1..=width) else {
        return Header::Incomplete;
    };
    let (data, children) = shape.follow(number(digits));
    Header::Whole { length: 1 + width, data, children }
}
