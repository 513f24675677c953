//! What messages look like, and that nothing in an announcement can make them something else.

use herald_core::announce::{Announcement, CommandLine, Detail, Mood};
use herald_core::literal::is_unseen;
use proptest::prelude::*;
use serde_json::Value;

use super::literal::length;
use super::render::{Content, MOST_CHARACTERS, message, message_with_details, notice, thread};

fn announcement(mood: Mood, tally: &str) -> Announcement {
    Announcement {
        mood,
        command: "salt -G roles:web state.apply nginx".to_owned(),
        byline: "alice · 12 minions · at ab12cd3 Raise worker limit".to_owned(),
        tally: tally.to_owned(),
        finished: mood != Mood::Running,
        details: Vec::new(),
        details_left_out: 0,
        commands: Vec::new(),
        commands_left_out: 0,
        mention: None,
    }
}

fn failed() -> Announcement {
    Announcement {
        details: vec![
            Detail {
                title: "nginx: service.running".to_owned(),
                minions: "web7".to_owned(),
                text:
                    "The service failed to start:\n\tnginx: [emerg] unknown directive \"wrker\"\n"
                        .to_owned(),
            },
            Detail {
                title: "cmd.run certbot renew".to_owned(),
                minions: "web1, web2 and 3 more".to_owned(),
                text: String::new(),
            },
        ],
        details_left_out: 37,
        ..announcement(Mood::Failed, "1 failed (web7) · 2 changed · 9 unchanged")
    }
}

fn json(content: &Content) -> String {
    serde_json::to_string_pretty(&super::posted_fields(content.clone())).unwrap()
}

#[test]
fn running() {
    let running = announcement(Mood::Running, "9 of 12 returned · 2 changed");
    insta::assert_snapshot!(json(&message(&running)));
}

#[test]
fn good() {
    insta::assert_snapshot!(json(&message(&announcement(Mood::Good, "12 unchanged"))));
}

#[test]
fn changed() {
    insta::assert_snapshot!(json(&message(&announcement(Mood::Changed, "2 changed"))));
}

#[test]
fn silent() {
    insta::assert_snapshot!(json(&message(&announcement(Mood::Silent, "web7 never answered"))));
}

fn several(count: usize) -> Announcement {
    let line = |n: usize| CommandLine {
        mood: if n == 1 { Mood::Failed } else { Mood::Good },
        command: format!("salt web{n} cmd.run 'echo <!channel> `{n}`'"),
        note: "×3 · alice · web1".to_owned(),
    };
    Announcement {
        command: String::new(),
        byline: "41 runs · alice, bob".to_owned(),
        commands: (0..count).map(line).collect(),
        commands_left_out: 2,
        ..announcement(Mood::Running, "3 running · 36 succeeded · 2 failed")
    }
}

#[test]
fn several_commands() {
    insta::assert_snapshot!(json(&message(&several(2))));
}

#[test]
fn more_commands_than_fit() {
    let mut many = several(50);
    many.commands.iter_mut().for_each(|line| line.command = "x".repeat(400));
    let content = message(&many);
    assert!(content.characters() <= MOST_CHARACTERS, "{}", content.characters());
    assert!(json(&content).contains("… and 32 more"), "{}", json(&content));
}

#[test]
fn failed_with_a_thread() {
    insta::assert_snapshot!("failed_message", json(&message(&failed())));
    insta::assert_snapshot!("failed_thread", json(&thread(&failed())));
    insta::assert_snapshot!("failed_webhook", json(&message_with_details(&failed())));
}

#[test]
fn ten_thousand_minions() {
    let minions: Vec<String> = (0..10_000).map(|n| format!("web{n}.example.com")).collect();
    let mut everyone = announcement(Mood::Failed, "10000 failed");
    everyone.command = format!("salt -L {} test.ping", minions.join(","));
    everyone.byline = "alice · 10000 minions".to_owned();
    everyone.details = (0..500)
        .map(|n| Detail {
            title: format!("state-{n}"),
            minions: minions.join(", "),
            text: "failed\n".repeat(1_000),
        })
        .collect();
    insta::assert_snapshot!("ten_thousand_message", json(&message(&everyone)));
    let thread = thread(&everyone);
    assert!(thread.characters() > MOST_CHARACTERS / 2, "uses the room that there is");
    let last = thread.blocks.last().unwrap();
    let line = last.pointer("/elements/0/elements/0/text").unwrap();
    insta::assert_snapshot!(format!("{} blocks, {line}", thread.blocks.len()), @r#"6 blocks, "… and 495 more""#);
}

#[test]
fn an_unfinished_webhook_message_tells_no_details_yet() {
    let mut running = failed();
    running.finished = false;
    assert_eq!(message_with_details(&running), message(&running));
}

/// Every text of a message, with whether Slack parses it.
fn texts(content: &Content) -> Vec<(String, bool)> {
    let mut found = vec![(content.text.clone(), true)];
    for value in content.blocks.iter().chain(&content.attachments) {
        collect(value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<(String, bool)>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("text") {
                let kind = fields.get("type").and_then(Value::as_str).unwrap();
                assert!(["text", "plain_text"].contains(&kind), "{kind} is not literal");
                found.push((text.clone(), kind == "plain_text"));
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// What must hold of any message whatever stands in the announcement.
fn assert_harmless(content: &Content) {
    for (text, parsed) in texts(content) {
        assert!(!text.trim().is_empty(), "Slack refuses empty texts");
        for character in text.chars() {
            assert!(character == '\n' || !is_unseen(character), "{character:?} in {text:?}");
        }
        if parsed {
            assert!(!text.contains(['<', '>']), "unescaped in {text:?}");
            for (at, _) in text.match_indices('&') {
                let entity = &text[at..];
                let known = ["&amp;", "&lt;", "&gt;"].iter().any(|e| entity.starts_with(e));
                assert!(known, "half an escape in {text:?}");
            }
        }
        assert!(length(&text) <= 3_000, "too long for a section: {}", length(&text));
    }
    assert!(content.characters() <= MOST_CHARACTERS, "{} characters", content.characters());
    let hanging = content.attachments.iter().filter_map(|a| a.get("blocks")?.as_array());
    let blocks = content.blocks.len() + hanging.map(Vec::len).sum::<usize>();
    assert!((1..=50).contains(&blocks));
}

fn assert_all_harmless(announcement: &Announcement) {
    let (message, thread) = (message(announcement), thread(announcement));
    assert_harmless(&message);
    let below = message.attachments[0].pointer("/blocks/0/text/text").unwrap().as_str().unwrap();
    assert!(below.lines().count() <= 2);
    assert_harmless(&message_with_details(announcement));
    assert_harmless(&thread);
    // The command is one code element, whatever is in it.
    let line = message.blocks[0].pointer("/elements/0/elements").unwrap().as_array().unwrap();
    assert_eq!(message.blocks.len(), 1);
    assert_eq!(line.len(), 2);
    assert_eq!(line[1].pointer("/style/code"), Some(&Value::Bool(true)));
}

/// Strings that would do something somewhere.
#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S1>", "<!date^1^{date}|x>", "<@U1>",
    "<@U1|bob>", "<#C1>", "<#C1|ops>", "<https://evil.example|https://good.example>",
    "<mailto:a@b.example|x>", "https://evil.example/", "a@b.example", "@channel", "@here",
    "```", "```\nrm -rf /\n```", "`", "``", "*bold*", "_it_", "~no~", "> quote",
    "&lt;!here&gt;", "&amp;lt;", ":smile:", ":skin-tone-2:", "\u{202e}gnp.exe",
    "\u{202a}\u{202b}\u{202c}\u{202d}", "\u{2066}\u{2067}\u{2068}\u{2069}",
    "\u{200e}\u{200f}\u{61c}", "\u{200b}\u{200c}\u{200d}", "\u{2060}\u{feff}",
    "\u{2028}\u{2029}", "\u{e0041}\u{e007f}", "\0", "\x1b[31mred\x1b[0m", "\x07\x08\x7f",
    "\u{85}\u{9b}", "\r\n\r\n", "\n<!channel>\n", "\t", "", " ", "\u{a0}", "\u{3000}",
    "{\"type\":\"user\"}", "\\u003c!channel\\u003e", "${x}", "$(reboot)", "'\"\\",
];

/// About two hundred of them, in all sizes.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = HOSTILE.iter().map(|&text| text.to_owned()).collect();
    all.extend(HOSTILE.iter().map(|text| text.repeat(3_000)));
    all.extend(HOSTILE.iter().map(|text| format!("salt '*' cmd.run '{text}' {text}🧂{text}")));
    all.extend(HOSTILE.iter().map(|text| format!("{}{text}", "&<🧂\u{202e}".repeat(700))));
    all
}

#[test]
fn no_text_makes_anything_but_text() {
    let all = hostile();
    assert!(all.len() >= 200, "{}", all.len());
    for text in all {
        let detail = Detail { title: text.clone(), minions: text.clone(), text: text.clone() };
        let mut everywhere = announcement(Mood::Failed, &text);
        everywhere.command = text.clone();
        everywhere.byline = text.clone();
        everywhere.details = vec![detail; 25];
        assert_all_harmless(&everywhere);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        any::<char>().prop_map(String::from),
        Just("<!channel>".to_owned()),
        Just("🧂\u{202e}&\n".to_owned()),
    ];
    (prop::collection::vec(pieces, 0..40), prop_oneof![Just(1usize), 0..400usize])
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

prop_compose! {
    fn any_detail()(title in any_text(), minions in any_text(), text in any_text()) -> Detail {
        Detail { title, minions, text }
    }
}

prop_compose! {
    fn any_announcement()(
        mood in prop::sample::select(vec![
            Mood::Running, Mood::Good, Mood::Changed, Mood::Failed, Mood::Silent,
        ]),
        texts in (any_text(), any_text(), any_text()),
        finished: bool,
        details in prop::collection::vec(any_detail(), 0..60),
        details_left_out in prop_oneof![Just(0usize), any::<usize>()],
    ) -> Announcement {
        let (command, byline, tally) = texts;
        Announcement { mood, command, byline, tally, finished, details, details_left_out, commands: Vec::new(), commands_left_out: 0, mention: None }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_announcement_keeps_slacks_limits(announcement in any_announcement()) {
        assert_all_harmless(&announcement);
    }
}

#[test]
fn a_member_is_called_by_id() {
    let called = [
        message(&announcement(Mood::Running, "")).calling(Some("U012ABCDEF")),
        thread(&failed()).calling(Some("U012ABCDEF")),
    ];
    let said = called.each_ref().map(json);
    insta::assert_snapshot!(said.join("\n"));
    let plain = message(&failed());
    assert_eq!(plain.clone().calling(None), plain);
}

#[test]
fn a_notice_is_a_line_and_what_to_do() {
    use herald_core::compose::{given_up, unusable, usable_again};
    let trouble = "the chat does not let us in (token_revoked); install the <!channel> app again";
    let notices = [
        unusable("ops", trouble, Some("prod")),
        usable_again("ops", None),
        given_up(
            "ops",
            ("salt web1 test.ping", Some("20261122115959000000")),
            "the message is gone (message_not_found)",
            1,
            None,
        ),
        given_up("ops", ("", None), "the chat refuses the message (msg_too_long)", 3, Some("prod")),
    ];
    let rendered: Vec<String> = notices
        .iter()
        .map(|one| {
            let Content { text, blocks, attachments } = notice(one);
            let all = serde_json::json!([text, blocks, attachments]);
            serde_json::to_string_pretty(&all).unwrap()
        })
        .collect();
    insta::assert_snapshot!(rendered.join("\n---\n"));
}
