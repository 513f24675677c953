//! A preview for people: the answer in one line, the messages as the channel would have shown them,
//! who and what they come from, and what would make it calmer.
//!
//! Pure.

use std::fmt::Write as _;

use herald_core::announce::Announcement;
use herald_core::literal;
use herald_core::noise::Rule;
use herald_core::survey::{Advice, RuleCount, Survey, Voice};

use super::super::output::View;
use super::super::row::{BOLD, DIM, cut, local, pad, symbol};
use super::{Cache, Preview};
use crate::config::AnnounceConfig;

/// The shipped profile for masters that an API drives.
const PROFILE: &str = include_str!("../../../../../dist/profiles/api.conf");
/// The user that stands in it.
const PROFILE_USER: &str = "\"saltapi\"";
/// How many functions of a rule are named.
const FUNS: usize = 4;
/// What stands before a message: its time.
const LEAD: usize = 19 + 2;
/// How many people are named.
const PEOPLE: usize = 15;

/// The whole.
pub(super) fn preview(preview: &Preview, limit: usize, view: &View) -> String {
    let survey = &preview.survey;
    let mut text = headline(preview);
    text.push_str(&messages(preview, limit, view));
    if survey.runs > 0 {
        text.push_str(&rules(survey, view));
        text.push_str(&people(survey, view));
    }
    if let Some((at, count)) = survey.busiest {
        let at = local(at, view);
        let at = at.get(..16).unwrap_or(&at);
        let count = counted(count, "message");
        let _ = writeln!(text, "\n{BOLD}Busiest minute{BOLD:#}  {at}, {count}");
    }
    if let Some(advice) = &survey.advice {
        text.push_str(&advise(advice, &preview.config));
    }
    text.push_str(&limits(&preview.cache, preview, view));
    text
}

fn headline(preview: &Preview) -> String {
    let Survey { runs, said, messages, quiet, .. } = &preview.survey;
    let span = literal::line(&span(&preview.asked));
    if *runs == 0 {
        return format!("{BOLD}{span}: no runs.{BOLD:#}\n");
    }
    let place = match preview.channels.as_slice() {
        [] => "the channel".to_owned(),
        channels => literal::line(&channels.join(", ")),
    };
    let told = match messages.len() as u64 {
        count if count == *said => String::new(),
        count => format!(", in {}", counted(count, "message")),
    };
    let stays = if *quiet == 1 { "stays" } else { "stay" };
    let runs = counted(*runs, "run");
    format!(
        "{BOLD}{span}, {runs}: {said} would have been said in {place}{told}; {quiet} {stays} \
         quiet.{BOLD:#}\n"
    )
}

/// `24h` as `In the last 24 h`; what is no span as it was typed.
pub(super) fn span(asked: &str) -> String {
    let asked = asked.trim();
    let back = asked.strip_suffix(" ago").unwrap_or(asked);
    let digits = back.bytes().take_while(u8::is_ascii_digit).count();
    match back.split_at_checked(digits) {
        Some((number, unit)) if digits > 0 && unit.bytes().all(|b| b.is_ascii_alphabetic()) => {
            format!("In the last {number} {unit}")
        }
        _ => format!("Since {asked}"),
    }
}

fn messages(preview: &Preview, limit: usize, view: &View) -> String {
    let messages = &preview.survey.messages;
    let first = messages.len().saturating_sub(limit);
    let shown = messages.get(first..).unwrap_or_default();
    let what = match (shown.len(), messages.len()) {
        (0, _) => return String::new(),
        (1, 1) => "The message".to_owned(),
        (1, all) => format!("The last of {all} messages; --all shows every one"),
        (shown, all) if shown == all => format!("All {all} messages"),
        (shown, all) => format!("The last {shown} of {all} messages; --all shows every one"),
    };
    let mut text = format!("\n{BOLD}{what}{BOLD:#}\n");
    for message in shown {
        if let Some(says) = preview.fed.says(&message.runs) {
            let _ = write!(text, "{DIM}{}{DIM:#}  ", local(message.at, view));
            text.push_str(&one(&says, view));
        }
    }
    text
}

/// A message as the channel shows it, behind its time.
fn one(says: &Announcement, view: &View) -> String {
    let room = view.width.unwrap_or(usize::MAX).saturating_sub(LEAD + 2);
    let line = |text: &str| cut(&literal::line(text), room);
    // Of many commands the byline comes first, and a line for each.
    let (first, second) = match says.commands.is_empty() {
        true => (&says.command, Some(&says.byline)),
        false => (&says.byline, None),
    };
    let mut text = format!("{} {}\n", symbol(says.mood), line(first));
    let mut add = |part: &str| {
        if !part.is_empty() {
            let _ = writeln!(text, "{:1$}{part}", "", LEAD + 2);
        }
    };
    for command in &says.commands {
        let rest = cut(
            &literal::line(&format!("{}  {}", command.command, command.note)),
            room.saturating_sub(2),
        );
        add(&format!("{} {rest}", symbol(command.mood)));
    }
    if says.commands_left_out > 0 {
        add(&format!("and {} more", says.commands_left_out));
    }
    for part in second.into_iter().chain([&says.tally]) {
        add(&line(part));
    }
    text
}

fn rules(survey: &Survey, view: &View) -> String {
    let mut text = format!("\n{BOLD}By rule{BOLD:#}\n");
    let digits = digits(survey.rules.iter().map(|count| count.runs));
    let longest = survey.rules.iter().map(|count| because(count).chars().count()).max();
    for count in &survey.rules {
        let voice = if count.voice == Voice::Quiet { "quiet" } else { "said" };
        let because = pad(because(count), longest.unwrap_or(0));
        let line = format!("  {voice:5}  {:>digits$}  {because}  {}", count.runs, funs(count));
        let _ = writeln!(text, "{}", cut(&line, view.width.unwrap_or(usize::MAX)));
    }
    text
}

/// Why these runs are said or quiet.
fn because(count: &RuleCount) -> &'static str {
    match (count.voice, count.rule) {
        (Voice::Told | Voice::ToldWith, Rule::ServiceUser) => "failed, though of a service user",
        (Voice::Told | Voice::ToldWith, Rule::Scheduled) => "failed, though from a schedule",
        (Voice::Told | Voice::ToldWith, Rule::Quiet) => "failed, though in announce.quiet",
        (Voice::Told | Voice::ToldWith, _) => "failed, though it only looks",
        (_, Rule::Say) => "announce.say names it",
        (_, Rule::MayChange) => "can change something",
        (_, Rule::Scheduled) => "from a schedule, and succeeded",
        (_, Rule::ServiceUser) => "of a service user",
        (_, Rule::Quiet) => "announce.quiet names it",
        (_, Rule::ReadOnly) => "only looks",
        (_, Rule::Housekeeping) => "Salt's own housekeeping",
    }
}

fn funs(count: &RuleCount) -> String {
    let named = count.funs.iter().take(FUNS);
    let mut parts: Vec<String> =
        named.map(|(fun, count)| format!("{} {count}", literal::line(&cut(fun, 60)))).collect();
    if count.funs.len() > FUNS {
        parts.push(format!("{} more", count.funs.len() - FUNS));
    }
    parts.join(", ")
}

fn people(survey: &Survey, view: &View) -> String {
    let mut text = format!("\n{BOLD}By person{BOLD:#}\n");
    let shown = survey.people.iter().take(PEOPLE);
    let names: Vec<String> =
        shown.clone().map(|count| literal::line(&cut(&count.person, 40))).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let said = digits(shown.clone().map(|count| count.said));
    let quiet = digits(shown.clone().map(|count| count.quiet));
    for (name, count) in names.iter().zip(shown) {
        let line = format!(
            "  {}  {:>said$} said  {:>quiet$} quiet",
            pad(name, longest),
            count.said,
            count.quiet
        );
        let _ = writeln!(text, "{}", cut(&line, view.width.unwrap_or(usize::MAX)));
    }
    if survey.people.len() > PEOPLE {
        let _ = writeln!(text, "  and {} more", survey.people.len() - PEOPLE);
    }
    text
}

fn advise(advice: &Advice, config: &AnnounceConfig) -> String {
    let (file, why) = match advice {
        Advice::Service { user, percent, per_hour, left } => {
            let user = literal::line(user);
            let root = if user == "root" {
                " People who work as root would be quiet, too: let the service have a user of its own."
            } else {
                ""
            };
            let why = format!(
                "An API seems to drive this master: {user} has {percent} % of all runs, {per_hour} an hour. \
                 The profile \"api\" records them and says those that fail; {} would be left.{root}",
                at_most(*left)
            );
            ("api.conf", why)
        }
        Advice::Function { fun, messages, left } => {
            let why = format!(
                "{} makes {messages} of the messages. If nobody needs to hear of it, {} would be left; \
                 those that fail are said all the same.",
                literal::line(fun),
                at_most(*left)
            );
            ("calm.conf", why)
        }
    };
    let mut text = format!("\n{BOLD}Calmer{BOLD:#}\n{}", folded(&why));
    let _ = writeln!(text, "  Put this into /etc/salt/herald.d/{file}, and look again:\n");
    for line in config_lines(advice, config).lines() {
        let _ = writeln!(text, "    {}", literal::line(line));
    }
    text
}

/// What to put into the config. A list there is replaced, so what it holds already stands here, too.
pub(super) fn config_lines(advice: &Advice, config: &AnnounceConfig) -> String {
    let list = |known: &[String], new: &str| {
        let all = known.iter().map(String::as_str).chain([new]);
        // A text of JSON is one of YAML, too.
        all.map(|text| serde_json::Value::from(text).to_string()).collect::<Vec<_>>().join(", ")
    };
    match advice {
        Advice::Service { user, .. } => {
            let lines = PROFILE.lines().filter(|line| !line.starts_with('#'));
            let profile: Vec<&str> = lines.collect();
            profile.join("\n").replace(PROFILE_USER, &list(&config.service_users, user))
        }
        Advice::Function { fun, .. } => {
            format!("announce:\n  quiet: [{}]", list(&config.quiet, fun))
        }
    }
}

/// What a cache can't know, and what was left out of this one.
fn limits(cache: &Cache, preview: &Preview, view: &View) -> String {
    let mut notes = vec![
        "What none tells: runners and orchestrations that have not ended, and events that minions \
         forge. Who never answered is inferred."
            .to_owned(),
    ];
    if cache.held == 0 {
        notes.push("It holds no jobs.".to_owned());
    } else if preview.survey.runs == 0 {
        notes.push(format!(
            "It holds {} of another time; --since 7d looks further back.",
            counted(cache.held, "job")
        ));
    }
    if let Some(keeps) = cache.keeps.filter(|keeps| !keeps.is_zero())
        && let Some(kept) = preview.until.checked_sub(keeps).ok()
        && kept > preview.since
        && keeps.as_secs() != 86_400
    {
        notes.push(format!(
            "The master keeps its jobs for {} only (keep_jobs_seconds).",
            herald_core::compose::elapsed(keeps)
        ));
    } else if let Some(earliest) = cache.earliest.filter(|earliest| *earliest > preview.since) {
        notes.push(format!("The earliest job in it is of {}.", local(earliest, view)));
    }
    if cache.left_out > 0 {
        notes.push(format!(
            "It holds so many jobs that the earliest {} are left out.",
            cache.left_out
        ));
    }
    let skipped = cache.skipped.total();
    if skipped > 0 {
        let denied = match cache.skipped.denied {
            0 => String::new(),
            count => format!(", {count} of them for lack of permission"),
        };
        notes.push(format!("{} in it could not be read{denied}.", counted(skipped, "file")));
    }
    let place = literal::line(&cache.folder.display().to_string());
    format!(
        "\n{DIM}By the job cache {place}.\n{}{DIM:#}",
        notes.into_iter().map(|note| note + "\n").collect::<String>()
    )
}

/// Text in lines of a width that is easy to read, set in a little.
fn folded(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() > 90 {
            let _ = writeln!(lines, " {line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(lines, " {line}");
    lines
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn at_most(messages: u64) -> String {
    if messages == 0 {
        "none".to_owned()
    } else {
        format!("at most {}", counted(messages, "message"))
    }
}

fn digits(numbers: impl Iterator<Item = u64>) -> usize {
    numbers.max().unwrap_or(0).to_string().len()
}
