//! The whole corpus of secrets, and where people look beside the journal and the channel: the log at every
//! level, the metrics, what commands print of a journal, a recording, a text or a job cache, and what they
//! say of such as are broken. The files and the channel are read in `secrets.rs`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fake_slack::Fault;
use salt_event::Value;

use crate::app::{App, Manner};
use crate::bus::body;
use crate::cache::Cache;
use crate::events::{Event, map, texts};
use crate::metrics::{Program, fetch};
use crate::replays::capture;
use crate::secrets::{COMMANDS, TEXTS, assert_clean, corpus, found, read};

const BINARY: &str = env!("CARGO_BIN_EXE_salt-herald");
/// All that a log could be made to say, of us and of the libraries in us.
const LOUD: [(&str, &str); 3] =
    [("HERALD_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_the_corpus_is_in_the_log_the_metrics_or_what_commands_print() {
    let mut app = App::new(Manner::Both).await;
    let socket = app.folder.path().join("metrics.sock");
    app.more = format!("metrics: {{listen: {}}}\n", socket.display());
    // What goes wrong is logged with what it was about.
    let refused = Fault::Answer { status: 500, body: b"no".to_vec() };
    app.slack.fail_next(Some("chat.postMessage"), 3, refused);
    app.slack.fail_next(Some("webhook"), 3, Fault::Code("invalid_payload".to_owned()));
    let program = Program::start_with(&app, &LOUD);
    app.bus.accept();
    let (events, secrets) = corpus();
    let runs = events.len() / 2;
    for event in &events {
        // What can't be read, as its tag and the half of its data.
        let bytes = body(event);
        app.bus.send_body(&bytes[..bytes.len() / 2]);
    }
    app.bus.send(events);
    app.until_over(runs).await;
    let metrics = fetch(&socket).unwrap();
    assert!(metrics.contains("salt_herald_bus_unreadable_events_total"), "{metrics}");
    assert_silent("the metrics", metrics.as_bytes(), &secrets);
    assert_silent("status", program.status().as_bytes(), &secrets);
    let config = app.write_config();
    for args in [
        &["log", "--all", "-n", "100000"][..],
        &["log", "--json", "-n", "100000"],
        &["show", "last"],
        &["show", "last", "--json"],
        &["show", "web1"],
        &["status", "--json"],
        &["verify"],
        &["check"],
    ] {
        let said = ask(Some(&config), args, b"");
        assert!(said.len() > 20, "{args:?}: {}", String::from_utf8_lossy(&said));
        assert_silent(&format!("{args:?}"), &said, &secrets);
    }
    let log = program.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "it is not loud: {} bytes", log.len());
    assert_silent("the log", log.as_bytes(), &secrets);
}

#[test]
fn no_secret_of_a_recording_is_in_what_redact_and_replay_say_of_it() {
    let (events, secrets) = corpus();
    let folder = tempfile::tempdir().unwrap();
    let (file, journals) = (folder.path().join("bus.record"), folder.path().join("journals"));
    let whole = capture(&events.iter().collect::<Vec<_>>());
    assert!(!found(&whole, &secrets).is_empty(), "a recording holds every secret");
    for (number, recording) in broken(&whole).into_iter().enumerate() {
        fs::write(&file, recording).unwrap();
        fs::create_dir(&journals).unwrap();
        let journal = journals.join("journal.db");
        let (file, journal) = (file.to_str().unwrap(), journal.to_str().unwrap());
        for args in [
            &["replay", file, "--journal", journal][..],
            &["replay", file, "--journal", journal, "--json"],
            &["redact", file],
            &["redact", "--explain", file],
        ] {
            let said = ask(None, args, b"");
            assert!(!said.is_empty(), "{args:?} says nothing of recording {number}");
            assert_silent(&format!("{args:?} of recording {number}"), &said, &secrets);
        }
        assert_clean(&journals, &secrets);
        fs::remove_dir_all(&journals).unwrap();
    }
}

/// A recording, and what may become of it: cut off, cut into, bytes lost and changed. It is still known as a
/// recording by its head.
fn broken(whole: &[u8]) -> Vec<Vec<u8>> {
    let (third, half) = (whole.len() / 3, whole.len() / 2);
    let mut changed = whole.to_vec();
    for place in (half..whole.len()).step_by(4_999) {
        // Not in a text: who changes `password` there changes what it is known by.
        let is_no_text = |place: &usize| !whole[*place].is_ascii_graphic();
        (place..whole.len()).find(is_no_text).into_iter().for_each(|at| changed[at] ^= 0x55);
    }
    vec![
        whole.to_vec(),
        whole[..half].to_vec(),
        [&whole[..third], &whole[third + 11..]].concat(),
        [&whole[..third], b"\xc1\xc1\xc1", &whole[third..]].concat(),
        changed,
    ]
}

#[test]
fn no_secret_of_a_text_is_in_what_redact_says_of_it() {
    let (texts, mut secrets): (Vec<String>, Vec<Vec<String>>) =
        TEXTS.split("%%\n").skip(1).map(read).unzip();
    let commands = COMMANDS.lines().filter(|line| !line.starts_with("# ")).map(read);
    let (commands, of_commands): (Vec<String>, Vec<Vec<String>>) = commands.unzip();
    secrets.extend(of_commands);
    let secrets = secrets.concat();
    // As somebody has it who looks through a log: many after one another.
    for text in texts.into_iter().chain([commands.join("\n")]) {
        let said = ask(None, &["redact", "--explain"], text.as_bytes());
        assert_silent("redact --explain", &said, &secrets);
        assert_silent("redact", &ask(None, &["redact"], text.as_bytes()), &secrets);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_job_cache_is_in_what_preview_and_backfill_say_of_it() {
    let app = App::new(Manner::Bot).await;
    let (events, secrets) = corpus();
    for (number, pair) in events.chunks(2).enumerate() {
        let [job, ret] = pair else { panic!("a job and its return each") };
        write(&app, job, ret, number % 5 == 4);
    }
    let config = app.write_config();
    let since = ["--since", "2026-11-01"];
    for args in [
        &["preview", "--all"][..],
        &["preview", "--json"],
        &["backfill"],
        &["log", "--all", "-n", "9999"],
    ] {
        let args = match args[0] {
            "log" => args.to_vec(),
            _ => [args, &since].concat(),
        };
        let said = ask(Some(&config), &args, b"");
        let said_of_a_job = said.windows(7).any(|part| part == b"cmd.run");
        assert!(said_of_a_job || args[0] == "backfill", "{}", String::from_utf8_lossy(&said));
        assert_silent(&format!("{args:?}"), &said, &secrets);
    }
    fs::remove_dir_all(app.folder.path().join("cache")).unwrap();
    assert_clean(app.folder.path(), &secrets);
}

/// A job as the master keeps it, whole or broken off.
fn write(app: &App, job: &Event, ret: &Event, is_broken: bool) {
    let jid = job.data.get("jid").and_then(Value::as_text).unwrap();
    let folder = Cache::of(app).folder(jid);
    fs::create_dir_all(folder.join("web1")).unwrap();
    let of = |event: &Event, key: &str| event.data.get(key).unwrap().clone();
    let load = ["jid", "fun", "arg", "tgt", "tgt_type", "user"].map(|key| (key, of(job, key)));
    let load = [load.to_vec(), vec![("cmd", Value::from("publish")), ("ret", Value::from(""))]];
    let kept = ["return", "retcode", "success"].map(|key| (key, of(ret, key))).to_vec();
    for (name, value) in [
        (".load.p", map(load.concat())),
        (".minions.p", texts(&["web1"])),
        ("web1/return.p", map(kept)),
    ] {
        let bytes = value.to_bytes();
        let length = if is_broken { bytes.len() * 2 / 3 } else { bytes.len() };
        fs::write(folder.join(name), &bytes[..length]).unwrap();
    }
    fs::write(folder.join("jid"), jid).unwrap();
}

/// All that a command says, on both streams, as loud as it can be.
fn ask(config: Option<&PathBuf>, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(BINARY);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.args(args).envs(LOUD);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It need not read what it is given.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].concat()
}

fn assert_silent(what: &str, said: &[u8], secrets: &[String]) {
    let shown = found(said, secrets);
    assert!(shown.is_empty(), "{shown:?} in {what}");
}
