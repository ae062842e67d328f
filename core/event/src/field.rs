//! A field: one key and its value, 16 bytes, the same in memory, on disk and across the plugin ABI.

use crate::validate::InvalidBatch;

/// What a field's payload is. The numbers are part of the plugin ABI and of the disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tag {
    /// JSON `null`.
    Null = 0,
    /// A boolean in the payload's lowest bit.
    Bool = 1,
    /// A signed integer.
    I64 = 2,
    /// An unsigned integer above `i64::MAX`.
    U64 = 3,
    /// A float, its bits in the payload.
    F64 = 4,
    /// Nanoseconds since the Unix epoch.
    Timestamp = 5,
    /// A number as it was written (JSON grammar): a span. Parsed when someone computes with it.
    Number = 7,
    /// Text: a span of valid UTF-8.
    Str = 8,
    /// Bytes that need not be UTF-8: a span.
    Bytes = 9,
    /// A JSON object kept as its validated text: a span.
    Object = 16,
    /// A JSON array kept as its validated text: a span.
    Array = 17,
}

impl Tag {
    /// The tag of a number that came from outside.
    #[must_use]
    pub fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Null,
            1 => Self::Bool,
            2 => Self::I64,
            3 => Self::U64,
            4 => Self::F64,
            5 => Self::Timestamp,
            7 => Self::Number,
            8 => Self::Str,
            9 => Self::Bytes,
            16 => Self::Object,
            17 => Self::Array,
            _ => return None,
        })
    }

    /// Whether the payload is a span of a segment.
    #[must_use]
    pub fn is_span(self) -> bool {
        matches!(self, Self::Number | Self::Str | Self::Bytes | Self::Object | Self::Array)
    }
}

/// What is known about a span beyond its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldFlags(u16);

impl FieldFlags {
    /// Nothing is known.
    pub const NONE: Self = Self(0);
    /// The text needs no escaping in JSON: no quote, no backslash, no control character.
    pub const CLEAN: Self = Self(1);

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags as they are stored.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
}

/// Where a text lies: segment, offset and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Index of the segment.
    pub segment: u8,
    /// First byte.
    pub offset: u32,
    /// Number of bytes.
    pub len: u32,
}

/// One key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Field {
    /// Id in the batch's key table.
    pub key: u32,
    /// What the payload is.
    pub tag: Tag,
    segment: u8,
    flags: u16,
    payload: u64,
}

const _: () = assert!(size_of::<Field>() == 16 && align_of::<Field>() == 8);

impl Field {
    /// A field whose payload is a number of some kind.
    #[must_use]
    pub const fn scalar(key: u32, tag: Tag, payload: u64) -> Self {
        Self { key, tag, segment: 0, flags: 0, payload }
    }

    /// A field whose payload is a span.
    #[must_use]
    #[inline]
    pub const fn text(key: u32, tag: Tag, span: Span, flags: FieldFlags) -> Self {
        let payload = span.offset as u64 | (span.len as u64) << 32;
        Self { key, tag, segment: span.segment, flags: flags.0, payload }
    }

    /// JSON `null`.
    #[must_use]
    pub const fn null(key: u32) -> Self {
        Self::scalar(key, Tag::Null, 0)
    }

    /// A boolean.
    #[must_use]
    pub const fn bool(key: u32, value: bool) -> Self {
        Self::scalar(key, Tag::Bool, value as u64)
    }

    /// A signed integer.
    #[must_use]
    pub const fn i64(key: u32, value: i64) -> Self {
        Self::scalar(key, Tag::I64, value.cast_unsigned())
    }

    /// A float.
    #[must_use]
    pub const fn f64(key: u32, value: f64) -> Self {
        Self::scalar(key, Tag::F64, value.to_bits())
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp(key: u32, ns: i64) -> Self {
        Self::scalar(key, Tag::Timestamp, ns.cast_unsigned())
    }

    /// The same value under another key.
    #[must_use]
    pub const fn with_key(self, key: u32) -> Self {
        Self { key, ..self }
    }

    /// The span, for a tag that has one; meaningless otherwise.
    #[must_use]
    #[inline]
    pub const fn span(&self) -> Span {
        Span {
            segment: self.segment,
            offset: (self.payload & 0xFFFF_FFFF) as u32,
            len: (self.payload >> 32) as u32,
        }
    }

    /// The payload, for a tag without a span.
    #[must_use]
    pub const fn payload(&self) -> u64 {
        self.payload
    }

    /// What is known about the text.
    #[must_use]
    pub const fn flags(&self) -> FieldFlags {
        FieldFlags(self.flags)
    }
}

/// A field that came from outside: of the same form in memory as [`Field`], but its tag may be any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ForeignField {
    /// Id in the batch's key table, if it has so many.
    pub key: u32,
    /// A [`Tag`], if it is one.
    pub tag: u8,
    /// The segment of a span.
    pub segment: u8,
    /// What it says about its text.
    pub flags: u16,
    /// The number, or a span.
    pub payload: u64,
}

const _: () = assert!(size_of::<ForeignField>() == 16 && align_of::<ForeignField>() == 8);

impl ForeignField {
    /// Whether it is `field`.
    #[inline]
    pub(crate) fn is(&self, field: &Field) -> bool {
        crate::scan::is_field(self, field)
    }

    /// Whether both are the same.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        crate::scan::is_same(self, other)
    }

    /// The field that it is, the one at `index`, if its tag is one. Nothing else is checked.
    pub fn read(&self, index: usize) -> Result<Field, InvalidBatch> {
        let Self { key, tag, segment, flags, payload } = *self;
        let known = Tag::from_u8(tag).ok_or(InvalidBatch::UnknownTag { field: index, tag })?;
        Ok(Field { key, tag: known, segment, flags, payload })
    }
}

impl From<Field> for ForeignField {
    #[inline]
    fn from(field: Field) -> Self {
        let Field { key, tag, segment, flags, payload } = field;
        Self { key, tag: tag as u8, segment, flags, payload }
    }
}
