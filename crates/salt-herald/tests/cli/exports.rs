//! Exports: what they hold, that `verify` and a script in another language find the same, and that no byte
//! of one can be changed unseen.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use herald_core::verify::{Report, Witness};
use salt_herald::store::JournalReader;
use serde_json::Value;

use super::checkpoints::{said, sealed};
use super::support::{Scene, herald, objects, stderr, stdout};

/// A journal that is signed for, and its export.
fn exported() -> (Scene, PathBuf) {
    let (scene, _) = sealed();
    let file = scene.dir.path().join("export.jsonl");
    let output = herald(&scene.path(), &["export", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    (scene, file)
}

/// What is written to stdout.
fn export(journal: &Path, more: &[&str]) -> String {
    let output = herald(journal, &[&["export"], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn verify(journal: &Path, file: &Path, more: &[&str]) -> Output {
    herald(journal, &[&["verify", file.to_str().unwrap()], more].concat())
}

fn report(file: &Path) -> Report {
    salt_herald::export::verify(file, &Witness::default()).unwrap()
}

fn script(file: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/check-export");
    Command::new("python3")
        .args(["-B".as_ref(), script.as_os_str(), file.as_os_str()])
        .output()
        .unwrap()
}

fn last_checkpoint(journal: &Path) -> String {
    JournalReader::open(journal).unwrap().last_seal().unwrap().unwrap().to_string()
}

#[test]
fn an_export_holds_what_the_journal_holds_and_is_whole() {
    let (scene, file) = exported();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(export(&scene.path(), &[]), text);
    let kept = last_checkpoint(&scene.path());
    let given = ["--json", "--checkpoint", &kept];
    let told = objects(&verify(&scene.path(), &file, &given)).remove(0);
    let own = objects(&herald(&scene.path(), &[&["verify"], &given[..]].concat())).remove(0);
    let names =
        ["journal", "whole", "first_entry", "last_entry", "hash", "contents", "checkpoints"];
    for name in names {
        assert_eq!(told[name], own[name], "{name}");
    }
    assert_eq!(told["checkpoints"]["agreeing"], 1);
    // Nothing acts on a terminal.
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']));
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| format!("{} {}", line["type"], line["kind"]))
        .collect();
    insta::assert_snapshot!(kinds.join("\n"));
    let done = script(&file);
    let (last, hash) = (&told["last_entry"], told["hash"].as_str().unwrap());
    let wanted = format!("up to entry {last}, hash {hash}\nnothing wrong\n");
    assert_eq!(stdout(&done), wanted, "{}", stderr(&done));
    let said = said("an export", &verify(&scene.path(), &file, &["--checkpoint", &kept]));
    insta::assert_snapshot!("said_of_an_export", said);
}

#[test]
fn the_lines_of_a_run_can_be_read_without_salt_herald() {
    let scene = Scene::usual().close();
    let text = export(&scene.path(), &[]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap().clone();
    let mut shown = Vec::new();
    for kind in ["head", "run_started", "definition", "body", "shape", "returned", "run_ended"] {
        let mut line = of(kind);
        for name in ["bytes", "hash", "times", "at"] {
            line.as_object_mut().unwrap().shift_remove(name);
        }
        shown.push(line.to_string());
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_part_begins_at_a_hash_that_the_whole_has() {
    let (scene, whole) = exported();
    let part = scene.dir.path().join("part.jsonl");
    let times = ["--since", "2026-11-22T14:00:05Z", "--until", "2026-11-22T14:20:00Z"];
    std::fs::write(&part, export(&scene.path(), &times)).unwrap();
    let found = report(&part);
    assert!(found.is_whole(), "{:#?}", found.findings);
    assert!(found.first > 3 && found.last > found.first, "{found:?}");
    assert!(script(&part).status.success());
    let before = format!("{{\"type\":\"entry\",\"number\":{},", found.first - 1);
    let text = std::fs::read_to_string(&whole).unwrap();
    let line = text.lines().find(|line| line.starts_with(&before)).unwrap();
    assert!(line.contains(&found.part.unwrap().hash.to_string()));

    let none = scene.dir.path().join("none.jsonl");
    std::fs::write(&none, export(&scene.path(), &["--since", "2027-01-01"])).unwrap();
    assert!(report(&none).is_whole());
    assert_eq!(report(&none).last, 0);

    // A checkpoint that is of what came later says nothing of it; of the whole it would.
    let kept = last_checkpoint(&scene.path());
    let given = ["--checkpoint", kept.as_str()];
    let mut texts = vec![said("no key", &verify(&scene.path(), &part, &given))];
    let key = stdout(&herald(&scene.path(), &["verify", "--show-key"]));
    let given = [&given[..], &["--key", key.split(' ').next().unwrap()]].concat();
    texts.push(said("a part", &verify(&scene.path(), &part, &given)));
    let cut = scene.dir.path().join("cut.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let entry = lines.iter().rposition(|line| line.contains("\"kind\":\"sealed\"")).unwrap();
    let end: Value = serde_json::from_str(lines[entry - 1]).unwrap();
    assert_eq!(end["type"], "entry");
    std::fs::write(&cut, lines[..entry - 1].join("\n") + "\n").unwrap();
    texts.push(said("the end of the whole is gone", &verify(&scene.path(), &cut, &given)));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn nothing_is_overwritten_unasked_and_nobody_else_can_read_it() {
    let (scene, file) = exported();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let to = |path: &Path, more: &[&str]| {
        herald(&scene.path(), &[&["export", path.to_str().unwrap()], more].concat())
    };
    let mut texts = Vec::new();
    let mut refused = |output: Output| {
        assert_eq!(output.status.code(), Some(2));
        texts.push(stderr(&output).replace(scene.dir.path().to_str().unwrap(), "DIR"));
    };
    refused(to(&file, &[]));
    refused(to(&scene.path(), &["--force"]));
    refused(to(scene.dir.path(), &["--force"]));
    refused(to(&scene.dir.path().join("none/e.jsonl"), &[]));
    refused(to(&scene.dir.path().join("e.jsonl"), &["--since", "tomorrow"]));
    insta::assert_snapshot!(texts.join("\n"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let output = to(&file, &["--force", "--json"]);
    let told = objects(&output).remove(0);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(told["bytes"], std::fs::metadata(&file).unwrap().len());
    assert_eq!(told["last_entry"], report(&file).last);
    assert!(!scene.dir.path().join("export.jsonl.part").exists());
}

#[test]
fn whatever_is_changed_in_an_export_is_found() {
    let (scene, file) = exported();
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = scene.dir.path().join("changed.jsonl");
    let (mut count, mut start) = (0, 0);
    for (place, line) in text.lines().enumerate() {
        // Some of each line; more of them in tests/fuzz.
        for at in (0..line.len()).step_by(1 + line.len() / 10) {
            let mut bytes = text.clone().into_bytes();
            let byte = &mut bytes[start + at];
            *byte = if *byte == b'0' { b'1' } else { b'0' };
            std::fs::write(&changed, &bytes).unwrap();
            let found = salt_herald::export::verify(&changed, &Witness::default());
            let is_found = found.map_or(true, |report| !report.is_whole());
            assert!(is_found, "line {place}, byte {at}: {line}");
            count += 1;
        }
        start += line.len() + 1;
    }
    assert!(count > 400, "{count}");
}

#[test]
fn lines_that_were_touched_are_named() {
    let (scene, file) = exported();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let entry = |number: u64| {
        let start = format!("{{\"type\":\"entry\",\"number\":{number},");
        lines.iter().position(|line| line.starts_with(&start)).unwrap()
    };
    let of_kind = |kind: &str| {
        let kind = format!("\"kind\":\"{kind}\"");
        lines.iter().position(|line| line.contains(&kind)).unwrap()
    };
    let changed = scene.dir.path().join("changed.jsonl");
    let mut texts = Vec::new();
    let mut check = |what: &str, work: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        work(&mut lines);
        std::fs::write(&changed, lines.join("\n") + "\n").unwrap();
        let findings = report(&changed).findings;
        let findings: Vec<String> = findings.iter().map(|one| format!("\n  {one}")).collect();
        let script = if script(&changed).status.success() { "nothing" } else { "it" };
        let text = format!("{what}:{}\n  the script finds {script}", findings.concat());
        let words = text.split(' ').map(|word| {
            let is_hex = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hex { "HEX" } else { word }
        });
        texts.push(words.collect::<Vec<_>>().join(" "));
    };
    check("nothing was touched", &|_| {});
    check("an entry is gone", &|lines| drop(lines.remove(entry(9))));
    check("an entry stands elsewhere", &|lines| {
        let line = lines.remove(entry(9));
        lines.insert(entry(12), line);
    });
    check("two are swapped", &|lines| lines.swap(entry(9), entry(12)));
    check("an entry stands twice", &|lines| {
        let line = lines[entry(7)].clone();
        lines.insert(entry(9), line);
    });
    check("contents are gone", &|lines| drop(lines.remove(of_kind("head"))));
    check("what a return says is gone", &|lines| drop(lines.remove(of_kind("body"))));
    check("contents stand elsewhere", &|lines| {
        let line = lines.remove(of_kind("head"));
        lines.insert(of_kind("returned"), line);
    });
    check("contents stand twice", &|lines| {
        let line = lines[of_kind("head")].clone();
        lines.insert(of_kind("returned"), line);
    });
    check("what people read says something else", &|lines| {
        let head = lines.iter().position(|line| line.contains("sudo_alice")).unwrap();
        lines[head] = lines[head].replace("sudo_alice", "sudo_bob");
    });
    check("the end is gone", &|lines| lines.truncate(entry(9)));
    check("the last entry is gone", &|lines| drop(lines.remove(lines.len() - 2)));
    check("something stands behind the end", &|lines| lines.push(lines[entry(9)].clone()));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn openssl_checks_the_signatures_as_the_documentation_says() {
    let tools = ["bash", "jq", "openssl", "xxd", "date"];
    let is_there = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
    if let Some(tool) = tools.iter().find(|tool| !is_there(tool)) {
        eprintln!("left out: there is no {tool}");
        return;
    }
    let (scene, file) = exported();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let blocks: Vec<&str> = docs.split("```sh\n").skip(1).collect();
    let block = |start: &str| {
        let found = blocks.iter().find(|block| block.starts_with(start)).unwrap();
        found.split("```").next().unwrap().to_owned()
    };
    let key = stdout(&herald(&scene.path(), &["verify", "--show-key"]));
    let key = key.split(' ').next().unwrap();
    std::fs::rename(&file, scene.dir.path().join("journal.jsonl")).unwrap();
    std::fs::write(scene.dir.path().join("line"), last_checkpoint(&scene.path())).unwrap();
    let check = |given: &str, key: &str| {
        let script = format!("set -e\n{given}key={key}\n{}", block("(printf 'salt-herald"));
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script).current_dir(scene.dir.path()).output().unwrap()
    };
    for given in ["# a line", "# an export"] {
        let given = block(given);
        let output = check(&given, key);
        assert!(output.status.success(), "{given}{}{}", stdout(&output), stderr(&output));
        let other = key.chars().rev().collect::<String>();
        assert!(!check(&given, &other).status.success());
        assert!(!check(&format!("{given}number=$((number + 1))\n"), key).status.success());
    }
}
