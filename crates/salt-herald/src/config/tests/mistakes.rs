//! One file for each mistake, with the exact messages beside it as a snapshot.

use std::fs;
use std::path::Path;

use super::Machine;

#[test]
fn every_mistake_has_its_message() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/mistakes");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() > 30);
    for path in paths {
        let machine = Machine::with(&[
            ("tokens/good", "xoxb-SECRET\n"),
            ("tokens/empty", "\n"),
            ("tokens/two_lines", "xoxb-SECRET\nxoxb-SECRET\n"),
            ("tokens/open", "xoxb-SECRET\n"),
        ]);
        machine.chmod("tokens/open", 0o644);
        machine.write("herald", &fs::read_to_string(&path).unwrap());
        let shown = machine.problems();
        assert!(!shown.contains("SECRET"), "{shown}");
        let name = path.file_stem().unwrap().to_str().unwrap();
        insta::with_settings!({ snapshot_path => "mistakes", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn text_that_is_no_utf8() {
    let machine = Machine::new();
    machine.write_bytes("herald", b"name: prod\nslack:\n  caf\xe9: 1\n");
    insta::assert_snapshot!(machine.bad(), @r#"
    Error DIR/herald:3: not valid UTF-8
      hint: save the file as UTF-8
    "#);
}

#[test]
fn a_directory_for_a_file() {
    let machine = Machine::with(&[("herald/x", "")]);
    insta::assert_snapshot!(machine.bad(), @"Error DIR/herald: is no file");
}

#[test]
fn a_billion_laughs() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let machine = Machine::with(&[("herald", &text)]);
    insta::assert_snapshot!(machine.bad(), @"Error DIR/herald:1: more values, nesting or aliases than a config can need");
}

#[test]
fn nesting_without_end() {
    let text = format!("name: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let machine = Machine::with(&[("herald", &text)]);
    insta::assert_snapshot!(machine.bad(), @"Error DIR/herald:1: more values, nesting or aliases than a config can need");
}

#[test]
fn control_characters_are_written_out() {
    let machine = Machine::with(&[("herald", "\"a\\e[31m\\nb\": 1\n")]);
    insta::assert_snapshot!(machine.bad(), @r#"
    Error DIR/herald:1: a\u{1b}[31m\nb: unknown key
      hint: known here: name, salt, journal, access, metrics, slack, routes, people, minion_name, announce, redact, runs
    "#);
}
