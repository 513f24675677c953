//! The text, and that documentation and alert rules name what is in it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;

const RULES: &str = include_str!("../../../../dist/salt-herald.rules.yml");
const DOCS: &str = include_str!("../../../../docs/metrics.md");

/// One sink that was told something.
fn used() -> Metrics {
    let metrics = Metrics::new();
    let sink = metrics.sinks.of("ops#deploys", &["rate_limited", "rejected"]);
    sink.answered(Request::Post, Duration::from_millis(300), Ok(()));
    sink.answered(Request::Edit, Duration::from_secs(2), Err("rate_limited"));
    metrics.journal.commit(Instant::now(), true);
    metrics
}

/// The names of all samples, as a query names them.
fn samples(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// What looks like one of our names.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    let ours =
        |word: &&str| ["salt_herald_", "process_"].iter().any(|prefix| word.starts_with(prefix));
    words.filter(ours).map(str::to_owned).collect()
}

/// A name with its labels and without their values: those stand in no order.
fn shape(line: &str) -> String {
    let sample = line.rsplit_once(' ').map_or(line, |(sample, _)| sample);
    let parts = sample.split('"').step_by(2);
    parts.collect::<Vec<_>>().join("\"\"")
}

#[test]
fn the_text_is_as_it_was_promised() {
    let text = used().text();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with('#') { line.to_owned() } else { shape(line) })
        .collect();
    lines.dedup();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn labels_are_known_beforehand() {
    let text = used().text();
    for line in [
        r#"salt_herald_gaps_total{reason="not_running"} 0"#,
        r#"salt_herald_runs_started_total{kind="state_run"} 0"#,
        r#"salt_herald_runs_ended_total{kind="batch",status="incomplete"} 0"#,
        r#"salt_herald_jobs_looked_for_total{standing="forged"} 0"#,
        r#"salt_herald_sink_owed{sink="ops#deploys"} 0"#,
        r#"salt_herald_sink_said_total{sink="ops#deploys",request="post"} 1"#,
        r#"salt_herald_sink_said_total{sink="ops#deploys",request="edit"} 0"#,
        r#"salt_herald_sink_errors_total{sink="ops#deploys",error="rate_limited"} 1"#,
        r#"salt_herald_sink_errors_total{sink="ops#deploys",error="rejected"} 0"#,
        r#"salt_herald_sink_request_duration_seconds_count{sink="ops#deploys",request="edit"} 1"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
    }
}

#[test]
fn rules_and_documentation_name_what_is_there() {
    let there = samples(&used().text());
    for (place, text) in [("the rules", RULES), ("the documentation", DOCS)] {
        for name in mentioned(text) {
            let is_there = there.iter().any(|sample| {
                *sample == name
                    || ["_bucket", "_count", "_sum"]
                        .iter()
                        .any(|part| sample.strip_suffix(part) == Some(&name))
            });
            assert!(is_there, "{place} names {name}, which is not there");
        }
    }
}

#[test]
fn documentation_names_everything() {
    let documented = mentioned(DOCS);
    for sample in samples(&used().text()) {
        let plain = ["_bucket", "_count", "_sum"];
        let plain = plain.iter().find_map(|part| sample.strip_suffix(part)).unwrap_or(&sample);
        assert!(documented.contains(plain), "{sample} is not documented");
    }
}

#[test]
fn what_is_asked_is_as_it_is_then() {
    let metrics = Metrics::new();
    let waiting = metrics.bus.waiting.clone();
    metrics.ask(move || {
        waiting.inc();
    });
    for count in 1..=2 {
        let line = format!("salt_herald_queue_waiting_bytes {count}");
        assert!(metrics.text().lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn a_sink_that_is_gone_is_not_in_trouble_for_ever() {
    let metrics = used();
    metrics.sinks.of("ops", &[]).trouble.set(1);
    metrics.sinks.begin_anew();
    let text = metrics.text();
    assert!(!text.contains("salt_herald_sink_trouble{"), "{text}");
    assert!(text.contains(r#"salt_herald_sink_said_total{sink="ops#deploys",request="post"} 1"#));
}
