//! What Slack refuses, and for how long.

use fake_slack::{Fault, Rate};
use salt_herald::chat::{MessageRef, http_client};

use crate::support::{
    SECRET, TOKEN, about, bot, bot_with, failed, fake, running, trouble, webhook, webhook_at,
};

#[tokio::test]
async fn a_busy_slack_says_when_to_come_back() {
    let fake = fake().await;
    let (bot, webhook) = (bot(&fake), webhook(&fake));
    for (retry_after, wait) in
        [(Some("7"), 7), (None, 30), (Some("soon"), 30), (Some("0"), 1), (Some("999999"), 3_600)]
    {
        let retry_after = retry_after.map(str::to_owned);
        fake.fail_next(None, 2, Fault::RateLimited { retry_after });
        assert_eq!(trouble(bot.post(&running(), about()).await), format!("rate_limited {wait}"));
        assert_eq!(
            trouble(webhook.post(&running(), about()).await),
            format!("rate_limited {wait}")
        );
    }
    fake.change_options(|options| options.posts = Some(Rate { per_second: 0.1, burst: 1.0 }));
    bot.post(&running(), about()).await.unwrap();
    assert_eq!(trouble(bot.post(&running(), about()).await), "rate_limited 10");
}

#[tokio::test]
async fn an_operator_is_told_what_only_they_can_change() {
    let fake = fake().await;
    let http = http_client().unwrap();
    let wrong = bot_with(&fake, "xoxb-wrong-secret", "#monitoring", http.clone());
    assert_eq!(trouble(wrong.post(&running(), about()).await), "unauthorized invalid_auth");
    let unwritable = bot_with(&fake, "xoxb-\nsecret", "#monitoring", http.clone());
    assert_eq!(
        trouble(unwritable.post(&running(), about()).await),
        "unauthorized invalid_url_or_token"
    );
    let nowhere = bot_with(&fake, TOKEN, "#nowhere", http.clone());
    assert_eq!(trouble(nowhere.post(&running(), about()).await), "unauthorized channel_not_found");

    let sink = bot(&fake);
    let message = sink.post(&running(), about()).await.unwrap();
    fake.change_channel(|channel| channel.member = false);
    let error = sink.post(&running(), about()).await.unwrap_err();
    insta::assert_snapshot!(sink.hint(&error).unwrap());
    fake.change_channel(|channel| channel.archived = true);
    assert_eq!(trouble(sink.update(&message, &failed()).await), "unauthorized is_inactive");
    fake.change_options(|options| options.scopes.retain(|scope| scope != "chat:write"));
    let lacking = "unauthorized missing_scope: chat:write";
    assert_eq!(trouble(sink.post(&running(), about()).await), lacking);
    fake.revoke_token();
    assert_eq!(trouble(sink.post(&running(), about()).await), "unauthorized token_revoked");
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_told_from_a_bad_one() {
    let fake = fake().await;
    let base = format!("http://{}/services", fake.address());
    let at = |path: &str| webhook_at(format!("{base}/{path}"), http_client().unwrap());
    let post = async |path: &str| trouble(at(path).post(&running(), about()).await);
    assert_eq!(post("T1/B1/other-secret").await, "unauthorized invalid_token");
    assert_eq!(post("T9/B9/secret").await, "unauthorized no_service");
    let unreadable = webhook_at("hooks.slack.com/secret".to_owned(), http_client().unwrap());
    assert_eq!(
        trouble(unreadable.post(&running(), about()).await),
        "unauthorized invalid_url_or_token"
    );
    fake.change_channel(|channel| channel.archived = true);
    assert_eq!(post(SECRET).await, "unauthorized channel_is_archived");
    fake.fail_next(Some("webhook"), 1, Fault::Code("invalid_payload".to_owned()));
    assert_eq!(post(SECRET).await, "rejected invalid_payload");
}

#[tokio::test]
async fn a_message_that_is_gone_stays_gone() {
    let fake = fake().await;
    let sink = bot(&fake);
    let message = sink.post(&running(), about()).await.unwrap();
    let unreadable = MessageRef("C1/1.2".to_owned());
    let gone = "message_gone unreadable_reference";
    assert_eq!(trouble(sink.update(&unreadable, &failed()).await), gone);
    fake.close_edit_window();
    assert_eq!(trouble(sink.update(&message, &failed()).await), "message_gone edit_window_closed");
    let ts = fake.messages()[0].ts.clone();
    assert!(fake.delete_message(&ts));
    assert_eq!(trouble(sink.update(&message, &failed()).await), "message_gone message_not_found");
    assert_eq!(
        trouble(sink.reply(&message, &failed(), about()).await),
        "message_gone thread_not_found"
    );
}
