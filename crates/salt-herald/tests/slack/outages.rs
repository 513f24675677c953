//! Slack out of reach, slow, or not Slack at all: what may have arrived and what did not.

use std::time::Duration;

use fake_slack::Fault;

use crate::support::{
    TOKEN, about, bot, bot_with, failed, fake, hasty, running, trouble, webhook, webhook_at,
};

#[tokio::test]
async fn a_slack_that_is_down_did_not_get_the_message() {
    let mut fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    let message = bot.post(&running(), about()).await.unwrap();
    fake.go_down().await;
    assert_eq!(trouble(bot.post(&running(), about()).await), "unavailable");
    assert_eq!(trouble(bot.update(&message, &failed()).await), "unavailable");
    assert_eq!(trouble(webhook.post(&running(), about()).await), "unavailable");
    assert_eq!(trouble(bot.check().await), "unavailable");
    fake.come_back().await.unwrap();
    bot.update(&message, &failed()).await.unwrap();
    fake.fail_next(None, 1, Fault::Code("service_unavailable".to_owned()));
    assert_eq!(trouble(bot.post(&running(), about()).await), "unavailable");
    for code in ["internal_error", "fatal_error"] {
        fake.fail_next(None, 2, Fault::Code(code.to_owned()));
        assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt", "Slack says so");
        assert_eq!(trouble(bot.update(&message, &failed()).await), "unavailable");
    }
    for status in [500, 502, 503, 504] {
        fake.fail_next(None, 3, Fault::Answer { status, body: b"<html>".to_vec() });
        assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt", "a proxy's word");
        assert_eq!(trouble(webhook.post(&running(), about()).await), "in_doubt");
        assert_eq!(trouble(bot.update(&message, &failed()).await), "unavailable");
    }
    assert_eq!(fake.messages().len(), 1);
}

#[tokio::test]
async fn an_answer_that_got_lost_leaves_a_doubt() {
    let fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    fake.fail_next(None, 2, Fault::DroppedAnswer);
    assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt");
    assert_eq!(trouble(webhook.post(&running(), about()).await), "in_doubt");
    assert_eq!(fake.messages().len(), 2, "they did arrive");
    fake.fail_next(None, 1, Fault::Dead);
    assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt");
    assert_eq!(fake.messages().len(), 2, "this one did not, but who can tell");
    let message = bot.post(&running(), about()).await.unwrap();
    fake.fail_next(None, 1, Fault::DroppedAnswer);
    let updated = bot.update(&message, &failed()).await;
    assert_eq!(trouble(updated), "unavailable", "an edit can be repeated");
}

#[tokio::test]
async fn a_slow_slack_leaves_a_doubt() {
    let fake = fake().await;
    let slow = bot_with(&fake, TOKEN, "#monitoring", hasty());
    fake.fail_next(None, 2, Fault::Slow(Duration::from_secs(60)));
    assert_eq!(trouble(slow.post(&running(), about()).await), "in_doubt");
    assert_eq!(
        trouble(webhook_at(fake.webhook_url(), hasty()).post(&running(), about()).await),
        "in_doubt"
    );
    fake.fail_next(None, 1, Fault::Slow(Duration::from_millis(20)));
    slow.post(&running(), about()).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_not_slacks_is_not_believed() {
    let fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    let bodies: [&[u8]; 5] = [b"", b"<html>login</html>", b"[]", b"{\"ok\":1}", b"\xff\xfe\0"];
    for body in bodies {
        fake.fail_next(None, 2, Fault::Answer { status: 200, body: body.to_vec() });
        assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt", "{body:?}");
        assert_eq!(trouble(webhook.post(&running(), about()).await), "in_doubt", "{body:?}");
    }
    let endless = Fault::Answer { status: 200, body: vec![b' '; 1024 * 1024] };
    fake.fail_next(None, 1, endless);
    assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt");
    let silent = Fault::Answer { status: 200, body: br#"{"ok":true}"#.to_vec() };
    fake.fail_next(None, 1, silent);
    assert_eq!(trouble(bot.post(&running(), about()).await), "in_doubt", "where is it?");
    let evil = br#"{"ok":false,"error":"\u001b[2Jsecret <b>"}"#.to_vec();
    fake.fail_next(None, 1, Fault::Answer { status: 200, body: evil });
    assert_eq!(trouble(bot.post(&running(), about()).await), "unauthorized unnamed_error");
}
