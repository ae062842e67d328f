//! Functions over arrays.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::{Arguments, Function, fails, gives, optional, required};
use crate::compare::equals;
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::{Array, Object, Value};

const COLLECTION: Kind = Kind::ARRAY.or(Kind::OBJECT);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "includes",
        &[required("value", Kind::ARRAY), required("item", Kind::ANY)],
        Kind::BOOLEAN,
        "Whether an array has an item that `==` the other argument.",
        &[
            gives(r#"includes(["error", "fatal"], .level)"#, r#"{"level":"fatal"}"#, "true"),
            gives("includes(.tags, \"a\")", r#"{"tags":["b","c"]}"#, "false"),
        ],
        includes,
    ),
    Function::new(
        "length",
        &[required("value", Kind::STRING.or(COLLECTION))],
        Kind::INTEGER,
        "The number of bytes of a string, of items of an array, of members of an object.",
        &[
            gives("length(.a)", r#"{"a":[1,[2,3],{}]}"#, "3"),
            gives("length(.a)", r#"{"a":"äb"}"#, "3"),
            gives("length(.a)", r#"{"a":{"x":1}}"#, "1"),
        ],
        |arguments| {
            Ok(Value::Integer(match arguments.value(0)? {
                Value::String(text) => text.len() as i64,
                Value::Array(array) => array.len() as i64,
                Value::Object(object) => object.len() as i64,
                other => return Err(arguments.wrong_type(0, other)),
            }))
        },
    ),
    Function::new(
        "push",
        &[required("value", Kind::ARRAY), required("item", Kind::ANY.or(Kind::REGEX))],
        Kind::ARRAY,
        "The array with one more item at its end.",
        &[gives("push([1, 2], 3)", "{}", "[1,2,3]")],
        |arguments| {
            let mut items = items(arguments.array(0)?, arguments.context.bump);
            items.push(arguments.value(1)?);
            Ok(arguments.context.array_of(items))
        },
    ),
    Function::new(
        "append",
        &[required("value", Kind::ARRAY), required("items", Kind::ARRAY)],
        Kind::ARRAY,
        "The items of both arrays.",
        &[gives("append([1], [2, 3])", "{}", "[1,2,3]")],
        |arguments| {
            let bump = arguments.context.bump;
            let mut items = items(arguments.array(0)?, bump);
            items.extend(arguments.array(1)?.iter(bump));
            Ok(arguments.context.array_of(items))
        },
    ),
    Function::new(
        "pop",
        &[required("value", Kind::ARRAY)],
        Kind::ARRAY,
        "The array without its last item.",
        &[gives("pop([1, 2, 3])", "{}", "[1,2]"), gives("pop([])", "{}", "[]")],
        |arguments| {
            let mut items = items(arguments.array(0)?, arguments.context.bump);
            items.pop();
            Ok(arguments.context.array_of(items))
        },
    ),
    Function::new(
        "unique",
        &[required("value", Kind::ARRAY)],
        Kind::ARRAY,
        "The items of an array, each once, where it came first.",
        &[gives("unique([1, 2, 1, \"a\", \"a\"])", "{}", r#"[1,2,"a"]"#)],
        unique,
    ),
    Function::new(
        "compact",
        &[
            required("value", COLLECTION),
            optional("recursive", Kind::BOOLEAN),
            optional("null", Kind::BOOLEAN),
            optional("string", Kind::BOOLEAN),
            optional("object", Kind::BOOLEAN),
            optional("array", Kind::BOOLEAN),
            optional("nullish", Kind::BOOLEAN),
        ],
        COLLECTION,
        "The array or object without what is empty: null, `\"\"`, `{}` and `[]`. Each can be kept by its name, as \
         in `string: false`; `nullish: true` removes `\"-\"` and whitespace too.",
        &[
            gives("compact([1, null, \"\", [], {\"a\": null}])", "{}", "[1]"),
            gives("compact({\"a\": \"\", \"b\": 1}, string: false)", "{}", r#"{"a":"","b":1}"#),
        ],
        compact,
    )
    .same_kind(),
    Function::new(
        "chunks",
        &[required("value", Kind::STRING.or(Kind::ARRAY)), required("chunk_size", Kind::INTEGER)],
        Kind::ARRAY,
        "The value in pieces of a number of items or bytes; the last may be shorter.",
        &[
            gives("chunks([1, 2, 3], 2)", "{}", "[[1,2],[3]]"),
            gives("chunks(\"abcde\", 2)", "{}", r#"["ab","cd","e"]"#),
            fails("chunks([1], .a)", r#"{"a":0}"#, "`chunks`: the size must be at least 1"),
        ],
        chunks,
    )
    .settled(),
    Function::new(
        "zip",
        &[required("array_0", Kind::ARRAY), required("array_1", Kind::ARRAY)],
        Kind::ARRAY,
        "Pairs of the items of both arrays, as many as the shorter one has.",
        &[gives("zip([\"a\", \"b\"], [1, 2, 3])", "{}", r#"[["a",1],["b",2]]"#)],
        |arguments| {
            let (context, bump) = (arguments.context, arguments.context.bump);
            let pairs = arguments.array(0)?.iter(bump).zip(arguments.array(1)?.iter(bump));
            Ok(context.array(pairs.map(|(left, right)| context.array([left, right]))))
        },
    ),
    Function::new(
        "tally",
        &[required("value", Kind::ARRAY)],
        Kind::OBJECT,
        "How often each text comes in an array of texts.",
        &[gives("tally([\"a\", \"b\", \"a\"]) ?? {}", "{}", r#"{"a":2,"b":1}"#)],
        tally,
    )
    .fallible(),
    Function::new(
        "tally_value",
        &[required("array", Kind::ARRAY), required("value", Kind::ANY)],
        Kind::INTEGER,
        "How often a value comes in an array.",
        &[gives("tally_value([\"a\", \"b\", \"a\"], \"a\")", "{}", "2")],
        |arguments| {
            let bump = arguments.context.bump;
            let value = arguments.value(1)?;
            let items = arguments.array(0)?.iter(bump);
            Ok(Value::Integer(items.filter(|item| equals(item, &value, bump)).count() as i64))
        },
    ),
    Function::new(
        "join",
        &[required("value", Kind::ARRAY), optional("separator", Kind::STRING)],
        Kind::STRING,
        "The texts of an array in one, with a separator between them.",
        &[
            gives("join([\"a\", \"b\"], \", \") ?? \"\"", "{}", r#""a, b""#),
            fails("join(.a)", r#"{"a":[1]}"#, "`join`: the items must be strings"),
        ],
        join,
    )
    .fallible(),
    Function::new(
        "flatten",
        &[required("value", COLLECTION), optional("separator", Kind::STRING)],
        COLLECTION,
        "The array without arrays inside; or the object without objects inside, whose keys are joined by the \
         separator, a dot unless told.",
        &[
            gives("flatten([1, [2, [3]]])", "{}", "[1,2,3]"),
            gives("flatten({\"a\": {\"b\": 1}, \"c\": 2})", "{}", r#"{"a.b":1,"c":2}"#),
            gives("flatten({\"a\": {\"b\": 1}}, \"_\")", "{}", r#"{"a_b":1}"#),
        ],
        flatten,
    )
    .same_kind(),
];

fn items<'a>(array: Array<'a>, bump: &'a Bump) -> BumpVec<'a, Value<'a>> {
    let mut items = BumpVec::new_in(bump);
    items.extend(array.iter(bump));
    items
}

fn includes<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let (array, item, bump) = (arguments.array(0)?, arguments.value(1)?, arguments.context.bump);
    Ok(Value::Boolean(array.iter(bump).any(|other| equals(&other, &item, bump))))
}

fn unique<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let (context, bump) = (arguments.context, arguments.context.bump);
    let mut seen = std::collections::HashSet::new();
    let mut unique = BumpVec::new_in(bump);
    for item in arguments.array(0)?.iter(bump) {
        if seen.insert(item.to_string()) {
            unique.push(item);
        }
    }
    Ok(context.array_of(unique))
}

fn tally<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let mut counts: std::collections::HashMap<&[u8], usize> = std::collections::HashMap::new();
    let mut members: Vec<(&[u8], i64)> = Vec::new();
    for item in arguments.array(0)?.iter(context.bump) {
        let Value::String(text) = item else {
            return Err(arguments.error("the items must be strings"));
        };
        let at = *counts.entry(text).or_insert_with(|| {
            members.push((text, 0));
            members.len() - 1
        });
        members[at].1 += 1;
    }
    Ok(context.object(members.into_iter().map(|(key, count)| (key, Value::Integer(count)))))
}

fn join<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let separator = arguments.string_or(1, "")?;
    let context = arguments.context;
    let mut out = BumpVec::new_in(context.bump);
    for (index, item) in arguments.array(0)?.iter(context.bump).enumerate() {
        let Value::String(text) = item else {
            return Err(arguments.error("the items must be strings"));
        };
        if index > 0 {
            out.extend_from_slice_copy(separator);
        }
        out.extend_from_slice_copy(text);
        context.check_text(out.len())?;
    }
    context.written_text(out)
}

fn chunks<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let size = usize::try_from(arguments.integer(1)?).ok().filter(|size| *size > 0);
    let size = size.ok_or_else(|| arguments.error("the size must be at least 1"))?;
    match arguments.value(0)? {
        Value::String(text) => Ok(context.array(text.chunks(size).map(Value::String))),
        Value::Array(array) => {
            let items = items(array, context.bump).into_bump_slice();
            let chunks = items.chunks(size).map(|chunk| Value::Array(Array::Items(chunk)));
            Ok(context.array(chunks))
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

/// What counts as empty.
struct Empty {
    recursive: bool,
    null: bool,
    string: bool,
    object: bool,
    array: bool,
    nullish: bool,
}

impl Empty {
    fn is(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Null => self.null,
            Value::String(text) => {
                self.string && text.is_empty() || self.nullish && super::inspect::is_nullish(value)
            }
            Value::Object(object) => self.object && object.is_empty(),
            Value::Array(array) => self.array && array.is_empty(),
            _ => false,
        }
    }

    fn remove<'a>(
        &self,
        value: Value<'a>,
        arguments: &Arguments<'a, '_>,
        depth: usize,
    ) -> Result<Value<'a>, EvalError> {
        let context = arguments.context;
        let below = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
        let inner = |item: Value<'a>| match item {
            Value::Array(_) | Value::Object(_) if self.recursive => {
                self.remove(item, arguments, below)
            }
            other => Ok(other),
        };
        match value {
            Value::Array(array) => {
                let mut kept = BumpVec::new_in(context.bump);
                for item in array.iter(context.bump) {
                    let item = inner(item)?;
                    if !self.is(&item) {
                        kept.push(item);
                    }
                }
                Ok(context.array_of(kept))
            }
            Value::Object(object) => {
                let mut kept = Vec::new();
                for (key, item) in crate::nested::members_of(object, context.bump) {
                    let item = inner(item)?;
                    if !self.is(&item) {
                        kept.push((key, item));
                    }
                }
                Ok(context.object(kept))
            }
            other => Ok(other),
        }
    }
}

fn compact<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let empty = Empty {
        recursive: arguments.flag(1, true)?,
        null: arguments.flag(2, true)?,
        string: arguments.flag(3, true)?,
        object: arguments.flag(4, true)?,
        array: arguments.flag(5, true)?,
        nullish: arguments.flag(6, false)?,
    };
    match arguments.value(0)? {
        value @ (Value::Array(_) | Value::Object(_)) => {
            empty.remove(value, arguments, 3 * crate::VALUE_DEPTH_MAX)
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn flatten<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let depth = 3 * crate::VALUE_DEPTH_MAX;
    match arguments.value(0)? {
        Value::Array(array) => {
            let mut out = BumpVec::new_in(context.bump);
            flatten_array(array, context.bump, depth, &mut out)?;
            Ok(context.array_of(out))
        }
        Value::Object(object) => {
            let separator = arguments.string_or(1, ".")?;
            let mut out = Vec::new();
            flatten_object(object, &[], separator, arguments, depth, &mut out)?;
            Ok(super::object::unique_members(out, context))
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn flatten_array<'a>(
    array: Array<'a>,
    bump: &'a Bump,
    depth: usize,
    out: &mut BumpVec<'a, Value<'a>>,
) -> Result<(), EvalError> {
    let below = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
    for item in array.iter(bump) {
        match item {
            Value::Array(inner) => flatten_array(inner, bump, below, out)?,
            other => out.push(other),
        }
        if out.len() > crate::VALUES_MAX {
            return Err(EvalError::TooMuch);
        }
    }
    Ok(())
}

pub(super) fn flatten_object<'a>(
    object: Object<'a>,
    prefix: &[u8],
    separator: &[u8],
    arguments: &Arguments<'a, '_>,
    depth: usize,
    out: &mut Vec<(&'a [u8], Value<'a>)>,
) -> Result<(), EvalError> {
    let below = depth.checked_sub(1).ok_or(EvalError::TooMuch)?;
    let bump = arguments.context.bump;
    for (key, item) in object.iter(bump) {
        let name = if prefix.is_empty() {
            key
        } else {
            arguments.context.check_text(prefix.len() + separator.len() + key.len())?;
            let mut name = BumpVec::from_iter_in(prefix.iter().copied(), bump);
            name.extend_from_slice_copy(separator);
            name.extend_from_slice_copy(key);
            name.into_bump_slice()
        };
        match item {
            Value::Object(inner) if !inner.is_empty() => {
                flatten_object(inner, name, separator, arguments, below, out)?;
            }
            other => out.push((name, other)),
        }
        if out.len() > crate::VALUES_MAX {
            return Err(EvalError::TooMuch);
        }
    }
    Ok(())
}
