//! What was found, and how it is shown. Pure.

use std::fmt;
use std::fmt::Write as _;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but the person should know.
    Warning,
    /// Does not work.
    Error,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Our own config.
    Config,
    /// The master and its config.
    Master,
    /// The master's event bus.
    Bus,
    /// The master's job cache.
    JobCache,
    /// Our journal.
    Journal,
    /// Who may do what.
    Access,
    /// The metrics.
    Metrics,
    /// The Slack sinks.
    Slack,
    /// The systemd unit.
    Unit,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "config",
            Self::Master => "master",
            Self::Bus => "bus",
            Self::JobCache => "job cache",
            Self::Journal => "journal",
            Self::Access => "access",
            Self::Metrics => "metrics",
            Self::Slack => "slack",
            Self::Unit => "unit",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub area: Area,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub hint: Option<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(area: Area, message: impl Into<String>) -> Self {
        Self { level: Level::Ok, area, message: message.into(), hint: None }
    }

    /// Something that works, but not as well as it could.
    pub fn warning(area: Area, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::ok(area, message) }
    }

    /// Something that does not work.
    pub fn error(area: Area, message: impl Into<String>) -> Self {
        Self { level: Level::Error, ..Self::ok(area, message) }
    }

    /// The same finding with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// How many findings there are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// The report for a person: one line for each finding, its hint below it, a summary at the end.
/// Symbols carry the meaning; whoever prints may add colour.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let symbol = match finding.level {
            Level::Ok => '✓',
            Level::Warning => '!',
            Level::Error => '✗',
        };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{symbol} {}: {}", finding.area, finding.message);
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "    {hint}");
        }
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

fn summary(report: &Report) -> String {
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let errors = counted(report.count(Level::Error), "error");
    let warnings = counted(report.count(Level::Warning), "warning");
    match (errors, warnings) {
        (None, None) => "Everything is fine.".to_owned(),
        (Some(errors), None) => format!("{errors}."),
        (None, Some(warnings)) => {
            format!("{warnings}, nothing that keeps salt-herald from running.")
        }
        (Some(errors), Some(warnings)) => format!("{errors}, {warnings}."),
    }
}

/// What the command exits with: 0 when salt-herald can run, 1 when something is wrong.
pub fn exit_code(report: &Report) -> u8 {
    u8::from(report.count(Level::Error) > 0)
}
