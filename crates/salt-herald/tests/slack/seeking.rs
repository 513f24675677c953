//! Looking for messages of ours: what is found, what counts, and what stands in the way.

use fake_slack::{Channel, Fault, Options};
use herald_core::owed::Part;
use jiff::Timestamp;
use salt_herald::chat::{MessageRef, Post, Search, Sink, Sought, http_client};

use crate::support::{TOKEN, about, bot, bot_with, failed, fake, label, running, trouble, webhook};

fn since() -> Search<'static> {
    Search { since: Timestamp::now(), near: None, thread: None }
}

/// The runs of what was found, with their places.
async fn found(sink: &Sink, search: Search<'_>) -> Vec<(Vec<u64>, String)> {
    match sink.seek(search).await.unwrap() {
        Sought::Found(found) => found
            .into_iter()
            .map(|one| (one.label.runs.iter().map(|run| run.0).collect(), one.place))
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn why_not(sink: &Sink, search: Search<'_>) -> String {
    match sink.seek(search).await.unwrap() {
        Sought::CanNotTell(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_posted_is_found_and_keeps_its_label_when_edited() {
    let fake = fake().await;
    let sink = bot(&fake);
    let several = label(Part::Message, &[8, 9, 10]);
    let thread = label(Part::Thread, &[7]);
    let first = sink.post(&running(), about()).await.unwrap();
    let second = sink.post(&running(), Post { label: &several, repeat: false }).await.unwrap();
    let reply =
        sink.reply(&first, &failed(), Post { label: &thread, repeat: false }).await.unwrap();
    sink.update(&first, &failed()).await.unwrap();
    sink.update_reply(&reply, &failed()).await.unwrap();
    // Others talk there, too.
    webhook(&fake).post(&running(), about()).await.unwrap();
    let both = vec![(vec![7], first.0.clone()), (vec![8, 9, 10], second.0)];
    assert_eq!(found(&sink, since()).await, both);
    assert_eq!(found(&sink, Search { near: Some(&first), ..since() }).await, both);
    let in_thread = found(&sink, Search { thread: Some(&first), ..since() }).await;
    assert_eq!(in_thread, [(vec![7], first.0.clone()), (vec![7], reply.0)]);
    let later = Timestamp::now() + std::time::Duration::from_secs(7_200);
    assert_eq!(found(&sink, Search { since: later, ..since() }).await, []);
    let nowhere = MessageRef(r#"{"channel":"C0FAKE0001","ts":"1.000001"}"#.to_owned());
    assert_eq!(found(&sink, Search { thread: Some(&nowhere), ..since() }).await, []);
}

#[tokio::test]
async fn many_pages_are_looked_through() {
    let fake = fake().await;
    let sink = bot(&fake);
    for _ in 0..230 {
        sink.post(&running(), about()).await.unwrap();
    }
    assert_eq!(found(&sink, since()).await.len(), 230);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let fake = fake().await;
    let sink = bot(&fake);
    fake.change_options(|options| options.scopes = vec!["chat:write".to_owned()]);
    assert_eq!(why_not(&sink, since()).await, "missing_scope: channels:read");
    let first = sink.post(&running(), about()).await.unwrap();
    let near = Search { near: Some(&first), ..since() };
    assert_eq!(why_not(&sink, near).await, "missing_scope: channels:history");
    fake.change_options(|options| {
        *options = Options { token: TOKEN.to_owned(), ..Options::default() }
    });
    fake.change_channel(|channel| channel.member = false);
    assert_eq!(why_not(&sink, near).await, "not_in_channel");
    let nowhere = bot_with(&fake, TOKEN, "#nowhere", http_client().unwrap());
    assert_eq!(why_not(&nowhere, since()).await, "the channel's ID is not known");
    // A way that lets only posts through.
    fake.fail_next(Some("auth.test"), 1, Fault::Answer { status: 403, body: Vec::new() });
    assert_eq!(why_not(&sink, near).await, "http_403");
    fake.revoke_token();
    assert_eq!(trouble(sink.seek(near).await), "unauthorized token_revoked");
    assert_eq!(trouble(webhook(&fake).seek(since()).await), "rejected webhooks_only_post");
}

#[tokio::test]
async fn a_search_that_fails_is_told_from_a_slack_that_is_away() {
    let mut fake = fake().await;
    let sink = bot(&fake);
    let odd = [
        Fault::Code("internal_error".to_owned()),
        Fault::RateLimited { retry_after: None },
        Fault::DroppedAnswer,
        Fault::Answer { status: 200, body: b"<html>".to_vec() },
    ];
    for fault in odd {
        fake.fail_next(Some("conversations.history"), 1, fault);
        assert!(matches!(sink.seek(since()).await.unwrap(), Sought::Stumbled(_)));
    }
    fake.go_down().await;
    assert_eq!(trouble(sink.seek(since()).await), "unavailable");
}

#[tokio::test]
async fn a_token_that_may_send_no_metadata_posts_without() {
    let fake = fake().await;
    let sink = bot(&fake);
    let fault = Fault::Code("metadata_must_be_sent_from_app".to_owned());
    fake.fail_next(Some("chat.postMessage"), 1, fault);
    sink.post(&running(), about()).await.unwrap();
    sink.post(&running(), about()).await.unwrap();
    assert!(fake.messages().iter().all(|message| message.content.metadata.is_none()));
    assert_eq!(why_not(&sink, since()).await, "Slack takes no metadata from this token");
}

#[tokio::test]
async fn what_may_be_a_repeat_says_so_until_it_is_edited() {
    let fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    let label = label(Part::Message, &[7]);
    let again = Post { label: &label, repeat: true };
    let first = bot.post(&running(), again).await.unwrap();
    bot.reply(&first, &failed(), again).await.unwrap();
    webhook.post(&failed(), again).await.unwrap();
    let shown: Vec<String> =
        fake.messages().iter().map(|message| message.content.shown()).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
    bot.update(&first, &running()).await.unwrap();
    assert!(!fake.messages()[0].content.shown().contains("repeat"));
}

#[tokio::test]
async fn a_check_says_which_scope_a_search_lacks() {
    let fake = fake().await;
    assert!(bot(&fake).check().await.unwrap().missing.is_empty());
    fake.add_channel(Channel::new("quiet", true));
    fake.change_options(|options| options.scopes.retain(|scope| !scope.ends_with(":history")));
    assert_eq!(bot(&fake).check().await.unwrap().missing, ["channels:history"]);
    let quiet = bot_with(&fake, TOKEN, "#quiet", http_client().unwrap());
    assert_eq!(quiet.check().await.unwrap().missing, ["groups:history"]);
    assert!(fake.channel().changes.is_empty());
}
