//! Writing to stdout: with colour on a terminal only, and without a fuss when the reader goes away.
//!
//! What is written was put into words, and made harmless for a terminal, before.

use std::io::{self, BufWriter, Stdout, Write, stdout};

use anstream::{AutoStream, ColorChoice};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::trouble::Trouble;

/// Where and when a command speaks.
pub(super) struct Output {
    to: BufWriter<Stdout>,
    colour: bool,
    /// What people are shown depends on it.
    pub(super) view: View,
}

/// What the shape of texts for people depends on.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The terminal's width; nothing where there is no terminal, and no need to cut.
    pub(super) width: Option<usize>,
    /// In which zone times are shown.
    pub(super) zone: TimeZone,
    /// The time at which the command began.
    pub(super) now: Timestamp,
}

impl Output {
    /// Stdout as it is.
    pub(super) fn new() -> Self {
        let colour = !matches!(AutoStream::choice(&stdout()), ColorChoice::Never);
        Self {
            to: BufWriter::with_capacity(1 << 16, stdout()),
            colour,
            view: View { width: width(), zone: TimeZone::system(), now: Timestamp::now() },
        }
    }

    /// Writes text that may hold our own styles.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Trouble> {
        if self.colour {
            self.to.write_all(text.as_bytes())?;
        } else {
            write!(self.to, "{}", anstream::adapter::strip_str(text))?;
        }
        Ok(())
    }

    /// Writes a line that was made for programs, with its end.
    pub(super) fn raw(&mut self, line: &str) -> Result<(), Trouble> {
        Ok(self.to.write_all(line.as_bytes())?)
    }

    /// Writes one object as a line.
    pub(super) fn json(&mut self, object: &serde_json::Value) -> Result<(), Trouble> {
        self.to.write_all(super::record::line(object).as_bytes())?;
        Ok(())
    }

    /// What was written so far is seen.
    pub(super) fn flush(&mut self) -> Result<(), Trouble> {
        Ok(self.to.flush()?)
    }
}

/// Says something beside the output: where it is no part of what was asked for.
pub(super) fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
