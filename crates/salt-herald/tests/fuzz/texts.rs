//! The config: any text is a config, or mistakes that are told of.

use salt_herald::config::{LoadOptions, load};

use crate::mutilate::fuzz;
use crate::seeds;

#[test]
fn any_config_is_taken_or_its_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald");
    // Its own, so that nothing of this machine's counts.
    let salt = folder.path().join("salt");
    std::fs::create_dir(&salt).unwrap();
    fuzz("config", &seeds::configs(), |text| {
        std::fs::write(&file, text).unwrap();
        let options = LoadOptions { file: Some(file.clone()), ..LoadOptions::default() };
        if let Err(problems) = load(&options) {
            assert!(!problems.to_string().trim().is_empty(), "a mistake without a word");
        }
    });
}

/// The master's own config stands beside, and is read, too.
#[test]
fn any_config_of_a_master_is_taken_or_its_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("herald");
    let master = folder.path().join("master");
    std::fs::write(&file, format!("salt: {{config_dir: {}}}\n", folder.path().display())).unwrap();
    let seeds = [
        "sock_dir: /var/run/salt/master\nroot_dir: /\ninclude: master.d/*.conf\n",
        "default_include: '*.conf'\nutc_jid: true\nkeep_jobs_seconds: 86400\nipc_mode: tcp\n",
        "nodegroups: {web: 'L@a,b', db: [c, d]}\nfile_roots: {base: [/srv/salt]}\ntimeout: 5\n",
        "a: &x [1, 2]\nb: *x\nc: !!binary aGVsbG8=\nd: |\n  text\n  more\ne: 0o17\nf: .inf\n",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("master", &seeds, |text| {
        std::fs::write(&master, text).unwrap();
        let options = LoadOptions { file: Some(file.clone()), ..LoadOptions::default() };
        if let Err(problems) = load(&options) {
            assert!(!problems.to_string().trim().is_empty(), "a mistake without a word");
        }
    });
}
