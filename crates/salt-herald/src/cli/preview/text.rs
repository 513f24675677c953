//! A preview for people: the answer in one line, the messages as each place would have shown them,
//! who and what they come from.
//!
//! Pure.

use std::fmt::Write as _;

use herald_core::announce::Announcement;
use herald_core::literal;
use herald_core::noise::Rule;
use herald_core::survey::{RuleCount, Survey, Voice};

use super::super::output::View;
use super::super::routes::text::{destination, title};
use super::super::row::{BOLD, DIM, cut, local, pad, symbol};
use super::places::{Heard, Place};
use super::{Cache, Preview, advice};

/// How many functions of a rule are named.
const FUNS: usize = 4;
/// What stands before a message: its time.
const LEAD: usize = 19 + 2;
/// How many people are named.
const PEOPLE: usize = 15;

/// The whole; of each place so many messages.
pub(super) fn preview(preview: &Preview, limit: usize, view: &View) -> String {
    let heard = &preview.heard;
    let survey = heard.survey();
    let mut text = headline(preview);
    let several = heard.places.len() > 1;
    if several && survey.runs > 0 {
        text.push_str(&places(heard, view));
    }
    for (place, survey) in &heard.places {
        let name = place.name.as_deref().filter(|_| several);
        text.push_str(&messages(preview, name, survey, limit, view));
    }
    if survey.runs > 0 {
        text.push_str(&routes(heard, view));
        text.push_str(&rules(heard, view));
        text.push_str(&people(heard, view));
    }
    if let Some((at, count)) = survey.busiest {
        let at = local(at, view);
        let at = at.get(..16).unwrap_or(&at);
        let count = counted(count, "message");
        let _ = writeln!(text, "\n{BOLD}Busiest minute{BOLD:#}  {at}, {count}");
    }
    if let Some((place, advised)) = heard.advice() {
        let name = place.name.as_deref().filter(|_| several);
        text.push_str(&advice::text(advised, name, &preview.config));
    }
    text.push_str(&limits(&preview.cache, preview, view));
    text
}

fn headline(preview: &Preview) -> String {
    let heard = &preview.heard;
    let Survey { runs, said, elsewhere, quiet, .. } = heard.survey();
    let span = literal::line(&span(&preview.asked));
    if *runs == 0 {
        return format!("{BOLD}{span}: no runs.{BOLD:#}\n");
    }
    let place = match heard.places.as_slice() {
        [(place, _)] => format!(" in {}", called(place, heard.is_part)),
        _ => String::new(),
    };
    let told = match (heard.messages(), heard.places.as_slice()) {
        (count, [_]) if count == *said => String::new(),
        (count, [_]) => format!(", in {}", counted(count, "message")),
        (count, all) => {
            let hearing = all.iter().filter(|(_, survey)| survey.said > 0).count();
            format!(", in {} at {hearing} of {} places", counted(count, "message"), all.len())
        }
    };
    let away = match elsewhere {
        0 => String::new(),
        count => format!("; {count} {} by the routes", away(heard)),
    };
    let stays = if *quiet == 1 { "stays" } else { "stay" };
    let runs = counted(*runs, "run");
    format!(
        "{BOLD}{span}, {runs}: {said} would have been said{place}{told}{away}; {quiet} {stays} \
         quiet.{BOLD:#}\n"
    )
}

/// The only place that is shown.
fn called(place: &Place, is_chosen: bool) -> String {
    match (place.channels.as_slice(), place.name.as_deref()) {
        (_, Some(name)) if is_chosen => literal::line(name),
        ([], _) => "the channel".to_owned(),
        (channels, _) => literal::line(&channels.join(", ")),
    }
}

/// Where those are that the routes lead to none of the places that are shown.
fn away(heard: &Heard) -> &'static str {
    if heard.is_part { "not there" } else { "nowhere" }
}

fn places(heard: &Heard, view: &View) -> String {
    let mut text = format!("\n{BOLD}By place{BOLD:#}\n");
    let name = |place: &Place| literal::line(place.name.as_deref().unwrap_or_default());
    let longest = heard.places.iter().map(|(place, _)| name(place).chars().count()).max();
    let runs = digits(heard.places.iter().map(|(_, survey)| survey.said));
    let messages = digits(heard.places.iter().map(|(_, survey)| survey.messages.len() as u64));
    for (place, survey) in &heard.places {
        let busiest = match survey.busiest {
            None => String::new(),
            Some((_, count)) => format!(", {count} in the busiest minute"),
        };
        let line = format!(
            "  {}  {:>runs$} said  {:>messages$} {}{busiest}",
            pad(&name(place), longest.unwrap_or(0)),
            survey.said,
            survey.messages.len(),
            if survey.messages.len() == 1 { "message" } else { "messages" },
        );
        let _ = writeln!(text, "{}", cut(&line, view.width.unwrap_or(usize::MAX)));
    }
    text
}

/// Which route led where. A run that several match counts for each.
fn routes(heard: &Heard, view: &View) -> String {
    if heard.routes.is_empty() && heard.unmatched.is_none() {
        return String::new();
    }
    let counts = heard.routes.iter();
    let mut rows: Vec<(String, u64, String)> = counts
        .map(|count| (title(count.at, &count.route), count.runs, destination(&count.route)))
        .collect();
    let unmatched = heard.unmatched.filter(|count| *count > 0);
    rows.extend(unmatched.map(|count| ("no route".to_owned(), count, "nowhere".to_owned())));
    let longest = rows.iter().map(|(title, ..)| title.chars().count()).max().unwrap_or(0);
    let digits = digits(rows.iter().map(|(_, runs, _)| *runs));
    let mut text = format!("\n{BOLD}By route{BOLD:#}\n");
    for (title, runs, to) in rows {
        let what = if runs == 1 { "run " } else { "runs" };
        let line = format!("  {}  {runs:>digits$} {what}  {to}", pad(&title, longest));
        let _ = writeln!(text, "{}", cut(&line, view.width.unwrap_or(usize::MAX)));
    }
    text
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

fn messages(
    preview: &Preview,
    place: Option<&str>,
    survey: &Survey,
    limit: usize,
    view: &View,
) -> String {
    let messages = &survey.messages;
    let place = place.map(|place| format!(" in {}", literal::line(place))).unwrap_or_default();
    let first = messages.len().saturating_sub(limit);
    let shown = messages.get(first..).unwrap_or_default();
    let what = match (shown.len(), messages.len()) {
        (0, _) => return String::new(),
        (1, 1) => format!("The message{place}"),
        (1, all) => format!("The last of {all} messages{place}; --all shows every one"),
        (shown, all) if shown == all => format!("All {all} messages{place}"),
        (shown, all) => format!("The last {shown} of {all} messages{place}; --all shows every one"),
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

fn rules(heard: &Heard, view: &View) -> String {
    let survey = heard.survey();
    let mut text = format!("\n{BOLD}By rule{BOLD:#}\n");
    let digits = digits(survey.rules.iter().map(|count| count.runs));
    let longest = survey.rules.iter().map(|count| because(count).chars().count()).max();
    let widest = if survey.elsewhere > 0 { away(heard).len() } else { 5 };
    for count in &survey.rules {
        let voice = match count.voice {
            Voice::Quiet => "quiet",
            Voice::Elsewhere => away(heard),
            Voice::Said | Voice::Told | Voice::ToldWith => "said",
        };
        let because = pad(because(count), longest.unwrap_or(0));
        let line =
            format!("  {voice:widest$}  {:>digits$}  {because}  {}", count.runs, funs(count));
        let _ = writeln!(text, "{}", cut(&line, view.width.unwrap_or(usize::MAX)));
    }
    text
}

/// Why these runs are said or quiet.
fn because(count: &RuleCount) -> &'static str {
    let voice = match count.voice {
        Voice::Elsewhere if !count.rule.is_said() => Voice::Told,
        voice => voice,
    };
    match (voice, count.rule) {
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

fn people(heard: &Heard, view: &View) -> String {
    let survey = heard.survey();
    let mut text = format!("\n{BOLD}By person{BOLD:#}\n");
    let shown = survey.people.iter().take(PEOPLE);
    let names: Vec<String> =
        shown.clone().map(|count| literal::line(&cut(&count.person, 40))).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let said = digits(shown.clone().map(|count| count.said));
    let quiet = digits(shown.clone().map(|count| count.quiet));
    let elsewhere = digits(shown.clone().map(|count| count.elsewhere));
    for (name, count) in names.iter().zip(shown) {
        let gone = match survey.elsewhere {
            0 => String::new(),
            _ => format!("  {:>elsewhere$} {}", count.elsewhere, away(heard)),
        };
        let line = format!(
            "  {}  {:>said$} said{gone}  {:>quiet$} quiet",
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

/// What a cache can't know, and what was left out of this one.
fn limits(cache: &Cache, preview: &Preview, view: &View) -> String {
    let mut notes = vec![
        "What none tells: runners and orchestrations that have not ended, and events that minions \
         forge. Who never answered is inferred."
            .to_owned(),
    ];
    if !preview.has_config {
        notes.insert(0, "There is no config: decided as by default.".to_owned());
    }
    if cache.held == 0 {
        notes.push("It holds no jobs.".to_owned());
    } else if preview.heard.survey().runs == 0 {
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

pub(super) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn digits(numbers: impl Iterator<Item = u64>) -> usize {
    numbers.max().unwrap_or(0).to_string().len()
}
