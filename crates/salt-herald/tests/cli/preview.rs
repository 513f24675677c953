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
    let whole = &objects(&output)[0];
    assert_eq!((&whole["type"], &whole["runs"]), (&"preview".into(), &0.into()));
    let output = preview(dir.path(), &["--since", "3h"]);
    assert!(stdout(&output).starts_with("In the last 3 h: no runs.\n"), "{}", stdout(&output));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before);
    assert_eq!(fs::read_dir(&jobs).unwrap().count(), 0);
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
