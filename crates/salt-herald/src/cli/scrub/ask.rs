//! The secrets themselves: from a file, from stdin, or from a person at a terminal, where nothing of it is shown.
//!
//! They are wiped from memory when they are dropped.

use std::fs::File;
use std::io::{self, IsTerminal, Read, stdin};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::output::note;
use crate::cli::trouble::Trouble;

/// More is no list of secrets.
const MOST: usize = 1 << 20;

/// One secret a line.
pub(super) fn secrets(from: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    match from.filter(|from| *from != Path::new("-")) {
        Some(file) => {
            let opened = File::open(file).map_err(|source| {
                Trouble::new(format!("{} can't be read: {source}", file.display()))
            })?;
            read(opened)
        }
        None if from.is_none() && stdin().is_terminal() => ask(),
        None => read(stdin().lock()),
    }
}

fn read(mut from: impl Read) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    // Made once, so that no copy of it is left where it grew.
    let mut bytes = Zeroizing::new(vec![0; MOST]);
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// A terminal that shows nothing of what is typed, until this is dropped. Ctrl-C comes as a byte meanwhile, so
/// that it can't leave the terminal so.
struct Silence<'t, T: AsFd> {
    terminal: &'t T,
    before: Termios,
}

impl<'t, T: AsFd> Silence<'t, T> {
    fn of(terminal: &'t T) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Silence<'_, T> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn ask() -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let terminal = stdin();
    let _silence = Silence::of(&terminal)?;
    note("One secret a line; nothing of it is shown. An empty line ends.\n");
    let typed = take(terminal.lock().bytes())?;
    typed.ok_or_else(|| Trouble::new("nothing was changed: it was cut short"))
}

/// What is typed, up to an empty line; nothing where it is cut short.
fn take(keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MOST));
    let mut begun = 0;
    note("secret: ");
    for key in keys {
        match key? {
            // Ctrl-C
            3 => {
                note("\n");
                return Ok(None);
            }
            b'\r' | b'\n' if typed.len() == begun => break,
            b'\r' | b'\n' => {
                typed.push(b'\n');
                begun = typed.len();
                note("\nsecret: ");
            }
            // Ctrl-D ends as an empty line does.
            4 => break,
            // Backspace, and Ctrl-U for the whole line.
            8 | 127 if typed.len() > begun => _ = typed.pop(),
            8 | 127 => {}
            21 => typed.truncate(begun),
            key if typed.len() < MOST => typed.push(key),
            _ => {}
        }
    }
    note("\n");
    Ok(Some(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Option<String> {
        let taken = take(keys.bytes().map(Ok)).unwrap();
        taken.map(|taken| String::from_utf8(taken.to_vec()).unwrap())
    }

    #[test]
    fn what_is_typed_is_taken_by_lines_up_to_an_empty_one() {
        assert_eq!(typed("hunter22\rother-3x\r\rnever").as_deref(), Some("hunter22\nother-3x\n"));
        assert_eq!(typed("huntr\x7fer22\n\n").as_deref(), Some("hunter22\n"));
        assert_eq!(typed("wrong\x15hunter22\x04").as_deref(), Some("hunter22"));
        assert_eq!(typed("\x7f\n").as_deref(), Some(""));
        assert_eq!(typed("hunter22\x03\n\n"), None);
    }
}
