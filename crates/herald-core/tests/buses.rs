//! Recorded buses of real masters, as runs: what was said of them in the end.
//!
//! The snapshots are to be read: a block is a run. Time is the recordings' own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::fmt::Write;

use herald_core::change::What;
use herald_core::ledger::Settings;
use herald_core::suspect::Suspect;
use support::{Heard, block, recorded};

fn page(capture: &[u8]) -> String {
    page_with(Settings::default(), capture)
}

fn page_with(settings: Settings, capture: &[u8]) -> String {
    let frames = recorded(capture);
    let mut heard = Heard::with(settings, Default::default(), frames[0].0);
    for (at, frame) in &frames {
        heard.hear(*at, frame);
    }
    // What had not ended when the recording did.
    let end = frames.last().unwrap().0 + std::time::Duration::from_secs(3600);
    heard.wait(end);
    let mut out = String::new();
    for run in heard.runs() {
        let is_noise = run.head.funs == ["saltutil.find_job"] || run.head.funs == ["test.ping"];
        if is_noise && run.flags.is_empty() && run.tally.missing.is_empty() && run.jobs.len() == 1 {
            writeln!(out, "{} {}, {}\n", run.id.0, run.head.command, run.status.name()).unwrap();
        } else {
            writeln!(out, "{}", block(&heard, run)).unwrap();
        }
    }
    for change in &heard.changes {
        if let What::Suspect(Suspect { sender, tag, .. }) = &change.what {
            writeln!(out, "forged by {sender:?}: {tag}").unwrap();
        }
    }
    // Times differ with every recording.
    redact_jids(&out)
}

/// Jids of the recording's own time as `JID`.
fn redact_jids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("202611") {
        out.push_str(&rest[..at]);
        let digits = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(if digits == 20 { "JID" } else { &rest[at..at + digits] });
        rest = &rest[at + digits..];
    }
    out + rest
}

#[test]
fn salt_3006_before_the_length() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/3006-old.bus")));
}

#[test]
fn salt_3006() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/3006.bus")));
}

#[test]
fn salt_3007() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/3007.bus")));
}

#[test]
fn salt_3008() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/3008.bus")));
}

#[test]
fn salt_ssh_on_3006() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/salt-ssh-3006.bus")));
}

#[test]
fn salt_ssh_on_3007() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/salt-ssh-3007.bus")));
}

#[test]
fn salt_ssh_on_3008() {
    insta::assert_snapshot!(page(include_bytes!("../../salt-event/tests/buses/salt-ssh-3008.bus")));
}

/// The master above says in its config that there are others below.
fn page_above(capture: &[u8]) -> String {
    page_with(Settings { order_masters: true, ..Settings::default() }, capture)
}

#[test]
fn a_master_above_a_syndic_on_3006() {
    insta::assert_snapshot!(page_above(include_bytes!(
        "../../salt-event/tests/buses/syndic-3006.bus"
    )));
}

#[test]
fn a_master_below_with_a_syndic_on_3006() {
    insta::assert_snapshot!(page(include_bytes!(
        "../../salt-event/tests/buses/syndic-3006-lower.bus"
    )));
}

#[test]
fn a_master_above_a_syndic_on_3007() {
    insta::assert_snapshot!(page_above(include_bytes!(
        "../../salt-event/tests/buses/syndic-3007.bus"
    )));
}

#[test]
fn a_master_below_with_a_syndic_on_3007() {
    insta::assert_snapshot!(page(include_bytes!(
        "../../salt-event/tests/buses/syndic-3007-lower.bus"
    )));
}

#[test]
fn a_master_above_a_syndic_on_3008() {
    insta::assert_snapshot!(page_above(include_bytes!(
        "../../salt-event/tests/buses/syndic-3008.bus"
    )));
}

#[test]
fn a_master_below_with_a_syndic_on_3008() {
    insta::assert_snapshot!(page(include_bytes!(
        "../../salt-event/tests/buses/syndic-3008-lower.bus"
    )));
}

#[test]
fn two_masters_on_3006() {
    let both = [
        include_bytes!("../../salt-event/tests/buses/two-masters-3006.bus").as_slice(),
        include_bytes!("../../salt-event/tests/buses/two-masters-3006-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}

#[test]
fn two_masters_on_3007() {
    let both = [
        include_bytes!("../../salt-event/tests/buses/two-masters-3007.bus").as_slice(),
        include_bytes!("../../salt-event/tests/buses/two-masters-3007-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}

#[test]
fn two_masters_on_3008() {
    let both = [
        include_bytes!("../../salt-event/tests/buses/two-masters-3008.bus").as_slice(),
        include_bytes!("../../salt-event/tests/buses/two-masters-3008-second.bus"),
    ];
    insta::assert_snapshot!(both.map(page).join("\n-- the second master\n"));
}
