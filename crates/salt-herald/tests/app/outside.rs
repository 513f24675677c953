//! The daemon seen from outside, by strace: what it opens, what it writes, what it starts, over a whole
//! life with a back-fill, a failure, a reload and an end. Without strace nothing is looked at, and that
//! is said.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::app::{App, Manner, PATIENCE};
use crate::cache::{Cache, jid_of_now};
use crate::events::{bad, highstate, jid};

const BINARY: &str = env!("CARGO_BIN_EXE_salt-herald");
/// What every program on Linux reads: its libraries, the roots of TLS, how names are looked up, the
/// time's zone, and what the kernel says of the process and of the machine.
const SYSTEM: [&str; 16] = [
    "/etc/ld.so",
    "/lib",
    "/usr/lib",
    "/etc/ssl/",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/proc/self/",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu/",
    "/dev/urandom",
];
/// What nobody may call who only listens. What writes is judged by its path.
const WRITES: [&str; 12] = [
    "mkdir", "rmdir", "unlink", "rename", "bind", "chmod", "fchmodat", "symlink", "link",
    "truncate", "mknod", "creat",
];

/// The daemon below strace. Both go with the test, however that ends.
struct Traced {
    strace: Child,
    log: PathBuf,
}

impl Traced {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let daemon = self.log().split_whitespace().next().and_then(|pid| pid.parse().ok());
        if let Some(daemon) = daemon.and_then(Pid::from_raw) {
            let _ = kill_process(daemon, signal);
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !matches!(self.strace.try_wait(), Ok(Some(_))) {
            self.signal(Signal::KILL);
            let _ = self.strace.wait();
        }
    }
}

fn can_trace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_opens_what_is_named_writes_beside_its_journal_and_starts_nothing() {
    if !can_trace() {
        eprintln!("not looked at: there is no strace that may trace (apt-get install strace)");
        return;
    }
    let mut app = App::new(Manner::Both).await;
    app.place = "state/journal.db";
    let cache = Cache::of(&app);
    let past = jid_of_now();
    cache.job(&past, "state.apply", &["web1"]);
    cache.returns(&past, "web1", 0);
    let log = app.folder.path().join("strace");
    let strace = Command::new("strace")
        .args(["-f", "-qq", "-s", "400", "-o", log.to_str().unwrap()])
        .args(["-e", "trace=%file,%process,%network,mmap,mprotect"])
        .arg(BINARY)
        .arg("--config")
        .arg(app.write_config())
        .arg("run")
        // Cargo's, for tests: it is looked through before the system's.
        .env_remove("LD_LIBRARY_PATH")
        .spawn()
        .unwrap();
    let mut traced = Traced { strace, log };
    app.bus.accept();
    app.bus
        .send([highstate(&jid(1), &["web1"]), bad(&jid(1), "web1", "$(touch /tmp/pwned); `id`")]);
    app.said("its thread", |channel| channel.messages.iter().any(|one| one.thread_ts.is_some()))
        .await;
    app.bus.hang_up();
    app.bus.accept();
    app.until("its back-fill", |journal| {
        journal.gaps(9).unwrap().iter().any(|gap| gap.filled.is_some()).then_some(())
    })
    .await;
    traced.signal(Signal::HUP);
    traced.signal(Signal::TERM);
    let until = Instant::now() + PATIENCE;
    while traced.strace.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let traced = traced.log();
    let wrong = judge(&traced, app.folder.path());
    assert!(wrong.is_empty(), "{} times: {:#?}", wrong.len(), &wrong[..20.min(wrong.len())]);
    for seen in ["journal.db-wal", ".load.p", "master_event_pub.ipc"] {
        assert!(traced.contains(seen), "{seen} was not seen, so that little was looked at");
    }
}

/// What should not be in a trace.
fn judge(traced: &str, folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let state = format!("{folder}/state");
    let calls = traced.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim());
    // The first is the program itself.
    calls.skip(1).filter(|call| is_wrong(call, folder, &state)).map(str::to_owned).collect()
}

fn is_wrong(call: &str, folder: &str, state: &str) -> bool {
    let Some((name, args)) = call.split_once('(') else { return false };
    let path = args.split('"').nth(1).unwrap_or_default();
    let is_in_state = path == state || path.starts_with(&format!("{state}/"));
    match name {
        "execve" | "execveat" | "fork" | "vfork" => true,
        "mmap" | "mprotect" => args.contains("PROT_WRITE") && args.contains("PROT_EXEC"),
        "socket" => {
            !["AF_UNIX", "AF_INET,", "AF_INET6", "AF_NETLINK"].iter().any(|it| args.starts_with(it))
        }
        "open" | "openat" | "openat2" => {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| args.contains(flag));
            let is_known = path.starts_with(folder) || SYSTEM.iter().any(|it| path.starts_with(it));
            // Below a folder that is open already, the job cache's.
            let is_below = !path.starts_with('/') && !args.starts_with("AT_FDCWD");
            if writes { !is_in_state } else { !is_known && !is_below }
        }
        name if WRITES.iter().any(|it| name.starts_with(it)) => !path.is_empty() && !is_in_state,
        _ => false,
    }
}

#[test]
fn what_should_not_be_is_seen() {
    for call in [
        r#"execve("/bin/sh", ["sh"], 0x1) = 0"#,
        r#"openat(AT_FDCWD, "/etc/shadow", O_RDONLY|O_CLOEXEC) = 5"#,
        r#"openat(AT_FDCWD, "/x/cache/jobs/a", O_WRONLY|O_CREAT) = 5"#,
        r#"openat(AT_FDCWD, "/tmp/y", O_RDWR|O_CREAT, 0600) = 5"#,
        r#"unlinkat(AT_FDCWD, "/x/sock/master_event_pub.ipc", 0) = 0"#,
        r#"mkdir("/x/statelike", 0777) = 0"#,
        "socket(AF_PACKET, SOCK_RAW, 0) = 5",
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE, -1, 0) = 0x1",
    ] {
        assert!(is_wrong(call, "/x", "/x/state"), "{call}");
    }
    for call in [
        r#"openat(AT_FDCWD, "/x/state/journal.db", O_RDWR|O_CREAT, 0640) = 5"#,
        r#"openat(AT_FDCWD, "/x/cache/jobs/a/.load.p", O_RDONLY) = 5"#,
        r#"mkdir("/x/state", 0777) = 0"#,
        r#"<... openat resumed>) = 5"#,
    ] {
        assert!(!is_wrong(call, "/x", "/x/state"), "{call}");
    }
}
