//! Bytes of the bus to frames: where one event ends and the next begins, in both of Salt's framings.
//!
//! Which framing it is tells each frame's first byte: a map's header is never the first byte of a
//! length. Frames can arrive in pieces of any size; a piece is looked at once. Nothing is believed
//! of a length before its bytes have come, so memory never grows beyond what was really sent. This
//! does not look inside a frame.

use thiserror::Error;

/// Frames longer than this many bytes are stepped over: Salt's own ceiling for one message is far
/// below.
pub const MAX_FRAME: usize = 256 << 20;

/// How many bytes of a frame that is stepped over are kept, to say what it was.
const KEPT_OF_SKIPPED: usize = 4096;

/// The stream can't be followed any further: where the next frame begins is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame begins with this byte.
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
    /// A frame above [`MAX_FRAME`].
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// Its first bytes.
        start: Vec<u8>,
    },
}

/// Collects bytes and gives whole frames.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// Where the current frame begins in `bytes`.
    start: usize,
    /// Where the bytes that have come end in `bytes`.
    end: usize,
    scan: Scan,
    skipped: Option<Skipped>,
    limit: usize,
}

/// How far the current frame is understood.
#[derive(Debug, Clone, Copy)]
enum Scan {
    /// Nothing of it has come.
    Idle,
    /// A length stood before it: the whole takes so many bytes, with the length's four.
    Prefixed { total: usize },
    /// A bare map: `seen` bytes are done, `data` bytes are to be stepped over, then `values` follow.
    Bare { seen: usize, data: u64, values: u64 },
}

#[derive(Debug)]
struct Skipped {
    length: usize,
    start: Vec<u8>,
}

impl Default for FrameBuffer {
    fn default() -> Self {
        Self::with_limit(MAX_FRAME)
    }
}

impl FrameBuffer {
    /// A buffer that steps over frames longer than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            scan: Scan::Idle,
            skipped: None,
            limit,
        }
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
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Appends bytes, for those who have them already.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.filled(bytes.len());
    }

    /// How many bytes of an unfinished frame are held.
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
        let prefix = if matches!(self.scan, Scan::Prefixed { .. }) {
            4
        } else {
            0
        };
        self.scan = Scan::Idle;
        let begin = self.start;
        if let Some(mut skipped) = self.skipped.take() {
            skipped.length += length;
            self.start += length;
            return Ok(Some(Frame::TooLong {
                length: skipped.length,
                start: skipped.start,
            }));
        }
        self.start += length;
        let whole = self
            .bytes
            .get(begin + prefix..begin + length)
            .unwrap_or_default();
        Ok(Some(Frame::Whole(whole)))
    }

    /// Looks at what has come; gives the bytes up to the current frame's end once it is whole.
    fn scan(&mut self) -> Result<Option<usize>, FrameError> {
        if matches!(self.scan, Scan::Idle) {
            match self.begin()? {
                Some(scan) => self.scan = scan,
                None => return Ok(None),
            }
        }
        let available = self.pending();
        let whole = match self.scan {
            Scan::Idle => None,
            Scan::Prefixed { total } => (total <= available).then_some(total),
            Scan::Bare { .. } => self.scan_bare()?,
        };
        if whole.is_none() && available > self.limit {
            self.drop_seen();
        }
        Ok(whole)
    }

    fn begin(&self) -> Result<Option<Scan>, FrameError> {
        let pending = self.bytes.get(self.start..self.end).unwrap_or_default();
        match pending {
            [0x80..=0x8f | 0xde | 0xdf, ..] => Ok(Some(Scan::Bare {
                seen: 0,
                data: 0,
                values: 1,
            })),
            [a @ 0..=0x7f, b, c, d, ..] => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                Ok(Some(Scan::Prefixed { total: length + 4 }))
            }
            [0..=0x7f, ..] | [] => Ok(None),
            [byte, ..] => Err(FrameError::NotAFrame { byte: *byte }),
        }
    }

    fn scan_bare(&mut self) -> Result<Option<usize>, FrameError> {
        let Scan::Bare {
            mut seen,
            mut data,
            mut values,
        } = self.scan
        else {
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
                Header::Reserved => return Err(FrameError::Broken { after: seen }),
                Header::Whole {
                    length,
                    data: more,
                    children,
                } => {
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
        let available = self.pending();
        let (drop, scan) = match self.scan {
            Scan::Idle => return,
            Scan::Prefixed { total } => (
                available,
                Scan::Prefixed {
                    total: total - available,
                },
            ),
            Scan::Bare { seen, data, values } => (
                seen,
                Scan::Bare {
                    seen: 0,
                    data,
                    values,
                },
            ),
        };
        let dropped = self
            .bytes
            .get(self.start..self.start + drop)
            .unwrap_or_default();
        let skipped = self.skipped.get_or_insert_with(|| Skipped {
            length: 0,
            start: dropped
                .get(..dropped.len().min(KEPT_OF_SKIPPED))
                .unwrap_or_default()
                .to_vec(),
        });
        skipped.length += drop;
        self.start += drop;
        self.scan = scan;
    }

    /// Moves what is pending to the front when the room behind it is short.
    fn reclaim(&mut self, size: usize) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > 1 << 20 {
                self.bytes.truncate(1 << 16);
                self.bytes.shrink_to_fit();
            }
        } else if self.start > 0 && self.bytes.len() < self.end + size {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
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
    let number = |width: usize| -> Option<u64> {
        let digits = bytes.get(1..=width)?;
        Some(
            digits
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let sized = |width: usize, extra: u64| match number(width) {
        Some(size) => Header::Whole {
            length: 1 + width,
            data: size + extra,
            children: 0,
        },
        None => Header::Incomplete,
    };
    let nested = |width: usize, each: u64| match number(width) {
        Some(count) => Header::Whole {
            length: 1 + width,
            data: 0,
            children: count * each,
        },
        None => Header::Incomplete,
    };
    let plain = |data: u64| Header::Whole {
        length: 1,
        data,
        children: 0,
    };
    match first {
        0x80..=0x8f => Header::Whole {
            length: 1,
            data: 0,
            children: 2 * u64::from(first & 0x0f),
        },
        0x90..=0x9f => Header::Whole {
            length: 1,
            data: 0,
            children: u64::from(first & 0x0f),
        },
        0xa0..=0xbf => plain(u64::from(first & 0x1f)),
        0xc1 => Header::Reserved,
        0xc4 | 0xd9 => sized(1, 0),
        0xc5 | 0xda => sized(2, 0),
        0xc6 | 0xdb => sized(4, 0),
        0xc7 => sized(1, 1),
        0xc8 => sized(2, 1),
        0xc9 => sized(4, 1),
        0xcc | 0xd0 => plain(1),
        0xcd | 0xd1 => plain(2),
        0xca | 0xce | 0xd2 => plain(4),
        0xcb | 0xcf | 0xd3 => plain(8),
        0xd4..=0xd8 => plain(1 + (1 << (first - 0xd4))),
        0xdc => nested(2, 1),
        0xdd => nested(4, 1),
        0xde => nested(2, 2),
        0xdf => nested(4, 2),
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => plain(0),
    }
}
