//! What is looked for in the job cache before it is believed, or after: asked for here, and taken up when it
//! was found. What that means is the ledger's matter.

use herald_core::confirm::{Found, FoundReturn};
use jiff::Timestamp;
use salt_event::event::{Event, decode};

use super::super::confirm::Ask;
use super::Intake;
use crate::store::StoreError;

impl Intake {
    /// Has the jobs that just began looked for.
    pub(super) fn have_looked_for(&mut self, at: Timestamp) {
        let jids = self.ledger.take_to_confirm();
        for jid in &jids {
            if !self
                .confirmer
                .as_mut()
                .is_some_and(|confirmer| confirmer.ask(Ask::Job(jid.as_str().into())))
            {
                let changes = self.ledger.hear_found(at, jid, &Found::Unknown);
                self.add(changes);
            }
        }
    }

    /// A job was looked for; its run may be over, and no more in memory.
    pub(super) fn take_found(
        &mut self,
        at: Timestamp,
        jid: &str,
        found: &Found,
    ) -> Result<(), StoreError> {
        if self.ledger.lacks(jid) {
            self.adopt_jid(at, jid)?;
        }
        let changes = self.ledger.hear_found(at, jid, found);
        self.add(changes);
        Ok(())
    }

    /// Whether it is a return that is to be looked up first: then it comes again. Where nobody can look,
    /// or so many wait that there is no room, it is taken as it is.
    pub(super) fn is_looked_up(&mut self, event: &Event<'_>, bytes: &[u8]) -> bool {
        let (Some((jid, minion)), Some(confirmer)) =
            (self.ledger.doubts(event), &mut self.confirmer)
        else {
            return false;
        };
        let (jid, minion) = (jid.into(), minion.into());
        confirmer.ask(Ask::Return { jid, minion, frame: bytes.into() })
    }

    /// A return was looked up.
    pub(super) fn take_looked_up(
        &mut self,
        at: Timestamp,
        frame: &[u8],
        found: FoundReturn,
    ) -> Result<(), StoreError> {
        let Ok(event) = decode(frame) else { return Ok(()) };
        self.adopt(at, &event)?;
        let changes = self.ledger.hear_looked_up(at, &event, found);
        self.add(changes);
        self.have_looked_for(at);
        Ok(())
    }
}
