//! Functions over objects, and over what is inside of values.

use std::collections::HashMap;

use bumpalo::collections::Vec as BumpVec;

use super::{Arguments, Function, Inside, fails, gives, optional, required};
use crate::context::Context;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::nested::{Leave, Step, Unique, UniqueMembers, members_of, unique};
use crate::value::{Array, Member, Object, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "keys",
        &[required("value", Kind::OBJECT)],
        Kind::ARRAY,
        "The keys of an object.",
        &[gives("keys(object!(.a))", r#"{"a":{"x":1,"y":2}}"#, r#"["x","y"]"#)],
        |arguments| {
            let bump = arguments.context.bump;
            let mut keys = Unique::new(bump);
            arguments.object(0)?.keys(bump).for_each(|key| keys.put(key, ()));
            let keys = keys.into_members();
            Ok(arguments.context.array(keys.iter().map(|(key, ())| Value::String(key))))
        },
    )
    .inside(Inside::Items(Kind::STRING)),
    Function::new(
        "values",
        &[required("value", Kind::OBJECT)],
        Kind::ARRAY,
        "The values of an object.",
        &[gives("values(object!(.a))", r#"{"a":{"x":1,"y":2}}"#, "[1,2]")],
        |arguments| {
            let members = members_of(arguments.object(0)?, arguments.context.bump);
            Ok(arguments.context.array(members.iter().map(|(_, value)| *value)))
        },
    ),
    Function::new(
        "merge",
        &[
            required("to", Kind::OBJECT),
            required("from", Kind::OBJECT),
            optional("deep", Kind::BOOLEAN),
        ],
        Kind::OBJECT,
        "The members of both objects; of a key that both have, that of the second. With `deep`, objects that both \
         have are merged too.",
        &[
            gives("merge({\"a\": 1, \"b\": 2}, {\"b\": 3})", "{}", r#"{"a":1,"b":3}"#),
            gives(
                "merge({\"a\": {\"x\": 1}}, {\"a\": {\"y\": 2}}, deep: true)",
                "{}",
                r#"{"a":{"x":1,"y":2}}"#,
            ),
        ],
        |arguments| {
            let (to, from) = (arguments.object(0)?, arguments.object(1)?);
            let depth = if arguments.flag(2, false)? { crate::VALUE_DEPTH_MAX } else { 0 };
            Ok(merge(to, from, depth, arguments.context))
        },
    ),
    Function::new(
        "unflatten",
        &[
            required("value", Kind::OBJECT),
            optional("separator", Kind::STRING),
            optional("recursive", Kind::BOOLEAN),
        ],
        Kind::OBJECT,
        "The object with keys such as `a.b` turned into objects in objects. Only the keys of the object itself are \
         looked at.",
        &[
            gives("unflatten({\"a.b\": 1, \"a.c\": 2})", "{}", r#"{"a":{"b":1,"c":2}}"#),
            gives("unflatten({\"a_b\": 1}, \"_\")", "{}", r#"{"a":{"b":1}}"#),
        ],
        unflatten,
    ),
    Function::new(
        "object_from_array",
        &[required("values", Kind::ARRAY), optional("keys", Kind::ARRAY)],
        Kind::OBJECT,
        "The object of an array of pairs of a key and a value; or of values, with their keys in an array of their own. \
         A pair whose key is null is left out.",
        &[
            gives("object_from_array!([[\"a\", 1], [\"b\", [2]]])", "{}", r#"{"a":1,"b":[2]}"#),
            gives("object_from_array!([1, 2], keys: [\"a\", \"b\"])", "{}", r#"{"a":1,"b":2}"#),
            fails("object_from_array!(.a)", r#"{"a":[1]}"#, "`object_from_array`: a pair is a key that is a text, and a value"),
        ],
        object_from_array,
    )
    .fallible(),
    Function::new(
        "get",
        &[required("value", COLLECTION), required("path", Kind::ARRAY)],
        Kind::ANY,
        "What a path, given as an array of keys and indexes, leads to.",
        &[
            gives("get(.a, [\"b\", 0]) ?? null", r#"{"a":{"b":[7]}}"#, "7"),
            gives("get(.a, [\"x\"]) ?? 1", r#"{"a":{}}"#, "null"),
        ],
        |arguments| {
            let value = arguments.value(0)?;
            let path = path_of(arguments, 1)?;
            let bump = arguments.context.bump;
            Ok(crate::nested::walk(value, path, bump).unwrap_or(Value::Null))
        },
    )
    .fallible(),
    Function::new(
        "set",
        &[
            required("value", COLLECTION),
            required("path", Kind::ARRAY),
            required("data", Kind::ANY.or(Kind::REGEX)),
        ],
        COLLECTION,
        "The value with something at a path, given as an array of keys and indexes.",
        &[gives("set!({\"a\": 1}, [\"b\", \"c\"], 2)", "{}", r#"{"a":1,"b":{"c":2}}"#)],
        |arguments| {
            let value = arguments.value(0)?;
            let path = path_of(arguments, 1)?;
            let data = arguments.value(2)?;
            crate::nested::insert(Some(value), path, data, arguments.context.bump)
        },
    )
    .fallible(),
    Function::new(
        "remove",
        &[
            required("value", COLLECTION),
            required("path", Kind::ARRAY),
            optional("compact", Kind::BOOLEAN),
        ],
        COLLECTION,
        "The value without what is at a path, given as an array of keys and indexes; with `compact` also without the \
         objects and arrays around it that are empty then.",
        &[
            gives("remove!({\"a\": {\"b\": 1}}, [\"a\", \"b\"])", "{}", r#"{"a":{}}"#),
            gives("remove!({\"a\": {\"b\": 1}}, [\"a\", \"b\"], compact: true)", "{}", "{}"),
        ],
        |arguments| {
            let value = arguments.value(0)?;
            let path = path_of(arguments, 1)?;
            let leave = if arguments.flag(2, false)? { Leave::Full } else { Leave::All };
            Ok(crate::nested::remove(value, path, leave, arguments.context.bump))
        },
    )
    .fallible()
    .same_kind(),
];

const COLLECTION: Kind = Kind::ARRAY.or(Kind::OBJECT);

/// Steps of a path that there is room for at first.
const STEPS_USUAL: usize = 4;

/// A path that was computed.
fn path_of<'a>(arguments: &Arguments<'a, '_>, index: usize) -> Result<&'a [Step<'a>], EvalError> {
    let context = arguments.context;
    let mut path = BumpVec::with_capacity_in(STEPS_USUAL, context.bump);
    arguments.array(index)?.iter(context.bump).try_for_each(|step| {
        path.push(match step {
            Value::Integer(index) => Step::Index(index),
            Value::String(name) => Step::Name(name),
            _ => return Err(arguments.error("a path is made of strings and integers")),
        });
        if path.len() > crate::DEPTH_MAX { Err(EvalError::TooMuch) } else { Ok(()) }
    })?;
    Ok(path.into_bump_slice())
}

/// The members of both; what is an object in both is merged too, down to a number of levels.
pub(crate) fn merge<'a>(
    to: Object<'a>,
    from: Object<'a>,
    depth: usize,
    context: &Context<'a>,
) -> Value<'a> {
    let mut members = unique(to, context.bump);
    for (key, value) in members_of(from, context.bump) {
        match (members.get_mut(key), value) {
            (Some(Value::Object(to)), Value::Object(from)) if depth > 0 => {
                let merged = merge(*to, from, depth - 1, context);
                members.put(key, merged);
            }
            (Some(known), _) => *known = value,
            (None, _) => members.append(key, value),
        }
    }
    members.into_value()
}

fn object_from_array<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let bump = arguments.context.bump;
    let values = arguments.array(0)?;
    let mut members = Vec::with_capacity(values.len());
    let mut add = |key: Option<Value<'a>>, value: Option<Value<'a>>| match (key, value) {
        (Some(Value::String(key)), value) => {
            members.push((key, value.unwrap_or(Value::Null)));
            Ok(())
        }
        (Some(Value::Null), _) => Ok(()),
        _ => Err(arguments.error("a pair is a key that is a text, and a value")),
    };
    if arguments.given(1) {
        let keys = arguments.array(1)?;
        keys.iter(bump).zip(values.iter(bump)).try_for_each(|(k, v)| add(Some(k), Some(v)))?;
    } else {
        for pair in values.iter(bump) {
            let mut pair = match pair {
                Value::Array(pair) => pair,
                _ => Array::Items(&[]),
            }
            .iter(bump);
            add(pair.next(), pair.next())?;
        }
    }
    Ok(unique_members(members, arguments.context))
}

fn unflatten<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let separator = arguments.string_or(1, ".")?;
    let mut tree = Tree::default();
    for (key, value) in members_of(arguments.object(0)?, context.bump) {
        let mut at = &mut tree;
        let mut rest = key;
        let mut levels = 0;
        while let Some(found) = memchr::memmem::find(rest, separator)
            && !separator.is_empty()
            && levels < crate::VALUE_DEPTH_MAX
        {
            at = at.child(&rest[..found]);
            rest = &rest[found + separator.len()..];
            levels += 1;
        }
        at.child(rest).value = Some(value);
    }
    Ok(tree.into_value(context))
}

/// Keys in keys, in the order they came.
#[derive(Default)]
struct Tree<'a> {
    value: Option<Value<'a>>,
    children: Vec<(&'a [u8], Tree<'a>)>,
    places: HashMap<&'a [u8], usize>,
}

impl<'a> Tree<'a> {
    fn child(&mut self, key: &'a [u8]) -> &mut Self {
        let at = *self.places.entry(key).or_insert(self.children.len());
        if at == self.children.len() {
            self.children.push((key, Self::default()));
        }
        &mut self.children[at].1
    }

    fn into_value(self, context: &Context<'a>) -> Value<'a> {
        match self.value {
            Some(value) if self.children.is_empty() => value,
            _ => {
                let members = self.children.into_iter();
                let members = members.map(|(key, tree)| (key, tree.into_value(context)));
                context.object(members.collect::<Vec<_>>())
            }
        }
    }
}

/// An object of members of which the last counts where a key comes twice.
pub(super) fn unique_members<'a>(
    members: impl IntoIterator<Item = Member<'a>>,
    context: &Context<'a>,
) -> Value<'a> {
    let mut unique = UniqueMembers::new(context.bump);
    members.into_iter().for_each(|(key, value)| unique.put(key, value));
    unique.into_value()
}
