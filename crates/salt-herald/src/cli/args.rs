//! What can be typed: commands, their options, and their help with examples.
//!
//! Nothing is carried out here, and no time or file is looked at.

mod beside;
mod copies;
mod scrub;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use beside::{AnnounceArgs, PreviewArgs};
pub(super) use copies::{BackupArgs, ExportArgs, VerifyArgs};
pub(super) use scrub::ScrubArgs;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "salt-herald",
    version,
    about = "Everyone sees every Salt run: while it happens, and ever after.",
    after_help = "More commands: salt-herald help all\n\
                  Exit codes: 0 done, 1 found something wrong, 2 could not run.",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(super) struct Cli {
    /// Read this config file, and no other [default: /etc/salt/herald, /etc/salt/herald.d/*.conf]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Listen to the master, record every run, announce it: the daemon
    #[command(after_help = "Examples:\n  \
        salt-herald run\n  \
        HERALD_LOG=debug salt-herald run --config ./herald\n\n\
        What it does goes to stderr; HERALD_LOG takes levels: info, debug, salt_herald::chat=trace")]
    Run,
    /// Find everything that keeps salt-herald from working on this machine
    #[command(after_help = "Examples:\n  \
        salt-herald check\n  \
        salt-herald check --online           asks Slack, too; posts nothing\n  \
        salt-herald check --config ./herald")]
    Check(CheckArgs),
    /// Show what the channel would have heard, by the master's job cache; posts nothing
    #[command(after_help = "Examples:\n  \
        salt-herald preview\n  \
        salt-herald preview --since 3h --all\n  \
        salt-herald preview --sink monitoring#oncall\n  \
        salt-herald preview --cachedir /tmp/copy/var/cache/salt/master\n  \
        salt-herald preview --json | jq -r 'select(.type == \"message\") | .command'\n\n\
        With routes in the config it shows what each place would have heard, and by which route.\n\
        It writes nothing, and the daemon need not run. The master keeps its jobs for a day, unless\n\
        keep_jobs_seconds says otherwise. A TIME is as for log: 24h, 3d, 14:02, yesterday, RFC 3339.")]
    Preview(PreviewArgs),
    /// Show whether the daemon runs, what runs now, and what could not be seen or said
    #[command(after_help = "Examples:\n  \
        salt-herald status\n  \
        salt-herald status --json | jq .running\n\n\
        Exits with 1 when the daemon does not run or does not hear the master.")]
    Status(StatusArgs),
    /// Show runs as they begin and end, live
    #[command(after_help = "Examples:\n  \
        salt-herald tail\n  \
        salt-herald tail --all -n 0          quiet runs, too; no history first\n  \
        salt-herald tail --json | jq -r .command")]
    Tail(TailArgs),
    /// List past runs
    #[command(after_help = "Examples:\n  \
        salt-herald log\n  \
        salt-herald log --since 2h --minion web3\n  \
        salt-herald log --since yesterday --until today --failed\n  \
        salt-herald log --fun 'state.*' --user alice --limit 10\n  \
        salt-herald log --json | jq -r 'select(.status == \"failed\") | .command'\n\n\
        A TIME is 2026-11-22, 14:02, '2026-11-22 14:02', RFC 3339 with its zone, today, yesterday,\n\
        or a span back from now: 90s, 45m, 2h, 3d, 1w. A day as --until is meant to its end.")]
    Log(LogArgs),
    /// Show a run in full, or a minion's last runs
    #[command(after_help = "Examples:\n  \
        salt-herald show last\n  \
        salt-herald show last failed\n  \
        salt-herald show 20261122140211       a jid, or its beginning\n  \
        salt-herald show run 17               by the number that --json gives\n  \
        salt-herald show web3                 a minion\n  \
        salt-herald show last --minion web3   all that web3 returned")]
    Show(ShowArgs),
    /// Show where runs are said, and why a run went where it went
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald routes                        all routes, in their order\n  \
        salt-herald routes --explain last failed\n  \
        salt-herald routes --explain 20261122140211"
    )]
    Routes(RoutesArgs),
    /// Copy the journal into a file that can be put back in its place
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald backup /backup/journal.db\n  \
        salt-herald backup --force /backup/journal-$(date +%a).db    a week of them\n\n\
        The daemon may run, or not, and is not held up. The copy has its name only once it is whole\n\
        and looked through. To put it back: stop the daemon, copy the file to the journal's place,\n\
        start the daemon."
    )]
    Backup(BackupArgs),
    /// Write the journal as JSON Lines that verify, and other programs, can check
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald export journal.jsonl\n  \
        salt-herald export --since 2026-11-01 --until 2026-11-30 | gzip > november.jsonl.gz\n  \
        salt-herald export | jq -r 'select(.kind == \"run_ended\") | [.at, .status] | @tsv'\n\n\
        It holds what was recorded, redacted; a file is made with mode 0600. A part begins behind an\n\
        entry whose hash it names. A TIME is as for log. To check it: salt-herald verify\n\
        journal.jsonl, or contrib/check-export journal.jsonl."
    )]
    Export(ExportArgs),
    /// Prove that a journal, a backup or an export is what was written
    #[command(after_help = "Examples:\n  \
        salt-herald verify\n  \
        salt-herald verify /backup/journal.db\n  \
        salt-herald verify --key 3f2a… --checkpoint 'salt-herald checkpoint 4711 …'\n  \
        journalctl -u salt-herald -o cat | salt-herald verify --key herald.key --checkpoints -\n  \
        salt-herald verify --show-key\n  \
        salt-herald verify --chain-only --gently\n  \
        salt-herald verify --json | jq -r .text\n\n\
        It names the first entry that was changed, removed, inserted or moved, contents that are not\n\
        what entries name, and tables that don't follow from them. It reads only, and the daemon may\n\
        run. Exits with 1 when something is wrong.")]
    Verify(VerifyArgs),
    /// Take a secret out of the journal that slipped through, with the daemon stopped
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald scrub --reason 'the password of db1'              asks for it, without an echo\n  \
        salt-herald scrub --reason 'the password of db1' --from FILE  one secret a line\n  \
        salt-herald scrub --dry-run --from FILE                       where it stands; changes nothing\n\n\
        Never type a secret into a command line: it stands in `ps` and in the shell's history.\n\
        It is looked for in its plain form, and as base64, URLs, shells and JSON write it. An entry\n\
        says for good who took something out, when and why. Exits with 1 when a secret still stands\n\
        somewhere, or may. Then change it: docs/scrub.md."
    )]
    Scrub(ScrubArgs),
    /// Write the master's events to a file, byte by byte, with all secrets in them
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald record /root/bus.record   ends with Ctrl-C\n\n\
        The file is made with mode 0600. It holds whatever passes over the bus: passwords, pillar."
    )]
    Record(RecordArgs),
    /// Make a journal from a file that `record` wrote
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald replay bus.record --journal /tmp/journal.db\n  \
        salt-herald log --journal /tmp/journal.db"
    )]
    Replay(ReplayArgs),
    /// Show what of a text or a recorded bus is hidden, and which rule does it
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald redact --explain < deploy.log\n  \
        salt-herald redact app.conf > app.conf.clean\n  \
        salt-herald redact bus.record         the events in which something is hidden\n\n\
        The rules are the daemon's. The marks are of this process: they can't be compared with those\n\
        of a journal. Rules: docs/secrets.md."
    )]
    Redact(RedactArgs),
    /// Put what the master's job cache knows of a time into the journal
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald backfill --since 24h\n  \
        salt-herald backfill --since yesterday --until today --json\n\n\
        The daemon does so by itself at start and after each gap; this is for what was before its first\n\
        start. What is in the journal is not added again. All that is added is told in one digest.\n\
        Exits with 1 when the job cache can't be read. A TIME is as for log."
    )]
    Backfill(BackfillArgs),
    /// Say one command in Slack as the usual script behind a reactor does; needs no daemon
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald announce '*' glob state.apply nginx test=True\n  \
        salt-herald announce roles:web grain state.sls \"['nginx', {'__kwarg__': True, 'n': 1}]\"\n  \
        salt-herald announce --dry-run -- '*' glob cmd.run -x\n  \
        salt-herald announce --event < event     {'tgt': '*', 'tgt_type': 'glob', 'fun': …, 'arg': […]}\n\n\
        TGT_TYPE is Salt's word: glob, pcre, list, grain, grain_pcre, pillar, compound, ipcidr, …\n\
        Options come first. Posts to every sink that has a webhook. Exits with 1 when Slack refuses."
    )]
    Announce(AnnounceArgs),
    /// Print completions for a shell
    #[command(
        hide = true,
        after_help = "Examples:\n  \
        salt-herald completions bash > /usr/share/bash-completion/completions/salt-herald"
    )]
    Completions(CompletionsArgs),
    /// Show this help, that of a command, or all commands
    #[command(
        hide = true,
        after_help = "Examples:\n  salt-herald help all\n  salt-herald help log"
    )]
    Help(HelpArgs),
}

/// What all commands take that read the journal.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// Read this journal; the config is not needed then
    #[arg(long, value_name = "PATH")]
    pub(super) journal: Option<PathBuf>,
    /// Print JSON Lines: stable names, times in UTC
    #[arg(long)]
    pub(super) json: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Ask the chats, too, whether we could post
    #[arg(long)]
    pub(super) online: bool,
    /// Print JSON Lines, one for each finding
    #[arg(long)]
    pub(super) json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) reading: Reading,
}

/// `tail`.
#[derive(Debug, Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    pub(super) reading: Reading,
    /// Show quiet runs, too: those that are recorded but not announced
    #[arg(long, short)]
    pub(super) all: bool,
    /// Begin with so many past runs
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub(super) lines: usize,
}

/// `log`.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    pub(super) reading: Reading,
    /// Begun at that time or later
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Begun before that time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// By this user
    #[arg(long)]
    pub(super) user: Option<String>,
    /// On a minion with this id; a glob
    #[arg(long, value_name = "GLOB")]
    pub(super) minion: Option<String>,
    /// Of a function that this glob matches
    #[arg(long, value_name = "GLOB")]
    pub(super) fun: Option<String>,
    /// With this in the command line
    #[arg(long, value_name = "SUBSTRING")]
    pub(super) text: Option<String>,
    /// Only what failed, or where somebody never answered
    #[arg(long, conflicts_with = "running")]
    pub(super) failed: bool,
    /// Only what runs
    #[arg(long)]
    pub(super) running: bool,
    /// Show quiet runs, too; --json always does
    #[arg(long, short)]
    pub(super) all: bool,
    /// What happened to minions' keys, instead of runs
    #[arg(long, conflicts_with_all = ["user", "fun", "text", "failed", "running", "all"])]
    pub(super) keys: bool,
    /// What minions made up, or may have, instead of runs
    #[arg(long, conflicts_with_all = ["user", "fun", "text", "failed", "running", "all", "keys"])]
    pub(super) suspect: bool,
    /// At most so many, the latest [default: 50; with --json all]
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub(super) limit: Option<usize>,
}

/// `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) reading: Reading,
    /// A jid or its beginning, `last`, `last failed`, `run NUMBER`, or a minion
    #[arg(required = true, num_args = 1..=2, value_name = "WHAT")]
    pub(super) what: Vec<String>,
    /// All that this minion returned
    #[arg(long, value_name = "ID")]
    pub(super) minion: Option<String>,
}

/// `routes`.
#[derive(Debug, Args)]
pub(super) struct RoutesArgs {
    /// Say of this run what each route makes of it: a jid or its beginning, `last`, `last failed`,
    /// or `run NUMBER`
    #[arg(long, num_args = 1..=2, value_name = "WHAT")]
    pub(super) explain: Vec<String>,
    /// Look for the run in this journal
    #[arg(long, value_name = "PATH")]
    pub(super) journal: Option<PathBuf>,
    /// Print JSON Lines: stable names, times in UTC
    #[arg(long)]
    pub(super) json: bool,
}

/// `record`.
#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// Where to
    pub(super) file: PathBuf,
}

/// `backfill`.
#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// What happened at that time or later
    #[arg(long, value_name = "TIME")]
    pub(super) since: String,
    /// What happened before that time [default: now]
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Ask the daemon that writes this journal; the config is not needed then
    #[arg(long, value_name = "PATH")]
    pub(super) journal: Option<PathBuf>,
    /// Print one object as JSON: stable names, times in UTC
    #[arg(long)]
    pub(super) json: bool,
}

/// `replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// What `record` wrote
    pub(super) file: PathBuf,
    /// The journal to make
    #[arg(long, value_name = "PATH")]
    pub(super) journal: PathBuf,
    /// Print the counts as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `redact`.
#[derive(Debug, Args)]
pub(super) struct RedactArgs {
    /// A text, or what `record` wrote; stdin if there is none
    pub(super) file: Option<PathBuf>,
    /// Also print which rule hid what
    #[arg(long)]
    pub(super) explain: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh
    pub(super) shell: clap_complete::Shell,
}

/// `help`.
#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// `all`, or a command
    pub(super) topic: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_texts() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut texts = command.render_help().to_string();
        let names = [
            "log", "show", "status", "tail", "check", "preview", "run", "announce", "routes",
            "backfill",
        ];
        for name in names {
            let command = command.find_subcommand_mut(name).unwrap();
            texts.push_str(&format!("\n=== {name}\n{}", command.render_help()));
        }
        insta::assert_snapshot!(texts);
    }
}
