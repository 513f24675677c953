//! `contrib/reactor` on a real master: nothing but a reactor and `salt-herald announce`, and beside
//! it a daemon, whose journal says what had to be announced.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_slack::{FakeSlack, Options};
use herald_core::quote::without_backticks;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::herald::Herald;
use crate::lab::Lab;
use crate::scenes::{no_journal_file_holds, unmarked};

const SECRET: &str = "hunter2-Zq81xkWv";
const SAID: [&str; 4] = ["state.highstate", "state.sls", "state.apply", "cmd.run"];

/// What the reactor is made from, and the channel that it posts to.
struct Reactor {
    folder: TempDir,
    runtime: Runtime,
    slack: FakeSlack,
}

impl Reactor {
    /// The shipped files, with the places of this machine in them.
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let options = Options { posts: None, ..Options::default() };
        let slack = runtime.block_on(FakeSlack::start(options)).expect("a stand-in");
        let reactor = Self { folder: tempfile::tempdir().expect("a folder"), runtime, slack };
        let config = reactor.path("herald");
        let text = format!(
            "salt: {{config_dir: {:?}}}\nslack: {{hook: {{webhook_url: {:?}}}}}\n",
            reactor.folder.path(),
            reactor.slack.webhook_url()
        );
        fs::write(&config, text).expect("a config");
        let command = format!("'{}', '--config', '{}'", program(), config.display());
        reactor.ship("slack.sls", "'/usr/bin/salt-herald'", &command);
        let sls = reactor.path("slack.sls");
        reactor.ship("reactor.conf", "/srv/reactor/slack.sls", &sls.to_string_lossy());
        reactor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ship(&self, name: &str, from: &str, to: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/reactor").join(name);
        let text = fs::read_to_string(source).expect("it is shipped");
        assert!(text.contains(from), "{text}");
        fs::write(self.path(name), text.replace(from, to)).expect("it is written");
    }

    /// The command lines in the channel, once there are so many.
    fn commands(&self, count: usize) -> Vec<String> {
        let many = |channel: &fake_slack::Channel| channel.messages.len() >= count;
        let waited = self.runtime.block_on(self.slack.wait_for(many, Duration::from_secs(90)));
        let channel = waited.unwrap_or_else(|channel| {
            panic!("{} of {count} announcements: {channel:#?}", channel.messages.len())
        });
        let mut commands = Vec::new();
        for message in &channel.messages {
            assert_eq!(message.content.references(), [""; 0]);
            let attachment = &message.content.attachments[0];
            let fallback = attachment["fallback"].as_str().expect("a fallback");
            assert_eq!(attachment["text"], format!("`{fallback}`"));
            assert!(!fallback.contains('`'), "{fallback}");
            let text = fallback.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            commands.push(text);
        }
        commands
    }
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_salt-herald")
}

/// Every kind of run that the reactor knows, with arguments that would break out of shells, YAML,
/// Jinja and Slack; then its own command, typed by a person.
pub(crate) fn announces(series: &str) {
    let reactor = Reactor::new();
    let canary = reactor.path("canary");
    let conf = reactor.path("reactor.conf");
    let lab = Lab::up(series, &["--minions", "2", "--master-conf", &conf.to_string_lossy()]);
    let herald = Herald::start(&lab);
    let touch = format!("touch {}", canary.display());
    // A comment to the minion's shell; on its way there nobody may take it for anything else.
    let hostile = format!(
        "true # \"; {touch}; $({touch}) `{touch}` ' {{{{ 7*7 }}}} {{% raw %}} {{# x #}} %}}: [a] {{b: c}} \
         & * ! | > % @ \\n \\u0041\n# - <!channel> <@U1> : ünï 日 😀 \u{2028}\u{85}\u{7f}\u{1b}[31m\t\u{202e}"
    );
    let pillar = format!(
        "pillar={{\"password\": \"{SECRET}\", \"k\": \"it's $({touch}) `{touch}` {{{{ 7*7 }}}} %}} : #\\n'x\"}}"
    );
    let by_hand = format!(
        "{} --config {} announce web1 glob cmd.run by-hand",
        program(),
        reactor.path("herald").display()
    );
    let runs: [&[&str]; 9] = [
        &["*", "state.highstate", "test=True"],
        &["web1", "state.sls", "web", &pillar, "test=True"],
        &["-G", "roles:web", "state.apply", "web", "test=True", "queue=True"],
        &["*", "cmd.run", &hostile],
        &["-L", "web1,web2", "cmd.run", "true", &format!("env={{DB_PASSWORD: {SECRET}}}")],
        &["web1", "cmd.run", "\"--help; true\""],
        &["web1", "test.ping,cmd.run", ",", "true"],
        &["web1", "test.arg", &hostile],
        &["web1", "cmd.run", &by_hand],
    ];
    for run in runs {
        lab.salt_async(run);
    }
    // All but `test.arg`, and one that the command typed by a person said itself.
    reactor.commands(9);
    // Were anything answered by itself, it would be before the last one.
    for (marker, count) in [("true one", 10), ("true two", 11)] {
        lab.salt_async(&["web1", "cmd.run", marker]);
        reactor.commands(count);
    }
    let mut said = reactor.commands(11);
    assert!(!canary.exists(), "something ran in a shell");
    assert!(!format!("{said:?}").contains(SECRET), "{said:#?}");
    let wanted = |run: &serde_json::Value| {
        let funs = run["fun"].as_array().expect("functions");
        // Salt 3007.14 gives a state run that it queued on a busy minion a jid that nobody published.
        let flags = run["flags"].as_array().expect("flags");
        let is_published = !flags.iter().any(|flag| flag == "no_start");
        is_published
            && run["kind"] != "runner"
            && funs.iter().any(|fun| SAID.iter().any(|name| fun == name))
    };
    herald.run_where("the last one", |run| run["command"] == "salt web1 cmd.run 'true two'");
    let mut owed: Vec<String> = herald
        .runs()
        .iter()
        .filter(|run| wanted(run))
        .map(|run| without_backticks(run["command"].as_str().expect("a command")).into_owned())
        .collect();
    owed.push("salt web1 cmd.run by-hand".to_owned());
    for commands in [&mut said, &mut owed] {
        commands.iter_mut().for_each(|command| *command = unmarked(command));
        commands.sort();
    }
    assert_eq!(said, owed);
    no_journal_file_holds(&herald, SECRET);
}
