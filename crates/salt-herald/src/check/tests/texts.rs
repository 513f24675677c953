//! Everything but the bus: every case with its exact text.

use super::super::{
    AccessFact, Account, Area, BusFact, ConnectFact, DirFact, Facts, Finding, GroupFact,
    JobCacheFact, JournalFact, ListenFact, Report, SignedFact, SocketFact,
};
use super::super::{decide, exit_code, render};
use super::{
    JOBS, SINK, at_socket, fine, job_cache, journal_in, loaded, owner, socket, with_bus, wrong,
    wrong_with,
};
use herald_core::seal::PublicKey;

#[test]
fn the_job_cache_is_out_of_reach() {
    let dir = |dir| wrong(&Facts { job_cache: job_cache(dir), ..fine() });
    insta::assert_snapshot!(dir(DirFact::Missing), @r#"
    ! job cache: /var/cache/salt/master/jobs does not exist
        the master makes it at its first job; if it has run jobs already, set salt.cachedir
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::NotADirectory), @r#"
    ! job cache: /var/cache/salt/master/jobs is no directory
        point salt.cachedir to the master's cachedir
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::Denied { owner: Some(owner("salt", "salt", 0o750)) }), @r#"
    ! job cache: alice may not read /var/cache/salt/master/jobs (mode 0750, salt:salt)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; run salt-herald in the group salt
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::Denied { owner: Some(owner("root", "root", 0o700)) }), @r#"
    ! job cache: alice may not read /var/cache/salt/master/jobs (mode 0700, root:root)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; run salt-herald as root
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    // Root's group opens much more than that.
    insta::assert_snapshot!(dir(DirFact::Denied { owner: Some(owner("root", "root", 0o750)) }), @r#"
    ! job cache: alice may not read /var/cache/salt/master/jobs (mode 0750, root:root)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; run salt-herald as root
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::Denied { owner: None }), @r#"
    ! job cache: alice may not read /var/cache/salt/master/jobs
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; run salt-herald as the master's user, in its group, or as root
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::Failed("Input/output error".to_owned())), @r#"
    ! job cache: /var/cache/salt/master/jobs can't be read: Input/output error
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
}

#[test]
fn the_job_cache_is_set_differently() {
    let with = |salt: &str| wrong_with(&format!("{SINK}salt: {{{salt}}}\n"), &fine());
    insta::assert_snapshot!(with("job_cache: false"), @r#"
    ! job cache: the master does not keep returns (job_cache: False)
        without it, what happens while salt-herald is down or blind is not found again; set job_cache: True in the master's config
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(with("master_job_cache: redis"), @r#"
    ! job cache: the master keeps its jobs in "redis" (master_job_cache), which salt-herald does not read
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; it is if master_job_cache is left out of the master's config
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(with("ext_job_cache: mysql"), @r#"
    ! job cache: returns are kept in "mysql" (ext_job_cache), which salt-herald does not read
        without it, what happens while salt-herald is down or blind is not found again; it is if ext_job_cache is left out of the master's config
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(with("hash_type: md5"), @r#"
    ! job cache: the master names its jobs' folders by md5 (hash_type)
        no job is told from one that a minion made up; with hash_type: sha256, Salt's default, it is
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
}

#[test]
fn the_job_cache_keeps_jobs_for_a_short_time() {
    let with = |salt: &str| wrong_with(&format!("{SINK}salt: {{{salt}}}\n"), &fine());
    insta::assert_snapshot!(with("keep_jobs_seconds: 1800"), @r#"
    ! job cache: the master keeps jobs for 30 min 0 s only (keep_jobs_seconds)
        what happens while salt-herald is down or blind for longer is not found again; Salt's own default is keep_jobs_seconds: 86400
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(with("keep_jobs: 3"), @r#"
    ! job cache: the master keeps jobs for 3 h 0 min only (keep_jobs_seconds)
        what happens while salt-herald is down or blind for longer is not found again; Salt's own default is keep_jobs_seconds: 86400
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    for long in ["keep_jobs_seconds: 0", "keep_jobs_seconds: 14400", "keep_jobs: 4", "keep_jobs: 0"]
    {
        assert!(!with(long).contains("keeps jobs"), "{long}");
    }
}

/// What root may read says nothing about the user of the unit.
#[test]
fn the_job_cache_is_closed_to_the_unit() {
    let way = |dir: &str, user: &str, mode| {
        let mut cache = job_cache(DirFact::Usable);
        cache.way.push((dir.into(), owner(user, user, mode)));
        cache
    };
    let hash = format!("{JOBS}/6f");
    let closed = |job_cache: JobCacheFact| wrong(&Facts { job_cache, ..fine() });
    insta::assert_snapshot!(closed(way(&hash, "salt", 0o700)), @r#"
    ! job cache: salt-herald, the user of the unit, may not read /var/cache/salt/master/jobs/6f (mode 0700, salt:salt)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; systemctl edit salt-herald, and under [Service] User=salt
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    assert!(closed(way(&hash, "salt", 0o750)).contains("Everything is fine"));
    assert!(closed(way(&hash, "alice", 0o755)).contains("Everything is fine"));
    let of_root = closed(way(&hash, "root", 0o750));
    assert!(of_root.contains("User=root") && !of_root.contains("usermod"), "{of_root}");
    insta::assert_snapshot!(closed(way("/srv", "backup", 0o750)), @r#"
    ! job cache: salt-herald, the user of the unit, may not read /srv (mode 0750, backup:backup)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; usermod -a -G backup salt-herald
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    // Where there is no such user yet, it is told to be put into the socket's group.
    let mut facts = Facts { service_account: None, ..fine() };
    assert!(!wrong(&facts).contains("may not read"));
    // As root, nothing stops it.
    facts.job_cache = way(&hash, "salt", 0o700);
    facts.bus = socket(owner("salt", "salt", 0o600), ConnectFact::Accepted);
    assert!(!wrong(&facts).contains("may not read"));
    // Everybody may read a bus on TCP, but not everybody the cache.
    let address = "127.0.0.1:4512".parse().unwrap();
    let bus = BusFact::Tcp { address, connect: ConnectFact::Accepted };
    let service_account = Some(Account { groups: vec!["salt-herald".to_owned()] });
    insta::assert_snapshot!(wrong(&Facts { bus, service_account, ..fine() }), @r#"
    ! job cache: salt-herald, the user of the unit, may not read /var/cache/salt/master (mode 0750, salt:salt)
        without it, what happens while salt-herald is down or blind is not found again, and no job is told from one that a minion made up; usermod -a -G salt salt-herald
    ✓ unit: salt-herald.service fits: every user of this machine may read a bus of ipc_mode tcp

    1 warning, nothing that keeps salt-herald from running.
    "#);
}

#[test]
fn the_journal_would_be_refused_or_has_no_room() {
    let refused = Some("the journal /var/lib/salt-herald/journal.db is damaged: why".to_owned());
    let journal = JournalFact { refused, ..journal_in(DirFact::Usable) };
    insta::assert_snapshot!(wrong(&Facts { journal, ..fine() }), @r#"
    ✗ journal: the journal /var/lib/salt-herald/journal.db is damaged: why
        nothing is written to it. Move it away with the files beside it (mv journal.db* …) and start anew, or put the last backup in its place; see docs/troubleshooting.md
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    let journal = JournalFact { is_full: true, ..journal_in(DirFact::Usable) };
    insta::assert_snapshot!(wrong(&Facts { journal, ..fine() }), @r#"
    ✗ journal: there is no room left for /var/lib/salt-herald/journal.db
        until there is, runs are kept in memory, and lost when salt-herald ends
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
}

#[test]
fn which_key_signs_and_what_was_said_of_it() {
    let at = |text: &str| format!("2026-11-26T{text}Z").parse().unwrap();
    let signed = SignedFact {
        number: 4711,
        at: at("13:00:07"),
        key: PublicKey([0x9f; 32]),
        told: vec![("monitoring".to_owned(), at("00:00:07"))],
    };
    let journal = JournalFact { signed: Some(signed), ..journal_in(DirFact::Usable) };
    let report = decide(&loaded(SINK), Some(&Facts { journal, ..fine() }));
    let line = render(&report).lines().find(|line| line.contains("signed")).unwrap().to_owned();
    insta::assert_snapshot!(line);
}

#[test]
fn the_journal_can_not_be_written() {
    let dir = |dir| wrong(&Facts { journal: journal_in(dir), ..fine() });
    insta::assert_snapshot!(dir(DirFact::Missing), @r#"
    ! journal: /var/lib/salt-herald does not exist yet
        systemd makes it when the service starts
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    insta::assert_snapshot!(dir(DirFact::NotADirectory), @r#"
    ✗ journal: /var/lib/salt-herald is no directory
        set journal.path to a file in a directory of its own
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    insta::assert_snapshot!(dir(DirFact::Denied { owner: Some(owner("root", "root", 0o755)) }), @r#"
    ✗ journal: alice may not write to /var/lib/salt-herald (mode 0755, root:root)
        run this as root, or give the directory to the user that salt-herald runs as
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    insta::assert_snapshot!(dir(DirFact::Denied { owner: None }), @r#"
    ✗ journal: alice may not write to /var/lib/salt-herald
        give the directory to the user that salt-herald runs as
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    insta::assert_snapshot!(dir(DirFact::Failed("Read-only file system".to_owned())), @r#"
    ✗ journal: can't write to /var/lib/salt-herald: Read-only file system
        set journal.path to a place that can be written
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    let unwritable_file = Some(owner("root", "root", 0o640));
    let file = JournalFact { unwritable_file, ..journal_in(DirFact::Usable) };
    insta::assert_snapshot!(wrong(&Facts { journal: file, ..fine() }), @r#"
    ✗ journal: alice may not write to /var/lib/salt-herald/journal.db (mode 0640, root:root)
        run this as root, or give the file to the user that salt-herald runs as
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 error.
    "#);
    let missing = journal_in(DirFact::Missing);
    let elsewhere = format!("{SINK}journal: {{path: /srv/herald/journal.db}}\n");
    insta::assert_snapshot!(wrong_with(&elsewhere, &Facts { journal: missing, ..fine() }), @r#"
    ✗ journal: /srv/herald does not exist
        make it, owned by the user that salt-herald runs as: install -d -m 0750 -o salt-herald /srv/herald
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)
    ! unit: the units may write to /var/lib/salt-herald only, and the journal is elsewhere
        systemctl edit the unit, and under [Service] ReadWritePaths=/srv/herald

    1 error, 1 warning.
    "#);
}

#[test]
fn no_sink_only_records() {
    insta::assert_snapshot!(wrong_with("", &fine()), @r#"
    ! slack: no sink: salt-herald records, and announces nothing
        add one under "slack" in the config to have runs announced
    ✓ unit: salt-herald.service fits: the group salt may read the bus (Salt 3007 or 3008)

    1 warning, nothing that keeps salt-herald from running.
    "#);
    assert_eq!(exit_code(&decide(&loaded(""), Some(&fine()))), 0);
}

#[test]
fn a_wrong_config_does_not_hide_the_machine() {
    let facts = with_bus(at_socket(SocketFact::Absent));
    insta::assert_snapshot!(wrong_with("nmae: x\nslack: {ops: {}}\n", &facts), @r#"
    ✗ config: /etc/salt/herald:1: nmae: unknown key; did you mean "name"?
    ✗ config: /etc/salt/herald:2: slack.ops: has neither a webhook_url nor a token
        add "webhook_url: https://hooks.slack.com/services/...", or "token_file" and "channel"
    ! master: no master config in /nowhere/salt: Salt's defaults count
        set salt.config_dir if it is elsewhere
    ✗ bus: the master is not running: /var/run/salt/master/master_event_pub.ipc does not exist
        start it: systemctl start salt-master; if it does run, its sockets are elsewhere: set salt.sock_dir, or salt.config_dir if its config is not in /etc/salt

    3 errors, 1 warning.
    "#);
}

#[test]
fn a_config_that_is_no_yaml() {
    let loaded = loaded("slack: {\n");
    insta::assert_snapshot!(render(&decide(&loaded, None)), @r#"
    ✗ config: /etc/salt/herald:1: not valid YAML: unclosed bracket '{'
        the mistake can also stand above; quote a value that holds ": " or " #"
    ! config: the machine was not looked at, because the config does not say where

    1 error, 1 warning.
    "#);
}

#[test]
fn the_caller_adds_findings() {
    let mut report = Report::default();
    report.push(Finding::error(Area::Slack, "ops: channel_not_found").hint("invite the bot"));
    insta::assert_snapshot!(render(&report), @r#"
    ✗ slack: ops: channel_not_found
        invite the bot

    1 error.
    "#);
}

#[test]
fn where_runs_are_said_is_told() {
    let said = |text: &str| {
        let report = decide(&loaded(text), Some(&fine()));
        let found = report.findings.iter().find(|finding| finding.message.contains("announces"));
        found.unwrap().message.clone()
    };
    assert_eq!(said(SINK), "announces to ops");
    let bot = "slack: {bot: {token: xoxb-x, channel: '#a'}, hook: {webhook_url: 'https://x/'}}\n";
    let routes = "routes: [{fun: 'state.*', to: ['bot#b', hook]}, {to: bot}]\n";
    assert_eq!(said(&format!("{bot}{routes}")), "announces to bot, hook, bot#b, by 2 routes");
}

#[test]
fn where_metrics_can_be_fetched() {
    let facts = [
        ListenFact::Free,
        ListenFact::Ours,
        ListenFact::Taken,
        ListenFact::Failed("Permission denied (os error 13)".to_owned()),
    ];
    let shown: Vec<String> = facts
        .map(|fact| {
            let facts = Facts { metrics: Some(fact), ..fine() };
            let mut report = decide(&loaded("metrics: {listen: '127.0.0.1:9745'}\n"), Some(&facts));
            report.findings.retain(|finding| finding.area == Area::Metrics);
            report
                .findings
                .into_iter()
                .map(|one| {
                    format!("{:?} {} / {}", one.level, one.message, one.hint.unwrap_or_default())
                })
                .collect()
        })
        .to_vec();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn groups_that_may_do_something() {
    let text = format!("{SINK}access: {{read: ops, hold: oncall}}\n");
    let shown = |read, hold| {
        let access = AccessFact { read: Some(read), hold: Some(hold) };
        let mut report = decide(&loaded(&text), Some(&Facts { access, ..fine() }));
        report.findings.retain(|finding| finding.area == Area::Access);
        render(&report)
    };
    insta::assert_snapshot!(
        [shown(GroupFact::Ours, GroupFact::Ours), shown(GroupFact::Missing, GroupFact::NotOurs),]
            .join("\n")
    );
}
