//! What was taken out of the journal, for its size, before it could be said here: it is let go, and people
//! are told once something can be said again. At another sink they are told at once.

use herald_core::compose::not_told;
use herald_core::run::RunId;

use super::view::Subject;
use super::worker::Worker;

/// Why a message will not be said.
const TAKEN: &str =
    "taken out of the journal for its size (journal.max_size) before it could be said";

impl Worker {
    /// Lets go of what is not in the journal any more.
    pub(super) fn let_go(&mut self) {
        let gone = self.writer.gone();
        let is_gone = |subject: &Subject| {
            let (Subject::Run(run) | Subject::Together(run)) = subject;
            *run <= gone
        };
        if gone == RunId(0) || !self.pending.keys().any(is_gone) {
            return;
        }
        let gone = self.pending.extract_if(.., |subject, _| is_gone(subject));
        for (_, view) in gone {
            let jid = view.jids.first().map(String::as_str);
            self.health.gave_up(&self.service.sink, TAKEN, &view.announcement.command, jid);
        }
    }

    /// Tells what will not be said, once.
    pub(super) async fn tell_unsaid(&mut self) {
        let Some(found) = self.unsaid.take() else { return };
        let notice = not_told(&found.unsaid, self.service.master.as_deref());
        if !self.notify_once(&notice).await {
            self.unsaid = Some(found);
            return;
        }
        self.state.unsaid = found.entry;
        self.note_state().await;
    }
}
