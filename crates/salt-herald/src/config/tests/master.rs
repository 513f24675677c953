//! The master's config as Salt merges it.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{BusAddress, IpcMode, MasterConfig};
use super::Machine;

fn master(files: &[(&str, &str)]) -> (MasterConfig, String) {
    let machine = Machine::with(&[("herald", "")]);
    for (path, text) in files {
        machine.write(path, text);
    }
    let (config, warnings) = machine.good();
    (config.master, warnings)
}

fn clean(files: &[(&str, &str)]) -> MasterConfig {
    let (master, warnings) = master(files);
    assert_eq!(warnings, "");
    master
}

#[test]
fn defaults_are_salts() {
    let master = clean(&[]);
    assert!(master.files.is_empty());
    assert_eq!(master.sock_dir, PathBuf::from("/var/run/salt/master"));
    assert_eq!(master.cachedir, PathBuf::from("/var/cache/salt/master"));
    assert_eq!(master.job_cache_dir(), PathBuf::from("/var/cache/salt/master/jobs"));
    assert_eq!(master.timeout, Duration::from_secs(5));
    assert_eq!(master.gather_job_timeout, Duration::from_secs(10));
    assert_eq!(master.keep_jobs, Duration::from_secs(86_400));
    assert_eq!(master.interface, "0.0.0.0");
    assert_eq!((master.user, master.id), (None, None));
    assert!(master.job_cache && !master.unique_jid && !master.utc_jid);
    assert_eq!(master.master_job_cache, "local_cache");
    assert_eq!(master.ext_job_cache, None);
    assert_eq!(master.fileserver_backend, ["roots"]);
    let roots = ["/srv/salt", "/srv/spm/salt"].map(PathBuf::from).to_vec();
    assert_eq!(master.file_roots["base"], roots);
}

#[test]
fn the_bus_is_a_socket_or_a_port() {
    let unix = clean(&[]).bus_address();
    assert_eq!(unix, BusAddress::Unix("/var/run/salt/master/master_event_pub.ipc".into()));
    let tcp = clean(&[("salt/master", "ipc_mode: tcp\n")]);
    assert_eq!(tcp.ipc_mode, IpcMode::Tcp);
    assert_eq!(tcp.bus_address(), BusAddress::Tcp("127.0.0.1:4512".parse().unwrap()));
    let six = clean(&[("salt/master", "ipc_mode: tcp\nipv6: true\ntcp_master_pub_port: 9\n")]);
    assert_eq!(six.bus_address(), BusAddress::Tcp("[::1]:9".parse().unwrap()));
}

#[test]
fn included_files_win_over_the_main_file() {
    let master = clean(&[
        ("salt/master", "timeout: 1\nuser: a\nid: 12\ninclude: extra/*.conf\n"),
        ("salt/master.d/b.conf", "timeout: 3\nuser: c\n"),
        ("salt/master.d/a.conf", "timeout: 2\nuser: b\n"),
        ("salt/extra/x.conf", "user: d\n"),
    ]);
    assert_eq!(master.timeout, Duration::from_secs(3));
    assert_eq!(master.user.as_deref(), Some("d"));
    assert_eq!(master.id.as_deref(), Some("12"));
    assert_eq!(master.files.len(), 4);
}

/// Among included files lists are joined and maps merged (doubles within the later list stay); over
/// the main file, the result replaces.
#[test]
fn file_roots_merge_among_included_files_only() {
    let master = clean(&[
        ("salt/master", "file_roots:\n  base: [/main]\n  dev: [/dev]\n"),
        ("salt/master.d/a.conf", "file_roots:\n  base: [/a, /shared]\n"),
        ("salt/master.d/b.conf", "file_roots:\n  base: [/shared, /b, /b]\n  qa: [/qa]\n"),
    ]);
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(master.file_roots["base"], paths(&["/a", "/shared", "/b", "/b"]));
    assert_eq!(master.file_roots["qa"], paths(&["/qa"]));
    assert!(!master.file_roots.contains_key("dev"));
}

#[test]
fn includes_nest_and_end() {
    let master = clean(&[
        ("salt/master", "include:\n  - one/a.conf\n  - nowhere/*.conf\n"),
        ("salt/one/a.conf", "timeout: 1\ninclude: two/b.conf\n"),
        ("salt/one/two/b.conf", "timeout: 2\n"),
    ]);
    // What a file includes wins over the file itself.
    assert_eq!(master.timeout, Duration::from_secs(2));
    let (_, warnings) = super::master::master(&[
        ("salt/master", "include: a.conf\n"),
        ("salt/a.conf", "include: a.conf\n"),
    ]);
    insta::assert_snapshot!(warnings, @"Warning DIR/salt/a.conf: includes other files too deeply");
}

/// Salt takes both from the main file before it reads any other.
#[test]
fn included_files_do_not_move_the_includes() {
    let master = clean(&[
        ("salt/master", "timeout: 1\n"),
        ("salt/master.d/a.conf", "default_include: other.d/*.conf\n"),
        ("salt/other.d/a.conf", "timeout: 9\n"),
    ]);
    assert_eq!(master.timeout, Duration::from_secs(1));
    let master = clean(&[
        ("salt/master", "default_include: other.d/*.conf\n"),
        ("salt/master.d/a.conf", "timeout: 8\n"),
        ("salt/other.d/a.conf", "timeout: 9\n"),
    ]);
    assert_eq!(master.timeout, Duration::from_secs(9));
}

#[test]
fn root_dir_goes_before_the_paths_that_it_governs() {
    let dirs = |text: &str| {
        let master = clean(&[("salt/master", text)]);
        (master.sock_dir.display().to_string(), master.cachedir.display().to_string())
    };
    let pair = |sock: &str, cache: &str| (sock.to_owned(), cache.to_owned());
    let rooted = pair("/srv/r/var/run/salt/master", "/srv/r/var/cache/salt/master");
    assert_eq!(dirs("root_dir: /srv/r\n"), rooted);
    assert_eq!(dirs("root_dir: /srv/r\nsock_dir: /run/s\n").0, "/srv/r/run/s");
    assert_eq!(dirs("root_dir: /srv/r\nsock_dir: /srv/r/run\n").0, "/srv/r/run");
    assert_eq!(dirs("root_dir: /srv/r\nsock_dir: run/s\n").0, "/srv/r/run/s");
    assert_eq!(dirs("root_dir: /\nsock_dir: /x/../run//s/\n").0, "/run/s");
    // Shorter by more than ten characters: Salt moves the sockets below the cache.
    assert_eq!(dirs("cachedir: /c\n"), pair("/c/.salt-unix", "/c"));
}

#[test]
fn the_job_cache_is_kept_as_salt_keeps_it() {
    let keep = |text: &str| clean(&[("salt/master", text)]).keep_jobs.as_secs();
    assert_eq!(keep("keep_jobs_seconds: 60\n"), 60);
    assert_eq!(keep("keep_jobs: 2\n"), 7_200);
    assert_eq!(keep("keep_jobs: 2\nkeep_jobs_seconds: 60\n"), 60);
    assert_eq!(keep("keep_jobs: 24\n"), 86_400);
    assert_eq!(keep("keep_jobs_seconds: 0\n"), 0);
}

#[test]
fn salts_spellings_are_read() {
    let master = clean(&[(
        "salt/master",
        "job_cache: off\nunique_jid: Yes\ntimeout: '15'\next_job_cache: redis\nunknown: {a: [1]}\n\
         nodegroups:\n  web: 'G@role:web'\n  both: [web, or, db]\n",
    )]);
    assert!(!master.job_cache && master.unique_jid);
    assert_eq!(master.timeout, Duration::from_secs(15));
    assert_eq!(master.ext_job_cache.as_deref(), Some("redis"));
    assert_eq!(master.nodegroups["web"], "G@role:web");
    assert_eq!(master.nodegroups["both"], "web or db");
    let list = clean(&[("salt/master", "nodegroups:\n  - a: x\n  - b: y\n")]);
    assert_eq!(list.nodegroups.len(), 2);
    assert!(clean(&[("salt/master", "nodegroups:\n")]).nodegroups.is_empty());
}

#[test]
fn wrong_values_are_warnings_and_count_as_not_set() {
    let (master, warnings) = master(&[(
        "salt/master",
        "timeout: soon\nsock_dir: [a]\nipc_mode: pigeon\ntcp_master_pub_port: 99999\n\
         job_cache: maybe\nfile_roots: /srv\nnodegroups: 3\ninclude: {a: b}\ngather_job_timeout: -1\n",
    )]);
    assert_eq!(
        master,
        MasterConfig {
            files: master.files.clone(),
            config_dir: master.config_dir.clone(),
            ..clean(&[])
        }
    );
    insta::assert_snapshot!(warnings, @r#"
    Warning DIR/salt/master:1: timeout: must be a number of seconds, not text
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:2: sock_dir: must be text, not a list
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:3: ipc_mode: must be "ipc" or "tcp"
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:4: tcp_master_pub_port: must be a TCP port, 1 to 65535
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:5: job_cache: must be true or false, not text
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:6: file_roots: must be a table of lists of paths, not text
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:7: nodegroups: must be a table of texts, not a number
      hint: Salt's default counts for us instead
    Warning DIR/salt/master:8: include: must be a list of texts, not a table
    Warning DIR/salt/master:9: gather_job_timeout: must not be negative
      hint: Salt's default counts for us instead
    "#);
}

#[test]
fn files_that_salt_refuses_are_warnings() {
    let (master, warnings) = master(&[
        ("salt/master", "timeout: 1\n"),
        ("salt/master.d/a.conf", "timeout: [2\n"),
        ("salt/master.d/b.conf", "timeout: 3\ntimeout: 4\n"),
        ("salt/master.d/c.conf", "just words\n"),
    ]);
    assert_eq!(master.timeout, Duration::from_secs(1));
    insta::assert_snapshot!(warnings, @r#"
    Warning DIR/salt/master.d/a.conf:1: not valid YAML: unclosed bracket '['
      hint: the mistake can also stand above; quote a value that holds ": " or " #"
    Warning DIR/salt/master.d/b.conf:2: timeout: stands twice, first on line 1
      hint: Salt refuses the whole file for it, and so do we
    Warning DIR/salt/master.d/c.conf:1: must be a table of keys, not text; Salt refuses it
    "#);
}

#[test]
fn our_own_values_win_to_the_letter() {
    let machine = Machine::with(&[
        ("herald", "salt:\n  config_dir: DIR/etc\n  sock_dir: /run/other\n  timeout: 9\n"),
        ("etc/master", "root_dir: /srv/r\nsock_dir: /run/s\ntimeout: 1\nuser: salt\n"),
    ]);
    let (config, warnings) = machine.good();
    assert_eq!(warnings, "");
    assert_eq!(config.master.sock_dir, PathBuf::from("/run/other"));
    assert_eq!(config.master.cachedir, PathBuf::from("/srv/r/var/cache/salt/master"));
    assert_eq!(config.master.timeout, Duration::from_secs(9));
    assert_eq!(config.master.user.as_deref(), Some("salt"));
}
