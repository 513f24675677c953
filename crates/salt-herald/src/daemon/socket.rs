//! The daemon's socket beside the journal: who may write to the journal asks here, because only one may
//! have it open. One line of JSON in, lines of JSON out. Root and the daemon's own user are let in, and
//! the group that the config names: the kernel sees to that, and says who it was.
//!
//! Nothing is read from the journal for anybody: its file is there for that. How its disk is is told here,
//! since a disk that can't be written can't say it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::access::Groups;
use super::backfill::{Answer, Request, Requests};
use crate::json::{of_backfill, of_disk};
use crate::store::{Disk, JournalWriter};

/// Longest request, in bytes.
const MAX_REQUEST: u64 = 4096;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried to make the socket, where that can't be done.
const AGAIN: Duration = Duration::from_secs(5);

/// Where the daemon that has a journal open listens.
pub fn socket_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".sock");
    PathBuf::from(name)
}

/// A socket that is served; gone when dropped.
pub(super) struct Socket {
    path: PathBuf,
    /// Who is let in, also where it is made only later.
    groups: watch::Sender<Groups>,
    task: JoinHandle<()>,
}

/// Who answers.
#[derive(Clone)]
struct Answers {
    requests: Requests,
    disk: watch::Receiver<Disk>,
    slow: watch::Receiver<Option<Timestamp>>,
}

impl Socket {
    /// Serves the socket of a journal. Without one the daemon does all else.
    pub(super) fn open(
        journal: &Path,
        groups: Groups,
        requests: Requests,
        writer: &JournalWriter,
    ) -> Self {
        let path = socket_path(journal);
        let answers = Answers { requests, disk: writer.disk(), slow: writer.slow() };
        let groups = watch::Sender::new(groups);
        let task = tokio::spawn(serve_all(path.clone(), groups.subscribe(), answers));
        Self { path, groups, task }
    }
}

impl Socket {
    /// Lets others in from now on.
    pub(super) fn open_to(&self, groups: Groups) {
        self.groups.send_replace(groups);
        if self.path.exists()
            && let Err(error) = groups.open_socket(&self.path)
        {
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

/// On a disk that can only be read no socket can be made before that is over.
async fn bind_in_time(path: &Path, groups: &watch::Receiver<Groups>) -> UnixListener {
    let mut is_told = false;
    loop {
        let groups = *groups.borrow();
        match bind(path, groups) {
            Ok(listener) => return listener,
            Err(error) if !is_told => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    path = %path.display(),
                    error,
                    "nobody can ask for a back-fill, or how the disk is, for now"
                );
                is_told = true;
            }
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

async fn serve_all(path: PathBuf, groups: watch::Receiver<Groups>, answers: Answers) {
    let listener = bind_in_time(&path, &groups).await;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, answers.clone()));
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(mut stream: UnixStream, answers: Answers) {
    let Ok(caller) = stream.peer_cred() else { return };
    let mut line = String::new();
    let reading = async {
        let mut reader = BufReader::new((&mut stream).take(MAX_REQUEST));
        reader.read_line(&mut line).await
    };
    let read = timeout(PATIENCE, reading).await;
    match matches!(read, Ok(Ok(1..))).then(|| read_request(&line)).flatten() {
        Some(Asked::Disk) => {
            let disk = of_disk(&answers.disk.borrow(), *answers.slow.borrow());
            let _ = say(&mut stream, &json!({"disk": disk})).await;
        }
        Some(Asked::Backfill { from, to }) => {
            let (uid, pid) = (caller.uid(), caller.pid());
            tracing::info!(uid, pid, %from, %to, "a back-fill is asked for");
            let _ = back_fill(&mut stream, &answers.requests, from, to).await;
        }
        None => {
            let _ = say(&mut stream, &error("this is no request")).await;
        }
    }
}

/// Has a time filled in, and tells how it goes.
async fn back_fill(
    stream: &mut UnixStream,
    requests: &Requests,
    from: Timestamp,
    to: Timestamp,
) -> std::io::Result<()> {
    let (answers, mut heard) = mpsc::unbounded_channel();
    if !requests.ask(Request { from, to, answers }) {
        return say(stream, &error("the daemon ends")).await;
    }
    while let Some(answer) = heard.recv().await {
        let object = match answer {
            Answer::Progress(added) => json!({"progress": {
                "runs": added.runs, "returns": added.returns, "completed": added.completed,
            }}),
            Answer::Done(backfill) => json!({"done": of_backfill(&backfill)}),
        };
        say(stream, &object).await?;
    }
    Ok(())
}

fn error(text: &str) -> Value {
    json!({"error": text})
}

async fn say(stream: &mut UnixStream, object: &Value) -> std::io::Result<()> {
    stream.write_all(format!("{object}\n").as_bytes()).await
}

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Disk,
    Backfill { from: Timestamp, to: Timestamp },
}

/// `{"disk": {}}` or `{"backfill": {"since": TIME, "until": TIME}}`
fn read_request(line: &str) -> Option<Asked> {
    let request: Value = serde_json::from_str(line).ok()?;
    if request.get("disk").is_some() {
        return Some(Asked::Disk);
    }
    let time = |key: &str| request.get("backfill")?.get(key)?.as_str()?.parse().ok();
    Some(Asked::Backfill { from: time("since")?, to: time("until")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_none() {
        assert_eq!(read_request("{\"disk\": {}}"), Some(Asked::Disk));
        let span = "{\"backfill\": {\"since\": \"1970-01-01T00:00:00Z\", \"until\": \"1970-01-01T00:00:01Z\"}}";
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).unwrap());
        assert_eq!(read_request(span), Some(Asked::Backfill { from, to }));
        for line in ["", "disk", "[]", "{}", "{\"backfill\": {}}", "{\"backfill\": {\"since\": 1}}"]
        {
            assert_eq!(read_request(line), None, "{line}");
        }
    }
}
