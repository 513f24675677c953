//! `scrub`: a secret that slipped through is taken out of the journal.
//!
//! The store does it, [`text`] says what came of it. What is secret is never shown, and never taken from the
//! command line.

mod ask;
mod text;

use std::path::Path;

use herald_core::redact::Marks;
use herald_core::scrub::{MIN_LENGTH, Refused, Sought};
use zeroize::Zeroizing;

use super::args::ScrubArgs;
use super::output::Output;
use super::trouble::Trouble;
use super::{Found, journal};
use crate::accounts::name_of;
use crate::marks;
use crate::store::{Cleaned, Journal, JournalReader, ScrubOrder, StoreError, find_secret};

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &ScrubArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    if !args.words.is_empty() {
        return Err(Trouble::new("a secret is not to be typed into a command line")
            .hint("there it stands in `ps` and in the shell's history. Leave it away to be asked for it, or say --from FILE"));
    }
    let path = journal::path(config, &args.reading)?;
    if !path.exists() {
        return Err(StoreError::Absent { path }.into());
    }
    let secrets = ask::secrets(args.from.as_deref())?;
    if args.dry_run {
        let sought = sought(&secrets, &marks::of_process(), &path)?;
        let found = find_secret(&path, &sought)?;
        let is_any = found != Default::default();
        say(&text::found(&found, &out.view), &text::found_objects(&found), args, out)?;
        return Ok(if is_any { Found::SomethingWrong } else { Found::NothingWrong });
    }
    let journal = Journal::open_as_it_is(&path).map_err(with_hint)?;
    let sought = sought(&secrets, &marks::of_journal(&path), &path)?;
    drop(secrets);
    let reason = reason(args, &sought)?;
    let (by, sudo) = who();
    let order = ScrubOrder { sought: &sought, reason, by: &by, sudo: &sudo };
    let cleaned = journal.scrub(&order)?;
    say(&text::cleaned(&cleaned, &out.view), &text::cleaned_objects(&cleaned), args, out)?;
    Ok(if is_over(&cleaned) { Found::NothingWrong } else { Found::SomethingWrong })
}

/// Whether nothing is left to be done by people, but to change the secret.
fn is_over(cleaned: &Cleaned) -> bool {
    cleaned.is_clean() && cleaned.found.messages.iter().all(|message| message.can_be_rewritten)
}

fn say(
    text: &str,
    objects: &[serde_json::Value],
    args: &ScrubArgs,
    out: &mut Output,
) -> Result<(), Trouble> {
    if args.reading.json {
        objects.iter().try_for_each(|object| out.json(object))?;
    } else {
        out.print(text)?;
    }
    out.flush()
}

/// What is looked for in a journal: in its contents the ids of its minions are written otherwise.
fn sought(secrets: &Zeroizing<Vec<u8>>, marks: &Marks, path: &Path) -> Result<Sought, Trouble> {
    let mut reader = JournalReader::open(path)?;
    let minions = reader.minions()?;
    let ids = (0..).take(minions.len()).map(|number| minions.name(number));
    Sought::new(secrets, marks, ids).map_err(refused)
}

fn refused(refused: Refused) -> Trouble {
    let hint = match refused {
        Refused::Nothing => "give one secret a line",
        Refused::Short { .. } => {
            let what = format!(
                "what is shorter than {MIN_LENGTH} stands in many places by chance. Leave it away: of a key the other lines do"
            );
            return Trouble::of(refused).hint(what);
        }
        Refused::OwnWord { .. } => {
            "change that secret; in the journal nobody can tell it from the word"
        }
        Refused::TooMuch => "take some of them, and then the others",
    };
    Trouble::of(refused).hint(hint)
}

/// Why, for good: so nothing secret may stand in it.
fn reason<'a>(args: &'a ScrubArgs, sought: &Sought) -> Result<&'a str, Trouble> {
    let reason = args.reason.as_deref().unwrap_or_default().trim();
    if reason.is_empty() {
        return Err(Trouble::new("--reason says nothing").hint("say which secret it was, not what"));
    }
    if sought.is_in(reason.as_bytes()) {
        return Err(Trouble::new("--reason holds the secret itself")
            .hint("it stays in the journal for good: say which secret it was, not what"));
    }
    Ok(reason)
}

fn with_hint(error: StoreError) -> Trouble {
    let is_busy = matches!(error, StoreError::Busy { .. });
    let trouble = Trouble::from(error);
    if is_busy {
        trouble.hint("stop the daemon first: systemctl stop salt-herald (or salt-herald-root)")
    } else {
        trouble
    }
}

/// The user of the process, and who became that user by sudo's word.
fn who() -> (String, String) {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let by = name_of(rustix::process::getuid().as_raw(), &known);
    (by, std::env::var("SUDO_USER").unwrap_or_default())
}
