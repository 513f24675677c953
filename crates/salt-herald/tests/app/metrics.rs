//! What monitoring is told, fetched as it fetches it; and a sink in trouble, which is told of in the
//! log, in `status`, in the metrics and at another sink.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::app::{App, Manner, PATIENCE, shows};
use crate::events::{bad, good, highstate, jid, new_job, text};

const BINARY: &str = env!("CARGO_BIN_EXE_salt-herald");

/// The program as people start it, with its log in a file.
pub(crate) struct Program {
    child: Child,
    config: PathBuf,
    log: PathBuf,
}

impl Program {
    fn start(app: &App) -> Self {
        Self::start_with(app, &[])
    }

    /// With some more in its environment.
    pub(crate) fn start_with(app: &App, env: &[(&str, &str)]) -> Self {
        let (config, log) = (app.write_config(), app.folder.path().join("log"));
        let child = Command::new(BINARY)
            .args(["--config", config.to_str().unwrap(), "run"])
            .envs(env.iter().copied())
            .stderr(File::create(&log).unwrap())
            .spawn();
        Self { child: child.unwrap(), config, log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn status(&self) -> String {
        let args = ["--config", self.config.to_str().unwrap(), "status"];
        let done = Command::new(BINARY).args(args).stderr(Stdio::inherit()).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(mut stream: impl Read + Write) -> std::io::Result<String> {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(crate) fn fetch(socket: &Path) -> Option<String> {
    ask(UnixStream::connect(socket).ok()?).ok()
}

/// Waits until a line stands in the metrics.
pub(crate) async fn until(what: &str, fetch: impl Fn() -> Option<String>) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let metrics = fetch().unwrap_or_default();
        if metrics.lines().any(|line| line == what) {
            return metrics;
        }
        assert!(Instant::now() < until, "the metrics never show {what}:\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn value(metrics: &str, name: &str) -> f64 {
    let lines = || metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines().next().unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_seen_and_said_is_counted() {
    let mut app = App::new(Manner::Bot).await;
    let socket = app.folder.path().join("metrics.sock");
    app.more = format!("metrics: {{listen: {}}}\n", socket.display());
    app.start().await;
    app.bus.send([highstate(&jid(1), &["web1", "web2"]), good(&jid(1), "web1", true)]);
    app.bus.send([new_job(&jid(2), "cmd.run", vec![text("sleep 9")], &["web1"])]);
    app.bus.send([bad(&jid(1), "web2", "no")]);
    app.bus.send_body(b"no tag at all");
    app.said("its end", |channel| shows(channel, "1 failed")).await;
    let now = || fetch(&socket);
    until("salt_herald_bus_unreadable_events_total 1", now).await;
    until(r#"salt_herald_sink_said_total{sink="bot",request="reply"} 1"#, now).await;
    let metrics = until(r#"salt_herald_sink_owed{sink="bot"} 0"#, now).await;
    for line in [
        "salt_herald_bus_connected 1",
        "salt_herald_bus_events_total 5",
        "salt_herald_bus_dropped_events_total 0",
        "salt_herald_queue_waiting_bytes 0",
        "salt_herald_queue_limit_bytes 33554432",
        "salt_herald_journal_trouble 0",
        "salt_herald_runs_open 1",
        r#"salt_herald_runs_started_total{kind="state_run"} 1"#,
        r#"salt_herald_runs_started_total{kind="command"} 1"#,
        r#"salt_herald_runs_ended_total{kind="state_run",status="failed"} 1"#,
        r#"salt_herald_runs_ended_total{kind="command",status="succeeded"} 0"#,
        r#"salt_herald_sink_said_total{sink="bot",request="post"} 2"#,
        r#"salt_herald_sink_trouble{sink="bot"} 0"#,
        r#"salt_herald_sink_given_up_total{sink="bot"} 0"#,
        r#"salt_herald_sink_request_duration_seconds_count{sink="bot",request="post"} 2"#,
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is not in\n{metrics}");
    }
    let heard = value(&metrics, "salt_herald_bus_last_event_timestamp_seconds");
    let age = jiff::Timestamp::now().as_duration().as_secs_f64() - heard;
    assert!((0.0..60.0).contains(&age), "{age}");
    assert!(value(&metrics, "salt_herald_journal_commit_duration_seconds_count") >= 1.0);
    assert!(value(&metrics, "process_resident_memory_bytes") > 1e6);
    assert!(value(&metrics, "process_open_fds") > 5.0);
    // Nothing that came over the bus.
    for word in ["web1", "web2", "sleep", "highstate", "alice", "root", &jid(1)] {
        assert!(!metrics.contains(word), "{word} is in\n{metrics}");
    }
    app.bus.hang_up();
    until("salt_herald_bus_connected 0", now).await;
    app.bus.accept();
    until(r#"salt_herald_gaps_total{reason="cut_off_by_the_master"} 1"#, now).await;
    app.stop().await;
    assert!(!socket.exists(), "nobody listens there any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_counted() {
    let mut app = App::new(Manner::Bot).await;
    app.limits.waiting = 4 << 10;
    let socket = app.folder.path().join("metrics.sock");
    app.more = format!("metrics: {{listen: {}}}\n", socket.display());
    app.start().await;
    let names: Vec<String> = (0..2000).map(|n| format!("web{n}")).collect();
    app.bus.send([highstate(&jid(1), &names)]);
    app.bus.send(names.iter().map(|name| good(&jid(1), name, false)));
    let metrics = until("salt_herald_queue_limit_bytes 4096", || {
        let metrics = fetch(&socket)?;
        let dropped = value(&metrics, "salt_herald_bus_dropped_events_total");
        let taken = value(&metrics, "salt_herald_bus_events_total");
        (dropped + taken == 2001.0).then_some(metrics)
    })
    .await;
    assert!(value(&metrics, "salt_herald_bus_dropped_events_total") > 0.0);
    app.stop().await;
}

/// A port that is free at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_starts_moves_and_ends_it() {
    let mut app = App::new(Manner::Bot).await;
    let program = Program::start(&app);
    app.bus.accept();
    let before = std::fs::read_to_string(&program.config).unwrap();
    let (first, second) = (free_port(), free_port());
    let at = |port: u16| move || ask(TcpStream::connect(("127.0.0.1", port)).ok()?).ok();
    for (port, other) in [(first, second), (second, first)] {
        let text = format!("{before}metrics: {{listen: '127.0.0.1:{port}'}}\n");
        std::fs::write(&program.config, text).unwrap();
        // Before the handler is there, the signal would end it.
        app.until("connected", |journal| {
            (journal.noted("connected").unwrap() == Some(1)).then_some(())
        })
        .await;
        program.signal(Signal::HUP);
        until("salt_herald_bus_connected 1", at(port)).await;
        until_gone(at(other)).await;
    }
    std::fs::write(&program.config, &before).unwrap();
    program.signal(Signal::HUP);
    until_gone(at(second)).await;
}

/// Waits until nobody listens there any more.
async fn until_gone(fetch: impl Fn() -> Option<String>) {
    let until = Instant::now() + PATIENCE;
    while fetch().is_some() {
        assert!(Instant::now() < until, "it is still given");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_in_trouble_says_so_in_the_log_in_status_in_the_metrics_and_at_another_sink() {
    for (token, code) in [("another", ""), ("", "is_archived")] {
        let mut app = App::new(Manner::Both).await;
        if token.is_empty() {
            let archived = fake_slack::Fault::Code(code.to_owned());
            app.slack.fail_next(Some("chat.postMessage"), 100, archived);
        } else {
            app.slack.change_options(|options| options.token = token.to_owned());
        }
        let socket = app.folder.path().join("metrics.sock");
        app.more = format!("metrics: {{listen: {}}}\n", socket.display());
        let program = Program::start(&app);
        app.bus.accept();
        app.bus.send([highstate(&jid(1), &["web1"])]);
        let now = || fetch(&socket);
        let metrics = until(r#"salt_herald_sink_trouble{sink="bot"} 1"#, now).await;
        let errors = r#"salt_herald_sink_errors_total{sink="bot",error="unauthorized"}"#;
        assert!(value(&metrics, errors) >= 1.0, "{metrics}");
        assert_eq!(value(&metrics, r#"salt_herald_sink_owed{sink="bot"}"#), 1.0, "{metrics}");
        assert_eq!(value(&metrics, r#"salt_herald_sink_trouble{sink="webhook"}"#), 0.0);
        app.said("it at the webhook", |channel| shows(channel, "Nothing can be said at bot")).await;
        let status = program.status();
        assert!(status.contains("! bot is not told: "), "{status}");
        let log = program.log();
        let told = log.lines().any(|line| line.contains("not said") && line.contains("bot"));
        assert!(told, "{log}");
    }
}
