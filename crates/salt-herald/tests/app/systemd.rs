//! What systemd is told: when it is ready, that it lives, and that it stops.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::app::App;
use crate::crash::Process;

/// Waits for a message, among whatever others.
fn wait_for(socket: &UnixDatagram, wanted: &str) {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
        if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == wanted) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let app = App::new(crate::app::Manner::Bot).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1500000")];
    let mut process = Process::start_with(&app, &env);
    wait_for(&socket, "READY=1");
    for _ in 0..3 {
        wait_for(&socket, "WATCHDOG=1");
    }
    process.signal(Signal::TERM);
    wait_for(&socket, "STOPPING=1");
    assert!(process.ended());
}
