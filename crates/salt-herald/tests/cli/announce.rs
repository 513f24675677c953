//! `announce`: what arrives at a webhook, and what is said when it doesn't.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;

use fake_slack::{FakeSlack, Fault, Message, Options};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::support::{binary, stderr, stdout};

/// A workspace with a webhook of the old kind, and a config that names it.
struct Scene {
    _runtime: Runtime,
    slack: FakeSlack,
    dir: TempDir,
}

impl Scene {
    fn new(more: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { legacy: true, posts: None, ..Options::default() };
        let slack = runtime.block_on(FakeSlack::start(options)).unwrap();
        let scene = Self { _runtime: runtime, slack, dir: tempfile::tempdir().unwrap() };
        let url = scene.slack.webhook_url();
        scene.configure(&format!("slack:\n  monitoring:\n    webhook_url: {url}\n{more}"));
        scene
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.dir.path().join("herald"), config).unwrap();
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("herald")).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.arg("--config").arg(self.dir.path().join("herald")).arg("announce").args(args);
        command
    }

    fn announce(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn messages(&self) -> Vec<Message> {
        self.slack.messages()
    }
}

#[test]
fn the_usual_payload_arrives() {
    let scene = Scene::new("");
    let said = scene.announce(&[
        "*",
        "glob",
        "state.apply",
        "['nginx', {'__kwarg__': True, 'test': True}]",
    ]);
    assert_eq!(
        (said.status.code(), stdout(&said), stderr(&said)),
        (Some(0), String::new(), String::new())
    );
    let messages = scene.messages();
    assert_eq!(messages.len(), 1);
    let content = &messages[0].content;
    assert_eq!(content.username.as_deref(), Some("salt-bot"));
    assert_eq!(content.icon_emoji.as_deref(), Some(":computer:"));
    assert_eq!(content.text, "");
    let attachment = json!({
        "mrkdwn_in": ["text", "fallback"],
        "fallback": "salt '*' state.apply nginx test=True",
        "text": "`salt '*' state.apply nginx test=True`",
        "color": "#F35A00",
    });
    assert_eq!(content.attachments, [attachment]);
}

#[test]
fn the_config_says_where_and_as_whom() {
    let look =
        "    channel: \"#salt\"\n    username: salt prod\n    icon_emoji: salt\n    color: good\n";
    let scene = Scene::new(look);
    scene.slack.add_channel(fake_slack::Channel::new("salt", false));
    let said = scene.announce(&["*", "glob", "state.highstate"]);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(scene.messages().is_empty(), "it went to #salt");
    scene.configure(&scene.config().replace("\"#salt\"", "monitoring"));
    scene.announce(&["*", "glob", "state.highstate"]);
    let content = &scene.messages()[0].content;
    assert_eq!(content.username.as_deref(), Some("salt prod"));
    assert_eq!(content.icon_emoji.as_deref(), Some(":salt:"));
    assert_eq!(content.attachments[0]["color"], "good");
}

#[test]
fn it_is_a_form_with_one_field() {
    let scene = Scene::new("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/T0/B0/x", listener.local_addr().unwrap());
    scene.configure(&format!("slack: {{m: {{webhook_url: \"{url}\"}}}}\n"));
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut chunk = [0; 4096];
        while !text.contains("payload=") || !text.ends_with("%7D") {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "it ends early: {text}");
            text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        text
    });
    let said = scene.announce(&["*", "glob", "cmd.run", "['a & b=c+d']"]);
    let request = request.join().unwrap();
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert!(request.to_lowercase().contains("content-type: application/x-www-form-urlencoded\r\n"));
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.starts_with("payload=%7B") && !body.contains(['&', '+', ' ']), "{body}");
}

#[test]
fn hostile_words_are_text_and_secrets_stay() {
    let scene = Scene::new("");
    for words in [
        ["*", "glob", "cmd.run", "['echo `id` <!channel> <@U1> & *b* <https://x|y>']"],
        ["<!here>", "`", "<!channel>", "` <!everyone> `"],
        [
            "*",
            "glob",
            "state.apply",
            "[{'__kwarg__': True, 'pillar': {'password': 'hunter2-Zq81'}}]",
        ],
        ["*", "glob", "cmd.run", "mysql -phunter2-Zq81 `x`; \u{202e}\u{1b}[31m"],
    ] {
        let said = scene.announce(&[&["--"], &words[..]].concat());
        assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    }
    let messages = scene.messages();
    assert_eq!(messages.len(), 4);
    for message in &messages {
        assert_eq!(message.content.references(), [""; 0]);
        let attachment = &message.content.attachments[0];
        let text = attachment["text"].as_str().unwrap();
        let inside = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap();
        assert!(!inside.contains('`'), "{text}");
        assert_eq!(attachment["fallback"], inside);
        assert!(!text.contains("hunter2") && !text.contains(['\u{202e}', '\u{1b}']), "{text}");
    }
}

#[test]
fn an_event_on_stdin() {
    let scene = Scene::new("");
    let event = |data: &[u8]| {
        let mut child = scene
            .command(&["--event", "--dry-run"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(data).unwrap();
        child.wait_with_output().unwrap()
    };
    let said =
        event(b"{'tgt': ['a', 'b'], 'tgt_type': 'list', 'fun': 'cmd.run', 'arg': [b'\\xff']}\n");
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    let payload: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(payload["attachments"][0]["text"], "`salt -L a,b cmd.run '\"\u{fffd}\"'`");
    let said = event(b"{'tgt': ");
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).starts_with("salt-herald: stdin holds no event's data\n  hint: "));
    assert!(scene.messages().is_empty());
}

#[test]
fn a_rate_limit_is_waited_for() {
    let scene = Scene::new("");
    let wait = Fault::RateLimited { retry_after: Some("1".to_owned()) };
    scene.slack.fail_next(Some("webhook"), 1, wait);
    let said = scene.announce(&["*", "glob", "state.highstate"]);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    assert_eq!(scene.messages().len(), 1);
}

#[test]
fn what_is_not_said_is_an_error() {
    let scene = Scene::new("");
    let words = ["*", "glob", "state.highstate"];
    let refusals = [
        Fault::Code("invalid_payload".to_owned()),
        Fault::Answer { status: 404, body: b"no_service".to_vec() },
        Fault::Answer { status: 410, body: b"channel_is_archived".to_vec() },
        Fault::RateLimited { retry_after: Some("3600".to_owned()) },
        Fault::DroppedAnswer,
    ];
    let mut told = String::new();
    for fault in refusals {
        scene.slack.fail_next(Some("webhook"), 1, fault);
        let said = scene.announce(&words);
        assert_eq!((said.status.code(), stdout(&said)), (Some(1), String::new()));
        told.push_str(&stderr(&said));
    }
    assert!(!told.contains("fake-secret") && !told.contains("http://"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn several_sinks_and_none() {
    let scene = Scene::new("  ops:\n    token: xoxb-1\n    channel: monitoring\n");
    let words = ["*", "glob", "state.highstate"];
    let named = |name| scene.announce(&[&["--sink", name], &words[..]].concat());
    let mut told = String::new();
    for said in [named("ops"), named("nobody")] {
        assert_eq!(said.status.code(), Some(2));
        told.push_str(&stderr(&said));
    }
    assert_eq!(named("monitoring").status.code(), Some(0));
    let url = scene.slack.webhook_url();
    let second = format!("{}  second:\n    webhook_url: {url}\n", scene.config());
    scene.configure(&second);
    assert_eq!(scene.announce(&words).status.code(), Some(0));
    assert_eq!(scene.messages().len(), 3, "one, then both");
    scene.configure("slack:\n  ops:\n    token: xoxb-1\n    channel: monitoring\n");
    let said = scene.announce(&words);
    assert_eq!(said.status.code(), Some(2));
    told.push_str(&stderr(&said));
    insta::assert_snapshot!(told);
}
