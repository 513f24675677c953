//! Secrets of the config: no command gives them back, whatever is wrong and however much is logged.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::support::binary;

/// What no output may hold. Each stands in a token or in a webhook's address.
const SECRETS: [&str; 3] = ["CANARYtoken", "CANARYhook", "CANARYfile"];
const TOKEN: &str = "xoxb-1-CANARYtoken";
const HOOK: &str = "https://hooks.slack.com/services/T1/B1/CANARYhook";

/// Configs with their secrets in the right place and in every wrong one. `FILE` is a file that holds one.
#[rustfmt::skip]
const CONFIGS: &[&str] = &[
    "slack: {a: {token: TOKEN, channel: x, api_url: 'http://127.0.0.1:1/'}, b: {webhook_url: HOOK}}\n",
    "slack: {a: {token_file: FILE, channel: x, api_url: 'http://127.0.0.1:1/'}}\n",
    // Under another key, or as another type.
    "slack: {a: {tokn: TOKEN, channel: x}}\n",
    "slack: {a: {token: [TOKEN], channel: x}}\n",
    "slack: {a: {token: {x: TOKEN}, channel: x}}\n",
    "slack: {a: {token_file: TOKEN, channel: x}}\n",
    "slack: {a: {token: x, channel: TOKEN}}\n",
    "slack: {a: {webhook_url: [HOOK]}}\n",
    "slack: {a: {webhook_url_file: HOOK}}\n",
    "slack: {a: {webhook_url: TOKEN}}\n",
    "slack: {a: {token: HOOK, channel: x}}\n",
    "slack: {a: {api_url: HOOK, token: TOKEN, channel: x}}\n",
    "slack: [TOKEN]\n", "slack: TOKEN\n", "slack: {a: TOKEN}\n", "token: TOKEN\n",
    "name: TOKEN\nslack: {a: {token: TOKEN}}\n",
    "people: {alice: TOKEN}\n", "runs: {patience: TOKEN}\n", "journal: {keep: TOKEN}\n",
    "metrics: {listen: HOOK}\n", "routes: [{name: x, to: TOKEN}]\n", "announce: {scheduled: TOKEN}\n",
    // Not what a secret looks like.
    "slack: {a: {token: 'TOKEN TOKEN', channel: x}}\n",
    "slack: {a: {token: \"TOKEN\\nTOKEN\", channel: x}}\n",
    "slack: {a: {webhook_url: 'ftp:HOOK'}}\n", "slack: {a: {webhook_url: 'http://x y/CANARYhook'}}\n",
    "slack: {a: {token: TOKEN, webhook_url: HOOK, channel: x}}\n",
    "slack: {a: {token: TOKEN, token_file: FILE, channel: x}}\n",
    // No YAML any more, around a secret.
    "slack: {a: {token: TOKEN\n", "slack:\n\ta: {token: TOKEN}\n", "slack: {a: {token: 'TOKEN}}\n",
    "slack: {a: {token: \"TOKEN\\q\"}}\n", "slack: {a: {token: *TOKEN}}\n", "slack: {a: {token: !TOKEN x}}\n",
    "slack: {a: {token: &TOKEN x, token: *y}}\n", "slack: {a: {token: @TOKEN}}\n", "slack: {a: {token: %TOKEN}}\n",
    "slack:\n  a:\n    token: TOKEN\n   channel: x\n", "slack: {a: {token: TOKEN, token: TOKEN}}\n",
    "slack:\n  a:\n    token: TOKEN: x\n", "slack: {a: {token: |TOKEN}}\n", "- TOKEN\n", "TOKEN\n", "--- TOKEN\n...\nTOKEN\n",
];

#[rustfmt::skip]
const COMMANDS: &[&[&str]] = &[
    &["check"], &["check", "--json"], &["check", "--online"], &["status"], &["log"], &["log", "--json"],
    &["export"], &["verify"], &["show", "last"], &["routes"], &["routes", "--json"], &["preview"], &["backfill", "--since", "1h"],
    &["announce", "--dry-run", "a", "glob", "test.ping"], &["announce", "a", "glob", "test.ping"],
];

#[test]
fn no_command_gives_a_secret_back_whatever_is_wrong_with_the_config() {
    let dir = tempfile::tempdir().unwrap();
    let (file, secret) = (dir.path().join("herald"), dir.path().join("secret"));
    for (number, config) in CONFIGS.iter().enumerate() {
        std::fs::write(
            &secret,
            if number % 2 == 0 { "x-CANARYfile\n" } else { "x-CANARYfile\ny z\n" },
        )
        .unwrap();
        let config = config.replace("TOKEN", TOKEN).replace("HOOK", HOOK);
        let config = config.replace("FILE", secret.to_str().unwrap());
        // The machine that this is tried on may have jobs of its own.
        let elsewhere = format!("salt: {{cachedir: {}}}\n", dir.path().display());
        let rest = format!(
            "salt: {{config_dir: {0}, sock_dir: {0}, cachedir: {0}}}\n",
            dir.path().display()
        );
        for config in [format!("{elsewhere}{config}"), format!("{rest}{config}")] {
            std::fs::write(&file, config).unwrap();
            for args in COMMANDS {
                let output = ask(&file, args);
                assert_silent(&output, &format!("{args:?} with {}", CONFIGS[number]));
            }
        }
    }
}

fn ask(config: &Path, args: &[&str]) -> Output {
    let mut command: Command = binary();
    // A webhook of Slack's own is not to be reached from here.
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "");
    for level in ["HERALD_LOG", "RUST_LOG"] {
        command.env(level, "trace");
    }
    command.env("RUST_BACKTRACE", "full").stdin(Stdio::null());
    command.arg("--config").arg(config).args(args).output().unwrap()
}

fn assert_silent(output: &Output, what: &str) {
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        for secret in SECRETS {
            assert!(!text.contains(secret), "{what} gives it back:\n{text}");
        }
    }
}
