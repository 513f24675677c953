//! Entries as bytes: every kind to and fro, the golden ones that `docs/journal.md` explains, and
//! what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::too_many_lines)]

use std::collections::HashMap;
use std::fmt::Write;

use herald_core::backfill::{Added, Backfill, CacheState};
use herald_core::change::{Change, Cut, Failure, GapReason, MinionNames, Named, Storable, What};
use herald_core::digest::Digest;
use herald_core::entry::{Contents, EntryError, EntryHead, VERSION, chain, decode, encode};
use herald_core::key::KeyAct;
use herald_core::limited::{Limited, Unsaid};
use herald_core::minions::MinionSet;
use herald_core::payload::Payload;
use herald_core::redact::Mark;
use herald_core::run::{Flag, JobId, Outcome, RunHead, RunId, RunKind, RunStatus, Standing};
use herald_core::scrub::{Scrub, Scrubbed};
use herald_core::seal::{Occasion, PublicKey, Seal};
use herald_core::suspect::{Suspect, Why};
use jiff::Timestamp;

#[derive(Default)]
struct Payloads(HashMap<Digest, Vec<u8>>);

impl Contents for Payloads {
    fn payload(&mut self, digest: Digest) -> Option<Vec<u8>> {
        self.0.get(&digest).cloned()
    }
}

const HEAD: EntryHead = EntryHead { origin: *b"0123456789abcdef", number: 258 };

fn at() -> Timestamp {
    "2026-11-22T18:26:13.637220Z".parse().unwrap()
}

fn named<T: Storable>(value: T, payloads: &mut Vec<Payload>) -> Named<T> {
    value.named(payloads)
}

/// One of every kind.
fn every_kind() -> Vec<Change> {
    let mut payloads = Vec::new();
    let head = RunHead {
        kind: RunKind::StateRun,
        user: Some("alice".into()),
        command: "salt '*' state.apply".into(),
        funs: vec!["state.apply".into()],
        tgt: "*".into(),
        tgt_type: "glob".into(),
        test: false,
        metadata: Some(salt_event::Value::Map(vec![("source".into(), "ci".into())])),
        schedule: None,
        saltenv: Some("prod".into()),
    };
    let head = named(head, &mut payloads);
    let set = named(MinionSet::from_iter([0, 1, 70_000]), &mut payloads);
    let none = named(MinionSet::new(), &mut payloads);
    let minions = named(MinionNames(vec!["web1".into(), "web2".into()]), &mut payloads);
    let (run, job) = (RunId(3), JobId(4));
    let failure = Failure { definition: Digest([1; 32]), body: Digest([2; 32]), follows: true };
    let outcome = Outcome {
        failed: true,
        changed: true,
        would_change: false,
        retcode: Some(-2),
        states: 9,
        states_failed: 1,
        states_changed: 2,
        duration: 1_234_567,
    };
    let returned = |minion, volatile: &[u8]| What::Returned {
        job,
        minion,
        outcome,
        shape: Digest([3; 32]),
        volatile: volatile.to_vec(),
        failures: vec![failure],
        collides_with: vec!["20261122182613637220".into()],
    };
    let whats = vec![
        What::Opened { version: "0.1.0".into() },
        What::Gap { from: at(), to: at(), reason: GapReason::MasterAway },
        What::MinionSeen { minion: 1, name: "web1".into() },
        What::RunStarted { run, head: head.clone(), said: true },
        What::RunRevised { run, head, said: false, expected: set.clone() },
        What::JobStarted {
            job,
            run,
            jid: "20261122182613637220".into(),
            funs: vec!["test.ping".into(), "cmd.run".into()],
            load: Digest([4; 32]),
            expected: set.clone(),
            missing: none.clone(),
            returns_itself: false,
        },
        What::JobExpects { job, expected: set.clone() },
        What::JobMoved { job, to: run },
        returned(Some(1), b"\x01\x02"),
        returned(None, b""),
        What::RunEnded { run, status: RunStatus::Failed, silent: none.clone() },
        What::ToldWith { run, with: RunId(2) },
        What::Flagged { run, flag: Flag::Forged },
        What::Forged { sender: "web2".into(), tag: "salt/job/1/new".into() },
        What::Unreadable { tag: "x".into(), length: 9, digest: Digest([5; 32]) },
        What::Backfilled(Backfill {
            gap: Some(17),
            from: at(),
            to: at(),
            cache: CacheState::Read,
            added: Added { runs: 3, returns: 9, completed: 1 },
            unread: 2,
        }),
        What::Cut(Cut {
            last: 200,
            hash: Digest([6; 32]),
            run: RunId(3),
            job: JobId(4),
            minions: minions.clone(),
        }),
        What::Scrubbed(Scrub {
            when: at(),
            first: Some(19),
            reason: "the password of db1".into(),
            by: "root".into(),
            sudo: "alice".into(),
            marks: vec![Mark::read(b"[hidden 3f2a]").unwrap().0],
            places: 9,
            runs: vec![RunId(2), RunId(3)],
            pairs: vec![Scrubbed { digest: Digest([7; 32]), became: Digest([8; 32]), places: 9 }],
        }),
        What::Sealed(Seal {
            number: 6,
            hash: Digest([6; 32]),
            at: at(),
            occasion: Occasion::Hour,
            key: PublicKey([7; 32]),
            signature: [8; 64],
        }),
        What::JobNarrowed { job, passed_on: set, missing: none },
        What::Key { act: KeyAct::Denied, minion: "web1".into(), key: Digest([7; 32]) },
        What::Stood { standing: Standing::Confirmed, jobs: vec![job, JobId(5)] },
        What::Limited(Limited {
            limit: 1 << 30,
            results_before: 20_700,
            quiet_before: 20_730,
            last: 200,
            unsaid: vec![Unsaid { sink: "ops".into(), runs: 3, from: at(), to: at() }],
        }),
        What::Suspect(Suspect {
            why: Why::Displaced,
            job: Some(job),
            jid: "20261122182613637220".into(),
            minion: "web1".into(),
            sender: "web2".into(),
            tag: "salt/job/20261122182613637220/ret/web1".into(),
            said: Digest([9; 32]),
            count: 8,
        }),
    ];
    let change = |what| Change { at: at(), what, payloads: payloads.clone() };
    whats.into_iter().map(change).collect()
}

fn contents(changes: &[Change]) -> Payloads {
    let payloads = changes.iter().flat_map(|change| &change.payloads);
    Payloads(payloads.map(|one| (one.digest, one.bytes.to_vec())).collect())
}

#[test]
fn every_kind_comes_back() {
    let changes = every_kind();
    for change in &changes {
        let bytes = encode(HEAD, change);
        let (head, mut read) = decode(&bytes, &mut contents(&changes)).unwrap();
        assert_eq!(head, HEAD);
        assert_eq!(encode(HEAD, &read).len(), bytes.len());
        if let (What::Returned { volatile, .. }, What::Returned { volatile: sent, .. }) =
            (&mut read.what, &change.what)
        {
            assert!(volatile.is_empty());
            volatile.clone_from(sent);
        }
        assert_eq!((read.at, &read.what), (change.at, &change.what));
    }
}

/// These bytes are on people's disks: they never change for version 1.
#[test]
fn the_bytes_are_as_documented() {
    let mut out = String::new();
    let mut hash = Digest::ZERO;
    for change in every_kind() {
        let bytes = encode(HEAD, &change);
        hash = chain(hash, &bytes);
        for (place, byte) in bytes.iter().enumerate() {
            if place > 0 && place % 32 == 0 {
                out.push('\n');
            }
            write!(out, "{byte:02x}").unwrap();
        }
        writeln!(out, "\n-> {hash}\n").unwrap();
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_is_cut_or_longer_is_refused() {
    let changes = every_kind();
    for change in &changes {
        let mut bytes = encode(HEAD, change);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end], &mut contents(&changes)).is_err(), "{end} {change:?}");
        }
        bytes.push(0);
        assert_eq!(decode(&bytes, &mut contents(&changes)), Err(EntryError::Field("end")));
    }
}

#[test]
fn one_wrong_byte_never_panics() {
    let changes = every_kind();
    for change in &changes {
        let bytes = encode(HEAD, change);
        for place in 0..bytes.len() {
            for wrong in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = wrong;
                if let Ok((head, read)) = decode(&bytes, &mut contents(&changes))
                    && !matches!(read.what, What::Returned { .. })
                {
                    // What is accepted is the only form of what it says.
                    assert_eq!(encode(head, &read), bytes);
                }
            }
        }
    }
}

#[test]
fn another_version_and_a_lost_payload_are_named() {
    let changes = every_kind();
    let mut bytes = encode(HEAD, &changes[0]);
    bytes[0] = VERSION + 1;
    let error = decode(&bytes, &mut contents(&changes)).unwrap_err();
    assert_eq!(error, EntryError::Version(2));
    assert_eq!(
        error.to_string(),
        "the entry has format version 2, and this salt-herald knows version 1 only"
    );
    let What::RunStarted { head, .. } = &changes[3].what else { panic!() };
    assert_eq!(
        decode(&encode(HEAD, &changes[3]), &mut Payloads::default()),
        Err(EntryError::Payload(head.digest))
    );
}
