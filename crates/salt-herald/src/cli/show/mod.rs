//! `show`: the whole story of one run, or the last runs of a minion.
//!
//! [`find`] says what is meant, [`gather`] reads what is to be told, [`story`] tells it.

mod find;
mod gather;
mod indented;
mod object;
mod states;
mod story;

use std::path::Path;

use herald_core::run::{Job, Run};

use super::args::ShowArgs;
use super::output::Output;
use super::row::{Row, table};
use super::trouble::Trouble;
use super::{Found, disk, journal, output};
use crate::store::{JournalReader, RunFilter};

pub(super) use object::{add, delivery as delivery_object};
pub(super) use story::deliveries as deliveries_text;

/// How many runs of a minion are shown.
const OF_MINION: usize = 20;
/// How many runs are listed where one was meant.
const CANDIDATES: usize = 20;

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &ShowArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let (path, mut reader) = journal::open(config, &args.reading)?;
    let shown = show(&mut reader, args, out);
    // Also where nothing is found: it may be there.
    disk::say_if_away(&path, disk::Lacking::Shown);
    shown
}

fn show(reader: &mut JournalReader, args: &ShowArgs, out: &mut Output) -> Result<Found, Trouble> {
    match find::find(reader, &args.what)? {
        find::Meant::Run(run, jobs) => match &args.minion {
            None => whole(reader, &run, &jobs, args, out)?,
            Some(minion) => of_one(reader, &run, &jobs, minion, args, out)?,
        },
        find::Meant::Minion(name) => last_runs(reader, name, args, out)?,
        find::Meant::Several(runs) => return Err(ambiguous(reader, &runs, &args.what, out)?),
        find::Meant::Nothing => return Err(nothing(&args.what.join(" "))),
    }
    out.flush()?;
    Ok(Found::NothingWrong)
}

/// The one run that is meant, for other commands.
pub(super) fn one_run(
    reader: &mut JournalReader,
    what: &[String],
    out: &Output,
) -> Result<Run, Trouble> {
    match find::find(reader, what)? {
        find::Meant::Run(run, _) => Ok(run),
        find::Meant::Minion(name) => Err(Trouble::new(format!("{name} is a minion, no run"))
            .hint(format!("salt-herald show {name} lists its runs"))),
        find::Meant::Several(runs) => Err(ambiguous(reader, &runs, what, out)?),
        find::Meant::Nothing => Err(nothing(&what.join(" "))),
    }
}

fn whole(
    reader: &mut JournalReader,
    run: &Run,
    jobs: &[Job],
    args: &ShowArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let story = gather::story(reader, run, jobs)?;
    if args.reading.json {
        let run = journal::object(reader, run)?;
        return out.json(&object::story(run, &story, reader.known_minions()));
    }
    let text = story::text(&story, reader.known_minions(), &out.view);
    out.print(&text)
}

fn of_one(
    reader: &mut JournalReader,
    run: &Run,
    jobs: &[Job],
    minion: &str,
    args: &ShowArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let number = reader.minions()?.number(minion);
    let returns = gather::of_one(reader, run, number)?;
    if returns.is_empty() && !args.reading.json {
        return Err(Trouble::new(format!("{minion} returned nothing in that run"))
            .hint(format!("salt-herald show {minion} lists its runs")));
    }
    if args.reading.json {
        let run = journal::object(reader, run)?;
        return out.json(&object::of_one(run, minion, &returns, jobs));
    }
    let text = states::text(run, minion, &returns, jobs, &out.view);
    out.print(&text)
}

fn last_runs(
    reader: &mut JournalReader,
    name: String,
    args: &ShowArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    let filter = RunFilter { minion: Some(name), limit: OF_MINION, ..RunFilter::default() };
    let runs = reader.runs(&filter)?;
    if args.reading.json {
        return runs.iter().try_for_each(|run| out.json(&journal::object(reader, run)?));
    }
    let text = list(reader, &runs, out)?;
    out.print(&text)
}

fn list(reader: &mut JournalReader, runs: &[Run], out: &Output) -> Result<String, Trouble> {
    let minions = reader.minions()?;
    let rows: Vec<Row> = runs.iter().map(|run| Row::of(run, minions, &out.view)).collect();
    Ok(table(&rows, out.view.width))
}

/// Several runs are meant: they are listed beside the error, with what tells them apart.
fn ambiguous(
    reader: &mut JournalReader,
    runs: &[Run],
    what: &[String],
    out: &Output,
) -> Result<Trouble, Trouble> {
    let minions = reader.minions()?;
    let lines: Vec<String> = runs
        .iter()
        .take(CANDIDATES)
        .map(|run| {
            let row = Row::of(run, minions, &out.view);
            let jid = run.jids.first().map_or("", String::as_str);
            let row = table(&[row], None);
            let row = anstream::adapter::strip_str(&row);
            format!("  run {:<6} {jid}  {row}", run.id.0)
        })
        .collect();
    output::note(&lines.concat());
    let what = what.join(" ");
    let trouble = Trouble::new(format!("{what} can mean {} runs", runs.len()));
    Ok(trouble.hint("give more of the jid, or the number: run NUMBER"))
}

fn nothing(what: &str) -> Trouble {
    Trouble::new(format!("the journal knows no run and no minion by {what}")).hint(
        "name a jid or its beginning, last, last failed, or a minion; salt-herald log --all lists \
         all runs",
    )
}
