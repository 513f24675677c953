//! `help` and `completions`: what the command line says of itself.

use clap::CommandFactory;

use super::Found;
use super::args::{Cli, CompletionsArgs, HelpArgs};
use super::output::Output;
use super::trouble::Trouble;

/// Carries out `help`.
pub(super) fn run(args: &HelpArgs, out: &mut Output) -> Result<Found, Trouble> {
    let mut command = Cli::command();
    // Only then do commands know our own name, and the options that all share.
    command.build();
    let text = match args.topic.as_deref() {
        None => command.render_help(),
        Some("all") => all().render_help(),
        Some(name) => match command.find_subcommand_mut(name) {
            Some(topic) => topic.render_help(),
            None => {
                return Err(Trouble::new(format!("there is no command {name}"))
                    .hint("salt-herald help all"));
            }
        },
    };
    out.print(&text.ansi().to_string())?;
    out.flush()?;
    Ok(Found::NothingWrong)
}

/// The command line with all that is hidden.
fn all() -> clap::Command {
    Cli::command()
        .mut_subcommands(|command| command.hide(false))
        .after_help("Exit codes: 0 done, 1 found something wrong, 2 could not run.")
}

/// Carries out `completions`.
pub(super) fn completions(args: &CompletionsArgs, out: &mut Output) -> Result<Found, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "salt-herald", &mut script);
    out.print(&String::from_utf8_lossy(&script))?;
    out.flush()?;
    Ok(Found::NothingWrong)
}

#[cfg(test)]
mod tests {
    #[test]
    fn help_on_all_commands() {
        insta::assert_snapshot!(super::all().term_width(100).render_help().to_string());
    }
}
