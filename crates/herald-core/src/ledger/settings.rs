//! What the ledger goes by. Where it comes from is not known here.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::confirm::Confirm;
use crate::noise::SayRules;
use crate::redact::SiteRules;

/// What the ledger must know of the master and of the site.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Salt's `timeout`: how long a client waits before it asks who still works.
    pub timeout: Duration,
    /// Salt's `gather_job_timeout`: how long it waits for the answers.
    pub gather_job_timeout: Duration,
    /// How long a run that nobody polls may be without a sign of life.
    pub patience: Duration,
    /// By which clock the master makes jids.
    pub jid_zone: TimeZone,
    /// There may be masters below: a target that matches nobody here is published all the same.
    pub order_masters: bool,
    /// How long the client waits for more minions from there.
    pub syndic_wait: Duration,
    /// There is a master above, whose syndic publishes jobs here.
    pub is_below: bool,
    /// Jobs are looked for in the master's job cache.
    pub confirm: Confirm,
    /// What is said.
    pub say: SayRules,
    /// What is kept out beside what the rules find.
    pub site: Arc<SiteRules>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            gather_job_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(300),
            jid_zone: TimeZone::UTC,
            order_masters: false,
            syndic_wait: Duration::from_secs(5),
            is_below: false,
            confirm: Confirm::default(),
            say: SayRules::default(),
            site: Arc::default(),
        }
    }
}
