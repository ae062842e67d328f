//! Values inside values: reading, setting and removing along a path. Only what lies on the path is copied.

use std::collections::HashMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use lograil_event::json_text::PathStep;

use crate::INDEX_MAX;
use crate::error::EvalError;
use crate::json;
use crate::value::{Array, Member, Object, Value};

/// Members up to which a key is looked for one by one.
const MEMBERS_FEW: usize = 32;

/// Members that there is room for at first.
const MEMBERS_USUAL: usize = 8;

/// What a path leads to from a value.
pub(crate) fn step_into<'a>(
    mut value: Value<'a>,
    path: &[PathStep],
    bump: &'a Bump,
) -> Option<Value<'a>> {
    for (at, step) in path.iter().enumerate() {
        value = match (value, step) {
            (Value::Array(Array::Json(text)) | Value::Object(Object::Json(text)), _) => {
                return json::walk(text, &path[at..], bump);
            }
            (Value::Object(object), PathStep::Name(name)) => object.get(name.as_bytes(), bump)?,
            (Value::Array(array), PathStep::Index(index)) => array.get(*index, bump)?,
            _ => return None,
        };
    }
    Some(value)
}

/// A step of a path, written in the program or computed.
#[derive(Clone, Copy)]
pub(crate) enum Step<'a> {
    Name(&'a [u8]),
    Index(i64),
}

/// What can be a step.
pub(crate) trait AsStep<'a> {
    fn step(&'a self) -> Step<'a>;
}

impl<'a> AsStep<'a> for PathStep {
    fn step(&'a self) -> Step<'a> {
        match self {
            Self::Name(name) => Step::Name(name.as_bytes()),
            Self::Index(index) => Step::Index(*index),
        }
    }
}

impl<'a> AsStep<'a> for Step<'a> {
    fn step(&'a self) -> Step<'a> {
        *self
    }
}

/// What a computed path leads to from a value.
pub(crate) fn walk<'a>(
    mut value: Value<'a>,
    path: &[Step<'a>],
    bump: &'a Bump,
) -> Option<Value<'a>> {
    for step in path {
        value = match (value, step) {
            (Value::Object(object), Step::Name(name)) => object.get(name, bump)?,
            (Value::Array(array), Step::Index(index)) => array.get(*index, bump)?,
            _ => return None,
        };
    }
    Some(value)
}

/// The position an index means; a negative one counts from the end.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// Members of an object in the making. Of a key that is put twice the last value counts, at the place of the first.
pub(crate) type UniqueMembers<'a> = Unique<'a, Value<'a>>;

/// Keys, each once, and what belongs to each.
pub(crate) struct Unique<'a, V> {
    members: BumpVec<'a, (&'a [u8], V)>,
    /// Where each key is, once they are many.
    places: Option<HashMap<&'a [u8], usize>>,
}

impl<'a, V> Unique<'a, V> {
    #[inline]
    pub(crate) fn new(bump: &'a Bump) -> Self {
        Self { members: BumpVec::with_capacity_in(MEMBERS_USUAL, bump), places: None }
    }

    /// The value of a key that was put.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let at = match &self.places {
            Some(places) => places.get(key).copied(),
            None => self.members.iter().position(|(name, _)| is_same(name, key)),
        };
        self.members.get_mut(at?).map(|(_, value)| value)
    }

    #[inline]
    pub(crate) fn put(&mut self, key: &'a [u8], value: V) {
        match self.get_mut(key) {
            Some(known) => *known = value,
            None => self.append(key, value),
        }
    }

    /// Puts a key that was not put before.
    #[inline]
    pub(crate) fn append(&mut self, key: &'a [u8], value: V) {
        self.members.push((key, value));
        if self.members.len() > MEMBERS_FEW {
            self.note_place(key);
        }
    }

    /// Notes where the last member is, now that they are many.
    #[inline(never)]
    fn note_place(&mut self, key: &'a [u8]) {
        if let Some(places) = &mut self.places {
            places.insert(key, self.members.len() - 1);
            return;
        }
        let members = self.members.iter().enumerate();
        self.places = Some(members.map(|(at, (key, _))| (*key, at)).collect());
    }

    /// What was put, in the order of the keys.
    pub(crate) fn into_members(self) -> BumpVec<'a, (&'a [u8], V)> {
        self.members
    }
}

/// Whether two keys are the same. Most differ in length or where they begin, which is told without a call.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.first() == other.first() && one == other
}

impl<'a> Unique<'a, Value<'a>> {
    pub(crate) fn into_value(self) -> Value<'a> {
        Value::Object(Object::Members(self.members.into_bump_slice()))
    }
}

/// The members of an object, each key once.
pub(crate) fn members_of<'a>(object: Object<'a>, bump: &'a Bump) -> BumpVec<'a, Member<'a>> {
    unique(object, bump).members
}

/// The same, to go on with.
pub(crate) fn unique<'a>(object: Object<'a>, bump: &'a Bump) -> UniqueMembers<'a> {
    let mut unique = UniqueMembers::new(bump);
    match object {
        Object::Members(known) => known.iter().for_each(|(key, value)| unique.append(key, *value)),
        _ => object.iter(bump).for_each(|(key, value)| unique.put(key, value)),
    }
    unique
}

/// `old` with `new` at the path. What is in the way gives way: objects and arrays are made where there are none.
pub(crate) fn insert<'a, S: AsStep<'a>>(
    old: Option<Value<'a>>,
    path: &'a [S],
    new: Value<'a>,
    bump: &'a Bump,
) -> Result<Value<'a>, EvalError> {
    let Some((step, rest)) = path.split_first() else { return Ok(new) };
    match step.step() {
        Step::Name(name) => {
            let mut members = match old {
                Some(Value::Object(object)) => members_of(object, bump),
                _ => BumpVec::new_in(bump),
            };
            let known = members.iter().position(|(key, _)| *key == name);
            let inner = insert(known.map(|at| members[at].1), rest, new, bump)?;
            match known {
                Some(at) => members[at].1 = inner,
                None => members.push((name, inner)),
            }
            Ok(Value::Object(Object::Members(members.into_bump_slice())))
        }
        Step::Index(index) => {
            if index.unsigned_abs() > INDEX_MAX {
                return Err(EvalError::TooMuch);
            }
            let mut items = BumpVec::new_in(bump);
            if let Some(Value::Array(array)) = old {
                if index < 0 {
                    // Before the first: the array grows at its front.
                    let missing = (index.unsigned_abs() as usize).saturating_sub(array.len());
                    items.resize(missing, Value::Null);
                }
                items.extend(array.iter(bump));
            }
            let at = if let Ok(at) = usize::try_from(index) {
                while items.len() <= at {
                    items.push(Value::Null);
                }
                at
            } else {
                let back = index.unsigned_abs() as usize;
                while items.len() < back {
                    items.push(Value::Null);
                }
                items.len() - back
            };
            items[at] = insert(Some(items[at]), rest, new, bump)?;
            Ok(Value::Array(Array::Items(items.into_bump_slice())))
        }
    }
}

/// What is around a value, from the outside to the inside: walked once, however many take the value's place.
pub(crate) struct Around<'a>(BumpVec<'a, Layer<'a>>);

enum Layer<'a> {
    Object(&'a [Member<'a>], usize),
    Array(&'a [Value<'a>], usize),
}

impl<'a> Around<'a> {
    pub(crate) fn none(bump: &'a Bump) -> Self {
        Self(BumpVec::new_in(bump))
    }

    /// One more layer: an object, if it has that member.
    pub(crate) fn in_object(
        mut self,
        object: Object<'a>,
        name: &[u8],
        bump: &'a Bump,
    ) -> Option<Self> {
        let members = members_of(object, bump).into_bump_slice();
        let at = members.iter().position(|(key, _)| *key == name)?;
        self.0.push(Layer::Object(members, at));
        Some(self)
    }

    /// The layers of a value along a path, if all of it is there.
    pub(crate) fn at(
        mut self,
        mut value: Value<'a>,
        path: &[PathStep],
        bump: &'a Bump,
    ) -> Option<Self> {
        for step in path {
            value = match (value, step) {
                (Value::Object(object), PathStep::Name(name)) => {
                    self = self.in_object(object, name.as_bytes(), bump)?;
                    let Some(Layer::Object(members, at)) = self.0.last() else { return None };
                    members[*at].1
                }
                (Value::Array(array), PathStep::Index(index)) => {
                    let mut items = BumpVec::new_in(bump);
                    items.extend(array.iter(bump));
                    let items = items.into_bump_slice();
                    let at = position(*index, items.len()).filter(|at| *at < items.len())?;
                    self.0.push(Layer::Array(items, at));
                    items[at]
                }
                _ => return None,
            };
        }
        Some(self)
    }

    /// All of it with another value inside.
    pub(crate) fn with(&self, value: Value<'a>, bump: &'a Bump) -> Value<'a> {
        self.0.iter().rev().fold(value, |value, layer| match layer {
            Layer::Object(members, at) => {
                let members = bump.alloc_slice_copy(members);
                members[*at].1 = value;
                Value::Object(Object::Members(members))
            }
            Layer::Array(items, at) => {
                let items = bump.alloc_slice_copy(items);
                items[*at] = value;
                Value::Array(Array::Items(items))
            }
        })
    }
}

/// What a removal leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The objects and arrays around it, also where they are empty now.
    All,
    /// Only what still has something in it.
    Full,
}

/// `old` without what the path leads to.
pub(crate) fn remove<'a, S: AsStep<'a>>(
    old: Value<'a>,
    path: &'a [S],
    leave: Leave,
    bump: &'a Bump,
) -> Value<'a> {
    let Some((step, rest)) = path.split_first() else {
        return match old {
            Value::Object(_) => Value::Object(Object::Members(&[])),
            Value::Array(_) => Value::Array(Array::Items(&[])),
            _ => Value::Null,
        };
    };
    match (old, step.step()) {
        (Value::Object(object), Step::Name(name)) => {
            let mut members = members_of(object, bump);
            if let Some(at) = members.iter().position(|(key, _)| *key == name) {
                match below(members[at].1, rest, leave, bump) {
                    Some(value) => members[at].1 = value,
                    None => drop(members.remove(at)),
                }
            }
            Value::Object(Object::Members(members.into_bump_slice()))
        }
        (Value::Array(array), Step::Index(index)) => {
            let mut items = BumpVec::new_in(bump);
            items.extend(array.iter(bump));
            if let Some(at) = position(index, items.len()).filter(|at| *at < items.len()) {
                match below(items[at], rest, leave, bump) {
                    Some(value) => items[at] = value,
                    None => drop(items.remove(at)),
                }
            }
            Value::Array(Array::Items(items.into_bump_slice()))
        }
        (old, _) => old,
    }
}

/// What is left of a value on the path, if anything is.
fn below<'a, S: AsStep<'a>>(
    old: Value<'a>,
    rest: &'a [S],
    leave: Leave,
    bump: &'a Bump,
) -> Option<Value<'a>> {
    if rest.is_empty() {
        return None;
    }
    let left = remove(old, rest, leave, bump);
    (leave == Leave::All || !left.is_empty_collection()).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_once_however_many_there_are() {
        let bump = Bump::new();
        for count in [1, MEMBERS_FEW, MEMBERS_FEW + 1, 3 * MEMBERS_FEW] {
            let keys: Vec<String> = (0..count).map(|key| key.to_string()).collect();
            let mut members = UniqueMembers::new(&bump);
            for value in 0..2 * count {
                members.put(keys[value % count].as_bytes(), Value::Integer(value as i64));
            }
            let wanted: Vec<String> =
                (0..count).map(|key| format!("\"{key}\":{}", key + count)).collect();
            assert_eq!(members.into_value().to_string(), format!("{{{}}}", wanted.join(",")));
        }
    }
}
