//! The place of an event in the order of time, and its form as a cursor.

use lograil_plugin::StoreError;

/// Where an event stands: by time, and among events of one time by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) timestamp_ns: i64,
    pub(super) id: i64,
}

impl Key {
    /// The text of a cursor behind this event.
    pub(super) fn cursor(self) -> String {
        format!("{}.{}", self.timestamp_ns, self.id)
    }

    /// The event that a cursor stands behind.
    pub(super) fn parse(cursor: &str) -> Result<Self, StoreError> {
        let parsed = cursor.split_once('.').and_then(|(timestamp_ns, id)| {
            Some(Self { timestamp_ns: timestamp_ns.parse().ok()?, id: id.parse().ok()? })
        });
        parsed.ok_or_else(|| StoreError::Invalid {
            parameter: "cursor",
            within: None,
            message: "it is no cursor of this store".to_owned(),
            help: Some("take it from the page before, or leave it away".to_owned()),
        })
    }
}
