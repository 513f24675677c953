//! The probe, on directories and sockets of each test's own.

use std::os::unix::net::UnixListener;

use super::super::{BusFact, ConnectFact, DirFact, Facts, ListenFact, SocketFact, probe};
use super::{journal_in, loaded};
use crate::accounts::{gid_of, groups_of, name_of};

#[test]
fn names_come_from_the_files() {
    let passwd = "root:x:0:0::/:/bin/sh\nsalt-herald:x:990:991::/:/bin/false\nbroken\n";
    let group = "root:x:0:\nsalt:x:989:alice,salt-herald\nsalt-herald:x:991:\n";
    assert_eq!(name_of(0, passwd), "root");
    assert_eq!(name_of(990, passwd), "salt-herald");
    assert_eq!(name_of(5, passwd), "5");
    let groups = groups_of("salt-herald", passwd, group).unwrap();
    assert_eq!(groups, ["salt-herald", "salt"]);
    assert_eq!(groups_of("nobody", passwd, group), None);
    let ids = ["salt", "990", "ops", "-1"].map(|name| gid_of(name, group));
    assert_eq!(ids, [Some(989), Some(990), None, None]);
}

fn probe_in(dir: &std::path::Path) -> Facts {
    let root = dir.display();
    let text = format!(
        "salt: {{config_dir: {root}/etc, sock_dir: {root}, cachedir: {root}}}\njournal: {{path: {root}/journal.db}}\n"
    );
    let (config, _) = loaded(&text).unwrap();
    probe(&config)
}

fn bus_of(facts: &Facts) -> &SocketFact {
    match &facts.bus {
        BusFact::Unix { socket, .. } => socket,
        BusFact::Tcp { .. } => panic!("the bus is a socket"),
    }
}

#[test]
fn the_probe_sees_a_socket_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master_event_pub.ipc");
    assert_eq!(bus_of(&probe_in(dir.path())), &SocketFact::Absent);
    let listener = UnixListener::bind(&path).unwrap();
    let facts = probe_in(dir.path());
    let SocketFact::Present { connect, owner } = bus_of(&facts) else { panic!("it is there") };
    assert_eq!(connect, &ConnectFact::Accepted);
    assert_eq!(owner.mode & 0o600, 0o600);
    drop(listener);
    let facts = probe_in(dir.path());
    assert!(matches!(bus_of(&facts), SocketFact::Present { connect: ConnectFact::Refused, .. }));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    assert_eq!(bus_of(&probe_in(dir.path())), &SocketFact::NotASocket);
}

/// The backlog of a listener who never accepts fills up; a blocking connect would hang.
#[test]
fn the_probe_does_not_wait_for_a_busy_master() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master_event_pub.ipc");
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let (family, kind) = (rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM);
    let listener = rustix::net::socket_with(family, kind, flags, None).unwrap();
    rustix::net::bind(&listener, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let facts = probe_in(dir.path());
    assert!(matches!(bus_of(&facts), SocketFact::Present { connect: ConnectFact::Busy, .. }));
}

#[test]
fn the_probe_sees_directories() {
    let dir = tempfile::tempdir().unwrap();
    let facts = probe_in(dir.path());
    assert_eq!(facts.job_cache.dir, DirFact::Missing);
    assert_eq!(facts.journal, journal_in(DirFact::Usable));
    assert!(!facts.config_dir_exists);
    std::fs::write(dir.path().join("journal.db"), "no journal at all").unwrap();
    let refused = probe_in(dir.path()).journal.refused.unwrap();
    assert!(refused.contains("does not begin as a SQLite database"), "{refused}");
    std::fs::write(dir.path().join("jobs"), "").unwrap();
    assert_eq!(probe_in(dir.path()).job_cache.dir, DirFact::NotADirectory);
    std::fs::remove_file(dir.path().join("jobs")).unwrap();
    std::fs::create_dir(dir.path().join("jobs")).unwrap();
    assert_eq!(probe_in(dir.path()).job_cache.dir, DirFact::Usable);
    let job = dir.path().join("jobs/6f/1c");
    std::fs::create_dir_all(&job).unwrap();
    let cache = probe_in(dir.path()).job_cache;
    assert_eq!(cache.dir, DirFact::Usable);
    let way: Vec<_> = cache.way.iter().map(|(path, _)| path.as_path()).collect();
    assert!(way.starts_with(&[std::path::Path::new("/")]), "{way:?}");
    assert_eq!(way.last(), Some(&job.as_path()));
}

fn listening_at(address: &str) -> ListenFact {
    let (config, _) = loaded(&format!("metrics: {{listen: '{address}'}}\n")).unwrap();
    probe(&config).metrics.unwrap()
}

#[test]
fn the_probe_sees_whether_metrics_can_be_fetched_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stranger = std::thread::spawn(move || answer_one(listener.accept().unwrap().0, "hello\n"));
    assert_eq!(listening_at(&address), ListenFact::Taken);
    stranger.join().unwrap();
    assert_eq!(listening_at(&address), ListenFact::Free);
    // A network for documentation: nobody has it.
    assert!(matches!(listening_at("192.0.2.1:9745"), ListenFact::Failed(_)));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.sock");
    let shown = path.to_str().unwrap();
    assert_eq!(listening_at(shown), ListenFact::Free);
    let listener = UnixListener::bind(&path).unwrap();
    let ours = std::thread::spawn(move || {
        answer_one(listener.accept().unwrap().0, crate::web::HEALTHY);
    });
    assert_eq!(listening_at(shown), ListenFact::Ours);
    ours.join().unwrap();
    assert_eq!(listening_at(shown), ListenFact::Free, "left behind");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "a letter").unwrap();
    assert!(matches!(listening_at(shown), ListenFact::Failed(_)));
    assert!(matches!(listening_at("/nowhere/metrics.sock"), ListenFact::Failed(_)));
}

fn answer_one(mut stream: impl std::io::Read + std::io::Write, body: &str) {
    let mut request = [0; 512];
    assert!(stream.read(&mut request).unwrap() > 0);
    stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{body}").as_bytes()).unwrap();
}
