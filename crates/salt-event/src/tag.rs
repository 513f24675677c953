//! Tags: which kind of event it is, and the ids that stand in its tag.
//!
//! A tag is a claim, like everything on the bus; it says nothing of the data.

use crate::time::{MAX_JID, is_jid};

/// Longest minion id that we take, in bytes: Salt's own ids are host names.
pub const MAX_MINION: usize = 255;

/// A tag, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    /// `salt/job/J/new`: the master published a job.
    JobNew(&'a str),
    /// `salt/job/J/publish`: the same once more, on 3007 and later.
    JobPublish(&'a str),
    /// `salt/job/J/ret/MINION`: a minion returned.
    JobReturn(&'a str, &'a str),
    /// `salt/job/J/sub/MINION/error/FUN`: a minion's state run failed; the return says more.
    JobError(&'a str, &'a str),
    /// A bare jid: the minions of a job, on 3006 and 3007, and from behind a syndic.
    Minions(&'a str),
    /// `syndic/ID/J`: the minions of a job behind a syndic, before 3008.
    BehindMinions(&'a str, &'a str),
    /// `syndic/ID/salt/job/J/new`: the master below published a job, from 3008 on.
    BehindNew(&'a str, &'a str),
    /// `salt/run/J/new`: a runner began.
    RunnerNew(&'a str),
    /// `salt/run/J/args`: an orchestration is about to publish a job.
    RunnerArgs(&'a str),
    /// `salt/run/J/ret`: a runner ended.
    RunnerReturn(&'a str),
    /// `salt/wheel/J/new`: a wheel function began.
    WheelNew(&'a str),
    /// `salt/wheel/J/ret`: a wheel function ended.
    WheelReturn(&'a str),
    /// `salt/batch/J/new`: a batch began, on 3008.
    BatchNew(&'a str),
    /// `salt/batch/J/complete`: a batch ended, on 3008.
    BatchComplete(&'a str),
    /// `salt/key`: a minion's key was accepted, rejected or deleted.
    Key,
    /// `salt/auth`: a minion authenticated, or tried to.
    Auth,
    /// Every other.
    Other,
}

impl<'a> Tag<'a> {
    /// Understands a tag. Ids of impossible length make it [`Tag::Other`].
    pub fn parse(tag: &'a str) -> Self {
        if let Some((syndic, rest)) = behind(tag) {
            return match Tag::parse(rest) {
                Tag::Minions(jid) => Tag::BehindMinions(syndic, jid),
                Tag::JobNew(jid) => Tag::BehindNew(syndic, jid),
                _ => Tag::Other,
            };
        }
        let Some(rest) = tag.strip_prefix("salt/") else {
            return if is_jid(tag) { Tag::Minions(tag) } else { Tag::Other };
        };
        let mut parts = rest.splitn(4, '/');
        let family = parts.next().unwrap_or_default();
        let (jid, what, tail) = (parts.next(), parts.next(), parts.next());
        match (family, jid, what, tail) {
            ("key", None, ..) => Tag::Key,
            ("auth", None, ..) => Tag::Auth,
            (_, Some(jid), Some(what), tail) if !jid.is_empty() && jid.len() <= MAX_JID => {
                Self::of_job(family, jid, what, tail)
            }
            _ => Tag::Other,
        }
    }

    fn of_job(family: &str, jid: &'a str, what: &str, tail: Option<&'a str>) -> Self {
        match (family, what, tail) {
            ("job", "new", None) => Tag::JobNew(jid),
            ("job", "publish", None) => Tag::JobPublish(jid),
            ("job", "ret", Some(minion)) if is_minion(minion) => Tag::JobReturn(jid, minion),
            ("job", "sub", Some(tail)) => match tail.split_once('/') {
                Some((minion, rest)) if is_minion(minion) && rest.starts_with("error/") => {
                    Tag::JobError(jid, minion)
                }
                _ => Tag::Other,
            },
            ("run", "new", None) => Tag::RunnerNew(jid),
            ("run", "args", None) => Tag::RunnerArgs(jid),
            ("run", "ret", None) => Tag::RunnerReturn(jid),
            ("wheel", "new", None) => Tag::WheelNew(jid),
            ("wheel", "ret", None) => Tag::WheelReturn(jid),
            ("batch", "new", None) => Tag::BatchNew(jid),
            ("batch", "complete", None) => Tag::BatchComplete(jid),
            _ => Tag::Other,
        }
    }
}

/// What a syndic passed on: its id, and the tag that the event has below. Only once: a syndic below a
/// syndic is nothing that is looked into.
fn behind(tag: &str) -> Option<(&str, &str)> {
    let (syndic, rest) = tag.strip_prefix("syndic/")?.split_once('/')?;
    (is_minion(syndic) && !rest.starts_with("syndic/")).then_some((syndic, rest))
}

/// Whether text can be a minion's id, by its length.
pub(crate) fn is_minion(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_MINION
}

/// A tag with its jids and minion ids replaced, so that tags of one kind count as one:
/// `salt/job/*/ret/*`. Minions send tags of their own making, so who counts families has to stop at
/// some number of them.
pub fn family(tag: &str) -> String {
    if let Some((_, rest)) = behind(tag) {
        return format!("syndic/*/{}", family(rest));
    }
    match Tag::parse(tag) {
        Tag::JobReturn(..) => return "salt/job/*/ret/*".to_owned(),
        Tag::JobError(..) => return "salt/job/*/sub/*/error/*".to_owned(),
        Tag::Minions(_) => return "(jid)".to_owned(),
        _ => {}
    }
    let named = NAMED.iter().any(|prefix| tag.starts_with(prefix));
    let parts = tag.split('/').take(6).enumerate().map(|(place, part)| {
        let machine_made = part.len() > 40 || part.bytes().any(|b| b.is_ascii_digit());
        if machine_made || (named && place == 2) || part.chars().any(|c| c.is_control()) {
            "*"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Behind these a minion, a machine or a hook is named.
const NAMED: [&str; 7] = [
    "minion/ping/",
    "minion/refresh/",
    "resource/refresh/",
    "salt/beacon/",
    "salt/cloud/",
    "salt/minion/",
    "salt/stats/",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_jobs_are_understood() {
        let jid = "20261122172611123456";
        assert_eq!(Tag::parse(&format!("salt/job/{jid}/new")), Tag::JobNew(jid));
        assert_eq!(Tag::parse(&format!("salt/job/{jid}/ret/web1")), Tag::JobReturn(jid, "web1"));
        assert_eq!(
            Tag::parse(&format!("salt/job/{jid}/sub/web1/error/state.sls")),
            Tag::JobError(jid, "web1")
        );
        assert_eq!(Tag::parse(jid), Tag::Minions(jid));
        assert_eq!(Tag::parse("salt/auth"), Tag::Auth);
        assert_eq!(Tag::parse("salt/key"), Tag::Key);
        for (tag, wanted) in [
            ("salt/job/1/publish", Tag::JobPublish("1")),
            ("salt/job/1/ret/a/b", Tag::JobReturn("1", "a/b")),
            ("salt/run/1/new", Tag::RunnerNew("1")),
            ("salt/run/1/args", Tag::RunnerArgs("1")),
            ("salt/run/1/ret", Tag::RunnerReturn("1")),
            ("salt/wheel/1/new", Tag::WheelNew("1")),
            ("salt/wheel/1/ret", Tag::WheelReturn("1")),
            ("salt/batch/1/new", Tag::BatchNew("1")),
            ("salt/batch/1/complete", Tag::BatchComplete("1")),
            ("syndic/lower/20261122172611123456", Tag::BehindMinions("lower", jid)),
            ("syndic/lower/salt/job/1/new", Tag::BehindNew("lower", "1")),
        ] {
            assert_eq!(Tag::parse(tag), wanted, "{tag}");
        }
    }

    #[test]
    fn what_only_looks_like_a_job_is_another() {
        for tag in [
            "salt/job//new",
            "salt/job/1/new/x",
            "salt/job/1/ret/",
            "new",
            "",
            "salt/job",
            "salt/job/1",
            "salt/job/1/prog/web1/3",
            "salt/job/1/sub/web1",
            "salt/job/1/sub/web1/other",
            "salt/job/1/sub//error/state.sls",
            "salt/batch/1/progress",
            "salt/key/1/new",
            "salt/keys",
            "20261122172611123456/new",
            "/salt/job/1/new",
            "syndic/lower/start",
            "syndic//20261122172611123456",
            "syndic/lower/salt/job/1/ret/web1",
            "syndic/a/syndic/b/salt/job/1/new",
        ] {
            assert_eq!(Tag::parse(tag), Tag::Other, "{tag}");
        }
        let long = format!("salt/job/{}/new", "1".repeat(MAX_JID + 1));
        assert_eq!(Tag::parse(&long), Tag::Other);
        let long = format!("salt/job/1/ret/{}", "m".repeat(MAX_MINION + 1));
        assert_eq!(Tag::parse(&long), Tag::Other);
    }

    #[test]
    fn families_are_few() {
        for (tag, wanted) in [
            ("salt/job/20261122172611123456/prog/web1/3", "salt/job/*/prog/*/*"),
            ("salt/job/1/ret/db.example.com", "salt/job/*/ret/*"),
            ("salt/job/1/sub/db/error/state.sls", "salt/job/*/sub/*/error/*"),
            ("20261122172611123456", "(jid)"),
            ("minion/refresh/web1", "minion/refresh/*"),
            ("minion/refresh/db.example.com", "minion/refresh/*"),
            ("salt/beacon/db.example.com/load/", "salt/beacon/*/load/"),
            ("salt/minion/db/start", "salt/minion/*/start"),
            ("salt/presence/present", "salt/presence/present"),
            ("syndic/db.example.com/salt/job/1/new", "syndic/*/salt/job/*/new"),
            ("syndic/lower/minion/refresh/db", "syndic/*/minion/refresh/*"),
            ("syndic/a/syndic/a/syndic/a/syndic/a/x", "syndic/a/syndic/a/syndic/a"),
            ("a/b/c/d/e/f/g/h", "a/b/c/d/e/f"),
            ("a/\u{1b}[31m/b", "a/*/b"),
            ("", ""),
        ] {
            assert_eq!(family(tag), wanted, "{tag}");
        }
        assert_eq!(family(&"x".repeat(900)), "*");
    }
}
