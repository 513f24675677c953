//! Who ran a job on the master above, where this one is below another.
//!
//! On the bus such a job is like any other of root's. The syndic publishes it again with the name of who
//! ran it, which the master keeps in its job cache. Each job is asked about once, and nothing is
//! waited for: where the cache does not tell, the job is taken for one of this master's own.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::config::Config;
use crate::source::job_cache::JobCache;

/// Most jobs that are remembered to have been asked about.
const MAX_ASKED: usize = 1024;

/// What asks the job cache.
pub(super) struct Above {
    /// The cache's folder: a new master makes it at its first job.
    root: PathBuf,
    asked: VecDeque<String>,
    is_told: bool,
}

impl Above {
    /// Nothing, where there is no master above.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let root = config.master.job_cache_dir();
        config.master.has_syndic.then(|| Self { root, asked: VecDeque::new(), is_told: false })
    }

    /// Who ran a job above.
    pub(super) fn who_ran(&mut self, jid: &str) -> Option<String> {
        if self.asked.iter().any(|asked| asked == jid) {
            return None;
        }
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(jid.to_owned());
        match JobCache::open(&self.root) {
            Ok(cache) => cache.user_above(jid),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::warn!(error, "who ran what comes from the master above is not known");
                }
                None
            }
        }
    }
}
