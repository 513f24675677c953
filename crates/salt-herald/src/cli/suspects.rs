//! `log --suspect`: what minions made up, or may have. Pure.

use anstyle::{AnsiColor, Style};
use herald_core::digest::Digest;
use herald_core::glob::fnmatch;
use herald_core::literal;
use serde_json::{Value, json};

use super::output::View;
use super::row::{DIM, local};
use crate::store::Suspected;

/// Whether a minion is named by it, or sent it.
pub(super) fn is_asked_for(one: &Suspected, minion: Option<&str>) -> bool {
    let is_it = |glob, id: &String| !id.is_empty() && fnmatch(glob, id);
    minion.is_none_or(|glob| is_it(glob, &one.suspect.minion) || is_it(glob, &one.suspect.sender))
}

/// The latest of them below each other.
pub(super) fn lines(suspects: &[Suspected], view: &View) -> String {
    match suspects {
        [] => format!("{DIM}nothing was suspect{DIM:#}\n"),
        suspects => suspects.iter().map(|one| line(one, view)).collect(),
    }
}

fn line(one: &Suspected, view: &View) -> String {
    let suspect = &one.suspect;
    let style = match suspect.why.is_proof() {
        true => AnsiColor::Red.on_default().bold(),
        false => Style::new(),
    };
    let named = [("from", &suspect.sender), ("as", &suspect.minion)];
    let named = named.iter().filter(|(_, id)| !id.is_empty());
    let named: String = named.map(|(word, id)| format!("  {word} {}", literal::line(id))).collect();
    let times = match suspect.count {
        1 => String::new(),
        count => format!("  ×{count}"),
    };
    let what = if suspect.tag.is_empty() { &suspect.jid } else { &suspect.tag };
    let (time, words) = (local(one.at, view), suspect.why.in_words());
    let what = literal::line(what);
    format!("{DIM}{time}{DIM:#}{named}  {style}{words}{style:#}  {what}{times}\n")
}

/// One of them for programs: these names are never changed.
pub(super) fn object(one: &Suspected) -> Value {
    let known = |text: &String| (!text.is_empty()).then(|| text.clone());
    let suspect = &one.suspect;
    json!({
        "type": "suspect",
        "at": one.at.to_string(),
        "why": suspect.why.name(),
        "is_proof": suspect.why.is_proof(),
        "jid": known(&suspect.jid),
        "minion": known(&suspect.minion),
        "sender": known(&suspect.sender),
        "tag": known(&suspect.tag),
        "said": (suspect.said != Digest::ZERO).then(|| suspect.said.to_string()),
        "count": suspect.count,
        "entry": one.entry,
    })
}

#[cfg(test)]
mod tests {
    use herald_core::suspect::{Suspect, Why};
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn what_is_suspect_is_told() {
        let at: Timestamp = "2026-11-22T14:02:09Z".parse().unwrap();
        let view = View { width: None, zone: TimeZone::UTC, now: at };
        let of = |(why, entry): (&Why, u64)| {
            let jid = "20261122140209000001".to_owned();
            let (minion, sender, tag) = match why {
                Why::InMastersName => ("", "db\u{202e}1", "salt/job/20261122140209000001/new"),
                Why::Twin => ("", "", "job/20261122140209000001/new"),
                Why::Unconfirmed => ("", "", ""),
                Why::NotPublished => ("", "web2", ""),
                _ => ("web1", "", "salt/job/20261122140209000001/ret/web1"),
            };
            let [minion, sender, tag] = [minion, sender, tag].map(str::to_owned);
            let (said, count) = (Digest::of(b"all is well"), if entry == 1 { 64 } else { 1 });
            let suspect = Suspect { why: *why, job: None, jid, minion, sender, tag, said, count };
            Suspected { entry, at, suspect }
        };
        let suspects: Vec<Suspected> = Why::ALL.iter().zip(1..).map(of).collect();
        let text = |all: &[Suspected]| anstream::adapter::strip_str(&lines(all, &view)).to_string();
        insta::assert_snapshot!(text(&suspects), @r"
        2026-11-22 14:02:09  from db\u{202e}1  an event in the master's name  salt/job/20261122140209000001/new  ×64
        2026-11-22 14:02:09  an event in the master's name, given away by a piece of its tag  job/20261122140209000001/new
        2026-11-22 14:02:09  as web1  a return under another's tag  salt/job/20261122140209000001/ret/web1
        2026-11-22 14:02:09  as web1  a return of a minion that was not asked, not in the master's job cache: not counted  salt/job/20261122140209000001/ret/web1
        2026-11-22 14:02:09  as web1  a second return that says something else, not in the master's job cache: not counted  salt/job/20261122140209000001/ret/web1
        2026-11-22 14:02:09  as web1  a return that was counted; the master's job cache holds another, which counts now  salt/job/20261122140209000001/ret/web1
        2026-11-22 14:02:09  as web1  a return as a syndic passes it on, and this master has no order_masters: not counted  salt/job/20261122140209000001/ret/web1
        2026-11-22 14:02:09  a job that is not in the master's job cache  20261122140209000001
        2026-11-22 14:02:09  from web2  a job that the master did not publish  20261122140209000001
        ");
        insta::assert_snapshot!(text(&[]), @"nothing was suspect");
        let digest = Digest::of(b"all is well").to_string();
        let object = object(&suspects[8]).to_string().replace(&digest, "DIGEST");
        insta::assert_snapshot!(object, @r#"
        {"type":"suspect","at":"2026-11-22T14:02:09Z","why":"not_published","is_proof":true,"jid":"20261122140209000001","minion":null,"sender":"web2","tag":null,"said":"DIGEST","count":1,"entry":9}
        "#);
        let asked = |glob| suspects.iter().filter(|one| is_asked_for(one, Some(glob))).count();
        assert_eq!((asked("web2"), asked("web*"), asked("*")), (1, 6, 7));
    }
}
