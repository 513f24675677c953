//! `log`: past runs, one line each.

use std::ops::ControlFlow;
use std::path::Path;

use herald_core::run::Run;
use jiff::Timestamp;
use serde_json::json;

use super::args::LogArgs;
use super::output::{Output, View};
use super::row::{DIM, table_with_gaps};
use super::trouble::Trouble;
use super::when::{self, End};
use super::{Found, disk, journal, keys, record, suspects};
use crate::store::{Gap, JournalReader, Order, RunFilter};

/// How many runs people are shown unless they ask for more.
const LIMIT: usize = 50;

/// What people are told of runs that they are not shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hidden {
    quiet: u64,
    /// There are more before them than were asked for.
    earlier: Option<usize>,
}

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &LogArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let filter = filter(args, &out.view)?;
    let (path, mut reader) = journal::open(config, &args.reading)?;
    if args.keys {
        print_keys(&reader, &filter, args, out)?;
    } else if args.suspect {
        print_suspects(&reader, &filter, args, out)?;
    } else if args.reading.json {
        print_json(&mut reader, &filter, args.limit, out)?;
    } else {
        print_lines(&mut reader, &filter, args, out)?;
    }
    out.flush()?;
    disk::say_if_away(&path, disk::Lacking::Shown);
    Ok(Found::NothingWrong)
}

fn filter(args: &LogArgs, view: &View) -> Result<RunFilter, Trouble> {
    Ok(RunFilter {
        since: when::given(args.since.as_deref(), "since", End::Begin, view)?,
        until: when::given(args.until.as_deref(), "until", End::Close, view)?,
        user: args.user.clone(),
        fun: args.fun.clone(),
        minion: args.minion.clone(),
        failed: args.failed,
        running: args.running,
        said: false,
        text: args.text.clone(),
        limit: args.limit.unwrap_or(usize::MAX),
    })
}

/// What happened to keys.
fn print_keys(
    reader: &JournalReader,
    filter: &RunFilter,
    args: &LogArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let (since, until) = span(filter);
    let all = reader.key_events(since, until)?;
    let asked = asked_for(all, args, |event| keys::is_asked_for(event, args.minion.as_deref()));
    if args.reading.json {
        return asked.iter().try_for_each(|event| out.json(&keys::object(event)));
    }
    out.print(&keys::lines(&asked, &out.view))
}

/// What was suspect.
fn print_suspects(
    reader: &JournalReader,
    filter: &RunFilter,
    args: &LogArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let (since, until) = span(filter);
    let all = reader.suspects(since, until)?;
    let asked = asked_for(all, args, |one| suspects::is_asked_for(one, args.minion.as_deref()));
    if args.reading.json {
        return asked.iter().try_for_each(|one| out.json(&suspects::object(one)));
    }
    out.print(&suspects::lines(&asked, &out.view))
}

fn span(filter: &RunFilter) -> (Timestamp, Timestamp) {
    (filter.since.unwrap_or(Timestamp::MIN), filter.until.unwrap_or(Timestamp::MAX))
}

/// Of what is asked for, for people the latest, as of runs.
fn asked_for<T>(mut all: Vec<T>, args: &LogArgs, is_asked_for: impl Fn(&T) -> bool) -> Vec<T> {
    all.retain(is_asked_for);
    let most = args.limit.unwrap_or(if args.reading.json { usize::MAX } else { LIMIT });
    let surplus = all.len().saturating_sub(most);
    all.drain(..surplus);
    all
}

/// Every run, and between them the times in which nothing was seen. Without a limit no runs are gathered
/// first: a journal can be long.
fn print_json(
    reader: &mut JournalReader,
    filter: &RunFilter,
    limit: Option<usize>,
    out: &mut Output,
) -> Result<(), Trouble> {
    if limit == Some(0) {
        return Ok(());
    }
    let runs = if limit.is_some() { Some(reader.runs(filter)?) } else { None };
    // As with the lines for people: what was cut off has its gaps cut off, too.
    let earliest = runs.iter().filter(|runs| Some(runs.len()) == limit).find_map(|it| it.first());
    let since = earliest.map(|run| run.started_at).or(filter.since).unwrap_or(Timestamp::MIN);
    let gaps = reader.gaps_between(since, filter.until.unwrap_or(Timestamp::MAX))?;
    let mut gaps = gaps.into_iter().peekable();
    let mut show = |reader: &JournalReader, run: &Run| {
        while let Some(gap) = gaps.next_if(|gap| gap.from < run.started_at) {
            out.json(&json!({"gap": record::of_gap(&gap)}))?;
        }
        out.json(&journal::object(reader, run)?)
    };
    match runs {
        Some(runs) => runs.iter().try_for_each(|run| show(reader, run))?,
        None => reader.each_run(filter, Order::EarliestFirst, |reader, run| {
            show(reader, &run)?;
            Ok::<_, Trouble>(ControlFlow::Continue(()))
        })?,
    }
    gaps.try_for_each(|gap| out.json(&json!({"gap": record::of_gap(&gap)})))
}

fn print_lines(
    reader: &mut JournalReader,
    filter: &RunFilter,
    args: &LogArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let (runs, hidden) = latest(reader, filter, args.limit.unwrap_or(LIMIT), args.all)?;
    let gaps = gaps_among(reader, filter, &runs, &hidden)?;
    let minions = reader.minions()?;
    out.print(&table_with_gaps(&runs, &gaps, minions, &out.view))?;
    out.print(&epilogue(runs.is_empty(), &hidden))
}

/// The times in which nothing was seen, as far back as the runs are shown.
fn gaps_among(
    reader: &JournalReader,
    filter: &RunFilter,
    runs: &[Run],
    hidden: &Hidden,
) -> Result<Vec<Gap>, Trouble> {
    let shown = runs.first().map(|run| run.started_at).filter(|_| hidden.earlier.is_some());
    let since = shown.or(filter.since).unwrap_or(Timestamp::MIN);
    let mut gaps = reader.gaps_between(since, filter.until.unwrap_or(Timestamp::MAX))?;
    // A bus that comes and goes all day must not push the runs away.
    let surplus = gaps.len().saturating_sub(LIMIT);
    gaps.drain(..surplus);
    Ok(gaps)
}

/// The latest runs for people, the earliest of them first, and what is hidden among them.
fn latest(
    reader: &mut JournalReader,
    filter: &RunFilter,
    limit: usize,
    all: bool,
) -> Result<(Vec<Run>, Hidden), Trouble> {
    let mut runs = Vec::new();
    let mut hidden = Hidden::default();
    reader.each_run(filter, Order::LatestFirst, |_, run| {
        if !all && !journal::is_for_people(&run) {
            hidden.quiet += 1;
        } else if runs.len() == limit {
            hidden.earlier = Some(limit);
            return Ok(ControlFlow::Break(()));
        } else {
            runs.push(run);
        }
        Ok::<_, Trouble>(ControlFlow::Continue(()))
    })?;
    runs.reverse();
    Ok((runs, hidden))
}

fn epilogue(is_empty: bool, hidden: &Hidden) -> String {
    let mut parts = Vec::new();
    if is_empty && hidden.earlier.is_none() {
        parts.push("no runs".to_owned());
    }
    if let Some(limit) = hidden.earlier {
        parts.push(format!("earlier runs not shown (--limit {limit})"));
    }
    match hidden.quiet {
        0 => {}
        1 => parts.push("1 quiet run not shown (--all)".to_owned()),
        count => parts.push(format!("{count} quiet runs not shown (--all)")),
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("{DIM}{}{DIM:#}\n", parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_hidden() {
        let said = |is_empty, quiet, earlier| {
            let hidden = Hidden { quiet, earlier };
            anstream::adapter::strip_str(&epilogue(is_empty, &hidden)).to_string()
        };
        assert_eq!(said(false, 0, None), "");
        assert_eq!(said(true, 0, None), "no runs\n");
        assert_eq!(said(true, 12, None), "no runs · 12 quiet runs not shown (--all)\n");
        assert_eq!(
            said(false, 1, Some(50)),
            "earlier runs not shown (--limit 50) · 1 quiet run not shown (--all)\n"
        );
    }
}
