//! Batches on the plugin's side: made from the host's arrays without a check, and given back as arrays.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;
use lograil_abi as abi;
use lograil_abi::{Str, status};
use lograil_event::{
    Ack, AckId, AckStatus, Array, Batch, Changes, EventRecord, Field, Grant, Key, KeyTable, Origin,
    Placement, Segment, Selection,
};

use super::call::{Failure, HostHandle, guard};
use crate::source::PositionUpdate;
use crate::spec::Port;

/// The minor version of hosts that make changes of what is emitted.
pub(super) const CHANGES_SINCE: u16 = 4;

/// One count in a batch of the host; given back when dropped.
struct Hold {
    host: HostHandle,
    batch: *const abi::Batch,
}

// SAFETY: batches of the host are immutable, and counted by functions that any thread may call.
unsafe impl Send for Hold {}
// SAFETY: as above.
unsafe impl Sync for Hold {}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: gives back the count that `Reader::read` took.
        unsafe { (self.host.table().batch_unref)(self.batch) };
    }
}

/// A segment of a batch of the host.
struct HostBytes {
    segment: abi::Segment,
    _hold: Arc<Hold>,
}

// SAFETY: the bytes are immutable and live as long as the hold.
unsafe impl Send for HostBytes {}

impl AsRef<[u8]> for HostBytes {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the host vouches for its segments while the batch is held.
        unsafe { abi::slice(self.segment.ptr, self.segment.len as usize) }
    }
}

/// A batch of the host during the call that brought it: what emitted batches are given against.
pub(super) struct Input {
    batch: *const abi::Batch,
    view: abi::View,
    keys: Arc<KeyTable>,
}

/// A batch of the host, to work on.
pub(super) struct Read {
    pub batch: Batch,
    pub input: Input,
    /// While it lives, fields are appended in the host's own array.
    pub grant: Option<Grant>,
}

/// Makes batches of those of the host. Keeps the key table, which seldom changes.
#[derive(Default)]
pub(super) struct Reader {
    keys_id: u64,
    keys: Arc<KeyTable>,
}

impl Reader {
    /// A batch with the content of the host's; what becomes of it is told to the host by its token.
    ///
    /// # Safety
    /// `batch` must be a batch of the host.
    pub unsafe fn read(
        &mut self,
        host: HostHandle,
        batch: *const abi::Batch,
    ) -> Result<Read, Failure> {
        let mut view = abi::View {
            size: size_of::<abi::View>() as u32,
            layout: 0,
            events: std::ptr::null(),
            fields: std::ptr::null(),
            segments: std::ptr::null(),
            keys: std::ptr::null(),
            event_count: 0,
            field_count: 0,
            segment_count: 0,
            key_count: 0,
            keys_id: 0,
            token: 0,
            spare: std::ptr::null_mut(),
        };
        // SAFETY: the batch is the host's, the view is ours.
        let seen = unsafe { (host.table().view)(batch, &raw mut view) };
        if seen != status::OK || view.layout != abi::LAYOUT {
            return Err(Failure::new(status::VERSION, "the host shows batches in another layout"));
        }
        // SAFETY: as above; given back by the last clone of `hold`.
        unsafe { (host.table().batch_ref)(batch) };
        let hold = Arc::new(Hold { host, batch });
        // SAFETY: the host vouches for the arrays of the view, which live as long as the batch.
        let (segments, keys) = unsafe {
            (
                abi::slice(view.segments, view.segment_count as usize),
                abi::slice(view.keys, view.key_count as usize),
            )
        };
        if self.keys_id != view.keys_id {
            let mut table = KeyTable::default();
            for key in keys {
                // SAFETY: as above.
                table.intern(unsafe { super::call::text(*key) });
            }
            self.keys = Arc::new(table);
            self.keys_id = view.keys_id;
        }
        let segment = |segment: &abi::Segment| Segment {
            bytes: Bytes::from_owner(HostBytes { segment: *segment, _hold: Arc::clone(&hold) }),
            origin: (segment.flags & abi::SEGMENT_HAS_ORIGIN != 0)
                .then_some(Origin { stream: segment.stream, offset: segment.offset }),
        };
        // SAFETY: as above. `abi::Event` and `EventRecord` are the same in memory (held by a test).
        let events: &'static [EventRecord] =
            unsafe { abi::slice(view.events.cast(), view.event_count as usize) };
        let events = Array::lent(events, Arc::clone(&hold) as _);
        // SAFETY: as above.
        let (fields, grant) = unsafe { fields_of(&view, &hold) };
        // With room for the text that a transform mostly writes.
        let mut own = Vec::with_capacity(segments.len() + 1);
        own.extend(segments.iter().map(segment));
        let mut made = Batch::from_arrays(own, fields, events, Arc::clone(&self.keys));
        if view.token != 0 {
            made.add_acks(token(host, view.token).into());
        }
        let keys = Arc::clone(&self.keys);
        Ok(Read { batch: made, input: Input { batch, view, keys }, grant })
    }
}

/// The fields of a view, to append to in place where the host allows it.
///
/// # Safety
/// The view must be that of the batch that `hold` keeps.
unsafe fn fields_of(view: &abi::View, hold: &Arc<Hold>) -> (Array<Field>, Option<Grant>) {
    let (count, hold) = (view.field_count as usize, Arc::clone(hold) as _);
    // SAFETY: `abi::Field` and `Field` are the same in memory (held by a test), and in events the host gives only tags
    // that `Field` knows. Its array lives as long as `hold`. Of one that may be written, the host looks at nothing
    // before it gets it back, and it stays as it is then: the grant ends before that.
    unsafe {
        if view.spare.is_null() {
            (Array::lent(abi::slice(view.fields.cast(), count), hold), None)
        } else {
            let (fields, grant) = Array::granted(abi::slice_mut(view.spare.cast(), count), hold);
            (fields, Some(grant))
        }
    }
}

/// An acknowledgement that settles a token of the host.
fn token(host: HostHandle, token: u64) -> Ack {
    Ack::new(AckId { source: 0, sequence: token }, move |id, fate| {
        let fate = match fate {
            AckStatus::Delivered => status::OK,
            AckStatus::Rejected => status::REJECT,
            AckStatus::Errored => status::FAILED,
        };
        host.release(id.sequence, fate);
    })
}

/// Arrays that the host is lent, until it calls [`release`].
struct Lease {
    _fields: Option<Array<Field>>,
    _events: Option<Array<EventRecord>>,
    _segments: Vec<Segment>,
}

impl Lease {
    /// Of the arrays of a batch those that are not the host's own; null for none. The others would keep the batch of
    /// the host that they are from.
    fn of(batch: Batch, input: Option<&Input>) -> *mut c_void {
        let inherited = input.map_or(0, |input| input.view.segment_count as usize);
        let is_own = |at: *const c_void| {
            input.is_some_and(|input| {
                at == input.view.fields.cast() || at == input.view.events.cast()
            })
        };
        let (mut segments, fields, events) = batch.into_arrays();
        let lease = Self {
            _fields: (!is_own(fields.as_ptr().cast())).then_some(fields),
            _events: (!is_own(events.as_ptr().cast())).then_some(events),
            _segments: segments.split_off(inherited),
        };
        Box::into_raw(Box::new(lease)).cast()
    }
}

unsafe extern "C" fn release(owner: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `Lease::of`, and the host calls this once.
        drop(unsafe { Box::from_raw(owner.cast::<Lease>()) });
        Ok(status::OK)
    });
}

/// What is listed for an output. The lists are empty between two of them, but for their memory.
#[derive(Default)]
pub(super) struct Lists {
    segments: Vec<abi::Segment>,
    keys: Vec<Str>,
    tokens: Vec<u64>,
    columns: Vec<abi::Column>,
}

/// Most entries of a list whose memory is kept.
const KEPT_ENTRIES: usize = 64;

impl Lists {
    /// Lists what a batch has beyond the segments and keys of its base, its tokens and its changes.
    fn fill(&mut self, batch: &Batch, changes: &Changes, base: Option<&Input>) {
        let (segments, keys) =
            base.map_or((0, 0), |base| (base.view.segment_count, base.view.key_count));
        self.segments.extend(batch.segments()[segments as usize..].iter().map(describe));
        self.keys.extend(batch.keys().names_from(keys as usize).map(Str::new));
        self.tokens.extend(batch.acks().ids().map(|id| id.sequence));
        self.columns.extend(changes.columns().map(column));
    }

    /// Forgets all, and the memory of lists that were long.
    fn clear(&mut self) {
        fn clear<T>(list: &mut Vec<T>) {
            list.clear();
            list.shrink_to(KEPT_ENTRIES);
        }
        clear(&mut self.segments);
        clear(&mut self.keys);
        clear(&mut self.tokens);
        clear(&mut self.columns);
    }

    /// Emits a batch, given against `input` where it was made from it. The host makes the changes, if it can.
    pub fn emit(
        &mut self,
        host: HostHandle,
        port: Port,
        mut batch: Batch,
        changes: &mut Changes,
        input: Option<&Input>,
        positions: &[PositionUpdate],
    ) -> Result<(), Failure> {
        if batch.is_crowded() {
            // Their texts lie in segments that are about to be joined.
            changes.apply(&mut batch);
            changes.clear();
        }
        batch.freeze();
        let base = input.filter(|input| is_made_from(&batch, input));
        // The names of the keys are in here.
        let _keys = Arc::clone(batch.shared_keys());
        self.fill(&batch, changes, base);
        let positions: Vec<abi::Position> = positions.iter().map(position).collect();
        let kept = changes.kept().map_or(&[][..], Selection::words);
        let acks = batch.take_acks();
        let output = abi::Output {
            size: size_of::<abi::Output>() as u32,
            port: u32::from(port.0),
            base: base.map_or(std::ptr::null(), |input| input.batch),
            events: batch.records().as_ptr().cast(),
            fields: batch.fields().as_ptr().cast(),
            segments: self.segments.as_ptr(),
            keys: self.keys.as_ptr(),
            tokens: self.tokens.as_ptr(),
            positions: positions.as_ptr(),
            event_count: batch.len() as u32,
            field_count: batch.fields().len() as u32,
            segment_count: self.segments.len() as u32,
            key_count: self.keys.len() as u32,
            token_count: self.tokens.len() as u32,
            position_count: positions.len() as u32,
            // Moves the arrays into a box, which leaves their records where they are.
            owner: Lease::of(batch, base),
            release: Some(release),
            columns: self.columns.as_ptr(),
            kept: if kept.is_empty() { std::ptr::null() } else { kept.as_ptr() },
            column_count: self.columns.len() as u32,
            kept_count: kept.len() as u32,
        };
        // SAFETY: all arrays live until the call returns, those of the batch until it is released.
        let taken = unsafe { (host.table().emit)(host.context(), &raw const output) };
        self.clear();
        if taken < 0 {
            return Err(Failure::new(taken, "the host refused what was emitted"));
        }
        // The host has its share now; this one is settled.
        acks.resolve(AckStatus::Delivered);
        Ok(())
    }
}

fn position(update: &PositionUpdate) -> abi::Position {
    abi::Position {
        stream: Str::new(&update.stream),
        position: update.position.as_deref().map_or(Str::NONE, Str::new),
    }
}

fn column((key, placement, changes): (Key, Placement, &[Field])) -> abi::Column {
    let flags = match placement {
        Placement::Set => 0,
        Placement::Append => abi::COLUMN_APPENDS,
    };
    // `abi::Field` and `Field` are the same in memory (held by a test), and so is what their keys say.
    abi::Column {
        values: changes.as_ptr().cast(),
        count: changes.len() as u32,
        key: key.0,
        flags,
        reserved: 0,
    }
}

/// Whether a batch has the segments and keys of `input` before its own.
fn is_made_from(batch: &Batch, input: &Input) -> bool {
    // SAFETY: the input is at hand during the call that brought it.
    let segments = unsafe { abi::slice(input.view.segments, input.view.segment_count as usize) };
    let own = batch.segments();
    let same_bytes = |(own, theirs): (&Segment, &abi::Segment)| {
        own.bytes.len() as u64 == theirs.len
            && (theirs.len == 0 || own.bytes.as_ptr() == theirs.ptr)
            && describe(own).flags == theirs.flags
    };
    own.len() >= segments.len()
        && own.iter().zip(segments).all(same_bytes)
        && (Arc::ptr_eq(batch.shared_keys(), &input.keys) || batch.keys().extends(&input.keys))
}

fn describe(segment: &Segment) -> abi::Segment {
    let origin = segment.origin.unwrap_or(Origin { stream: 0, offset: 0 });
    abi::Segment {
        ptr: segment.bytes.as_ptr(),
        len: segment.bytes.len() as u64,
        stream: origin.stream,
        offset: origin.offset,
        flags: if segment.origin.is_some() { abi::SEGMENT_HAS_ORIGIN } else { 0 },
        reserved: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_empty_after_use_and_keep_little_memory() {
        let mut lists = Lists::default();
        lists.tokens.extend(0..4);
        let place = lists.tokens.as_ptr();
        lists.clear();
        assert!(lists.tokens.is_empty());
        lists.tokens.extend(0..4);
        assert_eq!(lists.tokens.as_ptr(), place);
        lists.tokens.extend(0..1_000);
        lists.keys.extend([Str::NONE; 1_000]);
        lists.clear();
        assert!(lists.tokens.capacity() <= KEPT_ENTRIES && lists.keys.capacity() <= KEPT_ENTRIES);
    }
}
