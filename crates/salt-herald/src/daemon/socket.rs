//! The daemon's socket beside the journal: who may write to the journal asks here, because only one may
//! have it open. One line of JSON in, lines of JSON out. Root and the daemon's own user are let in, and
//! the group that the config names: the kernel sees to that, and says who it was.
//!
//! Nothing is read from the journal for anybody: its file is there for that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::access::Groups;
use super::backfill::{Answer, Request, Requests};
use crate::json::of_backfill;

/// Longest request, in bytes.
const MAX_REQUEST: u64 = 4096;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the daemon that has a journal open listens.
pub fn socket_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".sock");
    PathBuf::from(name)
}

/// A socket that is served; gone when dropped.
pub(super) struct Socket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Socket {
    /// Serves the socket of a journal. Without one the daemon does all else.
    pub(super) fn open(journal: &Path, groups: Groups, requests: Requests) -> Option<Self> {
        let path = socket_path(journal);
        match bind(&path, groups) {
            Ok(listener) => {
                let task = tokio::spawn(serve_all(listener, requests));
                Some(Self { path, task })
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(path = %path.display(), error, "nobody can ask for a back-fill");
                None
            }
        }
    }
}

impl Socket {
    /// Lets others in from now on.
    pub(super) fn open_to(&self, groups: Groups) {
        if let Err(error) = groups.open_socket(&self.path) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(path = %self.path.display(), error, "who may ask can't be changed");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The journal's lock is ours, so that what lies there is nobody's any more.
fn bind(path: &Path, groups: Groups) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    groups.open_socket(path)?;
    Ok(listener)
}

async fn serve_all(listener: UnixListener, requests: Requests) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, requests.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(mut stream: UnixStream, requests: Requests) {
    let Ok(caller) = stream.peer_cred() else { return };
    let mut line = String::new();
    let reading = async {
        let mut reader = BufReader::new((&mut stream).take(MAX_REQUEST));
        reader.read_line(&mut line).await
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    let span = matches!(read, Ok(Ok(1..))).then(|| read_request(&line)).flatten();
    let Some((from, to)) = span else {
        let _ = say(&mut stream, &error("this is no request")).await;
        return;
    };
    let (uid, pid) = (caller.uid(), caller.pid());
    tracing::info!(uid, pid, %from, %to, "a back-fill is asked for");
    let (answers, mut heard) = mpsc::unbounded_channel();
    if !requests.ask(Request { from, to, answers }) {
        let _ = say(&mut stream, &error("the daemon ends")).await;
        return;
    }
    while let Some(answer) = heard.recv().await {
        let object = match answer {
            Answer::Progress(added) => json!({"progress": {
                "runs": added.runs, "returns": added.returns, "completed": added.completed,
            }}),
            Answer::Done(backfill) => json!({"done": of_backfill(&backfill)}),
        };
        if say(&mut stream, &object).await.is_err() {
            return;
        }
    }
}

fn error(text: &str) -> Value {
    json!({"error": text})
}

async fn say(stream: &mut UnixStream, object: &Value) -> std::io::Result<()> {
    stream.write_all(format!("{object}\n").as_bytes()).await
}

/// `{"backfill": {"since": TIME, "until": TIME}}`
fn read_request(line: &str) -> Option<(Timestamp, Timestamp)> {
    let request: Value = serde_json::from_str(line).ok()?;
    let time = |key: &str| request.get("backfill")?.get(key)?.as_str()?.parse().ok();
    Some((time("since")?, time("until")?))
}
