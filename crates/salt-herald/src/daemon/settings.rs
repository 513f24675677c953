//! What the ledger goes by, from the config and from the master's own.

use std::sync::Arc;

use herald_core::ledger;
use herald_core::noise::SayRules;

use super::Limits;
use super::confirm::Looks;
use crate::config::Config;

/// The same where jobs are looked for in the job cache as they begin.
pub(super) fn live_settings(config: &Config, limits: Limits) -> ledger::Settings {
    let master = &config.master;
    let jobs = Looks::of(master, limits.confirmed_within).is_some();
    let confirm =
        ledger::Confirm { jobs, returns: jobs && master.keeps_returns(), below: master.is_whole };
    ledger::Settings { confirm, ..ledger_settings(config) }
}

/// What the ledger must know, from the config and from the master's own.
pub fn ledger_settings(config: &Config) -> ledger::Settings {
    ledger::Settings {
        timeout: config.master.timeout,
        gather_job_timeout: config.master.gather_job_timeout,
        order_masters: config.master.order_masters,
        syndic_wait: config.master.syndic_wait,
        is_below: config.master.has_syndic,
        confirm: ledger::Confirm::default(),
        patience: config.runs.patience,
        jid_zone: config.master.jid_zone(),
        site: Arc::clone(&config.redact),
        say: SayRules {
            say: config.announce.say.clone(),
            quiet: config.announce.quiet.clone(),
            scheduled: config.announce.scheduled,
            service_users: config.announce.service_users.clone(),
        },
    }
}
