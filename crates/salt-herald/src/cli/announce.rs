//! `announce`: says one command in Slack as the usual script behind a reactor does, for masters
//! where no daemon may run.
//!
//! It reads no journal and writes none, and knows of a run only what it is told. A message that Slack
//! does not take for good ends the command with 1, so that whoever started it hears of it.

use std::ffi::OsString;
use std::io::{Read, stdin};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use herald_core::reacted::Reacted;
use herald_core::redact::Redactor;
use thiserror::Error;

use super::args::AnnounceArgs;
use super::output::{self, Output};
use super::trouble::Trouble;
use super::{Found, journal};
use crate::chat::{self, DeliveryError, Sink};
use crate::config::{self, Config};
use crate::marks;

/// The longest event that is read: Salt's own limit is 1 MiB, before it is printed.
const MOST_EVENT: u64 = 8 * 1024 * 1024;
/// How long one message waits in all, for Slack's sake.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often it is tried again.
const MOST_TRIES: u32 = 5;

/// Why a sink does not say it.
#[derive(Debug, Error)]
#[error("{sink} was not told")]
struct NotTold {
    sink: String,
    #[source]
    source: DeliveryError,
}

/// Carries out the command.
pub(super) fn run(
    config: Option<&Path>,
    args: &AnnounceArgs,
    out: &mut Output,
) -> Result<Found, Trouble> {
    let job = job(args)?;
    let (config, _) = config::load(&journal::load_options(config)).map_err(Trouble::of)?;
    let site = Arc::clone(&config.redact);
    let command = job.command(&Redactor::with_site(marks::of_process(), site));
    let sinks = choose(&config, args.sink.as_deref())?;
    if args.dry_run {
        for sink in &sinks {
            let payload = sink.command_payload(&command).unwrap_or_default();
            out.print(&format!("{payload:#}\n"))?;
        }
        out.flush()?;
        return Ok(Found::NothingWrong);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(tell_all(&sinks, &command));
    Ok(if told { Found::NothingWrong } else { Found::SomethingWrong })
}

/// The job, from the words of the command line or from an event on stdin.
fn job(args: &AnnounceArgs) -> Result<Reacted, Trouble> {
    if args.event {
        let mut bytes = Vec::new();
        stdin().lock().take(MOST_EVENT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_EVENT {
            return Err(Trouble::new("the event on stdin is too long to be one of Salt's"));
        }
        return Reacted::from_event(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
            Trouble::new("stdin holds no event's data")
                .hint("a reactor's SLS gives it as {{ data | string | json }}; it must have a fun")
        });
    }
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let first = |word: &Option<OsString>| word.as_ref().map(text).unwrap_or_default();
    let words: Vec<String> = args.arg.iter().map(text).collect();
    Ok(Reacted::from_words(&first(&args.tgt), &first(&args.tgt_type), &first(&args.fun), &words))
}

/// The sinks that are told: the one that was named, else all that have a webhook, as the daemon
/// tells all.
fn choose(config: &Config, wanted: Option<&str>) -> Result<Vec<Sink>, Trouble> {
    let all = chat::sinks(config).map_err(Trouble::of)?;
    if let Some(name) = wanted
        && !all.iter().any(|sink| sink.name() == name)
    {
        let names: Vec<&str> = all.iter().map(Sink::name).collect();
        return Err(Trouble::new(format!("there is no sink {name} in the config"))
            .hint(format!("there are: {}", names.join(", "))));
    }
    let has_webhook = |sink: &Sink| sink.command_payload("").is_some();
    let chosen: Vec<Sink> = all
        .into_iter()
        .filter(|sink| has_webhook(sink) && wanted.is_none_or(|name| sink.name() == name))
        .collect();
    if chosen.is_empty() {
        let what = match wanted {
            Some(name) => format!("{name} has no webhook, and announce posts to nothing else"),
            None => {
                "no sink in the config has a webhook, and announce posts to nothing else".into()
            }
        };
        return Err(Trouble::new(what).hint(
            "add one: slack: -> monitoring: -> webhook_url: https://hooks.slack.com/services/...",
        ));
    }
    Ok(chosen)
}

/// Tells all sinks, one after the other; whether all were told.
async fn tell_all(sinks: &[Sink], command: &str) -> bool {
    let mut told = true;
    for sink in sinks {
        if let Err(source) = tell(sink, command).await {
            let hint = sink.hint(&source);
            let trouble = Trouble::of(NotTold { sink: sink.name().to_owned(), source });
            let trouble = hint.into_iter().fold(trouble, Trouble::hint);
            output::note(&trouble.text());
            told = false;
        }
    }
    told
}

async fn tell(sink: &Sink, command: &str) -> Result<(), DeliveryError> {
    let mut waited = Duration::ZERO;
    let mut tries = 0;
    loop {
        let error = match sink.post_command(command).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let Some(pause) = pause(&error, tries, waited) else {
            return Err(error);
        };
        tokio::time::sleep(pause).await;
        waited += pause;
        tries += 1;
    }
}

/// How long to wait until a message is tried again, if it is. One that may have arrived is not: twice
/// is worse than an error that is seen.
fn pause(error: &DeliveryError, tries: u32, waited: Duration) -> Option<Duration> {
    let pause = match error {
        DeliveryError::RateLimited { retry_after } if tries < MOST_TRIES => *retry_after,
        DeliveryError::Unavailable(_) if tries < 2 => Duration::from_secs(1),
        _ => return None,
    };
    (waited + pause <= LONGEST_WAIT).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_help_is_waited_for_within_reason() {
        let limited =
            |seconds| DeliveryError::RateLimited { retry_after: Duration::from_secs(seconds) };
        let secs = |error: &DeliveryError, tries, waited| {
            pause(error, tries, Duration::from_secs(waited)).map(|pause| pause.as_secs())
        };
        assert_eq!(secs(&limited(7), 0, 0), Some(7));
        assert_eq!(secs(&limited(7), 4, 53), Some(7));
        assert_eq!(secs(&limited(7), 5, 35), None);
        assert_eq!(secs(&limited(7), 1, 54), None);
        assert_eq!(secs(&limited(3_600), 0, 0), None);
        let away = DeliveryError::Unavailable("away".into());
        assert_eq!(secs(&away, 1, 1), Some(1));
        assert_eq!(secs(&away, 2, 2), None);
        for error in [
            DeliveryError::InDoubt("lost".into()),
            DeliveryError::Unauthorized { reason: "no_service".to_owned() },
            DeliveryError::Rejected { reason: "invalid_payload".to_owned() },
        ] {
            assert_eq!(secs(&error, 0, 0), None, "{error}");
        }
    }
}
