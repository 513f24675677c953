//! What a MessagePack value's first bytes say of its length: enough to step over it.
//!
//! Shared by whoever cuts frames out of a stream and whoever steps over values; neither looks at
//! what a value means.

/// What a value's first byte says of the bytes behind it.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// A number of so many bytes follows.
    pub(crate) width: u8,
    /// How many values each one of that number announces; none: it counts bytes of data.
    each: u8,
    /// So many bytes of data come in any case.
    pub(crate) data: u8,
    /// So many values come in any case.
    pub(crate) children: u8,
    /// No value begins so.
    pub(crate) reserved: bool,
}

impl Shape {
    const PLAIN: Shape = Shape { width: 0, each: 0, data: 0, children: 0, reserved: false };

    /// Of the first byte.
    #[inline]
    pub(crate) fn of(first: u8) -> Shape {
        // A table of 256 can't be left by a byte.
        SHAPES.get(usize::from(first)).copied().unwrap_or(Shape::PLAIN)
    }

    /// Bytes of data and values that follow, with the number behind the first byte.
    #[inline]
    pub(crate) fn follow(self, number: u64) -> (u64, u64) {
        let each = u64::from(self.each);
        let data = u64::from(self.data) + if each == 0 { number } else { 0 };
        (data, u64::from(self.children) + number * each)
    }
}

static SHAPES: [Shape; 256] = shapes();

#[allow(clippy::indexing_slicing)] // At compile time: out of bounds would not compile.
const fn shapes() -> [Shape; 256] {
    let mut shapes = [Shape::PLAIN; 256];
    let mut first = 0;
    while first < 256 {
        shapes[first] = shape(first as u8);
        first += 1;
    }
    shapes
}

const fn shape(first: u8) -> Shape {
    match first {
        0x80..=0x8f => children(2 * (first & 0x0f)),
        0x90..=0x9f => children(first & 0x0f),
        0xa0..=0xbf => data(first & 0x1f),
        0xc1 => Shape { reserved: true, ..Shape::PLAIN },
        0xc4 | 0xd9 => sized(1, 0),
        0xc5 | 0xda => sized(2, 0),
        0xc6 | 0xdb => sized(4, 0),
        0xc7 => sized(1, 1),
        0xc8 => sized(2, 1),
        0xc9 => sized(4, 1),
        0xcc | 0xd0 => data(1),
        0xcd | 0xd1 => data(2),
        0xca | 0xce | 0xd2 => data(4),
        0xcb | 0xcf | 0xd3 => data(8),
        0xd4..=0xd8 => data(1 + (1 << (first - 0xd4))),
        0xdc => counted(2, 1),
        0xdd => counted(4, 1),
        0xde => counted(2, 2),
        0xdf => counted(4, 2),
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Shape::PLAIN,
    }
}

const fn data(data: u8) -> Shape {
    Shape { data, ..Shape::PLAIN }
}

const fn children(children: u8) -> Shape {
    Shape { children, ..Shape::PLAIN }
}

const fn sized(width: u8, data: u8) -> Shape {
    Shape { width, data, ..Shape::PLAIN }
}

const fn counted(width: u8, each: u8) -> Shape {
    Shape { width, each, ..Shape::PLAIN }
}

/// The number in some big-endian digits.
#[inline]
pub(crate) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
