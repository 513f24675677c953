//! `check`: shows what [`crate::check`] finds and, on request, what the chats say.

use std::error::Error;
use std::path::Path;

use herald_core::literal;
use serde_json::{Value, json};

use super::args::CheckArgs;
use super::output::Output;
use super::row;
use super::trouble::Trouble;
use super::{Found, journal};
use crate::chat::{self, Checked, DeliveryError, Sink};
use crate::check::{self, Area, Finding, Level, Report};
use crate::config::{self, Config};

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &CheckArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let loaded = config::load(&journal::load_options(config));
    let mut report = check::check(&loaded);
    let config = match &loaded {
        Ok((config, _)) => Some(config),
        Err(problems) => problems.salvaged.as_deref(),
    };
    if let Some(config) = config.filter(|_| args.online) {
        ask_sinks(config, &mut report)?;
    }
    if args.json {
        for finding in &report.findings {
            out.json(&object(finding))?;
        }
    } else {
        out.print(&coloured(&literal::lines(&check::render(&report))))?;
    }
    out.flush()?;
    Ok(if check::exit_code(&report) == 0 { Found::NothingWrong } else { Found::SomethingWrong })
}

fn ask_sinks(config: &Config, report: &mut Report) -> Result<(), Trouble> {
    let sinks = match chat::sinks(config) {
        Ok(sinks) => sinks,
        Err(error) => {
            let message = format!("no chat can be asked: {}", causes(&error));
            report.push(Finding::error(Area::Slack, message));
            return Ok(());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for sink in &sinks {
        let answer = runtime.block_on(sink.check());
        for finding in findings(sink, &answer) {
            report.push(finding);
        }
    }
    Ok(())
}

fn findings(sink: &Sink, answer: &Result<Checked, DeliveryError>) -> Vec<Finding> {
    match answer {
        Ok(checked) => passed(sink.name(), checked),
        Err(error) => vec![failed(sink.name(), error, sink.hint(error))],
    }
}

fn passed(name: &str, checked: &Checked) -> Vec<Finding> {
    let message = match &checked.identity {
        Some(identity) => format!("{name}: lets us post, as {identity}"),
        None => format!("{name}: lets us post"),
    };
    let mut findings = vec![Finding::ok(Area::Slack, message)];
    findings.extend(
        checked
            .unknown
            .iter()
            .map(|what| Finding::warning(Area::Slack, format!("{name}: can't tell {what}"))),
    );
    findings.extend(checked.missing.iter().map(|scope| {
        let what = "can't look whether a message arrived, so one can stand twice after trouble";
        Finding::warning(Area::Slack, format!("{name}: {what}")).hint(format!(
            "add the bot token scope {scope} under OAuth & Permissions of the Slack app, then \
             install it to the workspace again"
        ))
    }));
    findings
}

fn failed(name: &str, error: &DeliveryError, hint: Option<String>) -> Finding {
    let finding = Finding::error(Area::Slack, format!("{name}: {}", causes(error)));
    match hint {
        Some(hint) => finding.hint(hint),
        None => finding,
    }
}

/// An error with its causes in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn object(finding: &Finding) -> Value {
    json!({
        "level": match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        },
        "area": finding.area.to_string(),
        "message": finding.message,
        "hint": finding.hint,
    })
}

/// The report with the colours that repeat what its symbols say.
fn coloured(text: &str) -> String {
    use herald_core::announce::Mood;
    let line = |line: &str| {
        let mood = match line.chars().next() {
            Some('✓') => Mood::Good,
            Some('!') => Mood::Silent,
            Some('✗') => Mood::Failed,
            _ => return format!("{line}\n"),
        };
        let style = row::style(mood);
        let (symbol, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
        format!("{style}{symbol}{style:#}{rest}\n")
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_chats_say_is_found() {
        let checked = Checked {
            identity: Some("herald in Example".to_owned()),
            unknown: vec!["whether the bot is in #ops: the token may not ask".to_owned()],
            missing: vec!["channels:history".to_owned()],
        };
        let mut report = Report::default();
        for finding in passed("monitoring", &checked) {
            report.push(finding);
        }
        let refused = DeliveryError::Unauthorized { reason: "not_in_channel".to_owned() };
        let hint = Some("invite the app: type /invite @herald in #ops".to_owned());
        report.push(failed("ops", &refused, hint));
        let source = "connection refused".into();
        report.push(failed("dr", &DeliveryError::Unavailable(source), None));
        insta::assert_snapshot!(check::render(&report));
    }
}
