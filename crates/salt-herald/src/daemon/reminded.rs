//! What is secret in the runs that are open, from their loads in the master's job cache: read before the
//! bus is heard, so that the first return of another job is looked through with it.
//!
//! Nothing is recorded by this. A back-fill reads the same files afterwards, and whatever is missed here:
//! where the cache is elsewhere, or so slow that the bus would wait for it.

use std::time::{Duration, Instant};

use salt_event::event::Kind;

use super::intake::Intake;
use crate::config::MasterConfig;
use crate::source::job_cache::JobCache;

/// Most open jobs that are looked for.
const MOST: usize = 1_000;
/// How long the bus may wait for it: meanwhile its events stay with the master.
const LONGEST: Duration = Duration::from_secs(2);

/// Tells the intake what the job cache knows of the jobs that are open.
pub(super) fn remind(intake: &mut Intake, master: &MasterConfig) {
    let open = intake.open_jids(MOST);
    if open.is_empty() || !master.keeps_loads() {
        return;
    }
    let Ok(cache) = JobCache::open(&master.job_cache_dir()) else {
        return;
    };
    let cache = cache.in_zone(master.jid_zone());
    let begun = Instant::now();
    for (index, jid) in open.iter().enumerate() {
        if begun.elapsed() > LONGEST {
            let left = open.len() - index;
            tracing::warn!(left, "the job cache is slow: open runs wait for the back-fill");
            return;
        }
        let Some(place) = cache.look_up(jid) else { continue };
        // A job's load comes first; its returns are the back-fill's matter.
        let _ = cache.events(vec![place]).each(|_, event| match &event.kind {
            Kind::NewJob(job) => {
                intake.remind(job);
                Err(())
            }
            _ => Ok(()),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use herald_core::ledger::Settings;
    use herald_core::redact::{Marks, Redactor};
    use jiff::Timestamp;
    use salt_event::Value;

    use super::*;
    use crate::config::{LoadOptions, load};
    use crate::source::job_cache::made::{Made, at, ids, map, text};
    use crate::source::{Heard, Item};
    use crate::store::Journal;

    const JID: &str = "20261122172611123456";
    const OTHER: &str = "20261122172650123456";
    const SECRET: &str = "correct-horse-9";

    fn frame(tag: &str, data: Value<'static>) -> Heard {
        let body = [tag.as_bytes(), b"\n\n", &data.to_bytes()].concat();
        let frame = map(vec![("head", map(vec![])), ("body", Value::Bytes(body.into()))]);
        Heard::Frame(frame.to_bytes().into())
    }

    fn begins(jid: &str, fun: &str, arg: &[&str]) -> Heard {
        let data = map(vec![
            ("jid", text(jid)),
            ("tgt_type", text("list")),
            ("tgt", ids(&["web1"])),
            ("user", text("alice")),
            ("fun", text(fun)),
            ("arg", ids(arg)),
            ("minions", ids(&["web1"])),
            ("missing", ids(&[])),
        ]);
        frame(&format!("salt/job/{jid}/new"), data)
    }

    /// A return that says nothing of its arguments.
    fn returns(jid: &str, fun: &str, what: &str) -> Heard {
        let data = map(vec![
            ("cmd", text("_return")),
            ("id", text("web1")),
            ("jid", text(jid)),
            ("fun", text(fun)),
            ("fun_args", ids(&[])),
            ("return", text(what)),
            ("retcode", Value::Int(0)),
            ("success", Value::Bool(true)),
        ]);
        frame(&format!("salt/job/{jid}/ret/web1"), data)
    }

    /// Goes on with a journal, and takes these.
    fn take(journal: &Path, master: Option<&MasterConfig>, heard: Vec<Heard>) {
        let writer = Journal::open(journal).unwrap().into_writer().unwrap();
        let reader = writer.reader().unwrap();
        let redactor = Redactor::new(Marks::new(&[7; 32]));
        let now: Timestamp = at("17:27:00");
        let mut intake =
            Intake::new(Settings::default(), redactor, reader, writer.clone(), now).unwrap();
        master.into_iter().for_each(|master| remind(&mut intake, master));
        for heard in heard {
            intake.take(&Item { at: now, heard }).unwrap();
        }
        intake.flush_all().unwrap();
        drop(intake);
        writer.close();
    }

    #[test]
    fn the_first_return_after_a_restart_is_looked_through_for_what_is_open() {
        let made = Made::new();
        let command = format!("mysqlcheck --password={SECRET} shop");
        made.job_of(JID, "alice", "cmd.run", &[&command], &["web1"], at("17:26:11"));
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("herald");
        let said = format!("salt: {{cachedir: {}}}\n", made.root.path().display());
        std::fs::write(&config, said).unwrap();
        let options = LoadOptions { file: Some(config), ..LoadOptions::default() };
        let (config, _) = load(&options).unwrap();
        let shown = format!("1234 mysqlcheck {SECRET} shop");
        // Who is not reminded shows it: the test can fail.
        for (name, master) in [("reminded.db", Some(&config.master)), ("control.db", None)] {
            let journal = folder.path().join(name);
            take(&journal, master, vec![begins(JID, "cmd.run", &[&command])]);
            let heard = vec![begins(OTHER, "ps.top", &[]), returns(OTHER, "ps.top", &shown)];
            take(&journal, master, heard);
            assert_eq!(holds(&journal, SECRET), master.is_none(), "{name}");
        }
    }

    fn holds(journal: &Path, secret: &str) -> bool {
        let bytes = std::fs::read(journal).unwrap();
        bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
    }
}
