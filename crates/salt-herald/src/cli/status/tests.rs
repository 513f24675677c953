//! What people and scripts are told of how all is.

use herald_core::backfill::{Added, Backfill, CacheState};
use herald_core::digest::Digest;
use herald_core::limited::Unsaid;
use herald_core::minions::Minions;
use herald_core::seal::{Checkpoint, Told};
use jiff::tz::TimeZone;

use super::super::output::View;
use super::*;
use crate::store::{Backfilled, DeliveryState, Part, Taken};

fn at(text: &str) -> Timestamp {
    format!("2026-11-22T{text}Z").parse().unwrap()
}

fn said(status: &Status) -> String {
    let view = View { width: None, zone: TimeZone::UTC, now: at("14:00:00") };
    let text = text(status, &Minions::default(), &view);
    anstream::adapter::strip_str(&text).to_string()
}

fn extent() -> Extent {
    Extent {
        file: 1_300_000_000,
        wal: 4_000_000,
        free: 80_000_000,
        first_entry: 5,
        oldest: Some(at("11:02:03")),
        looked_at: Some(at("00:00:10")),
        taken: Some(Taken {
            at: at("00:00:12"),
            why: "age".to_owned(),
            entries: 80_112,
            runs: 1_204,
            results: 3_001,
            bytes: 45_000_000,
        }),
        kept_for: Some("monitoring".to_owned()),
        limit: Some(1_200_000_000),
        stopped_by: Some(("owed".to_owned(), Some("monitoring".to_owned()))),
    }
}

fn not_told() -> NotTold {
    let unsaid = Unsaid {
        sink: "monitoring".to_owned(),
        runs: 12,
        from: at("01:00:00"),
        to: at("02:00:00"),
    };
    NotTold { entry: 11, at: at("12:30:00"), unsaid }
}

/// As it is before anything was heard.
fn nothing() -> Status {
    Status {
        journal: PathBuf::from("/var/lib/salt-herald/journal.db"),
        holder: None,
        disk: disk::Now::default(),
        entries: 0,
        extent: Extent::default(),
        heard_at: None,
        connected: None,
        confirms: None,
        running: Vec::new(),
        gaps: Vec::new(),
        given_up: Vec::new(),
        given_up_of: BTreeMap::new(),
        not_told: Vec::new(),
        sinks: Vec::new(),
        seen: Vec::new(),
        sealed: None,
        keys: Vec::new(),
    }
}

#[test]
fn says_what_is_wrong() {
    let mut status = nothing();
    let mut texts = vec![said(&status)];
    status.holder = Some("4711".to_owned());
    status.entries = 12;
    status.extent = extent();
    status.connected = Some(false);
    status.confirms = Some(false);
    status.heard_at = Some(at("11:58:00"));
    let gap = Gap {
        entry: 7,
        from: at("13:00:00"),
        to: at("13:00:40"),
        reason: "master away".to_owned(),
        filled: None,
    };
    let added = Added { runs: 3, returns: 12, completed: 1 };
    let (gap_entry, cache) = (Some(7), CacheState::Read);
    let (from, to) = (gap.from, gap.to);
    let backfill = Backfill { gap: gap_entry, from, to, cache, added, unread: 0 };
    let filled = Some(Backfilled { entry: 9, backfill });
    status.gaps = vec![Gap { filled, ..gap.clone() }, gap];
    status.given_up = vec![Delivery {
        lead: None,
        late: false,
        mood: None,
        run: RunId(7),
        sink: "monitoring".to_owned(),
        part: Part::Message,
        message: None,
        said: None,
        version: 3,
        state: DeliveryState::GivenUp,
        error: Some("the chat refuses the message (msg_too_long)\u{1b}[2J".to_owned()),
        at: at("12:00:00"),
    }];
    let command = "salt '*' cmd.run 'for host in $(cat hosts); do ping -c 1 \"$host\"; done'";
    let of_it = ("20261122115959000000".to_owned(), command.to_owned());
    status.given_up_of = BTreeMap::from([(RunId(7), of_it)]);
    status.sinks = vec![SinkState {
        name: "monitoring".to_owned(),
        since: 0,
        settled: 12,
        trouble: Some("the chat does not let us in (not_in_channel)".to_owned()),
        doubt: Default::default(),
        blind: false,
        missed: 0,
        failing_since: Some(at("09:00:00")),
        unsaid: 0,
        alarmed: 0,
        thread: Some("C1 1.2".to_owned()),
        checkpoint: Some(Told { number: 9, at: at("00:10:00") }),
        attempt: None,
        told: None,
    }];
    status.not_told = vec![not_told()];
    let checkpoint = Checkpoint::new([1; 16], 11, Digest::of(b"x"), at("13:10:00"));
    status.sealed = Some(Signed { checkpoint, signature: [2; 64] });
    status.keys = vec![(PublicKey([3; 32]), 2)];
    status.seen = vec![("salt/auth".to_owned(), 40), ("other".to_owned(), 2)];
    texts.push(said(&status));
    let since = "in memory since 2026-11-22T13:59:00Z: database or disk is full";
    status.disk.elsewhere = Some(since.to_owned());
    status.disk.slow = Some(at("13:58:20"));
    texts.push(said(&status));
    texts.push(object(&status, &Minions::default()).to_string());
    insta::assert_snapshot!(texts.join("\n---\n"));
}
