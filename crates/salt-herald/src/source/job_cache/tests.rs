//! What a cache on disk comes to: of real masters' files, and of files that nobody should have made.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use salt_event::Value;
use salt_event::event::{Event, Kind};

use super::made::{Made, at, map, text};
use super::{JobCache, JobCacheError, Skipped};

const JID: &str = "20261122140000000000";

/// Every event of the cache, in short, and what was left out.
fn told(made: &Made) -> (Vec<String>, Skipped) {
    let cache = made.open();
    let listing = cache.list(Timestamp::MIN, Timestamp::MAX).unwrap();
    let mut told = Vec::new();
    let mut skipped = listing.skipped;
    let read = cache.events(listing.jobs).each(|at, event| {
        told.push(format!("{} {}", at.strftime("%H:%M:%S"), short(event)));
        Ok::<(), Infallible>(())
    });
    let Ok(read) = read;
    skipped.add(read);
    (told, skipped)
}

fn short(event: &Event<'_>) -> String {
    let tag = event.tag.replace(JID, "J");
    match &event.kind {
        Kind::NewJob(job) => {
            let names = |raw: salt_event::Raw<'_>| {
                raw.items().filter_map(|id| id.text().map(str::to_owned)).collect::<Vec<_>>()
            };
            format!("{tag} {} {:?} {:?}", job.fun.join(","), names(job.minions), names(job.missing))
        }
        _ => tag,
    }
}

#[test]
fn jobs_are_told_in_the_order_of_time() {
    let made = Made::new();
    made.job(JID, &["web1", "web2"], at("14:00:00"));
    made.returns(JID, "web1", at("14:00:30"));
    made.returns(JID, "web2", at("14:00:05"));
    let later = "20261122140010000000_4711";
    made.job(later, &["web3"], at("14:00:10"));
    made.returns(later, "web3", at("14:00:11"));
    let (told, skipped) = told(&made);
    assert_eq!(
        told,
        [
            r#"14:00:00 salt/job/J/new cmd.run ["web1", "web2"] []"#,
            "14:00:05 salt/job/J/ret/web2",
            r#"14:00:10 salt/job/20261122140010000000_4711/new cmd.run ["web3"] []"#,
            "14:00:11 salt/job/20261122140010000000_4711/ret/web3",
            "14:00:30 salt/job/J/ret/web1",
        ]
    );
    assert_eq!(skipped, Skipped::default());
}

#[test]
fn what_masters_kept_is_read_to_the_last_file() {
    for series in ["3006", "3007", "3008"] {
        let made = Made::real(series);
        let (told, skipped) = told(&made);
        assert_eq!(skipped, Skipped::default(), "{series}");
        let count = |what: &str| told.iter().filter(|line| line.contains(what)).count();
        assert!(count("salt/job/") > 100, "{series}: {}", told.len());
        assert!(count("salt/run/") >= 6, "{series}: list_jobs, manage.up, an orchestration");
        assert_eq!(count("salt/wheel/"), 2, "{series}");
        assert_eq!(count("salt/batch/") > 0, series == "3008", "{series}");
        let times: Vec<&str> = told.iter().map(|line| &line[..8]).collect();
        assert!(times.is_sorted(), "{series}");
    }
}

#[test]
fn only_the_jobs_of_a_time_are_opened() {
    let made = Made::new();
    for hour in 0..24 {
        let jid = format!("20261122{hour:02}0000000000");
        made.job(&jid, &["web1"], at("00:00:00"));
    }
    // Of a job that is out of the question, nothing but the jid is read.
    fs::write(made.folder("20261122000000000000").join(".load.p"), b"\xc1").unwrap();
    let cache = made.open();
    let listing = cache.list(at("10:00:00"), at("13:00:00")).unwrap();
    let jids: Vec<&str> = listing.jobs.iter().map(|place| &*place.jid).collect();
    assert_eq!(jids, ["20261122100000000000", "20261122110000000000", "20261122120000000000"]);
    assert_eq!((listing.held, listing.earliest), (24, Some(at("00:00:00"))));
    assert_eq!(cache.events(listing.jobs).each(|_, _| Ok::<(), ()>(())), Ok(Skipped::default()));
}

#[test]
fn a_job_is_found_by_its_jid() {
    let made = Made::new();
    made.job(JID, &["web1"], at("14:00:00"));
    let other = made.jobs().join("ab").join("cdef");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("jid"), "20261122150000000000\n").unwrap();
    let cache = made.open();
    assert_eq!(cache.find(JID).unwrap().unwrap().at, at("14:00:00"));
    // Another hash than the usual: all folders are looked at.
    assert_eq!(cache.find("20261122150000000000").unwrap().unwrap().at, at("15:00:00"));
    assert_eq!(cache.find("20261122160000000000").unwrap(), None);
    assert_eq!(cache.find("../../etc/passwd").unwrap(), None);
}

#[test]
fn a_copy_that_lost_its_times_gives_no_times_to_returns() {
    let made = Made::new();
    let copied = at("20:00:00");
    made.job(JID, &["web1"], copied);
    made.returns(JID, "web1", copied);
    let (told, _) = told(&made);
    assert_eq!(told[1], "14:00:00 salt/job/J/ret/web1");
}

#[test]
fn what_nobody_should_have_made_is_counted() {
    let made = Made::new();
    made.job(JID, &["web1", "web2", "web3"], at("14:00:00"));
    made.returns(JID, "web1", at("14:00:01"));
    let folder = made.folder(JID);
    // A pipe that nobody writes to, a link, half a file.
    fs::create_dir(folder.join("web2")).unwrap();
    pipe(&folder.join("web2/return.p"));
    fs::create_dir(folder.join("web3")).unwrap();
    symlink("/dev/zero", folder.join("web3/return.p")).unwrap();
    made.file(JID, "web4/return.p", b"\x83\xa6return", at("14:00:02"));
    // Folders that are links, jids that are none, pipes or endless.
    symlink(made.jobs().join("nowhere"), made.jobs().join("aa")).unwrap();
    for (name, jid) in [("1", "not a jid"), ("2", "20269922140000000000"), ("3", "")] {
        let odd = made.jobs().join("bb").join(name);
        fs::create_dir_all(&odd).unwrap();
        fs::write(odd.join("jid"), jid).unwrap();
    }
    let odd = made.jobs().join("cc").join("1");
    fs::create_dir_all(&odd).unwrap();
    pipe(&odd.join("jid"));
    let odd = made.jobs().join("cc").join("2");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("jid"), "2".repeat(100_000)).unwrap();
    let (told, skipped) = told(&made);
    assert_eq!(told.len(), 2, "{told:?}");
    let wanted = Skipped { odd: 7, too_large: 1, unreadable: 1, ..Skipped::default() };
    assert_eq!(skipped, wanted);
}

#[test]
fn a_load_that_is_cut_off_or_not_its_own_is_left_out() {
    let made = Made::new();
    made.job(JID, &["web1"], at("14:00:00"));
    let load = fs::read(made.folder(JID).join(".load.p")).unwrap();
    for length in 0..load.len() {
        made.file(JID, ".load.p", &load[..length], at("14:00:00"));
        let (told, skipped) = told(&made);
        assert!(told.is_empty(), "{length}: {told:?}");
        assert_eq!(skipped, Skipped { unreadable: 1, ..Skipped::default() }, "{length}");
    }
    let other = "20261122150000000000";
    made.job(other, &["web1"], at("15:00:00"));
    fs::copy(made.folder(other).join(".load.p"), made.folder(JID).join(".load.p")).unwrap();
    let (told, skipped) = told(&made);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(skipped.unreadable, 1);
}

#[test]
fn what_the_master_removes_meanwhile_is_gone() {
    let made = Made::new();
    made.job(JID, &["web1"], at("14:00:00"));
    let second = "20261122150000000000";
    made.job(second, &["web1"], at("15:00:00"));
    made.returns(second, "web1", at("15:00:01"));
    let cache = made.open();
    let jobs = cache.list(Timestamp::MIN, Timestamp::MAX).unwrap().jobs;
    fs::remove_dir_all(made.folder(JID)).unwrap();
    let returns = made.folder(second).join("web1");
    let mut told = 0;
    let skipped = cache.events(jobs).each(|_, _| {
        told += 1;
        let _ = fs::remove_dir_all(&returns);
        Ok::<(), Infallible>(())
    });
    assert_eq!(told, 1);
    assert_eq!(skipped, Ok(Skipped { gone: 1, ..Skipped::default() }));
}

#[test]
fn no_cache_and_one_that_is_closed_to_us_are_told_apart() {
    let made = Made::new();
    let absent = JobCache::open(&made.jobs().join("none"));
    assert!(matches!(absent, Err(JobCacheError::Absent { .. })), "{absent:?}");
    if rustix::process::geteuid().is_root() {
        return; // For root nothing is closed.
    }
    let closed = made.jobs().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let denied = JobCache::open(&closed);
    assert!(matches!(denied, Err(JobCacheError::Denied { .. })), "{denied:?}");
}

#[test]
fn many_that_wait_are_given_before_their_time() {
    let made = Made::new();
    let step = SignedDuration::from_secs(1);
    for number in 0..40_u32 {
        let jid = format!("2026112214{:02}{:02}000000", number / 60, number % 60);
        let began = at("14:00:00") + step * i32::try_from(number).unwrap();
        let load = map(vec![
            ("cmd", text("publish")),
            ("jid", text(&jid)),
            ("fun", text("cmd.run")),
            ("arg", Value::Array(vec![text(&"x".repeat(4 << 20))])),
            ("tgt", text("*")),
            ("user", text("alice")),
        ]);
        made.job(&jid, &["web1"], began);
        made.file(&jid, ".load.p", &load.to_bytes(), began);
        made.returns(&jid, "web1", at("15:00:00"));
    }
    let (told, skipped) = told(&made);
    assert_eq!(skipped, Skipped::default());
    assert_eq!(told.iter().filter(|line| line.contains("/ret/")).count(), 40);
    let first_return = told.iter().position(|line| line.contains("/ret/"));
    let last_job = told.iter().rposition(|line| line.contains("/new"));
    assert!(first_return < last_job, "nothing was given before its time");
    // Who takes them knows up to when all was told.
    let cache = made.open();
    let jobs = cache.list(Timestamp::MIN, Timestamp::MAX).unwrap().jobs;
    let (mut begun, mut until) = (Timestamp::MIN, Vec::new());
    let told = cache.events(jobs).pieces(|time, piece| {
        if time == at("15:00:00") {
            until.push((begun, piece.told_until()));
        } else {
            assert_eq!(piece.told_until(), time);
            begun = time;
        }
        Ok::<(), Infallible>(())
    });
    assert!(until[0].0 == until[0].1 && until[39].1 == at("15:00:00"), "{until:?}");
    let Ok(_) = told;
}

#[test]
fn a_return_that_comes_days_late_has_a_time_of_its_own() {
    let made = Made::new();
    made.job(JID, &["web1"], at("14:00:00"));
    let late = at("14:00:05") + SignedDuration::from_hours(70);
    made.returns(JID, "web1", late);
    let cache = made.open();
    let jobs = cache.list(Timestamp::MIN, Timestamp::MAX).unwrap().jobs;
    let mut times = Vec::new();
    let told = cache.events(jobs).each(|at, _| {
        times.push(at);
        Ok::<(), Infallible>(())
    });
    assert_eq!((told, times), (Ok(Skipped::default()), vec![at("14:00:00"), late]));
}

fn pipe(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).unwrap();
}
