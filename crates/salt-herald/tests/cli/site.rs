//! What a site keeps out by its config: in every command that reads or says what was not recorded yet.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use super::support::{binary, stderr, stdout};

const SITE: &str = "\
redact:
  keys: [licence_code]
  patterns: ['badge (?<number>\\d+)']
  functions: {acme.issue: both}
";

fn config(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("herald"), text).unwrap();
    dir
}

fn run(dir: &TempDir, args: &[&str], input: &str) -> Output {
    let mut command = binary();
    command.arg("--config").arg(dir.path().join("herald")).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn redact_goes_by_the_sites_rules_and_names_them() {
    for (text, rule) in
        [("licence_code: Kilo-Alpha\n", "redact.keys"), ("badge 4711\n", "redact.patterns[1]")]
    {
        let shown = stdout(&run(&config(SITE), &["redact", "--explain"], text));
        assert!(shown.contains("[hidden ") && shown.ends_with(&format!("]  {rule}\n")), "{shown}");
        let without = stdout(&run(&config("name: prod\n"), &["redact", "--explain"], text));
        assert_eq!(without, format!("{text}\nnothing is hidden\n"));
    }
}

#[test]
fn nothing_is_redacted_by_a_config_with_a_mistake() {
    let output =
        run(&config("redact: {keyz: [licence_code]}\n"), &["redact"], "licence_code: Kilo-Alpha\n");
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", stdout(&output));
    assert!(stderr(&output).contains("did you mean \"keys\"?"), "{}", stderr(&output));
}

#[test]
fn announce_does_not_say_what_is_not_kept() {
    let hook = "slack: {ops: {webhook_url: 'http://127.0.0.1:1/services/T1/B1/x'}}\n";
    let dir = config(&format!("{SITE}{hook}"));
    let args = ["announce", "--dry-run", "*", "glob", "acme.issue", "['Gift-Echo']"];
    let output = run(&dir, &args, "");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = said.to_string();
    assert!(said.contains("${not_kept:?by redact.functions}") && !said.contains("Gift"), "{said}");
}

#[test]
fn a_replay_keeps_nothing_that_the_site_does_not_want() {
    let bus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../salt-event/tests/buses/3008.bus");
    let bus = bus.to_str().unwrap();
    let replayed = |text: &str| {
        let dir = config(text);
        let journal = dir.path().join("journal.db");
        let output = run(&dir, &["replay", bus, "--journal", journal.to_str().unwrap()], "");
        assert!(output.status.success(), "{}", stderr(&output));
        std::fs::read(journal).unwrap()
    };
    let holds =
        |bytes: &[u8], part: &str| bytes.windows(part.len()).any(|it| it == part.as_bytes());
    let (without, with) =
        (replayed("name: prod\n"), replayed("redact: {functions: {'*': both}}\n"));
    for word in ["/scratch/web1/nginx/reloads", "nginx-reload"] {
        assert!(holds(&without, word) && !holds(&with, word), "{word}");
    }
    assert!(holds(&with, "[not kept by redact.functions]"));
}
