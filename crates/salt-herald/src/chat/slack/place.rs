//! Where a message stands, as the journal keeps it for us. It knows nothing of what it says.

use serde::{Deserialize, Serialize};

use crate::chat::{DeliveryError, MessageRef};

/// A [`MessageRef`] as we write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The channel's ID: `chat.update` takes no names.
    pub(super) channel: String,
    pub(super) ts: String,
}

impl Place {
    pub(super) fn read(message: &MessageRef) -> Result<Self, DeliveryError> {
        serde_json::from_str(&message.0)
            .map_err(|_| DeliveryError::MessageGone { reason: "unreadable_reference".to_owned() })
    }

    pub(super) fn write(&self) -> Result<MessageRef, DeliveryError> {
        let text = serde_json::to_string(self).map_err(|e| DeliveryError::InDoubt(Box::new(e)))?;
        Ok(MessageRef(text))
    }
}
