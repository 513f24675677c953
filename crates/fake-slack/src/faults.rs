//! Trouble on request: what goes wrong with the next calls.
//!
//! It only keeps the order; the server makes the trouble.

use std::collections::VecDeque;
use std::time::Duration;

/// What goes wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// HTTP 429, with this `Retry-After` if any.
    RateLimited {
        /// The header as it is sent, which need not be a number.
        retry_after: Option<String>,
    },
    /// HTTP 200 with `ok: false` and this code; for webhooks HTTP 400 with the code as text.
    Code(String),
    /// This status and body, instead of what Slack would say.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body, as it is.
        body: Vec<u8>,
    },
    /// The call works, but only after a while.
    Slow(Duration),
    /// The call works at once, but the answer comes only after a while.
    SlowAnswer(Duration),
    /// The connection is closed before the call is looked at.
    Dead,
    /// The call works, and the connection is closed without an answer.
    DroppedAnswer,
    /// The connection is closed without an answer, and the call works after a while.
    Late(Duration),
}

/// Faults that wait for their calls.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: VecDeque<(Option<String>, Fault)>,
}

impl Faults {
    /// `method` is that of the Web API, or `webhook`; nothing means any.
    pub(crate) fn add(&mut self, method: Option<&str>, fault: Fault, times: usize) {
        let method = method.map(str::to_owned);
        self.waiting.extend(std::iter::repeat_n((method, fault), times));
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The fault for this call, which is used up.
    pub(crate) fn take(&mut self, method: &str) -> Option<Fault> {
        let fits = |(wanted, _): &(Option<String>, Fault)| {
            wanted.as_deref().is_none_or(|wanted| wanted == method)
        };
        let at = self.waiting.iter().position(fits)?;
        self.waiting.remove(at).map(|(_, fault)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_meets_its_calls_only() {
        let mut faults = Faults::default();
        faults.add(Some("chat.update"), Fault::Dead, 2);
        faults.add(None, Fault::Code("fatal_error".to_owned()), 1);
        assert_eq!(faults.take("chat.update"), Some(Fault::Dead));
        assert_eq!(faults.take("auth.test"), Some(Fault::Code("fatal_error".to_owned())));
        assert_eq!(faults.take("auth.test"), None);
        assert_eq!(faults.take("chat.update"), Some(Fault::Dead));
        assert_eq!(faults.take("chat.update"), None);
    }
}
