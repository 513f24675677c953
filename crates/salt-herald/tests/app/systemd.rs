//! What systemd is told: when it is ready, that it lives, and that it stops.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::app::{App, PATIENCE, shows};
use crate::crash::Process;
use crate::events::{Event, good, highstate, jid, new_job, text};

/// Waits for a message that begins so, among whatever others, and gives it.
fn wait_for(socket: &UnixDatagram, wanted: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if let Some(line) = text.lines().find(|line| line.starts_with(wanted)) {
            return line.to_owned();
        }
    }
}

/// A socket as systemd has one, and where it is.
fn socket(folder: &tempfile::TempDir) -> (UnixDatagram, String) {
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, path.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let app = App::new(crate::app::Manner::Bot).await;
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = socket(&folder);
    let env = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "1500000")];
    let mut process = Process::start_with(&app, &env);
    wait_for(&socket, "READY=1");
    for _ in 0..3 {
        wait_for(&socket, "WATCHDOG=1");
    }
    process.signal(Signal::TERM);
    wait_for(&socket, "STOPPING=1");
    assert!(process.ended());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_a_good_config_and_keeps_the_old_one_for_a_bad_one() {
    let mut app = App::new(crate::app::Manner::Bot).await;
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = socket(&folder);
    let mut process = Process::start_with(&app, &[("NOTIFY_SOCKET", &path)]);
    wait_for(&socket, "READY=1");
    app.bus.accept();
    let file = app.write_config();
    let good = std::fs::read_to_string(&file).unwrap();

    std::fs::write(&file, format!("{good}anounce: {{}}\n")).unwrap();
    process.signal(Signal::HUP);
    let status = wait_for(&socket, "STATUS=");
    assert!(status.contains("not read again") && status.contains("anounce"), "{status}");
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;

    std::fs::write(&file, format!("{good}announce: {{quiet: [state.highstate]}}\n")).unwrap();
    process.signal(Signal::HUP);
    assert_eq!(wait_for(&socket, "STATUS="), "STATUS=the config was read again");
    app.bus.send([highstate(&jid(2), &["web1"]), good_end(1), good_end(2)]);
    app.bus.send([new_job(&jid(3), "cmd.run", vec![text("uptime")], &["web1"])]);
    let channel = app.said("the command", |channel| shows(channel, "uptime")).await;
    assert_eq!(channel.roots().count(), 2, "the second highstate is quiet: {:#?}", channel.changes);
    process.signal(Signal::TERM);
    assert!(process.ended());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_up_what_the_site_keeps_out() {
    let mut app = App::new(crate::app::Manner::Bot).await;
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = socket(&folder);
    let mut process = Process::start_with(&app, &[("NOTIFY_SOCKET", &path)]);
    wait_for(&socket, "READY=1");
    app.bus.accept();
    app.bus.send([new_job(&jid(1), "cmd.run", vec![text("use LIC-1111")], &["web1"])]);
    app.said("the first", |channel| shows(channel, "use LIC-1111")).await;

    let file = app.write_config();
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{before}redact: {{patterns: ['LIC-[0-9]+']}}\n")).unwrap();
    process.signal(Signal::HUP);
    assert_eq!(wait_for(&socket, "STATUS="), "STATUS=the config was read again");
    app.bus.send([new_job(&jid(2), "cmd.run", vec![text("use LIC-2222")], &["web1"])]);
    let channel = app.said("the second", |channel| shows(channel, "hidden by salt-herald")).await;
    assert!(!shows(&channel, "LIC-2222"), "{:#?}", channel.changes);
    process.signal(Signal::TERM);
    assert!(process.ended());
}

fn good_end(number: u32) -> Event {
    good(&jid(number), "web1", false)
}

/// What systemd does with `WatchdogSec=` and `WatchdogSignal=SIGKILL`: it waits for that long after each
/// word, and then ends the process.
fn supervise(process: &mut Process, socket: &UnixDatagram, within: Duration) {
    socket.set_read_timeout(Some(within)).unwrap();
    let mut buffer = [0; 4096];
    let until = Instant::now() + PATIENCE;
    while socket.recv(&mut buffer).is_ok() {
        assert!(Instant::now() < until, "it is fed for ever");
    }
    process.signal(Signal::KILL);
    assert!(!process.ended());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_frozen_is_started_again_and_goes_on() {
    let mut app = App::new(crate::app::Manner::Bot).await;
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = socket(&folder);
    let within = Duration::from_millis(1500);
    let env = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "1500000")];
    let mut process = Process::start_with(&app, &env);
    wait_for(&socket, "READY=1");
    app.bus.accept();
    app.bus.send([highstate(&jid(1), &["web1"])]);
    app.only_message_says("0 of 1 returned").await;
    process.signal(Signal::STOP);
    supervise(&mut process, &socket, within);

    app.bus.hang_up();
    let again = Process::start_with(&app, &env);
    app.bus.accept();
    app.bus.send([good_end(1)]);
    app.only_message_says("✓").await;
    drop(again);
}
