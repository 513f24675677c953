//! What salt-herald is measured beside: Salt's own way to read the bus in Python.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::bus::{Bus, send};
use crate::table::median;

/// Returns a second that a Python subscriber on `salt.utils.event` reads.
pub(crate) fn subscriber(python: &Path, frames: &[Vec<u8>], rounds: usize) -> Result<f64, Failure> {
    let script = Path::new("lab/peers/subscriber.py");
    // It is slow: a part of the fleet gives the same rate.
    let part = frames.get(..frames.len().min(3001)).unwrap_or(frames);
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        let bus = Bus::open(folder.path())?;
        std::fs::write(folder.path().join("master"), "")?;
        let child = Command::new(python)
            .arg(script)
            .arg("--config")
            .arg(folder.path().join("master"))
            .arg("--sock-dir")
            .arg(folder.path())
            .arg("--count")
            .arg((part.len() - 1).to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stream = bus.accept()?;
        send(&mut stream, part)?;
        let output = child.wait_with_output()?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let figure = |key: &str| report.get(key).and_then(serde_json::Value::as_f64);
        let (events, seconds) = figure("events")
            .zip(figure("seconds"))
            .ok_or("the subscriber's report lacks events or seconds")?;
        rates.push(events / seconds);
    }
    Ok(median(rates))
}
