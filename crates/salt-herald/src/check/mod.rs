//! `check`: what keeps salt-herald from working on this machine, all of it at once, and what to do.
//!
//! [`probe`] looks at the machine and judges nothing; [`decide`] judges and looks at nothing. Slack
//! is not asked here: who may use the network adds findings with [`Report::push`].

mod access;
mod bus;
mod decide;
mod facts;
mod job_cache;
mod listen;
mod probe;
mod redact;
mod report;

#[cfg(test)]
mod tests;

pub use decide::decide;
pub use facts::{
    AccessFact, Account, BusFact, ConnectFact, DirFact, Facts, GroupFact, JobCacheFact,
    JournalFact, ListenFact, Owner, SignedFact, SocketFact, Who,
};
pub use probe::probe;
pub use report::{Area, Finding, Level, Report, exit_code, render};

use crate::config::{Config, Problem, Problems};

/// Looks at the machine with what could be read of the config, and judges both.
pub fn check(loaded: &Result<(Config, Vec<Problem>), Problems>) -> Report {
    let config = match loaded {
        Ok((config, _)) => Some(config),
        Err(problems) => problems.salvaged.as_deref(),
    };
    let facts = config.map(probe);
    decide(loaded, facts.as_ref())
}
