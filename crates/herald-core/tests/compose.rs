//! What is said of runs, in all moods and sizes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write;
use std::time::Duration;

use herald_core::announce::{Announcement, MAX_COMMAND, MAX_DETAIL_TEXT, MAX_DETAILS};
use herald_core::compose::{
    Context, FailureGroup, Missed, Telling, announce, announce_quiet, announce_together, elapsed,
    not_known, not_told, sort_failures,
};
use herald_core::limited::Unsaid;
use herald_core::minions::{MinionSet, Minions};
use herald_core::names::{AS_THEY_ARE, MentionRule, Names, Person};
use herald_core::run::{Flag, JobId, Run, RunHead, RunId, RunKind, RunStatus, Tally};
use jiff::Timestamp;

fn minions() -> Minions {
    Minions::restore((1..=10_000).map(|number| format!("web{number}")))
}

fn first(count: u32) -> MinionSet {
    (0..count).collect()
}

fn run(minions: u32) -> Run {
    let started_at: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    Run {
        id: RunId(1),
        head: RunHead {
            kind: RunKind::StateRun,
            user: Some("alice".into()),
            command: "salt -G roles:web state.apply nginx".into(),
            funs: vec!["state.apply".into()],
            tgt: "roles:web".into(),
            tgt_type: "grain".into(),
            test: false,
            schedule: None,
            saltenv: None,
            metadata: None,
        },
        started_at,
        finished_at: None,
        status: RunStatus::Running,
        jobs: vec![JobId(1)],
        jids: vec!["20261122120000000000".into()],
        said: true,
        told_with: None,
        tally: Tally { expected: first(minions), ..Tally::default() },
        collides_with: Default::default(),
        flags: Default::default(),
        own_failure: false,
    }
}

fn ended(minions: u32, status: RunStatus) -> Run {
    let mut run = run(minions);
    run.status = status;
    run.finished_at = Some(run.started_at + Duration::from_secs(41));
    run.tally.returned = run.tally.expected.clone();
    run
}

fn lines(out: &mut String, what: &str, said: &Announcement) {
    writeln!(out, "# {what}").unwrap();
    writeln!(out, "{} {}", said.mood.symbol(), said.command).unwrap();
    writeln!(out, "  {}", said.byline).unwrap();
    writeln!(out, "  {}", said.tally).unwrap();
    for line in &said.commands {
        writeln!(out, "  {} {}  {}", line.mood.symbol(), line.command, line.note).unwrap();
    }
    if said.commands_left_out > 0 {
        writeln!(out, "  ({} more commands)", said.commands_left_out).unwrap();
    }
    for detail in &said.details {
        writeln!(out, "  - {} on {}: {}", detail.title, detail.minions, detail.text).unwrap();
    }
    if said.details_left_out > 0 {
        writeln!(out, "  ({} more)", said.details_left_out).unwrap();
    }
    out.push('\n');
}

fn say(out: &mut String, what: &str, run: &Run) {
    let minions = minions();
    let context = Context { master: None, minions: &minions, names: &AS_THEY_ARE };
    lines(out, what, &announce(run, &[], context));
}

#[test]
fn moods() {
    let mut out = String::new();
    for count in [1, 3, 10_000] {
        say(&mut out, "just begun", &run(count));
        let mut some = run(count);
        some.tally.returned = first(count - 1);
        some.tally.changed = first(count / 2);
        say(&mut out, "while they return", &some);
        say(&mut out, "nothing changed", &ended(count, RunStatus::Succeeded));
        let mut changed = ended(count, RunStatus::Succeeded);
        changed.tally.changed = first(count.div_ceil(2));
        say(&mut out, "changed", &changed);
        let mut failed = changed.clone();
        failed.status = RunStatus::Failed;
        failed.tally.failed = first(count.div_ceil(3));
        say(&mut out, "failed", &failed);
        let mut silent = ended(count, RunStatus::Incomplete);
        silent.tally.returned = first(count / 2);
        silent.tally.silent = &silent.tally.expected - &silent.tally.returned;
        say(&mut out, "silent", &silent);
    }
    insta::assert_snapshot!(out);
}

#[test]
fn particulars() {
    let mut out = String::new();
    let mut test = ended(3, RunStatus::Succeeded);
    test.head.test = true;
    test.tally.would_change = first(2);
    say(&mut out, "test=True", &test);
    let mut ghost = ended(0, RunStatus::Incomplete);
    ghost.tally.missing = first(2);
    say(&mut out, "only ghosts", &ghost);
    let mut collision = ended(2, RunStatus::Failed);
    collision.tally.failed = first(2);
    collision.collides_with.insert("20261122115959000000".into());
    collision.flags.insert(Flag::Collision);
    say(&mut out, "a collision", &collision);
    for flag in Flag::ALL {
        let mut flagged = ended(1, RunStatus::Succeeded);
        flagged.flags.insert(*flag);
        say(&mut out, flag.name(), &flagged);
    }
    let mut part = ended(1, RunStatus::Succeeded);
    part.told_with = Some(RunId(7));
    part.jobs.clear();
    say(&mut out, "moved into an orchestration", &part);
    insta::assert_snapshot!(out);
}

#[test]
fn kinds() {
    let mut out = String::new();
    for kind in RunKind::ALL {
        let mut run = ended(0, RunStatus::Failed);
        run.head.kind = *kind;
        run.head.user = None;
        run.head.funs = vec!["x.y".into()];
        run.own_failure = true;
        say(&mut out, kind.name(), &run);
    }
    let mut scheduled = ended(1, RunStatus::Succeeded);
    scheduled.head.kind = RunKind::Scheduled;
    scheduled.head.user = None;
    scheduled.head.schedule = Some("nightly".into());
    say(&mut out, "a schedule with its name", &scheduled);
    let mut runner = ended(0, RunStatus::Incomplete);
    runner.head.kind = RunKind::Runner;
    say(&mut out, "a runner that never ended", &runner);
    let minions = minions();
    let context = Context { master: Some("prod"), minions: &minions, names: &AS_THEY_ARE };
    lines(&mut out, "one of several masters", &announce(&scheduled, &[], context));
    insta::assert_snapshot!(out);
}

fn group(title: &str, count: u64, follows: bool) -> FailureGroup {
    FailureGroup {
        title: title.into(),
        minions: (1..=count.min(5)).map(|number| format!("web{number}")).collect(),
        count,
        text: " \nno space left\n".into(),
        follows,
    }
}

#[test]
fn quiet_failures_are_told_together() {
    let minions = minions();
    let context = Context { master: Some("prod"), minions: &minions, names: &AS_THEY_ARE };
    let mut runs = Vec::new();
    for number in 0..5 {
        let mut run = ended(10, RunStatus::Failed);
        run.id = RunId(number);
        run.said = false;
        run.told_with = Some(RunId(0));
        run.tally.failed = [number as u32].into_iter().collect();
        run.head.command = "salt '*' test.ping".into();
        runs.push(run);
    }
    let failures = [group("test.ping", 5, false)];
    let mut out = String::new();
    lines(&mut out, "one", &announce_quiet(&runs[..1], &failures, context).unwrap());
    lines(&mut out, "five", &announce_quiet(&runs, &failures, context).unwrap());
    runs.iter_mut().for_each(|run| {
        run.tally = Tally::default();
        run.own_failure = true;
        run.head.kind = RunKind::Runner;
    });
    lines(&mut out, "runners", &announce_quiet(&runs, &[], context).unwrap());
    runs.iter_mut().for_each(|run| run.head.kind = RunKind::Scheduled);
    lines(&mut out, "schedules", &announce_quiet(&runs, &[], context).unwrap());
    assert_eq!(announce_quiet(&[], &[], context), None);
    insta::assert_snapshot!(out);
}

#[test]
fn the_most_useful_failure_comes_first() {
    let mut groups = vec![
        group("c", 900, true),
        group("b", 2, false),
        group("a", 2, false),
        group("d", 7, false),
    ];
    sort_failures(&mut groups);
    let titles: Vec<_> = groups.iter().map(|group| group.title.as_str()).collect();
    assert_eq!(titles, ["d", "a", "b", "c"]);
}

#[test]
fn nothing_is_longer_than_promised() {
    let minions = minions();
    let context = Context { master: None, minions: &minions, names: &AS_THEY_ARE };
    let mut long = ended(10_000, RunStatus::Failed);
    long.head.command = "é".repeat(MAX_COMMAND + 1);
    long.tally.failed = first(10_000);
    let mut failure = group(&"t".repeat(500), 10_000, false);
    failure.text = "ü".repeat(MAX_DETAIL_TEXT * 2);
    let failures = vec![failure; MAX_DETAILS + 3];
    let said = announce(&long, &failures, context);
    assert_eq!(said.command.chars().count(), MAX_COMMAND);
    assert!(said.command.ends_with('…'));
    assert_eq!((said.details.len(), said.details_left_out), (MAX_DETAILS, 3));
    assert_eq!(said.details[0].text.chars().count(), MAX_DETAIL_TEXT);
    assert!(said.tally.len() < 100 && said.byline.len() < 100);
}

#[test]
fn times_are_said_as_people_do() {
    let texts: Vec<_> = [0.04, 0.96, 9.94, 9.99, 10.0, 59.9, 60.0, 3599.0, 3600.0, 90_061.0]
        .map(|seconds| elapsed(Duration::from_secs_f64(seconds)))
        .into();
    insta::assert_snapshot!(texts.join("\n"));
}

/// One of several runs: on one minion, by somebody.
fn one_of(number: u32, user: &str, fun: &str, status: RunStatus) -> Run {
    let mut run = ended(1, status);
    run.id = RunId(u64::from(number));
    run.head.user = Some(user.to_owned());
    run.head.funs = vec![fun.to_owned()];
    run.head.command = format!("salt web{number} {fun} nginx");
    run.tally.expected = [number].into_iter().collect();
    run.tally.returned = run.tally.expected.clone();
    if status == RunStatus::Failed {
        run.tally.failed = run.tally.expected.clone();
    }
    if status == RunStatus::Running {
        run.finished_at = None;
        run.tally.returned = MinionSet::new();
    }
    run
}

#[test]
fn several_runs_in_one_message() {
    use RunStatus::{Failed, Incomplete, Running, Succeeded};
    use Telling::News;
    let minions = minions();
    let context = Context { master: Some("prod"), minions: &minions, names: &AS_THEY_ARE };
    let mut out = String::new();
    let mut say = |what: &str, runs: &[Run]| {
        lines(&mut out, what, &announce_together(runs, News, context).unwrap());
    };
    let mut alike: Vec<Run> =
        (1..=17).map(|n| one_of(n, "alice", "state.apply", Succeeded)).collect();
    say("the same, host by host, all ended", &alike);
    alike[6] = one_of(7, "alice", "state.apply", Failed);
    alike[16] = one_of(17, "alice", "state.apply", Running);
    say("one failed, one still runs", &alike);
    let many: Vec<Run> = vec![
        one_of(1, "alice", "service.restart", Running),
        one_of(2, "bob", "cmd.run", Failed),
        one_of(3, "bob", "cmd.run", Succeeded),
        one_of(4, "carol", "pkg.install", Succeeded),
        one_of(5, "dave", "state.apply", Incomplete),
    ];
    say("many commands", &many);
    let echo = |n: u32| {
        let mut run =
            one_of(n, if n.is_multiple_of(2) { "alice" } else { "bob" }, "cmd.run", Succeeded);
        run.head.command = format!("salt web{n} cmd.run 'echo {n}'");
        run
    };
    let flood: Vec<Run> = (1..=160).map(echo).collect();
    let said = announce_together(&flood, News, context).unwrap();
    assert_eq!((said.commands.len(), said.commands_left_out), (52, 0));
    let tail = Announcement { commands: said.commands[49..].to_vec(), ..said.clone() };
    lines(&mut out, "the end of a flood", &tail);
    let fun = |n: u32| one_of(n, "alice", &format!("mod.fun{n}"), Succeeded);
    let said = announce_together(&(1..=90).map(fun).collect::<Vec<_>>(), News, context).unwrap();
    assert_eq!((said.commands.len(), said.commands_left_out), (70, 20));
    assert!(said.command.is_empty());
    assert_eq!(announce_together(&[], News, context), None);
    insta::assert_snapshot!(out);
}

#[test]
fn several_runs_long_after_they_happened() {
    use RunStatus::{Failed, Running, Succeeded};
    let minions = minions();
    let names = Names::default();
    let context = Context { master: Some("prod"), minions: &minions, names: &names };
    let mut out = String::new();
    let mut say = |what: &str, runs: &[Run]| {
        lines(&mut out, what, &announce_together(runs, Telling::Late, context).unwrap());
    };
    let at = |run: Run, text: &str| Run { started_at: text.parse().unwrap(), ..run };
    let one = at(one_of(1, "alice", "state.apply", Succeeded), "2026-11-22T14:02:11Z");
    say("one run", std::slice::from_ref(&one));
    let two = at(one_of(2, "bob", "cmd.run", Failed), "2026-11-22T14:09:59Z");
    say("a short while", &[one.clone(), two.clone()]);
    let three = at(one_of(3, "carol", "pkg.install", Running), "2026-11-23T03:00:00Z");
    say("over midnight", &[one, two, three]);
    insta::assert_snapshot!(out);
}

#[test]
fn what_was_missed_is_told_afterwards() {
    use RunStatus::{Failed, Incomplete, Running, Succeeded};
    let minions = minions();
    let names = Names::default();
    let context = Context { master: Some("prod"), minions: &minions, names: &names };
    let time = |text: &str| -> Timestamp { text.parse().unwrap() };
    let (from, to) = (time("2026-11-22T14:02:00Z"), time("2026-11-22T14:09:00Z"));
    let at = |run: Run, text: &str| Run { started_at: time(text), ..run };
    let one = at(one_of(1, "alice", "state.apply", Succeeded), "2026-11-22T14:02:11Z");
    let two = at(one_of(2, "bob", "cmd.run", Failed), "2026-11-22T14:04:59Z");
    let three = at(one_of(3, "alice", "pkg.install", Incomplete), "2026-11-22T14:05:00Z");
    let four = at(one_of(4, "bob", "cmd.run", Running), "2026-11-22T14:08:59Z");
    let mut out = String::new();
    for asked in [false, true] {
        for runs in [vec![one.clone()], vec![one.clone(), two.clone(), three.clone(), four.clone()]]
        {
            let telling = Telling::Missed(Missed { from, to, asked });
            let what = format!("{} runs, asked: {asked}", runs.len());
            lines(&mut out, &what, &announce_together(&runs, telling, context).unwrap());
        }
    }
    // So many are read at once; the next message has the others.
    let many: Vec<Run> = (1..=10_000).map(|id| Run { id: RunId(id), ..two.clone() }).collect();
    let telling = Telling::Missed(Missed { from, to, asked: false });
    lines(&mut out, "10000 runs", &announce_together(&many, telling, context).unwrap());
    let why = "there is no job cache: what ran is not known";
    let of = |runs, to| Unsaid { sink: "ops".to_owned(), runs, from, to };
    for notice in [
        not_known(from, to, why, Some("prod")),
        not_told(&of(12, to), Some("prod")),
        not_told(&of(1, from), None),
    ] {
        writeln!(out, "{} {}\n  {}", notice.mood.symbol(), notice.headline, notice.more).unwrap();
    }
    insta::assert_snapshot!(out);
}

#[test]
fn people_and_minions_are_called_as_the_config_says() {
    let minions = Minions::restore(
        ["web1.prod.example.com", "web2.prod.example.com", "web1.dev.example.com"]
            .map(str::to_owned),
    );
    let alice = Person { name: Some("Alice Archer".into()), mention: MentionRule::OnFailure };
    let names = Names {
        people: [("alice".to_owned(), alice)].into(),
        strip_suffix: vec![".prod.example.com".into(), ".dev.example.com".into()],
        ..Names::default()
    };
    let context = Context { master: None, minions: &minions, names: &names };
    let mut out = String::new();
    lines(&mut out, "one minion", &announce(&run(1), &[], context));
    let mut failed = ended(3, RunStatus::Failed);
    failed.tally.failed = first(3);
    let mut failure = group("x", 3, false);
    failure.minions = minions.names(&first(3)).into_iter().map(str::to_owned).collect();
    let said = announce(&failed, std::slice::from_ref(&failure), context);
    assert_eq!(said.mention.as_ref().map(|mention| mention.user.as_str()), Some("alice"));
    lines(&mut out, "two of three would be called the same", &said);
    failed.tally.expected = first(2);
    failed.tally.failed = first(2);
    lines(&mut out, "others", &announce(&failed, &[], context));
    let said = announce_quiet(&[failed.clone(), failed.clone()], &[], context).unwrap();
    assert!(said.mention.is_some());
    lines(&mut out, "told together", &said);
    let said =
        announce_together(&[failed.clone(), failed.clone()], Telling::News, context).unwrap();
    assert_eq!(said.mention, None, "each failure has its own message");
    lines(&mut out, "a burst", &said);
    let mut bob = failed.clone();
    bob.head.user = Some("bob".into());
    let said = announce_quiet(&[failed, bob], &[], context).unwrap();
    assert_eq!(said.mention, None);
    lines(&mut out, "of several users", &said);
    insta::assert_snapshot!(out);
}

#[test]
fn what_is_said_of_a_journal_that_cannot_be_written() {
    use herald_core::compose::{quick_again, slow, unwritable, written_again};
    let at = |text: &str| format!("2026-11-22T{text}Z").parse().unwrap();
    let full = "database or disk is full";
    let notices = [
        unwritable(full, 60 << 20, false, None),
        unwritable("database disk image is malformed", 64 << 20, true, Some("prod")),
        written_again(None, Some("prod")),
        written_again(Some((at("14:02:07"), at("14:09:00"))), None),
        slow(at("14:02:07"), Some("prod")),
        quick_again(None),
    ];
    let texts = notices
        .map(|notice| format!("{} {}\n{}", notice.mood.symbol(), notice.headline, notice.more));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn what_is_said_of_what_was_made_up_and_of_keys() {
    use herald_core::alarm::{AlarmRules, Matter};
    use herald_core::compose::alarm;
    use herald_core::digest::Digest;
    use herald_core::key::KeyAct;
    use herald_core::suspect::{Suspect, Why};
    let of = |why: Why, sender: &str, count| {
        let jid = "20261122140209000001";
        let (minion, tag) = match why {
            Why::InMastersName => ("", format!("salt/job/{jid}/new")),
            Why::Twin => ("", "new".to_owned()),
            Why::Unconfirmed | Why::NotPublished => ("", String::new()),
            _ => ("web1", format!("salt/job/{jid}/ret/web1")),
        };
        let [jid, minion, sender] = [jid, minion, sender].map(str::to_owned);
        let said = Digest::ZERO;
        Matter::Suspect(Suspect { why, job: None, jid, minion, sender, tag, said, count })
    };
    let key = |act, minion: &str| Matter::Key { act, minion: minion.to_owned() };
    let mut out = String::new();
    let mut say = |matters: &[Matter]| {
        let notice = alarm(matters, Some("prod")).unwrap();
        writeln!(out, "{} {}\n  {}", notice.mood.symbol(), notice.headline, notice.more).unwrap();
    };
    Why::ALL.iter().for_each(|why| say(&[of(*why, "", 1)]));
    KeyAct::ALL.iter().for_each(|act| say(&[key(*act, "web1")]));
    say(&[of(Why::InMastersName, "web2", 1), of(Why::InMastersName, "web2", 64)]);
    let hostile = "web\u{202e}2\n<!channel>".repeat(40);
    say(&[key(KeyAct::Deleted, "web1"), of(Why::InMastersName, &hostile, 1)]);
    let senders = (1..=1_000).map(|number| format!("web{number}"));
    let many: Vec<Matter> = senders.map(|sender| of(Why::InMastersName, &sender, 3)).collect();
    say(&many);
    insta::assert_snapshot!(out);
    assert!(alarm(&[], None).is_none());
    let rules = AlarmRules::default();
    assert!(rules.say(&of(Why::Unasked, "", 1)) && !rules.say(&of(Why::Again, "", 1)));
    assert!(rules.say(&key(KeyAct::Changed, "web1")) && !rules.say(&key(KeyAct::Deleted, "web1")));
}
