//! `scrub`: a secret that no rule finds is taken out of a journal, and what can't be is told.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jiff::SignedDuration;
use rusqlite::Connection;
use salt_herald::store::{Delivery, DeliveryState, Journal, Part};

use super::support::{Scene, binary, herald, map, objects, state, stderr, stdout, text};

/// It has no name, no shape and no place by which a rule could know it.
const SECRET: &str = "Tr0ub4dor-3";
const OTHER: &str = "another-1-slip";
const WHY: &str = "--reason=the password of db1";

/// A journal into which it slipped: in a command, in what came back, in a state that failed, in metadata.
fn slipped() -> Scene {
    let mut scene = Scene::new();
    let jid = "20261122140001000001";
    let command = format!("login alice {SECRET}");
    scene.new_job(jid, "sudo_alice", "cmd.run", &[&command], &["web1", "db1"]);
    // python3: base64.b64encode(b"alice:Tr0ub4dor-3")
    let said = format!("+ {command}\nsent YWxpY2U6VHIwdWI0ZG9yLTM= and ?p={SECRET}");
    scene.returns(jid, "cmd.run", "web1", 0, text(&said));
    scene.returns(jid, "cmd.run", "db1", 0, text("nothing"));
    let jid = "20261122140006000003";
    scene.new_job(jid, "bob", "state.apply", &["login"], &["web1"]);
    let failed = state(
        false,
        &format!("login: {SECRET} was refused"),
        vec![(SECRET, map(vec![("other", text(OTHER))]))],
    );
    let states = map(vec![("cmd_|-login_|-login_|-run", failed)]);
    scene.returns(jid, "state.apply", "web1", 2, states);
    scene.new_job("20261122140010000004", "root", "test.ping", &[], &["web1"]);
    scene.returns("20261122140010000004", "test.ping", "web1", 0, text("harmless"));
    scene.pass(SignedDuration::from_mins(20));
    said_of(&scene, 1, "monitoring", Some("C1/1.2"));
    said_of(&scene, 1, "webhook", Some(""));
    said_of(&scene, 2, "monitoring", Some("C1/1.3"));
    said_of(&scene, 3, "monitoring", Some("C1/1.4"));
    scene.settle();
    scene
}

/// A message that was posted of a run.
fn said_of(scene: &Scene, run: u64, sink: &str, message: Option<&str>) {
    let delivery = Delivery {
        run: herald_core::run::RunId(run),
        sink: sink.to_owned(),
        part: Part::Message,
        lead: None,
        late: false,
        message: message.map(str::to_owned),
        said: Some([7; 32]),
        mood: None,
        version: 5,
        state: DeliveryState::Said,
        error: (run == 3).then(|| format!("it said {SECRET}")),
        at: "2026-11-22T14:00:02Z".parse().unwrap(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.writer().deliver(vec![delivery])).unwrap();
}

fn scrub_of(secrets: &str, journal: &Path, more: &[&str]) -> Output {
    let mut child = scrubber(journal, more).spawn().unwrap();
    // What is refused before that is not read.
    let _ = child.stdin.take().unwrap().write_all(secrets.as_bytes());
    child.wait_with_output().unwrap()
}

fn scrubber(journal: &Path, more: &[&str]) -> Command {
    let mut command = binary();
    command.args(["scrub", "--journal"]).arg(journal).args(more).env("SUDO_USER", "alice");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn scrub(journal: &Path, more: &[&str]) -> Output {
    scrub_of(&format!("{SECRET}\n"), journal, more)
}

/// The files of a folder that hold something as bytes.
fn holding(folder: &Path, secret: &str) -> Vec<String> {
    let mut holding = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        if bytes.windows(secret.len()).any(|part| part == secret.as_bytes()) {
            holding.push(file.file_name().to_string_lossy().into_owned());
        }
    }
    holding.sort();
    holding
}

/// What is said, without what is another in each run, and the exit code.
fn told(scene: &Scene, output: &Output) -> String {
    assert!(!stdout(output).contains(SECRET) && !stderr(output).contains(SECRET));
    let text = stdout(output) + &stderr(output);
    let text = text.replace(scene.dir.path().to_str().unwrap(), "DIR");
    let who = std::fs::read_to_string("/etc/passwd").unwrap();
    let uid = rustix::process::getuid().as_raw().to_string();
    let own = who.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    let own = own.and_then(|line| line.split(':').next()).unwrap_or(&uid);
    let mut lines = Vec::new();
    for line in text.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "journal" => lines.push("journal   UUID".to_owned()),
            "entries" => lines.push(line.split("; hash").next().unwrap().to_owned()),
            "scrubbed" => {
                let (count, rest) = line.split_once(" contents, ").unwrap();
                let (_, rest) = rest.split_once(", by ").unwrap();
                let rest = rest.replace(&format!("sudo as {own},"), "sudo as USER,");
                lines.push(format!("{count} contents, TIME, by {rest}"));
            }
            // How often a page stands there depends on how the writer was timed.
            "!" if line.contains("journal.db-wal holds it, in ") => {
                lines.push("! journal.db-wal holds it, in N places".to_owned());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let code = output.status.code().unwrap();
    format!("{}\nexit code {code}\n", without_marks(&lines.join("\n")))
}

/// The key of the marks is another in each journal.
fn without_marks(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("hidden_").into_iter().chain(rest.find("[hidden ")).min() {
        let digits = at + rest[at..].find(['_', ' ']).unwrap() + 1;
        out.push_str(&rest[..digits]);
        out.push_str("MARK");
        rest = &rest[digits + 4..];
    }
    out + rest
}

#[test]
fn a_secret_that_slipped_through_is_taken_out_of_all_that_holds_it() {
    let scene = slipped();
    let looked = scrub(&scene.path(), &["--dry-run"]);
    let before = told(&scene, &looked);
    let scene = scene.close();
    assert_eq!(holding(scene.dir.path(), SECRET), ["journal.db"]);
    let bytes = std::fs::read(scene.path()).unwrap();
    let looked = told(&scene, &scrub(&scene.path(), &["--dry-run"]));
    assert!(std::fs::read(scene.path()).unwrap() == bytes, "it was written to");
    let done = told(&scene, &scrub(&scene.path(), &[WHY]));
    insta::assert_snapshot!(format!(
        "=== while it is written\n{before}\n=== closed\n{looked}\n=== done\n{done}"
    ));
    for form in [SECRET, "YWxpY2U6VHIwdWI0ZG9yLT", "VHIwdWI0ZG9yLT"] {
        assert_eq!(holding(scene.dir.path(), form), [""; 0], "{form}");
    }
    let shown = [
        told(&scene, &herald(&scene.path(), &["verify"])),
        stdout(&herald(&scene.path(), &["show", "run", "1"])),
        stdout(&herald(&scene.path(), &["show", "run", "2", "--minion", "web1"])),
        stdout(&herald(&scene.path(), &["log", "--all"])),
    ];
    insta::assert_snapshot!(without_marks(&shown.join("\n")));
    // What is queried is what is made again, and it opens as any other.
    drop(Journal::open(&scene.path()).unwrap());
    Journal::rebuild(&scene.path()).unwrap();
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
}

#[test]
fn messages_that_can_be_rewritten_are_to_be_compared_and_others_are_not() {
    let scene = slipped().close();
    scrub(&scene.path(), &[WHY]);
    let connection = Connection::open(scene.path()).unwrap();
    let mut select =
        connection.prepare("SELECT run, sink, version, error FROM delivery ORDER BY 1, 2").unwrap();
    let rows: Vec<String> = select
        .query_map([], |row| {
            let (run, sink): (i64, String) = (row.get(0)?, row.get(1)?);
            let (version, error): (i64, Option<String>) = (row.get(2)?, row.get(3)?);
            Ok(format!("{run} {sink} {version} {}", error.unwrap_or_default()))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mark = rows[3].split("it said ").nth(1).unwrap();
    assert!(mark.starts_with("[hidden "), "{rows:?}");
    assert_eq!(
        rows[..3],
        ["1 monitoring 0 ", "1 webhook 5 ", "2 monitoring 0 "],
        "a run in whose message it did not stand is left alone: {rows:?}"
    );
    assert!(rows[3].starts_with("3 monitoring 5 "), "{rows:?}");
}

#[test]
fn what_lies_in_free_pages_and_in_the_wal_goes_too() {
    let scene = slipped().close();
    let connection = Connection::open(scene.path()).unwrap();
    let sql = format!(
        "CREATE TABLE other (a); INSERT INTO other VALUES ('{SECRET}' || hex(zeroblob(9000))); \
         PRAGMA wal_checkpoint(TRUNCATE); DROP TABLE other; INSERT INTO meta VALUES ('tried', '{SECRET}')"
    );
    connection.execute_batch(&sql).unwrap();
    // As after a kill: nobody merged it.
    let (wal, shm) =
        (scene.dir.path().join("journal.db-wal"), scene.dir.path().join("journal.db-shm"));
    let unmerged = std::fs::read(&wal).unwrap();
    let database = std::fs::read(scene.path()).unwrap();
    drop(connection);
    std::fs::write(scene.path(), database).unwrap();
    std::fs::write(&wal, unmerged).unwrap();
    assert!(!shm.exists());
    assert_eq!(holding(scene.dir.path(), SECRET), ["journal.db", "journal.db-wal"]);
    let output = scrub(&scene.path(), &[WHY]);
    assert_eq!(holding(scene.dir.path(), SECRET), [""; 0], "{}", stdout(&output));
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
}

#[test]
fn a_second_secret_of_the_same_contents_goes_as_the_first_did() {
    let scene = slipped().close();
    scrub(&scene.path(), &[WHY]);
    let first = contents_with(&scene, OTHER);
    let done = scrub_of(OTHER, &scene.path(), &[WHY]);
    assert_eq!(holding(scene.dir.path(), OTHER), [""; 0], "{}", stdout(&done));
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
    // What stood there between is not what it became last.
    put_back(&scene, &first);
    let found = objects(&herald(&scene.path(), &["verify", "--json"]));
    assert_eq!(found[0]["finding"], "payload_changed", "{found:?}");
    let opened = Journal::open(&scene.path()).map(drop).unwrap_err().to_string();
    assert!(opened.contains("is not what its name says"), "{opened}");
}

/// What is put back from it later must be known as a backup then.
#[test]
fn a_backup_stays_one_and_can_be_put_back_beside_what_was_left_of_another() {
    let scene = slipped().close();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy.db");
    assert!(herald(&scene.path(), &["backup", copy.to_str().unwrap()]).status.success());
    let noted = |journal: &Path| {
        let connection = Connection::open(journal).unwrap();
        let sql = "SELECT count(*) FROM meta WHERE key LIKE 'line.%' OR key = 'unsure_until'";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = noted(&copy);
    let done = scrub(&copy, &[WHY]);
    assert!(stdout(&done).contains("replaced"), "{}", stdout(&done));
    assert_eq!(holding(copies.path(), SECRET), [""; 0]);
    assert_eq!(std::fs::read(&copy).unwrap()[18..20], [1, 1], "it is not in WAL mode");
    assert_eq!(noted(&copy), before, "it was not put back");
    assert_eq!(herald(&copy, &["verify"]).status.code(), Some(0));

    std::fs::copy(&copy, scene.path()).unwrap();
    std::fs::write(scene.dir.path().join("journal.db-wal"), [7; 5000]).unwrap();
    drop(Journal::open(&scene.path()).unwrap());
    assert!(scene.dir.path().join("journal.db-wal.before-restore").exists());
    assert!(noted(&scene.path()) > before);
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
}

fn contents_with(scene: &Scene, part: &str) -> (i64, Vec<u8>) {
    let connection = Connection::open(scene.path()).unwrap();
    let sql = "SELECT id, bytes FROM payload WHERE instr(bytes, CAST(?1 AS BLOB))";
    connection.query_row(sql, [part], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn put_back(scene: &Scene, (id, bytes): &(i64, Vec<u8>)) {
    let connection = Connection::open(scene.path()).unwrap();
    let sql = "UPDATE payload SET bytes = ?2 WHERE id = ?1";
    assert_eq!(connection.execute(sql, (id, bytes)).unwrap(), 1);
}

#[test]
fn what_is_passed_off_as_scrubbed_is_found() {
    let scene = slipped().close();
    let before = contents_with(&scene, "login alice");
    scrub(&scene.path(), &[WHY]);
    let after = contents_with(&scene, "login alice");
    let deeds = [
        "UPDATE payload SET bytes = CAST('x' || bytes AS BLOB) WHERE id = ID",
        "UPDATE scrubbed SET became = zeroblob(32)",
        "DELETE FROM scrubbed",
        "UPDATE scrub SET reason = 'nothing of note'",
        "UPDATE entry SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'09' AS BLOB) WHERE kind = 22",
    ];
    let mut texts = Vec::new();
    for deed in deeds {
        let whole = std::fs::read(scene.path()).unwrap();
        let connection = Connection::open(scene.path()).unwrap();
        connection.execute_batch(&deed.replace("ID", &before.0.to_string())).unwrap();
        drop(connection);
        let said = herald(&scene.path(), &["verify"]);
        assert_eq!(said.status.code(), Some(1), "{deed}");
        let findings: Vec<String> = stdout(&said)
            .lines()
            .filter(|line| line.starts_with('!'))
            .map(without_digests)
            .collect();
        texts.push(format!("=== {deed}\n{}", findings.join("\n")));
        std::fs::write(scene.path(), whole).unwrap();
    }
    put_back(&scene, &before);
    let said = stdout(&herald(&scene.path(), &["verify"]));
    let finding = said.lines().find(|line| line.starts_with('!')).unwrap();
    texts.push(format!("=== put back\n{}", without_digests(finding)));
    put_back(&scene, &after);
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
    insta::assert_snapshot!(texts.join("\n"));
}

fn without_digests(line: &str) -> String {
    let is_digest = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    line.split(' ')
        .map(|word| if is_digest(&word) { "DIGEST" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_script_in_the_documentation_knows_what_was_scrubbed() {
    let scene = slipped().close();
    scrub(&scene.path(), &[WHY]);
    scrub_of(OTHER, &scene.path(), &[WHY]);
    let script = include_str!("../../../../docs/journal.md");
    let script = script.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let check = || {
        let done = Command::new("python3").args(["-c", script]).arg(scene.path()).output().unwrap();
        (done.status.code(), stdout(&done) + &stderr(&done))
    };
    let (code, said) = check();
    assert!(code == Some(0) && said.contains(" 0 bad, 4 scrubbed;"), "{said}");
    let connection = Connection::open(scene.path()).unwrap();
    connection.execute("UPDATE payload SET bytes = x'00' WHERE kind = 5", []).unwrap();
    drop(connection);
    let (code, said) = check();
    assert!(code == Some(1) && said.contains("is not what its name says"), "{said}");
}

#[test]
fn an_export_of_it_is_verified_and_tells_of_it() {
    let scene = slipped().close();
    scrub(&scene.path(), &[WHY]);
    scrub_of(OTHER, &scene.path(), &[WHY]);
    let export = scene.dir.path().join("journal.jsonl");
    let file = export.to_str().unwrap();
    assert!(herald(&scene.path(), &["export", file]).status.success());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/check-export");
    let check = || {
        let other = Command::new("python3").arg(&script).arg(&export).output().unwrap();
        (objects(&herald(&scene.path(), &["verify", file, "--json"])), other)
    };
    let (found, other) = check();
    assert_eq!((&found[0]["whole"], &found[0]["contents"]["scrubbed"]), (&true.into(), &4.into()));
    assert_eq!(found[0]["scrubs"].as_array().unwrap().len(), 2, "{found:?}");
    assert_eq!(other.status.code(), Some(0), "{}", stdout(&other));
    assert_eq!(holding(scene.dir.path(), SECRET), [""; 0]);
    // Without the entries that say so, such contents are what somebody changed.
    let lines = std::fs::read_to_string(&export).unwrap();
    let kept = lines.lines().filter(|line| !line.contains("\"kind\":\"scrubbed\""));
    std::fs::write(&export, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (found, other) = check();
    assert!(found.iter().any(|one| one["finding"] == "payload_changed"), "{found:?}");
    assert_eq!(other.status.code(), Some(1), "{}", stdout(&other));
}

#[test]
fn what_can_not_be_reached_is_told() {
    let mut scene = slipped();
    scene.new_job("20261122150000000009", "bob", SECRET, &["x"], &[SECRET]);
    scene.settle();
    let scene = scene.close();
    std::fs::write(scene.dir.path().join("journal.db-wal.before-restore"), SECRET).unwrap();
    let output = scrub(&scene.path(), &[WHY]);
    insta::assert_snapshot!(told(&scene, &output));
    assert_eq!(herald(&scene.path(), &["verify"]).status.code(), Some(0));
    let objects = objects(&scrub(&scene.path(), &[WHY, "--json"]));
    let kinds: Vec<&str> = objects.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["left", "left", "file", "file", "summary"], "{objects:#?}");
    assert_eq!(objects[4]["replaced"], false);
}

#[test]
fn what_is_not_to_be_done_is_refused() {
    let scene = slipped();
    let mut texts = Vec::new();
    let mut tell = |scene: &Scene, name: &str, output: Output| {
        assert_eq!(output.status.code(), Some(2), "{name}");
        let text = told(scene, &output).replace(&std::process::id().to_string(), "PROCESS");
        texts.push(format!("=== {name}\n{text}"));
    };
    let path = scene.path();
    tell(&scene, "while the daemon runs", scrub(&path, &[WHY]));
    let scene = scene.close();
    let before = contents_with(&scene, SECRET);
    tell(&scene, "on the command line", scrub(&path, &[WHY, SECRET]));
    tell(&scene, "without a reason", scrub(&path, &[]));
    tell(&scene, "with a reason of blanks", scrub(&path, &["--reason= "]));
    let tells = format!("--reason=it was {SECRET}");
    tell(&scene, "with a reason that tells it", scrub(&path, &[&tells]));
    tell(&scene, "nothing", scrub_of("\n", &path, &[WHY]));
    tell(&scene, "too short", scrub_of("Tr0ub4dor-3\nabc\n", &path, &[WHY]));
    tell(&scene, "a word of the journal's", scrub_of("changes", &path, &[WHY]));
    tell(&scene, "of a file that is not there", scrub(&path, &[WHY, "--from", "/nowhere/at/all"]));
    tell(&scene, "of a journal that is not there", scrub(&scene.dir.path().join("no.db"), &[WHY]));
    insta::assert_snapshot!(texts.join("\n"));
    assert_eq!(contents_with(&scene, SECRET), before, "nothing was changed");
}

#[test]
fn secrets_come_from_a_file_one_a_line_and_what_is_not_there_is_no_harm() {
    let scene = slipped().close();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\r\n\n{OTHER}\nnever-seen-9\n")).unwrap();
    let from = file.path().to_str().unwrap();
    let output = scrub_of("", &scene.path(), &[WHY, "--from", from, "--json"]);
    let objects = objects(&output);
    assert_eq!(objects.last().unwrap()["clean"], true, "{objects:#?}");
    for secret in [SECRET, OTHER] {
        assert_eq!(holding(scene.dir.path(), secret), [""; 0]);
    }
    let again = scrub_of("", &scene.path(), &[WHY, "--from", from]);
    assert_eq!(again.status.code(), Some(0));
    insta::assert_snapshot!(told(&scene, &again));
    let entries = Connection::open(scene.path()).unwrap();
    let count: i64 = entries
        .query_row("SELECT count(*) FROM entry WHERE kind = 22", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1, "what changes nothing is not recorded");
}

/// Starts a program in a terminal of its own, answers its questions, and prints what the terminal showed.
const TERMINAL: &str = r#"
import os, pty, sys
process, terminal = pty.fork()
if process == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown, answers = b"", [b"Tr0ub4dor-3\r", b"\r"]
while True:
    try:
        shown += os.read(terminal, 1000)
    except OSError:
        break
    while answers and shown.count(b"secret: ") > 2 - len(answers):
        os.write(terminal, answers.pop(0))
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"#;

#[test]
fn who_is_asked_for_it_at_a_terminal_does_not_see_it() {
    let scene = slipped().close();
    let journal = scene.path();
    let program = env!("CARGO_BIN_EXE_salt-herald");
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, program, "scrub", WHY, "--journal"]).arg(&journal);
    let output = command.env("TZ", "UTC").output().unwrap();
    let shown = stdout(&output);
    assert!(shown.contains("nothing of it is shown") && !shown.contains(SECRET), "{shown}");
    assert!(shown.contains("made anew") && stderr(&output).is_empty(), "{shown}");
    assert_eq!(holding(scene.dir.path(), SECRET), [""; 0]);
}
