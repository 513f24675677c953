//! Sinks, announcements and the names of troubles, for all tests of the Slack sink.

use std::sync::LazyLock;
use std::time::Duration;

use fake_slack::{FakeSlack, Options};
use herald_core::announce::{Announcement, Detail, Mood};
use herald_core::outbox::Label;
use herald_core::owed::Part;
use herald_core::run::RunId;
use salt_herald::chat::{Access, DeliveryError, Post, Sink, Slack, SlackSettings, http_client};
use salt_herald::config::Guise;
use secrecy::SecretString;

pub(crate) const TOKEN: &str = "xoxb-1-very-secret";
pub(crate) const SECRET: &str = "T1/B1/very-secret";

pub(crate) async fn fake() -> FakeSlack {
    let options = Options {
        token: TOKEN.to_owned(),
        webhook: SECRET.to_owned(),
        posts: None,
        edits: None,
        ..Options::default()
    };
    FakeSlack::start(options).await.unwrap()
}

pub(crate) fn sink(api_url: String, access: Access, http: reqwest::Client) -> Sink {
    let settings = SlackSettings {
        api_url,
        access,
        name: "monitoring".to_owned(),
        members: Default::default(),
    };
    Sink::Slack(Slack::new(settings, http))
}

/// A client that loses its patience sooner.
pub(crate) fn hasty() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_millis(300)).build().unwrap()
}

pub(crate) fn bot_with(
    fake: &FakeSlack,
    token: &str,
    channel: &str,
    http: reqwest::Client,
) -> Sink {
    let access = Access::Bot { token: SecretString::from(token), channel: channel.to_owned() };
    sink(fake.api_url(), access, http)
}

pub(crate) fn bot(fake: &FakeSlack) -> Sink {
    bot_with(fake, TOKEN, "#monitoring", http_client().unwrap())
}

pub(crate) fn webhook_at(url: String, http: reqwest::Client) -> Sink {
    sink(
        String::new(),
        Access::Webhook { url: SecretString::from(url), guise: Guise::default() },
        http,
    )
}

pub(crate) fn webhook(fake: &FakeSlack) -> Sink {
    webhook_at(fake.webhook_url(), http_client().unwrap())
}

/// What most posts are about.
pub(crate) fn about() -> Post<'static> {
    static LABEL: LazyLock<Label> = LazyLock::new(|| label(Part::Message, &[7]));
    Post { label: &LABEL, repeat: false }
}

pub(crate) fn label(part: Part, runs: &[u64]) -> Label {
    Label {
        journal: "6f9a".to_owned(),
        origin: "6f9a".to_owned(),
        sink: "monitoring".to_owned(),
        part,
        runs: runs.iter().copied().map(RunId).collect(),
        jids: Vec::new(),
        together: runs.len() > 1,
        late: false,
        missed: None,
    }
}

pub(crate) fn running() -> Announcement {
    Announcement {
        mood: Mood::Running,
        command: "salt -G roles:web state.apply nginx".to_owned(),
        byline: "alice · 12 minions".to_owned(),
        tally: "0 of 12 returned".to_owned(),
        finished: false,
        details: Vec::new(),
        details_left_out: 0,
        commands: Vec::new(),
        commands_left_out: 0,
        mention: None,
    }
}

pub(crate) fn failed() -> Announcement {
    Announcement {
        mood: Mood::Failed,
        tally: "1 failed (web7) · 11 unchanged".to_owned(),
        finished: true,
        details: vec![Detail {
            title: "nginx: service.running".to_owned(),
            minions: "web7".to_owned(),
            text: "unknown directive <wrker>".to_owned(),
        }],
        ..running()
    }
}

/// The error's label and the chat's own word; no secret may be anywhere in it.
pub(crate) fn trouble<T: std::fmt::Debug>(result: Result<T, DeliveryError>) -> String {
    let error = result.unwrap_err();
    let mut all = format!("{error:?} {error}");
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        all.push_str(&format!(" {inner:?} {inner}"));
        source = inner.source();
    }
    assert!(!all.contains("secret") && !all.contains("http://"), "{all}");
    match &error {
        DeliveryError::RateLimited { retry_after } => {
            format!("{} {}", error.label(), retry_after.as_secs())
        }
        DeliveryError::MessageGone { reason }
        | DeliveryError::Unauthorized { reason }
        | DeliveryError::Rejected { reason } => format!("{} {reason}", error.label()),
        DeliveryError::Unavailable(_) | DeliveryError::InDoubt(_) => error.label().to_owned(),
    }
}
