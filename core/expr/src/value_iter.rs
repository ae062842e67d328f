//! What is in arrays and objects, one value after the other, whatever they are kept as.

use std::slice;

use bumpalo::Bump;
use lograil_event::{Batch, Field, Key, json_text};

use crate::constant::{Constant, ConstantMember};
use crate::json;
use crate::value::{Member, Value};

/// The values of an array.
pub(crate) enum Items<'a> {
    Json(json_text::Elements<'a>, &'a Bump),
    Values(slice::Iter<'a, Value<'a>>),
    Constants(slice::Iter<'a, Constant>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Self::Json(elements, bump) => elements.next().map(|json| json::value(json, bump)),
            Self::Values(items) => items.next().copied(),
            Self::Constants(items) => items.next().map(Constant::value),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Json(..) => (0, None),
            Self::Values(items) => items.size_hint(),
            Self::Constants(items) => items.size_hint(),
        }
    }
}

/// The members of an object.
pub(crate) enum Members<'a> {
    Event(&'a Batch, slice::Iter<'a, Field>),
    Json(json_text::Members<'a>, &'a Bump),
    Pairs(slice::Iter<'a, Member<'a>>),
    Constants(slice::Iter<'a, ConstantMember>),
}

fn name<'a>(batch: &'a Batch, field: &Field) -> &'a [u8] {
    batch.keys().name(Key(field.key)).as_bytes()
}

impl<'a> Members<'a> {
    /// The key of the next member.
    #[inline]
    pub(crate) fn next_key(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Event(batch, fields) => fields.next().map(|field| name(batch, field)),
            Self::Json(members, bump) => members.next().map(|(key, _)| json::unescape(key, bump)),
            Self::Pairs(members) => members.next().map(|(key, _)| *key),
            Self::Constants(members) => members.next().map(|(key, _)| &**key),
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match self {
            Self::Event(batch, fields) => {
                fields.next().map(|field| (name(batch, field), Value::from(batch.value(field))))
            }
            Self::Json(members, bump) => {
                let (key, json) = members.next()?;
                Some((json::unescape(key, bump), json::value(json, bump)))
            }
            Self::Pairs(members) => members.next().copied(),
            Self::Constants(members) => members.next().map(|(key, value)| (&**key, value.value())),
        }
    }
}
