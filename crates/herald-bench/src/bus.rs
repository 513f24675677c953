//! A bus to read from: a unix socket where the master's would be, which sends what it is given.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Failure;

/// Waits for one reader.
pub(crate) struct Bus {
    listener: UnixListener,
    folder: PathBuf,
}

impl Bus {
    /// Makes the socket in a folder, which becomes the master's `sock_dir`.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("master_event_pub.ipc");
        let _ = std::fs::remove_file(&path);
        Ok(Self { listener: UnixListener::bind(path)?, folder: folder.to_owned() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn accept(&self) -> Result<UnixStream, Failure> {
        Ok(self.listener.accept()?.0)
    }
}

/// How far the sender may be ahead of the journal, in frames: well within the reader's queue, so
/// that nothing is dropped and every frame counts.
const AHEAD: usize = 2000;

/// Sends all frames as fast as they are taken up; `taken` says how many were.
pub(crate) fn send_paced(
    stream: &mut UnixStream,
    frames: &[Vec<u8>],
    taken: &AtomicUsize,
) -> Result<(), Failure> {
    for (sent, frame) in frames.iter().enumerate() {
        while sent > taken.load(Ordering::Relaxed) + AHEAD {
            std::thread::sleep(Duration::from_micros(200));
        }
        stream.write_all(frame)?;
    }
    Ok(())
}

/// Sends all frames, as fast as they are read.
pub(crate) fn send(stream: &mut UnixStream, frames: &[Vec<u8>]) -> Result<(), Failure> {
    // As a master does: each event is written by itself.
    frames.iter().try_for_each(|frame| stream.write_all(frame))?;
    Ok(())
}
