//! The config: ours, and what the master's own says, as one typed value; or everything that is
//! wrong with it at once, each with file, line, key and what to do.
//!
//! Reading happens here and in `files`, `secret` and `include`; everything else is pure. Nothing
//! here looks at the running machine (sockets, permissions, Slack): that is [`crate::check`].

mod access;
mod alarms;
mod files;
mod glob;
mod include;
mod keeping;
mod master;
mod merge;
mod metrics;
mod people;
mod problem;
mod redact;
mod routes;
mod schema;
mod secret;
mod slack;
mod suggest;
mod table;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use herald_core::alarm::AlarmRules;
use herald_core::names::Names;
use herald_core::redact::SiteRules;
use herald_core::route::Route;
use secrecy::SecretString;

use crate::store::Keeping;

pub use access::AccessConfig;
pub use master::{BusAddress, IpcMode, MasterConfig};
pub use metrics::MetricsConfig;
pub use problem::{Problem, Problems, Severity};

/// Where our config is unless `--config` names another file.
pub const DEFAULT_FILE: &str = "/etc/salt/herald";

/// Where the master's config is unless `salt.config_dir` says otherwise.
pub const DEFAULT_SALT_DIR: &str = "/etc/salt";

/// Where the journal is unless `journal.path` says otherwise.
pub const DEFAULT_JOURNAL: &str = "/var/lib/salt-herald/journal.db";

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// How this master is called in messages.
    pub name: Option<String>,
    /// The master's own config, with what stands under `salt` laid over it.
    pub master: MasterConfig,
    /// The journal.
    pub journal: JournalConfig,
    /// Who may do what, beside root and the daemon's own user.
    pub access: AccessConfig,
    /// Where metrics can be fetched.
    pub metrics: MetricsConfig,
    /// The Slack sinks by name; none is fine, then salt-herald only records.
    pub slack: BTreeMap<String, SlackConfig>,
    /// To which sinks runs go, in the order in which they are asked; none is every run to every
    /// sink.
    pub routes: Vec<Route>,
    /// Channels of bots that routes name beside the sinks' own, by the name that routes give them.
    pub channels: BTreeMap<String, ChannelConfig>,
    /// How people and minions are called in messages.
    pub names: Names,
    /// The Slack ids of people who can be mentioned, by user.
    pub slack_members: BTreeMap<String, String>,
    /// What is said.
    pub announce: AnnounceConfig,
    /// What is kept out beside what the rules find.
    pub redact: Arc<SiteRules>,
    /// What a run is and when it is over.
    pub runs: RunsConfig,
    /// Our config files that were read, in the order in which later ones win.
    pub files: Vec<PathBuf>,
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Its file; absolute.
    pub path: PathBuf,
    /// How long it keeps what.
    pub keeping: Keeping,
}

/// A place in Slack to which is posted.
#[derive(Debug, Clone)]
pub struct SlackConfig {
    /// The Web API's address, ending with a slash; used with a token only.
    pub api_url: String,
    /// How we may post.
    pub access: SlackAccess,
    /// With a webhook, which can't edit: a run's end is said when it failed or took longer.
    pub slow_after: Duration,
    /// The journal's checkpoints are said there.
    pub checkpoints: bool,
}

/// Another channel for a bot than its sink's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// The sink's name.
    pub sink: String,
    /// The channel's name with its `#`, or its id.
    pub channel: String,
}

/// How we may post to Slack.
#[derive(Debug, Clone)]
pub enum SlackAccess {
    /// An incoming webhook: posts only, into one channel.
    Webhook {
        /// Whoever has it can post, so it is a secret as a whole. Encrypted, or on this machine.
        url: SecretString,
        /// What its messages ask for beside their content.
        guise: Guise,
    },
    /// A bot, which can edit and reply, too.
    Bot {
        /// The bot's token.
        token: SecretString,
        /// The channel's name with its `#`, or its id.
        channel: String,
    },
}

/// Where and as whom a webhook asks to speak. Webhooks of the old kind heed all of it, those of apps
/// nothing: they speak in the channel, and with the name and picture, that the app was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guise {
    /// Another channel than the webhook's own: its name with its `#`, or its id.
    pub channel: Option<String>,
    /// The name above a message.
    pub username: Option<String>,
    /// The picture beside a message: an emoji's name between colons.
    pub icon_emoji: Option<String>,
    /// The bar beside what `announce` says: `#rrggbb`, or one of Slack's words for colours. What
    /// the daemon says has the colour of its outcome.
    pub color: Option<String>,
}

/// What is said. The patterns are globs over function names, `state.*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnounceConfig {
    /// Said although they would be quiet.
    pub say: Vec<String>,
    /// Recorded, but not said.
    pub quiet: Vec<String>,
    /// Whether runs that nobody sits at are said when they succeed.
    pub scheduled: bool,
    /// Users that are services, as globs: their runs are said when they fail.
    pub service_users: Vec<String>,
    /// What is said at once though it is no run.
    pub alarms: AlarmRules,
}

/// When a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsConfig {
    /// How long after the last sign of life minions that nobody polls count as silent.
    pub patience: Duration,
}

/// Which files to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// What `--config` names: this file alone is read.
    pub file: Option<PathBuf>,
    /// Read without `--config`, and after it `*.conf` in the directory of the same name with `.d`.
    pub default_file: PathBuf,
    /// Where the master's config is when `salt.config_dir` does not say.
    pub salt_dir: PathBuf,
    /// Whether it is fine that there is none of ours, without `file`: then all is as by default.
    pub may_be_absent: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            file: None,
            default_file: PathBuf::from(DEFAULT_FILE),
            salt_dir: PathBuf::from(DEFAULT_SALT_DIR),
            may_be_absent: false,
        }
    }
}

/// Reads the config and the master's, and gives it with its warnings.
///
/// Blocks on the disk: call it before the runtime's work starts.
///
/// # Errors
/// Every mistake at once, when at least one of them keeps the config from being used.
pub fn load(options: &LoadOptions) -> Result<(Config, Vec<Problem>), Problems> {
    let read = files::read(options);
    let mut problems = read.problems;
    let config = schema::read(read.root, &options.salt_dir, read.files, &mut problems);
    problem::sort(&mut problems);
    if problem::any_error(&problems) {
        let salvaged = read.complete.then(|| Box::new(config));
        return Err(Problems { problems, salvaged });
    }
    Ok((config, problems))
}

/// The directory whose `*.conf` are read after a default file.
fn drop_in_dir(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".d");
    PathBuf::from(name)
}
