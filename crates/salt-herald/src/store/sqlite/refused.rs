//! What can't be kept though nothing is wrong with the place where it is to be kept: it costs only itself,
//! and a gap says that it is missing.

use herald_core::change::{Change, GapReason, What};

use super::deed::Deed;
use super::stamps::Stamps;
use super::write::{Insert, writing};
use crate::store::{Batch, StoreError};

/// Says that a batch is missing; nothing where it says nothing.
pub(super) fn gap_instead(batch: &Batch) -> Option<Change> {
    // They are not in the order of their times.
    let times = || batch.changes.iter().map(|change| change.at);
    let (from, to) = (times().min()?, times().max()?);
    let what = What::Gap { from, to, reason: GapReason::DiskAway };
    Some(Change { at: to, what, payloads: Vec::new() })
}

/// Whether what was to be written is to blame, and not where.
pub(super) fn is_refusal(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{
        ConstraintViolation, ParameterOutOfRange, TooBig, TypeMismatch, Unknown,
    };
    let StoreError::Sqlite { source, .. } = error else { return false };
    matches!(
        source.sqlite_error_code(),
        None | Some(ConstraintViolation | ParameterOutOfRange | TooBig | TypeMismatch | Unknown)
    )
}

impl Insert<'_> {
    /// Does in the file what was done in memory, or writes gaps in its place: as many entries as it
    /// had, since those after it were numbered already, and people may have been told of them. Gives
    /// whether gaps were written.
    pub(super) fn carry_out_or_gap(&mut self, deed: &Deed) -> Result<bool, StoreError> {
        let (end, day) = (self.end, self.day);
        self.connection.execute_batch("SAVEPOINT deed").map_err(writing)?;
        let done = self.carry_out(deed);
        let Err(error) = done else {
            self.connection.execute_batch("RELEASE deed").map_err(writing)?;
            return Ok(false);
        };
        if !is_refusal(&error) {
            return Err(error);
        }
        let back = "ROLLBACK TO deed; RELEASE deed";
        self.connection.execute_batch(back).map_err(writing)?;
        (self.end, self.day) = (end, day);
        *self.stamps = Stamps::default();
        self.payloads.forget(self.connection).map_err(writing)?;
        let cause = &error as &dyn std::error::Error;
        tracing::error!(error = cause, "the journal refuses what was kept in memory: it is lost");
        if let Deed::Record(batch) = deed
            && let Some(gap) = gap_instead(batch)
        {
            batch.changes.iter().try_for_each(|_| self.entry(&gap))?;
            return Ok(true);
        }
        Ok(false)
    }
}
