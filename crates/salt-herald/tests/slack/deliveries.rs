//! What arrives in the channel.

use std::time::Duration;

use fake_slack::By;
use herald_core::announce::Detail;
use salt_herald::chat::{Access, http_client};
use salt_herald::config::Guise;
use secrecy::SecretString;

use crate::support::{about, bot, failed, fake, running, sink, trouble, webhook};

#[tokio::test]
async fn a_bot_posts_edits_and_replies() {
    let fake = fake().await;
    let sink = bot(&fake);
    assert!(sink.abilities().edit);
    let message = sink.post(&running(), about()).await.unwrap();
    let place: serde_json::Value = serde_json::from_str(&message.0).unwrap();
    assert_eq!(place["channel"], "C0FAKE0001", "the ID, since editing takes no names");
    sink.update(&message, &failed()).await.unwrap();
    let reply = sink.reply(&message, &failed(), about()).await.unwrap();
    sink.update_reply(&reply, &failed()).await.unwrap();

    let channel = fake.channel();
    let root = channel.roots().next().unwrap();
    insta::assert_snapshot!(root.content.shown());
    assert_eq!(root.edits.len(), 1);
    let replies: Vec<_> = channel.replies(&root.ts).collect();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].edits.len(), 1);
    insta::assert_snapshot!(replies[0].content.shown());
}

#[tokio::test]
async fn a_webhook_says_all_in_one_message() {
    let fake = fake().await;
    let sink = webhook(&fake);
    assert!(!sink.abilities().edit);
    let message = sink.post(&running(), about()).await.unwrap();
    sink.post(&failed(), about()).await.unwrap();
    let messages = fake.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].by, By::Webhook);
    insta::assert_snapshot!(messages[1].content.shown());
    let only_posts = "rejected webhooks_only_post";
    assert_eq!(trouble(sink.update(&message, &failed()).await), only_posts);
    assert_eq!(trouble(sink.reply(&message, &failed(), about()).await), only_posts);
    assert_eq!(trouble(sink.update_reply(&message, &failed()).await), only_posts);
}

#[tokio::test]
async fn nothing_in_a_message_refers_to_anybody() {
    let fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    let all = ["<!channel>", "<@U1>", "<https://x|y>", "`<!here>`", "&lt;!here&gt;", "\u{202e}x"];
    for text in all {
        let mut hostile = failed();
        (hostile.command, hostile.byline) = (text.repeat(50), text.to_owned());
        hostile.tally = text.to_owned();
        let detail = |s: &str| Detail { title: s.into(), minions: s.into(), text: s.repeat(500) };
        hostile.details = vec![detail(text); 20];
        let message = bot.post(&hostile, about()).await.unwrap();
        bot.update(&message, &hostile).await.unwrap();
        bot.reply(&message, &hostile, about()).await.unwrap();
        webhook.post(&hostile, about()).await.unwrap();
    }
    let messages = fake.messages();
    assert_eq!(messages.len(), all.len() * 3);
    for message in messages {
        assert_eq!(message.content.references(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn waiting_for_the_channel_sees_what_arrives() {
    let fake = fake().await;
    let sink = bot(&fake);
    let arrives = fake.wait_for(|channel| channel.messages.len() == 1, Duration::from_secs(10));
    let announcement = running();
    let (channel, posted) = tokio::join!(arrives, sink.post(&announcement, about()));
    posted.unwrap();
    assert_eq!(channel.unwrap().messages.len(), 1);
    let never = fake.wait_for(|channel| channel.messages.len() == 2, Duration::from_millis(20));
    assert_eq!(never.await.unwrap_err().messages.len(), 1);
}

#[tokio::test]
async fn a_webhook_of_the_old_kind_speaks_as_the_config_says() {
    let fake = fake().await;
    fake.change_options(|options| options.legacy = true);
    let guise = Guise {
        username: Some("salt prod".to_owned()),
        icon_emoji: Some(":salt:".to_owned()),
        ..Guise::default()
    };
    let url = || SecretString::from(fake.webhook_url());
    let with = |guise| {
        let access = Access::Webhook { url: url(), guise };
        sink(String::new(), access, http_client().unwrap())
    };
    with(guise).post(&running(), about()).await.unwrap();
    webhook(&fake).post(&running(), about()).await.unwrap();
    let names: Vec<_> = fake.messages().into_iter().map(|it| it.content.username).collect();
    assert_eq!(names, [Some("salt prod".to_owned()), None]);
    assert_eq!(fake.messages()[0].content.icon_emoji.as_deref(), Some(":salt:"));
    let elsewhere = Guise { channel: Some("#nowhere".to_owned()), ..Guise::default() };
    let said = with(elsewhere).post(&running(), about()).await;
    assert_eq!(trouble(said), "unauthorized channel_not_found");
}
