//! A value that has left its batch: with its type and, where it is text, a copy of its bytes.

use lograil_event::{BatchMut, Field, FieldFlags, Key, Tag, ValueRef};

/// The value.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// What fits into a field.
    Scalar(Tag, u64),
    /// Text of any kind.
    Text(Tag, Box<[u8]>, FieldFlags),
}

/// What a field has of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parts<'v> {
    Scalar(Tag, u64),
    Text(Tag, &'v [u8], FieldFlags),
}

impl<'v> Parts<'v> {
    pub(crate) fn of(value: ValueRef<'v>) -> Self {
        let text = |tag, text| Self::Text(tag, text, FieldFlags::NONE);
        match value {
            ValueRef::Null => Self::Scalar(Tag::Null, 0),
            ValueRef::Bool(value) => Self::Scalar(Tag::Bool, value.into()),
            ValueRef::I64(value) => Self::Scalar(Tag::I64, value.cast_unsigned()),
            ValueRef::U64(value) => Self::Scalar(Tag::U64, value),
            ValueRef::F64(value) => Self::Scalar(Tag::F64, value.to_bits()),
            ValueRef::Timestamp(ns) => Self::Scalar(Tag::Timestamp, ns.cast_unsigned()),
            ValueRef::Number(bytes) => text(Tag::Number, bytes),
            ValueRef::Str { text, clean } => {
                Self::Text(Tag::Str, text, if clean { FieldFlags::CLEAN } else { FieldFlags::NONE })
            }
            ValueRef::Bytes(bytes) => text(Tag::Bytes, bytes),
            ValueRef::Object(bytes) => text(Tag::Object, bytes),
            ValueRef::Array(bytes) => text(Tag::Array, bytes),
        }
    }
}

impl Held {
    pub(crate) fn of(value: ValueRef<'_>) -> Self {
        match Parts::of(value) {
            Parts::Scalar(tag, payload) => Self::Scalar(tag, payload),
            Parts::Text(tag, text, flags) => Self::Text(tag, text.into(), flags),
        }
    }

    /// Takes another value's place; a text of the same length reuses the memory.
    pub(crate) fn replace(&mut self, value: ValueRef<'_>) {
        if let (Self::Text(Tag::Str, old, flags), ValueRef::Str { text, clean }) =
            (&mut *self, value)
            && old.len() == text.len()
        {
            old.copy_from_slice(text);
            *flags = if clean { FieldFlags::CLEAN } else { FieldFlags::NONE };
            return;
        }
        *self = Self::of(value);
    }

    /// The value as a field of a batch.
    pub(crate) fn field(&self, key: Key, edit: &mut BatchMut<'_>) -> Field {
        match self {
            Self::Scalar(tag, payload) => Field::scalar(key.0, *tag, *payload),
            Self::Text(tag, text, flags) => Field::text(key.0, *tag, edit.push_text(text), *flags),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Scalar(..) => 0,
            Self::Text(_, text, _) => text.len(),
        }
    }
}
