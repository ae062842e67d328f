//! Byte scanning that every codec leans on: the end of a JSON string, and JSON escaping.
//!
//! This is the one module of the crate with `unsafe`: unaligned 16-byte loads, short copies, records as bytes. Strings in logs are short, so
//! a call into a vectorised search costs more than the search; measured against a byte loop and against
//! 8-byte words in `benches/`.

use crate::field::{Field, ForeignField, Tag};
use crate::record::EventRecord;
use crate::validate::InvalidBatch;

/// Whether a byte ends the plain part of a JSON string: quote, backslash or control character.
#[inline]
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Position of the first quote, backslash or control character at or after `pos`, or `bytes.len()`.
#[must_use]
#[inline]
pub fn find_special(bytes: &[u8], mut pos: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    while pos + 16 <= bytes.len() {
        let mask = special_mask(bytes, pos);
        if mask != 0 {
            return pos + mask.trailing_zeros() as usize;
        }
        pos += 16;
    }
    while pos < bytes.len() && !is_special(bytes[pos]) {
        pos += 1;
    }
    pos
}

/// Bit `i` is set where `bytes[pos + i]` is special; the 16 bytes must exist.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn special_mask(bytes: &[u8], pos: usize) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };
    let chunk = &bytes[pos..pos + 16];
    // SAFETY: `chunk` is 16 readable bytes, the load needs no alignment, and SSE2 is part of x86_64.
    let v = unsafe { _mm_loadu_si128(chunk.as_ptr().cast::<__m128i>()) };
    // SAFETY: SSE2 arithmetic on values; SSE2 is part of x86_64.
    unsafe {
        let quote = _mm_cmpeq_epi8(v, _mm_set1_epi8(b'"'.cast_signed()));
        let backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8(b'\\'.cast_signed()));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)).cast_unsigned()
    }
}

/// Bytes that [`append_range`] copies at once.
const APPEND_BYTES: usize = 32;

/// Appends `block[start..start + len]`; panics beyond the block's end, as a slice does.
///
/// Most texts of a log are short, and the call of a general copy costs more than copying 32 bytes does. So
/// where the block goes on far enough, 32 bytes are copied whatever `len` is, and those beyond it are not
/// counted. Writing events anew takes a third less time for it, measured in `benches/`.
#[inline(always)]
pub fn append_range(out: &mut Vec<u8>, block: &[u8], start: usize, len: usize) {
    let source = block.get(start..).and_then(|rest| rest.first_chunk::<APPEND_BYTES>());
    if let (Some(source), true) = (source, len <= APPEND_BYTES)
        && let Some(target) = out.spare_capacity_mut().first_chunk_mut::<APPEND_BYTES>()
    {
        let target = target.as_mut_ptr().cast::<u8>();
        // SAFETY: both are `APPEND_BYTES` bytes long, and a vector's spare capacity overlaps no borrowed slice.
        unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), target, APPEND_BYTES) };
        // SAFETY: the `APPEND_BYTES` bytes of spare capacity were written just now, and `len` is no more.
        unsafe { out.set_len(out.len() + len) };
        return;
    }
    out.extend_from_slice(&block[start..][..len]);
}

/// How many fields at the beginning of both arrays are the same.
pub(crate) fn same_fields(foreign: &[ForeignField], fields: &[Field]) -> usize {
    let len = foreign.len().min(fields.len());
    let (foreign, fields) = (&foreign[..len], &fields[..len]);
    // SAFETY: both are 16 bytes of plain numbers without a gap, so that every byte is initialised.
    let (one, other) = unsafe {
        (
            std::slice::from_raw_parts(foreign.as_ptr().cast::<u8>(), size_of_val(foreign)),
            std::slice::from_raw_parts(fields.as_ptr().cast::<u8>(), size_of_val(fields)),
        )
    };
    if one == other {
        return len;
    }
    foreign.iter().zip(fields).take_while(|(one, other)| is_field(one, other)).count()
}

/// Whether both are the same, bit by bit.
#[inline]
pub(crate) fn is_field(foreign: &ForeignField, field: &Field) -> bool {
    // SAFETY: both are 16 bytes of plain numbers without a gap, so that every byte is initialised. They are read as
    // numbers, because what somebody else wrote where no event is may have a tag that is none, which no `Field` has.
    unsafe {
        std::ptr::from_ref(foreign).cast::<[u64; 2]>().read()
            == std::ptr::from_ref(field).cast::<[u64; 2]>().read()
    }
}

/// Whether both are the same, bit by bit.
#[inline]
pub(crate) fn is_same(one: &ForeignField, other: &ForeignField) -> bool {
    // SAFETY: both are 16 bytes of plain numbers without a gap, so that every byte is initialised.
    unsafe {
        std::mem::transmute::<ForeignField, [u64; 2]>(*one)
            == std::mem::transmute::<ForeignField, [u64; 2]>(*other)
    }
}

/// Fields as ones of which nothing is known.
pub(crate) fn as_foreign(fields: &[Field]) -> &[ForeignField] {
    // SAFETY: both are the same in memory, and every field is a foreign field.
    unsafe { std::slice::from_raw_parts(fields.as_ptr().cast(), fields.len()) }
}

/// Fields of which nothing is known as fields, if their tags are known.
pub(crate) fn into_fields(fields: Vec<ForeignField>) -> Result<Vec<Field>, InvalidBatch> {
    let has_tag = |field: &ForeignField| Tag::from_u8(field.tag).is_some();
    if !fields.iter().fold(true, |all, field| all & has_tag(field)) {
        return fields.iter().enumerate().map(|(index, field)| field.read(index)).collect();
    }
    let mut fields = std::mem::ManuallyDrop::new(fields);
    // SAFETY: both are the same in memory but for the tag, which is a known one in each; the parts are those of a vector
    // that is not used again.
    Ok(unsafe { Vec::from_raw_parts(fields.as_mut_ptr().cast(), fields.len(), fields.capacity()) })
}

/// Of the words of an event's record those bits that are not the number of its fields.
const ALL_BUT_COUNT: [u64; 5] = [
    u64::MAX,
    u64::from_ne_bytes([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]),
    u64::MAX,
    u64::MAX,
    u64::MAX,
];

/// The bits in which two records differ, but for the number of their fields.
#[inline]
fn difference_but_count(one: &EventRecord, other: &EventRecord) -> u64 {
    // SAFETY: both are 40 bytes of plain numbers without a gap, so that every byte is initialised.
    let (one, other) = unsafe {
        (
            std::mem::transmute::<EventRecord, [u64; 5]>(*one),
            std::mem::transmute::<EventRecord, [u64; 5]>(*other),
        )
    };
    let words = one.iter().zip(&other).zip(&ALL_BUT_COUNT);
    words.fold(0, |all, ((one, other), mask)| all | (one ^ other) & mask)
}

/// Whether both are the same, bit by bit, but for the number of their fields.
#[inline]
pub(crate) fn is_same_but_count(one: &EventRecord, other: &EventRecord) -> bool {
    // Of another event this most often differs already.
    one.first == other.first && difference_but_count(one, other) == 0
}

/// Whether each is the same as the other at its place, but for the number of their fields.
#[inline]
pub(crate) fn are_same_but_count(some: &[EventRecord], others: &[EventRecord]) -> bool {
    // Where an event between two is missing, the last ones differ.
    if let (Some(one), Some(other)) = (some.last(), others.last())
        && one.first != other.first
    {
        return false;
    }
    let pairs = some.iter().zip(others);
    pairs.fold(0, |all, (one, other)| all | difference_but_count(one, other)) == 0
}

const _: () = assert!(std::mem::offset_of!(EventRecord, first) == 8);
const _: () = assert!(std::mem::offset_of!(EventRecord, count) == 12);

/// Appends `text` with the escapes JSON demands and no others; a text without any is copied whole.
pub fn escape_json(text: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    loop {
        let at = find_special(text, from);
        out.extend_from_slice(&text[from..at]);
        let Some(&byte) = text.get(at) else { return };
        escape_byte(byte, out);
        from = at + 1;
    }
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_byte_loop_finds(bytes in proptest::collection::vec(any::<u8>(), 0..80), from in 0usize..80) {
            let from = from.min(bytes.len());
            let plain = bytes[from..].iter().position(|b| is_special(*b)).map_or(bytes.len(), |p| from + p);
            prop_assert_eq!(find_special(&bytes, from), plain);
        }

        #[test]
        fn appends_what_a_slice_appends(block in proptest::collection::vec(any::<u8>(), 0..100), from in 0usize..100, len in 0usize..100, room in 0usize..80) {
            let from = from.min(block.len());
            let len = len.min(block.len() - from);
            let mut out = Vec::with_capacity(room + 1);
            out.push(7);
            append_range(&mut out, &block, from, len);
            prop_assert_eq!(out[0], 7);
            prop_assert_eq!(&out[1..], &block[from..from + len]);
        }

        #[test]
        fn escapes_as_serde_json_does(text in any::<String>()) {
            let mut out = vec![b'"'];
            escape_json(text.as_bytes(), &mut out);
            out.push(b'"');
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
