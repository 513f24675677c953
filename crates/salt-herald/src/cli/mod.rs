//! The command line: arguments in, texts and an exit code out.
//!
//! A command reads what it needs and hands it to pure functions that make the text. What is true
//! was decided when it was recorded; nothing here writes to the journal. `backfill` and `scrub` have it written.

mod announce;
mod args;
mod backfill;
mod backup;
mod check;
mod disk;
mod export;
mod extent;
mod guard;
mod help;
mod journal;
mod keys;
mod log;
mod logging;
mod output;
mod preview;
mod record;
mod redact;
mod routes;
mod row;
mod scrub;
mod service;
mod show;
mod status;
mod suspects;
mod tail;
mod trouble;
mod verify;
mod when;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use herald_core::literal;

use args::{Cli, Command};
use output::Output;
use trouble::Trouble;

/// What a command came to, beyond its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Done.
    NothingWrong,
    /// Done, and something is wrong with what was looked at.
    SomethingWrong,
}

/// Carries out what the process's arguments say: 0 done, 1 found something wrong, 2 could not run.
pub fn main() -> ExitCode {
    guard::guard();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            say(error);
            return ExitCode::from(code);
        }
    };
    match dispatch(cli.config.as_deref(), cli.command) {
        Ok(Found::NothingWrong) | Err(Trouble::ReaderGone) => ExitCode::SUCCESS,
        Ok(Found::SomethingWrong) => ExitCode::from(1),
        Err(trouble) => {
            output::note(&trouble.text());
            ExitCode::from(2)
        }
    }
}

/// Help and version come this way, too; a reader that went away is no failure. What was typed may come
/// from elsewhere by a script, and clap repeats it as it is: so it is told of the same words written out.
fn say(error: clap::Error) {
    let typed = std::env::args_os().map(|word| literal::line(&word.to_string_lossy()));
    let written_out =
        if error.use_stderr() { Cli::try_parse_from(typed).err() } else { Some(error) };
    match written_out {
        Some(error) => drop(error.print()),
        None => output::note("salt-herald: what was typed can't be understood\n"),
    }
}

fn dispatch(config: Option<&Path>, command: Command) -> Result<Found, Trouble> {
    let mut out = Output::new();
    match command {
        Command::Run => service::run(config),
        Command::Record(args) => service::record(config, &args),
        Command::Redact(args) => redact::run(config, &args, &mut out),
        Command::Replay(args) => service::replay(config, &args, &mut out),
        Command::Check(args) => check::run(config, &args, &mut out),
        Command::Preview(args) => preview::run(config, &args, &mut out),
        Command::Status(args) => status::run(config, &args, &mut out),
        Command::Tail(args) => tail::run(config, &args, &mut out),
        Command::Log(args) => log::run(config, &args, &mut out),
        Command::Show(args) => show::run(config, &args, &mut out),
        Command::Backfill(args) => backfill::run(config, &args, &mut out),
        Command::Backup(args) => backup::run(config, &args, &mut out),
        Command::Export(args) => export::run(config, &args, &mut out),
        Command::Verify(args) => verify::run(config, &args, &mut out),
        Command::Scrub(args) => scrub::run(config, &args, &mut out),
        Command::Announce(args) => announce::run(config, &args, &mut out),
        Command::Routes(args) => routes::run(config, &args, &mut out),
        Command::Completions(args) => help::completions(&args, &mut out),
        Command::Help(args) => help::run(&args, &mut out),
    }
}
