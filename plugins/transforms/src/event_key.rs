//! What makes events "the same" for transforms that group them: values in one canonical form, and its hash.
//!
//! Numbers are equal by value (`1`, `1.0` and `1e0` are; `"1"` is not), texts by their bytes, objects and
//! arrays by their JSON text. A missing field differs from `null`.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use lograil_event::ValueRef;
use siphasher::sip128::SipHasher13;

/// Digits up to which different decimal numbers are different 64-bit floats (IEEE 754: 15).
const DECIMAL_DIGITS_EXACT: usize = 15;

/// Integers a float can hold without standing for its neighbours too: below 2^53.
const FLOAT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Appends the canonical form of a value. Forms of different values differ, also one behind the other.
pub(crate) fn append_value(value: Option<ValueRef<'_>>, out: &mut Vec<u8>) {
    match value {
        None => out.push(b'-'),
        Some(ValueRef::Null) => out.push(b'0'),
        Some(ValueRef::Bool(value)) => out.push(if value { b't' } else { b'f' }),
        Some(ValueRef::I64(value)) => append_integer(value.into(), out),
        Some(ValueRef::U64(value)) => append_integer(value.into(), out),
        Some(ValueRef::F64(value)) => append_float(value, out),
        Some(ValueRef::Timestamp(ns)) => {
            out.push(b'T');
            out.extend_from_slice(&ns.to_le_bytes());
        }
        Some(ValueRef::Number(text)) => append_number(text, out),
        // Text is text, whether its bytes are UTF-8 or not.
        Some(ValueRef::Str { text, .. } | ValueRef::Bytes(text)) => append_text(b's', text, out),
        Some(ValueRef::Object(text)) => append_text(b'{', text, out),
        Some(ValueRef::Array(text)) => append_text(b'[', text, out),
    }
}

/// Appends a text with what it is and its length, so that it cannot run into the next.
pub(crate) fn append_text(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text);
}

fn append_integer(value: i128, out: &mut Vec<u8>) {
    out.push(b'i');
    out.extend_from_slice(&value.to_le_bytes());
}

fn append_float(value: f64, out: &mut Vec<u8>) {
    if value.fract() == 0.0 && value.abs() < FLOAT_INTEGER_MAX {
        return append_integer(value as i128, out);
    }
    out.push(b'd');
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// A number as it was written. Where a float would not tell it from its neighbours its text counts.
fn append_number(text: &[u8], out: &mut Vec<u8>) {
    let written = std::str::from_utf8(text).unwrap_or_default();
    if let Ok(value) = written.parse() {
        return append_integer(value, out);
    }
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    // No float that is normal is zero, but where all digits are, the number is.
    if mantissa.iter().all(|byte| matches!(byte, b'-' | b'0' | b'.')) && mantissa.contains(&b'0') {
        return append_integer(0, out);
    }
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit()).count();
    match written.parse::<f64>() {
        Ok(value) if digits <= DECIMAL_DIGITS_EXACT && value.is_normal() => {
            append_float(value, out)
        }
        _ => append_text(b'n', text, out),
    }
}

/// Hashes canonical forms to 128 bits: SipHash-1-3-128 with a key drawn at random, so that no log line can be
/// made to collide with another. Among 10^9 keys the chance that any two collide is 2^-69.
pub(crate) struct KeyHasher {
    sip: SipHasher13,
    /// The canonical form that is being put together.
    pub(crate) form: Vec<u8>,
    /// The form that was hashed last by [`Self::recall`], and its hash.
    last: Option<(Vec<u8>, u128)>,
}

impl KeyHasher {
    pub(crate) fn new() -> Self {
        let [high, low] = [RandomState::new(), RandomState::new()].map(|random| random.hash_one(0));
        Self::with_key(u128::from(high) << 64 | u128::from(low))
    }

    /// A hasher that gives the same hashes as the one that had this key.
    pub(crate) fn with_key(key: u128) -> Self {
        let sip = SipHasher13::new_with_key(&key.to_le_bytes());
        Self { sip, form: Vec::new(), last: None }
    }

    /// The key: a secret.
    pub(crate) fn key(&self) -> u128 {
        u128::from_le_bytes(self.sip.key())
    }

    /// The hash of [`Self::form`].
    pub(crate) fn hash(&self) -> u128 {
        self.sip.hash(&self.form).as_u128()
    }

    /// The same, for forms of which the next is often the same as the last. (A table of more forms costs more than hashing:
    /// it does not stay in the processor's nearest cache.)
    #[inline]
    pub(crate) fn recall(&mut self) -> u128 {
        match &mut self.last {
            Some((form, hash)) if *form == self.form => *hash,
            last => {
                let hash = self.sip.hash(&self.form).as_u128();
                let (form, known) = last.get_or_insert_default();
                form.clone_from(&self.form);
                *known = hash;
                hash
            }
        }
    }
}

/// A map by the hashes of keys: these are random already, so they are not hashed again.
pub(crate) type KeyMap<V> = HashMap<u128, V, BuildHasherDefault<AsIs>>;

/// Takes the low half of a key for its hash.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// What a canonical form of one value stands for, for people to read.
pub(crate) fn shown(form: &[u8]) -> String {
    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    match form {
        [] | [b'-', ..] => String::new(),
        [b'0', ..] => "null".to_owned(),
        [b't', ..] => "true".to_owned(),
        [b'f', ..] => "false".to_owned(),
        [b'i', rest @ ..] => rest
            .try_into()
            .map_or_else(|_| text(rest), |bytes| i128::from_le_bytes(bytes).to_string()),
        [b'd', rest @ ..] => rest.try_into().map_or_else(
            |_| text(rest),
            |bytes| f64::from_bits(u64::from_le_bytes(bytes)).to_string(),
        ),
        [b'T', rest @ ..] => rest.try_into().map_or_else(
            |_| text(rest),
            |bytes| {
                let mut out = Vec::new();
                lograil_codec::time::write_rfc3339(i64::from_le_bytes(bytes), &mut out);
                text(&out)
            },
        ),
        [_, rest @ ..] => text(rest.get(size_of::<u64>()..).unwrap_or_default()),
    }
}

/// A hash that is the same on every machine, in every run and every release: FNV-1a, its bits mixed by
/// MurmurHash3's finaliser.
pub(crate) fn stable_hash(form: &[u8], seed: u64) -> u64 {
    let fnv = form.iter().fold(0xCBF2_9CE4_8422_2325 ^ mix(seed), |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mix(fnv)
}

/// MurmurHash3's 64-bit finaliser: every bit of the result depends on every bit of `bits`.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    bits ^ bits >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(value: ValueRef<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        append_value(Some(value), &mut out);
        out
    }

    #[test]
    fn numbers_are_equal_by_value() {
        let one = form(ValueRef::I64(1));
        for same in ["1", "1.0", "1e0", "10e-1", "1.000"] {
            assert_eq!(form(ValueRef::Number(same.as_bytes())), one, "{same}");
        }
        assert_eq!(form(ValueRef::F64(1.0)), one);
        assert_eq!(form(ValueRef::U64(1)), one);
        assert_eq!(form(ValueRef::Number(b"1.50")), form(ValueRef::F64(1.5)));
        assert_eq!(form(ValueRef::F64(-0.0)), form(ValueRef::I64(0)));
        for zero in ["0", "-0", "0.0", "-0.0", "0e5", "0.00E-3", "0.000000000000000000"] {
            assert_eq!(form(ValueRef::Number(zero.as_bytes())), form(ValueRef::I64(0)), "{zero}");
        }
        assert_ne!(
            form(ValueRef::Number(b"1e-400")),
            form(ValueRef::I64(0)),
            "less than a float can be"
        );
    }

    #[test]
    fn forms_can_be_shown() {
        for (value, wanted) in [
            (ValueRef::str("a \"b\""), "a \"b\""),
            (ValueRef::I64(-7), "-7"),
            (ValueRef::F64(1.5), "1.5"),
            (ValueRef::Timestamp(0), "1970-01-01T00:00:00Z"),
            (ValueRef::Bool(true), "true"),
            (ValueRef::Null, "null"),
            (ValueRef::Bytes(b"\xFF"), "\u{FFFD}"),
        ] {
            assert_eq!(shown(&form(value)), wanted);
        }
        assert_eq!((shown(b"-"), shown(b""), shown(b"s1")), Default::default());
    }

    #[test]
    fn values_that_differ_have_different_forms() {
        let values = [
            ValueRef::Null,
            ValueRef::Bool(false),
            ValueRef::I64(0),
            ValueRef::str(""),
            ValueRef::str("0"),
            ValueRef::Timestamp(0),
            ValueRef::Object(b"{}"),
            ValueRef::Array(b"[]"),
            ValueRef::Number(b"9007199254740993"),
            ValueRef::Number(b"9007199254740992"),
            ValueRef::Number(b"9007199254740993.0"),
            ValueRef::Number(b"9007199254740992.0"),
            ValueRef::Number(b"340282366920938463463374607431768211456"),
            ValueRef::Number(b"340282366920938463463374607431768211457"),
            ValueRef::Number(b"1e400"),
            ValueRef::Number(b"2e400"),
            ValueRef::Number(b"1e-400"),
            ValueRef::U64(u64::MAX),
            ValueRef::F64(0.1),
            ValueRef::F64(f64::NAN),
        ];
        for (at, left) in values.iter().enumerate() {
            for right in &values[at + 1..] {
                assert_ne!(form(*left), form(*right), "{left:?} and {right:?}");
            }
        }
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let pair = |left: &str, right: &str| {
            let mut hasher = KeyHasher::new();
            append_value(Some(ValueRef::str(left)), &mut hasher.form);
            append_value(Some(ValueRef::str(right)), &mut hasher.form);
            hasher.form
        };
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_ne!(pair("", "s"), pair("s", ""));
    }

    #[test]
    fn what_is_recalled_is_what_would_be_hashed() {
        let mut hasher = KeyHasher::with_key(7);
        assert_eq!(hasher.recall(), hasher.hash());
        for key in ["", "a", "a", "b", "ba", "b", "b"] {
            hasher.form.clear();
            append_text(b's', key.as_bytes(), &mut hasher.form);
            assert_eq!(hasher.recall(), hasher.hash(), "{key}");
        }
    }

    #[test]
    fn the_stable_hash_never_changes() {
        assert_eq!(stable_hash(b"", 0), mix(0xCBF2_9CE4_8422_2325));
        assert_eq!(stable_hash(b"user-1", 0), 4_729_620_347_622_785_477);
        assert_ne!(stable_hash(b"user-1", 0), stable_hash(b"user-1", 1));
    }
}
