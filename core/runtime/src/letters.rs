//! What every dead letter gets on its way out, whoever wrote it: an id of its own and the time of its event.
//!
//! **Invariant:** no two letters have one id, not those of different runs either.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use lograil_event::{Batch, Field, FieldFlags, TIMESTAMP_UNKNOWN, Tag};

/// The field of the id: the number of the run, chosen by chance, and that of the letter in it, in hexadecimal.
const ID: &str = "dead_letter_id";

/// The field of the event's time. A letter that is written has no other.
const EVENT_TIME: &str = "dead_letter_event_time";

static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Gives every letter of a batch its id and its event's time.
pub(crate) fn stamp(batch: &mut Batch) {
    let events = batch.len();
    let mut edit = batch.edit();
    let (id, event_time) = (edit.key(ID), edit.key(EVENT_TIME));
    for event in 0..events {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let span = edit.write_text(|out| {
            // Writing to memory does not fail.
            let _written = write!(out, "{:016x}-{number:x}", *RUN);
        });
        edit.set(event, Field::text(id.0, Tag::Str, span, FieldFlags::CLEAN));
        let timestamp_ns = edit.events()[event].timestamp_ns;
        if timestamp_ns != TIMESTAMP_UNKNOWN {
            edit.set(event, Field::timestamp(event_time.0, timestamp_ns));
        }
    }
}
