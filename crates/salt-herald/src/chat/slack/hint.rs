//! What people can do about each of Slack's refusals. Pure; texts only.
//!
//! It does not decide which refusal it is: `answer` does.

use super::super::DeliveryError;

/// Who is spoken of in a hint.
pub(super) struct Subject<'a> {
    /// The channel as it stands in the config; nothing for webhooks.
    pub(super) channel: Option<&'a str>,
    /// The bot's name, once Slack told it.
    pub(super) bot: Option<&'a str>,
}

/// What to do about an error, if people can do something.
pub(super) fn hint(error: &DeliveryError, subject: &Subject<'_>) -> Option<String> {
    match error {
        DeliveryError::Unauthorized { reason } => Some(match subject.channel {
            Some(channel) => for_bot(reason, channel, subject.bot.unwrap_or("NAME-OF-YOUR-APP")),
            None => for_webhook(reason),
        }),
        DeliveryError::Unavailable(_) | DeliveryError::InDoubt(_) => Some(
            "check that this machine can reach Slack over HTTPS, directly or by the proxy that \
             HTTPS_PROXY names"
                .to_owned(),
        ),
        DeliveryError::RateLimited { .. }
        | DeliveryError::MessageGone { .. }
        | DeliveryError::Rejected { .. } => None,
    }
}

fn for_bot(reason: &str, channel: &str, bot: &str) -> String {
    let (code, scope) = reason.split_once(": ").unwrap_or((reason, "chat:write"));
    match code {
        "not_in_channel" => format!("invite the app: type /invite @{bot} in {channel}"),
        "channel_not_found" => format!(
            "check the name {channel}; if the channel is private, type /invite @{bot} in it"
        ),
        "is_archived" | "is_inactive" => {
            format!("the channel {channel} is archived: unarchive it or name another")
        }
        "missing_scope" | "no_permission" => format!(
            "add the bot token scope {scope} under OAuth & Permissions of the Slack app, then \
             install it to the workspace again"
        ),
        "not_authed" | "invalid_auth" | "invalid_url_or_token" => {
            "check the token and api_url: the token starts with xoxb- and stands under OAuth & \
             Permissions of the Slack app as Bot User OAuth Token"
                .to_owned()
        }
        "token_revoked" | "token_expired" | "account_inactive" => {
            "the token was withdrawn: install the Slack app to the workspace again and take its \
             new Bot User OAuth Token"
                .to_owned()
        }
        "not_allowed_token_type" => {
            "take the Bot User OAuth Token (xoxb-…); other kinds of tokens may not post".to_owned()
        }
        _ if code.starts_with("restricted_action") => {
            format!("ask who administers {channel} to let the app post there")
        }
        _ if code.starts_with("http_") => {
            "check api_url: what answers there is not Slack's Web API".to_owned()
        }
        _ => "ask who administers the Slack workspace: its settings refuse the app".to_owned(),
    }
}

fn for_webhook(reason: &str) -> String {
    match reason {
        "no_service" | "no_service_id" | "no_active_hooks" | "no_team" | "invalid_token"
        | "user_not_found" => {
            "the webhook is gone or its URL is incomplete: add one under Incoming Webhooks of the \
             Slack app and take its URL"
        }
        "channel_not_found" | "channel_is_archived" | "is_archived" => {
            "the webhook's channel is gone or archived: add a webhook for another channel"
        }
        "action_prohibited" | "posting_to_general_channel_denied" | "team_disabled" => {
            "ask who administers the Slack workspace: its settings refuse the webhook"
        }
        _ => "check webhook_url: it looks like https://hooks.slack.com/services/T…/B…/…",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do() {
        let codes = [
            "not_in_channel",
            "channel_not_found",
            "is_archived",
            "missing_scope: chat:write",
            "invalid_auth",
            "token_revoked",
            "restricted_action",
            "http_404",
            "ekm_access_denied",
            "no_service",
            "action_prohibited",
            "channel_is_archived",
        ];
        let mut said = String::new();
        for code in codes {
            let error = DeliveryError::Unauthorized { reason: code.to_owned() };
            let bot = Subject { channel: Some("#ops"), bot: Some("herald") };
            let webhook = Subject { channel: None, bot: None };
            for subject in [bot, webhook] {
                let hint = hint(&error, &subject).unwrap_or_default();
                said.push_str(&format!("{code}: {hint}\n"));
            }
        }
        insta::assert_snapshot!(said);
    }
}
