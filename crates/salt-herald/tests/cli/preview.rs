//! `preview` where there is nothing to look into, and what it leaves behind. What it says of a cache is
//! tested beside the code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::support::{binary, objects, stderr, stdout};

/// A master's config folder and a herald config that names it.
fn machine(master: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let cachedir = dir.path().join("cache");
    let master = format!("cachedir: {}\n{master}\n", cachedir.display());
    fs::write(dir.path().join("master"), master).unwrap();
    let config = format!("salt: {{config_dir: {}}}\n", dir.path().display());
    fs::write(dir.path().join("herald"), config).unwrap();
    dir
}

fn preview(dir: &Path, args: &[&str]) -> Output {
    let config = dir.join("herald");
    binary().arg("--config").arg(config).arg("preview").args(args).output().unwrap()
}

#[test]
fn a_cache_that_is_not_there_or_elsewhere_is_said_with_what_to_do() {
    for (master, why, hint) in [
        ("", "there is no job cache at ", "hint: DIR/master says that the cachedir is DIR/cache"),
        (
            "job_cache: False",
            "does not keep what minions return (job_cache: False)",
            "records and says nothing",
        ),
        ("ext_job_cache: redis", "elsewhere (ext_job_cache: redis)", "salt-herald log --all"),
        (
            "master_job_cache: pgjsonb",
            "elsewhere (master_job_cache: pgjsonb)",
            "salt-herald log --all",
        ),
    ] {
        let dir = machine(master);
        let output = preview(dir.path(), &[]);
        assert_eq!(output.status.code(), Some(2), "{master}");
        let said = stderr(&output).replace(&dir.path().display().to_string(), "DIR");
        assert!(said.contains(why) && said.contains(hint), "{master}: {said}");
        assert_eq!(stdout(&output), "");
    }
    let dir = machine("");
    let output = preview(dir.path(), &["--since", "soon"]);
    assert!(stderr(&output).contains("--since: soon is no time"), "{}", stderr(&output));
    let output = preview(dir.path(), &["--cachedir", "/nowhere"]);
    assert!(stderr(&output).contains("hint: --cachedir names a master's cachedir"));
}

#[test]
fn an_empty_cache_is_no_trouble_and_nothing_is_written() {
    let dir = machine("");
    let jobs = dir.path().join("cache/jobs");
    fs::create_dir_all(&jobs).unwrap();
    let before = fs::read_dir(dir.path()).unwrap().count();
    let output = preview(dir.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let whole = objects(&output).pop().unwrap();
    assert_eq!((&whole["type"], &whole["runs"]), (&"preview".into(), &0.into()));
    let output = preview(dir.path(), &["--since", "3h"]);
    assert!(stdout(&output).starts_with("In the last 3 h: no runs.\n"), "{}", stdout(&output));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
    assert_eq!(fs::read_dir(&jobs).unwrap().count(), 0);
}

/// The same machine with two sinks and a channel beside them.
fn routed() -> tempfile::TempDir {
    let dir = machine("");
    fs::create_dir_all(dir.path().join("cache/jobs")).unwrap();
    let salt = dir.path().display();
    let config = format!(
        "salt: {{config_dir: {salt}}}\n\
         slack:\n  \
           ops: {{token: xoxb-1-2-abcdef, channel: \"#monitoring\"}}\n  \
           security: {{webhook_url: \"http://127.0.0.1:1/s3cret\"}}\n\
         routes: [{{outcome: failed, to: \"ops#oncall\", continue: true}}, {{to: ops}}]\n"
    );
    fs::write(dir.path().join("herald"), config).unwrap();
    dir
}

#[test]
fn a_place_is_chosen_by_the_name_that_routes_give_it() {
    let dir = routed();
    let output = preview(dir.path(), &["--sink", "#monitoring"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @r"
    salt-herald: --sink: no place is called #monitoring
      hint: there are ops, security, ops#oncall
    ");
    let named = |args: &[&str], kind: &str| {
        let output = preview(dir.path(), args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let of_kind = objects(&output).into_iter().filter(|object| object["type"] == kind);
        of_kind.map(|object| object[kind].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named(&["--json"], "place"), [r#""ops""#, r#""security""#, r#""ops#oncall""#]);
    assert_eq!(named(&["--json"], "route"), ["1", "2"]);
    assert_eq!(named(&["--json", "--sink", "ops"], "place"), [r#""ops""#]);
    assert_eq!(named(&["--json", "--sink", "ops"], "route"), ["2"]);
}

#[test]
fn a_cachedir_needs_no_config() {
    let dir = machine("");
    let cachedir = dir.path().join("cache");
    fs::create_dir_all(cachedir.join("jobs")).unwrap();
    let named = dir.path().join("nowhere");
    let output = binary()
        .args(["preview", "--config"])
        .arg(&named)
        .arg("--cachedir")
        .arg(&cachedir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "a config that is named has to be there");
    if Path::new("/etc/salt/herald").exists() || Path::new("/etc/salt/herald.d").exists() {
        return;
    }
    let output = binary().args(["preview", "--cachedir"]).arg(&cachedir).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output).replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(said, @r"
    In the last 24 h: no runs.

    By the job cache DIR/cache/jobs.
    There is no config: decided as by default.
    What none tells: runners and orchestrations that have not ended, and events that minions forge. Who never answered is inferred.
    It holds no jobs.
    ");
    let output = binary().arg("preview").output().unwrap();
    assert!(stderr(&output).contains("there is no config"), "{}", stderr(&output));
}

#[test]
fn who_may_not_read_it_is_told_who_may() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = machine("user: salt");
    let jobs = dir.path().join("cache/jobs");
    fs::create_dir_all(&jobs).unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(dir.path(), 0o755);
    mode(&jobs, 0o700);
    let program = dir.path().join("salt-herald");
    fs::copy(env!("CARGO_BIN_EXE_salt-herald"), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .arg("--config")
        .arg(dir.path().join("herald"))
        .arg("preview")
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("may not be read\n  because Permission denied"), "{said}");
    assert!(said.contains("hint: only salt may read it: sudo salt-herald preview"), "{said}");
}
