//! What `verify` says, as text and as JSON Lines.

use std::path::Path;

use herald_core::amount::bytes_text;
use herald_core::literal;
use herald_core::verify::{Contents, Cut, Finding, Part, Report, ScrubTold, Seals};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::output::View;
use crate::cli::row::{BOLD, DIM, local};

/// All that is said to people.
pub(super) fn text(file: &Path, report: &Report, view: &View) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("{DIM}{label:<10}{DIM:#}{value}\n"));
    };
    line("file", &literal::line(&file.display().to_string()));
    line("journal", &Uuid::from_bytes(report.origin).to_string());
    line("entries", &entries(report));
    if let Some(part) = report.part.as_ref().and_then(|part| part_text(part, view)) {
        line("part", &part);
    }
    if let Some(cut) = &report.cut {
        line("taken out", &taken_out(cut, view));
    }
    if report.contents != Contents::default() || report.rows.is_some() {
        line("contents", &contents(report, view));
    }
    for told in &report.scrubs {
        line("scrubbed", &scrubbed(told, view));
    }
    if let Some(rows) = report.rows {
        let rest = if has_of(report, is_of_tables) { "" } else { ", as the entries say" };
        line("tables", &format!("{rows} rows{rest}"));
    }
    line("signed", &signed(&report.seals, view));
    line("outside", &outside(&report.seals));
    for finding in &report.findings {
        text.push_str(&format!("{BOLD}! {finding}{BOLD:#}\n"));
    }
    if report.left_out > 0 {
        text.push_str(&format!("{BOLD}! and {} more{BOLD:#}\n", report.left_out));
    }
    text
}

fn entries(report: &Report) -> String {
    if report.last == 0 {
        return "none".to_owned();
    }
    let Report { first, last, hash, .. } = report;
    let whole = if report.break_of_chain().is_some() { "" } else { ", whole" };
    format!("{first} to {last}{whole}; hash {hash}")
}

/// Where an export begins that does not hold the whole journal.
fn part_text(part: &Part, view: &View) -> Option<String> {
    let Part { after, hash, since, until } = part;
    let time = |word: &str, at: &Option<_>| at.map(|at| format!("{word} {}", local(at, view)));
    let times: Vec<String> =
        [time("since", since), time("until", until)].into_iter().flatten().collect();
    let times = (!times.is_empty()).then(|| times.join(" "))?;
    Some(format!("{times}, by its own word; it begins behind entry {after}, hash {hash}"))
}

fn taken_out(cut: &Cut, view: &View) -> String {
    format!("entries 1 to {}, says entry {} of {}", cut.last, cut.entry, local(cut.at, view))
}

fn contents(report: &Report, view: &View) -> String {
    let Contents { payloads, bytes, scrubbed, expired, latest_expired, times_expired } =
        report.contents;
    let size = bytes_text(bytes);
    let named = if has_of(report, is_of_contents) { "" } else { ", as they are named" };
    let mut text = format!("{payloads}, {size}{named}");
    if scrubbed > 0 {
        text.push_str(&format!("; {scrubbed} of them as they became when a secret was taken out"));
    }
    if let Some((entry, at)) = latest_expired {
        let at = local(at, view);
        text.push_str(&format!(
            "; those of {expired} returns are taken out, the latest of entry {entry}, {at}"
        ));
    }
    if times_expired > 0 {
        text.push_str(&format!("; the times of {times_expired}"));
    }
    text
}

fn scrubbed(told: &ScrubTold, view: &View) -> String {
    let ScrubTold { entry, when, who, reason, contents } = told;
    let (at, who, reason) = (local(*when, view), literal::line(who), literal::line(reason));
    format!("{contents} contents, {at}, by {who}, says entry {entry}: {reason}")
}

fn signed(seals: &Seals, view: &View) -> String {
    let Some((entry, at)) = seals.last else { return "never".to_owned() };
    let keys: Vec<String> = seals.keys.iter().map(|(key, _)| key.to_string()).collect();
    let (count, at) = (seals.count, local(at, view));
    let keys = keys.join(", then ");
    let word = if seals.given == 0 { " by its own word" } else { "" };
    let times = if count == 1 { "once,".to_owned() } else { format!("{count} times, last") };
    format!("{times} in entry {entry} of {at}, with the key {keys}{word}")
}

fn outside(seals: &Seals) -> String {
    if seals.kept == 0 {
        return "no checkpoint that anybody kept was given: --checkpoint".to_owned();
    }
    let old = match seals.too_old {
        0 => String::new(),
        old => format!("; {old} are of entries that were taken out"),
    };
    let outside = match seals.outside {
        0 => String::new(),
        outside => format!("; {outside} are of entries outside of this part"),
    };
    format!("{} of {} checkpoints agree{old}{outside}", seals.agreeing, seals.kept)
}

fn has_of(report: &Report, is_of: fn(&Finding) -> bool) -> bool {
    report.left_out > 0 || report.findings.iter().any(is_of)
}

fn is_of_tables(finding: &Finding) -> bool {
    matches!(finding.itself(), Finding::Row { .. } | Finding::Table { .. })
}

fn is_of_contents(finding: &Finding) -> bool {
    matches!(
        finding.itself(),
        Finding::Payload { .. }
            | Finding::Back { .. }
            | Finding::Missing { .. }
            | Finding::Times { .. }
            | Finding::Key { .. }
    )
}

/// One object for each finding, and one for all.
pub(super) fn objects(file: &Path, report: &Report) -> Vec<Value> {
    let finding = |finding: &Finding| {
        json!({
            "type": "finding",
            "finding": finding.name(),
            "entry": finding.entry(),
            "text": finding.to_string(),
            "line": finding.line(),
        })
    };
    let mut objects: Vec<Value> = report.findings.iter().map(finding).collect();
    let Contents { payloads, bytes, scrubbed, expired, latest_expired, times_expired } =
        report.contents;
    objects.push(json!({
        "type": "summary",
        "file": file.display().to_string(),
        "journal": Uuid::from_bytes(report.origin).to_string(),
        "whole": report.is_whole(),
        "first_entry": report.first,
        "last_entry": report.last,
        "hash": report.hash.to_string(),
        "cut": report.cut.map(|cut| json!({
            "entry": cut.entry,
            "at": cut.at.to_string(),
            "last_entry": cut.last,
        })),
        "contents": {
            "payloads": payloads,
            "bytes": bytes,
            "scrubbed": scrubbed,
            "expired": expired,
            "latest_expired": latest_expired.map(|(entry, _)| entry),
            "times_expired": times_expired,
        },
        "checkpoints": {
            "count": report.seals.count,
            "last_entry": report.seals.last.map(|(entry, _)| entry),
            "last_at": report.seals.last.map(|(_, at)| at.to_string()),
            "keys": report.seals.keys.iter().map(|(key, entry)| {
                json!({"key": key.to_string(), "entry": entry})
            }).collect::<Vec<_>>(),
            "keys_given": report.seals.given,
            "kept": report.seals.kept,
            "agreeing": report.seals.agreeing,
            "too_old": report.seals.too_old,
            "outside": report.seals.outside,
        },
        "scrubs": report.scrubs.iter().map(|told| {
            json!({
                "entry": told.entry,
                "at": told.when.to_string(),
                "by": told.who,
                "reason": told.reason,
                "contents": told.contents,
            })
        }).collect::<Vec<_>>(),
        "rows": report.rows,
        "findings": report.findings.len() as u64 + report.left_out,
        "part": report.part.map(|part| json!({
            "after": part.after,
            "hash": part.hash.to_string(),
            "since": part.since.map(|at| at.to_string()),
            "until": part.until.map(|at| at.to_string()),
        })),
    }));
    objects
}
