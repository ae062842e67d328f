//! Events that transforms make to tell of something they found.

use lograil_event::{Acks, Batch, Field, FieldFlags, Tag};
use serde_json::Value;

/// Something that was found.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) time_ns: i64,
    pub(crate) level: &'static str,
    /// A sentence for people.
    pub(crate) message: String,
    /// What programs want to know.
    pub(crate) object: Value,
}

/// The notices as events with `timestamp`, `level`, `message` and the object in `field`. They share the fate of the
/// events that caused them.
pub(crate) fn events<'n>(
    notices: impl IntoIterator<Item = &'n Notice>,
    field: &str,
    acks: Acks,
) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let [timestamp, level, message, object] =
        ["timestamp", "level", "message", field].map(|name| edit.key(name));
    for notice in notices {
        let event = edit.push_event(notice.time_ns);
        edit.append(event, Field::timestamp(timestamp.0, notice.time_ns));
        edit.set_str(event, level, notice.level);
        edit.set_str(event, message, &notice.message);
        let span = edit.push_text(notice.object.to_string().as_bytes());
        edit.set(event, Field::text(object.0, Tag::Object, span, FieldFlags::NONE));
    }
    batch.add_acks(acks);
    batch
}
