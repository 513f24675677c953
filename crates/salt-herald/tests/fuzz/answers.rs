//! What Slack, or something on the way to it, answers: it is understood, or the post is in doubt.

use std::cell::RefCell;
use std::time::Duration;

use fake_slack::{FakeSlack, Fault, Options};
use herald_core::announce::{Announcement, Mood};
use herald_core::outbox::Label;
use herald_core::owed::Part;
use herald_core::run::RunId;
use jiff::Timestamp;
use salt_herald::chat::{Access, MessageRef, Post, Search, Slack, SlackSettings, http_client};
use salt_herald::config::Guise;
use secrecy::SecretString;

use crate::mutilate::fuzz;

fn announcement() -> Announcement {
    Announcement {
        mood: Mood::Running,
        command: "salt '*' state.apply".to_owned(),
        byline: "alice · 2 minions".to_owned(),
        tally: "0 of 2 returned".to_owned(),
        finished: false,
        details: Vec::new(),
        details_left_out: 0,
        commands: Vec::new(),
        commands_left_out: 0,
        mention: None,
    }
}

fn sink(slack: &FakeSlack, access: Access) -> Slack {
    let settings = SlackSettings {
        api_url: slack.api_url(),
        access,
        name: "monitoring".to_owned(),
        members: Default::default(),
    };
    Slack::new(settings, http_client().unwrap())
}

const ANSWERS: &[&str] = &[
    r#"{"ok":true,"channel":"C0FAKE0001","ts":"1795634019.537332","message":{"text":"x","ts":"1795634019.537332"}}"#,
    r#"{"ok":false,"error":"ratelimited"}"#,
    r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"identify"}"#,
    r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] no more than 50 items"]}}"#,
    r#"{"ok":true,"messages":[{"type":"message","ts":"1795634019.537332","bot_id":"B0FAKE","text":"x","metadata":{"event_type":"salt_herald","event_payload":{"journal":"j","sink":"monitoring","part":"message","run":1,"runs":"1-3,5","together":true,"late":false}}}],"has_more":false,"response_metadata":{"next_cursor":""}}"#,
    r#"{"ok":true,"url":"https://fake.slack.example/","team_id":"T0","user_id":"U0","bot_id":"B0FAKE"}"#,
    "ok",
    "invalid_payload",
    "<html><body>502 Bad Gateway</body></html>",
];

#[test]
fn any_answer_of_slack_is_understood_or_leaves_the_post_in_doubt() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options { posts: None, edits: None, ..Options::default() };
    let slack = runtime.block_on(FakeSlack::start(options.clone())).unwrap();
    let token = SecretString::from(options.token);
    let bot = sink(&slack, Access::Bot { token, channel: "#monitoring".to_owned() });
    let url = SecretString::from(slack.webhook_url());
    let webhook = sink(&slack, Access::Webhook { url, guise: Guise::default() });
    let label = Label {
        journal: "j".to_owned(),
        origin: "j".to_owned(),
        sink: "monitoring".to_owned(),
        part: Part::Message,
        runs: vec![RunId(1)],
        jids: Vec::new(),
        together: false,
        late: false,
        missed: None,
    };
    let place = RefCell::new(MessageRef("C0FAKE0001/1795634019.537332".to_owned()));
    let seeds: Vec<Vec<u8>> = ANSWERS.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("answers", &seeds, |body| {
        let status = [200, 200, 200, 400, 403, 404, 429, 500, 503][body.len() % 9];
        let fault = Fault::Answer { status, body: body.to_vec() };
        runtime.block_on(async {
            let post = Post { label: &label, repeat: false };
            let told = announcement();
            let work = async {
                slack.fail_next(None, 1, fault.clone());
                if let Ok(found) = bot.post(&told, post).await {
                    // Whatever it said, it must be taken back by what edits.
                    *place.borrow_mut() = found;
                }
                let place = place.borrow().clone();
                slack.fail_next(None, 1, fault.clone());
                let _ = bot.update(&place, &told).await;
                slack.fail_next(None, 3, fault.clone());
                let since = Timestamp::now();
                let _ = bot.seek(Search { since, near: Some(&place), thread: None }).await;
                slack.stop_failing();
                slack.fail_next(None, 1, fault);
                let _ = webhook.post(&told, post).await;
                slack.stop_failing();
            };
            tokio::time::timeout(Duration::from_secs(15), work).await.expect("it hangs");
        });
    });
}
