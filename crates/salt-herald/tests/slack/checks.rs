//! Checks find out what they can, and post nothing.

use fake_slack::{Channel, Fault};
use salt_herald::chat::{Checked, DeliveryError, http_client};

use crate::support::{TOKEN, bot, bot_with, fake, trouble, webhook, webhook_at};

fn checked(result: Result<Checked, DeliveryError>) -> String {
    let checked = result.unwrap();
    format!("{}; unknown: {}", checked.identity.unwrap_or_default(), checked.unknown.join("; "))
}

#[tokio::test]
async fn a_check_of_a_bot_posts_nothing() {
    let fake = fake().await;
    let sink = bot(&fake);
    assert_eq!(checked(sink.check().await), "herald in Fake; unknown: ");
    let by_id = bot_with(&fake, TOKEN, "C0FAKE0001", http_client().unwrap());
    assert_eq!(checked(by_id.check().await), "herald in Fake; unknown: ");

    for sink in [&sink, &by_id] {
        fake.change_channel(|channel| channel.member = false);
        let error = sink.check().await.unwrap_err();
        let hint = sink.hint(&error).unwrap();
        assert!(hint.starts_with("invite the app: type /invite @herald in "), "{hint}");
        assert_eq!(trouble::<()>(Err(error)), "unauthorized not_in_channel");
        fake.change_channel(|channel| channel.archived = true);
        assert_eq!(trouble(sink.check().await), "unauthorized is_archived");
        fake.change_channel(|channel| (channel.member, channel.archived) = (true, false));
    }
    let nowhere = bot_with(&fake, TOKEN, "nowhere", http_client().unwrap());
    assert_eq!(trouble(nowhere.check().await), "unauthorized channel_not_found");
    let no_id = bot_with(&fake, TOKEN, "C0NOTTHERE", http_client().unwrap());
    assert_eq!(trouble(no_id.check().await), "unauthorized channel_not_found");
    assert!(fake.channel().changes.is_empty());
}

#[tokio::test]
async fn a_check_says_what_it_could_not_find_out() {
    let fake = fake().await;
    let sink = bot(&fake);
    let mut private = Channel::new("quiet", true);
    private.member = false;
    fake.add_channel(private);
    fake.change_options(|options| options.scopes.retain(|scope| scope != "groups:read"));
    let quiet = bot_with(&fake, TOKEN, "#quiet", http_client().unwrap());
    insta::assert_snapshot!(checked(quiet.check().await));
    fake.change_options(|options| options.scopes.retain(|scope| scope == "chat:write"));
    insta::assert_snapshot!(checked(sink.check().await));
    fake.change_options(|options| options.scopes.clear());
    assert_eq!(trouble(sink.check().await), "unauthorized missing_scope: chat:write");
}

#[tokio::test]
async fn a_check_looks_through_all_pages_of_channels() {
    let fake = fake().await;
    for n in 0..1_500 {
        fake.add_channel(Channel::new(&format!("c{n}"), false));
    }
    let last = bot_with(&fake, TOKEN, "#c1499", http_client().unwrap());
    assert_eq!(checked(last.check().await), "herald in Fake; unknown: ");
}

#[tokio::test]
async fn a_check_of_a_webhook_posts_nothing() {
    let fake = fake().await;
    assert_eq!(checked(webhook(&fake).check().await), "; unknown: ");
    let dead = webhook_at(format!("{}x", fake.webhook_url()), http_client().unwrap());
    let error = dead.check().await.unwrap_err();
    assert!(dead.hint(&error).unwrap().starts_with("the webhook is gone"));
    assert_eq!(trouble::<()>(Err(error)), "unauthorized invalid_token");
    fake.fail_next(None, 1, Fault::Answer { status: 200, body: b"ok".to_vec() });
    let unsure = checked(webhook(&fake).check().await);
    assert_eq!(unsure, "; unknown: it takes empty messages, so it may not be Slack");
    assert!(fake.channel().changes.is_empty());
}
