//! Functions about the program and its event: what removes, iterates, or says something.

use std::sync::atomic::{AtomicI64, Ordering};

use bumpalo::collections::Vec as BumpVec;

use super::{
    Accepts, Arguments, ClosureShape, ClosureTakes, Function, Parameter, fails, gives, optional,
    required,
};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::nested::UniqueMembers;
use crate::value::Value;

/// Places of programs whose last time is remembered. Two that share an entry hold each other back.
const PLACES: usize = 64;

/// When each place last wrote to the log.
static WRITTEN_NS: [AtomicI64; PLACES] = [const { AtomicI64::new(i64::MIN) }; PLACES];

const COLLECTION: Kind = Kind::ARRAY.or(Kind::OBJECT);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "del",
        &[
            Parameter { name: "target", accepts: Accepts::Path, required: true },
            optional("compact", Kind::BOOLEAN),
        ],
        Kind::ANY,
        "Removes a path of the event or of a variable, and gives the value it had. With `compact: true` the objects \
         and arrays around it that are empty then go too.",
        &[
            gives(".b = del(.a)\n.", r#"{"a":1}"#, r#"{"b":1}"#),
            gives("del(.a.b)\n.", r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2}}"#),
            gives("del(.a.b.c, compact: true)\n.", r#"{"a":{"b":{"c":1}},"d":2}"#, r#"{"d":2}"#),
            gives("del(.missing)", "{}", "null"),
        ],
        |arguments| Err(arguments.error("takes a path")),
    )
    .effect(),
    Function::new(
        "unnest",
        &[Parameter { name: "path", accepts: Accepts::Path, required: true }],
        Kind::ARRAY,
        "The event, or the object of a variable, once for each item of the array at a path, which the item takes the \
         place of. `. = unnest!(.items)` makes one event of each item.",
        &[
            gives(
                "unnest!(.items)",
                r#"{"host":"a","items":[1,{"b":2}]}"#,
                r#"[{"host":"a","items":1},{"host":"a","items":{"b":2}}]"#,
            ),
            gives("unnest!(.a.b)", r#"{"a":{"b":[1,2],"c":3}}"#, r#"[{"a":{"b":1,"c":3}},{"a":{"b":2,"c":3}}]"#),
            fails("unnest!(.a)", r#"{"a":1}"#, "`unnest` expects array as `path`, found integer"),
        ],
        |arguments| Err(arguments.error("takes a path")),
    )
    .fallible(),
    Function::new(
        "log",
        &[
            required("value", Kind::ANY.or(Kind::REGEX)),
            optional("level", Kind::STRING),
            optional("rate_limit_secs", Kind::INTEGER),
        ],
        Kind::NULL,
        "Writes a value to the log of this program, at `trace`, `debug`, `info` (unless told), `warn` or `error`; from one \
         place of the program once in so many seconds, 1 unless told, 0 for each time.",
        &[
            gives("log(\"unusual: \" + string!(.a), level: \"warn\", rate_limit_secs: 10)", r#"{"a":"x"}"#, "null"),
        ],
        write_log,
    )
    .effect(),
    Function::new(
        "for_each",
        &[required("value", COLLECTION)],
        Kind::NULL,
        "Runs the closure for each member of an object or element of an array, for what it does.",
        &[gives(
            "sum = 0\nfor_each(array!(.a)) -> |_index, value| { sum = sum + int!(value) }\nsum",
            r#"{"a":[1,2,3]}"#,
            "6",
        )],
        for_each,
    )
    .effect()
    .closure(ClosureShape {
        takes: &[ClosureTakes::Key, ClosureTakes::Value],
        returns: Kind::ANY.or(Kind::REGEX),
        example: "for_each(.a) -> |key, value| { ... }",
    }),
    Function::new(
        "map_keys",
        &[required("value", Kind::OBJECT), optional("recursive", Kind::BOOLEAN)],
        Kind::OBJECT,
        "The object with the keys that the closure gives for them. Where two become one, the later counts.",
        &[gives(
            "map_keys(object!(.a)) -> |key| { upcase(key) }",
            r#"{"a":{"x":1,"y":2}}"#,
            r#"{"X":1,"Y":2}"#,
        )],
        map_keys,
    )
    .closure(ClosureShape {
        takes: &[ClosureTakes::Name],
        returns: Kind::STRING,
        example: "map_keys(.a) -> |key| { upcase(key) }",
    }),
    Function::new(
        "map_values",
        &[required("value", COLLECTION), optional("recursive", Kind::BOOLEAN)],
        COLLECTION,
        "The object or array with the values that the closure gives for its values.",
        &[
            gives(
                "map_values(object!(.a)) -> |value| { to_string!(value) }",
                r#"{"a":{"x":1}}"#,
                r#"{"x":"1"}"#,
            ),
            gives("map_values([1, 2]) -> |value| { int!(value) * 2 }", "{}", "[2,4]"),
        ],
        map_values,
    )
    .same_kind()
    .closure(ClosureShape {
        takes: &[ClosureTakes::Value],
        returns: Kind::ANY.or(Kind::REGEX),
        example: "map_values(.a) -> |value| { ... }",
    }),
    Function::new(
        "filter",
        &[required("value", COLLECTION)],
        COLLECTION,
        "The members or elements for which the closure gives true.",
        &[
            gives("filter(array!(.a)) -> |_index, value| { value != null }", r#"{"a":[1,null]}"#, "[1]"),
            gives(
                "filter(object!(.a)) -> |key, _value| { starts_with(key, \"x\") }",
                r#"{"a":{"x1":1,"y1":2}}"#,
                r#"{"x1":1}"#,
            ),
        ],
        filter,
    )
    .same_kind()
    .closure(ClosureShape {
        takes: &[ClosureTakes::Key, ClosureTakes::Value],
        returns: Kind::BOOLEAN,
        example: "filter(.a) -> |key, value| { value != null }",
    }),
    Function::new(
        "assert",
        &[required("condition", Kind::BOOLEAN), optional("message", Kind::STRING)],
        Kind::BOOLEAN,
        "True, or an error with the message if the condition is false.",
        &[
            gives("assert(.a == 1)", r#"{"a":1}"#, "true"),
            fails("assert!(.a == 1, \"a must be 1\")", r#"{"a":2}"#, "a must be 1"),
        ],
        assert,
    )
    .fallible()
    .effect(),
    Function::new(
        "assert_eq",
        &[
            required("left", Kind::ANY),
            required("right", Kind::ANY),
            optional("message", Kind::STRING),
        ],
        Kind::BOOLEAN,
        "True, or an error with the message if the values differ.",
        &[
            gives("assert_eq(1 + 1, 2)", "{}", "true"),
            fails("assert_eq!(.a, 2)", r#"{"a":1}"#, "assertion failed: 1 == 2"),
        ],
        assert_eq,
    )
    .fallible()
    .effect(),
];

fn write_log<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let value = arguments.value(0)?;
    let level = arguments.string_or(1, "info")?;
    let seconds = arguments.integer_or(2, 1)?;
    let place = arguments.nodes.as_ptr() as usize / size_of::<usize>() % PLACES;
    if !may_write(&WRITTEN_NS[place], arguments.context.now_ns, seconds) {
        return Ok(Value::Null);
    }
    let mut text = Vec::new();
    match value {
        Value::String(value) => text.extend_from_slice(value),
        other => {
            other
                .write_json_within(&mut text, 4 * crate::VALUE_DEPTH_MAX, crate::STRING_BYTES_MAX)
                .map_err(|_| EvalError::TooMuch)?;
        }
    }
    let text = String::from_utf8_lossy(&text);
    match level {
        b"trace" => tracing::trace!("{text}"),
        b"debug" => tracing::debug!("{text}"),
        b"warn" => tracing::warn!("{text}"),
        b"error" => tracing::error!("{text}"),
        _ => tracing::info!("{text}"),
    }
    Ok(Value::Null)
}

/// Whether the last time is long enough ago; then now is the last time.
fn may_write(last_ns: &AtomicI64, now_ns: i64, seconds: i64) -> bool {
    let last = last_ns.load(Ordering::Relaxed);
    let next = last.saturating_add(seconds.saturating_mul(1_000_000_000));
    // A clock that was set back holds nothing up.
    let may = last == i64::MIN || now_ns >= next || now_ns < last;
    if may {
        last_ns.store(now_ns, Ordering::Relaxed);
    }
    may
}

fn for_each<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let bump = arguments.context.bump;
    match arguments.value(0)? {
        Value::Array(array) => {
            for (index, item) in array.iter(bump).enumerate() {
                arguments.run(&[Value::Integer(index as i64), item])?;
            }
        }
        Value::Object(object) => {
            for (key, item) in object.iter(bump) {
                arguments.run(&[Value::String(key), item])?;
            }
        }
        other => return Err(arguments.wrong_type(0, other)),
    }
    Ok(Value::Null)
}

fn map_keys<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let value = Value::Object(arguments.object(0)?);
    let recursive = arguments.flag(1, false)?;
    keys_of(arguments, value, if recursive { crate::VALUE_DEPTH_MAX } else { 1 })
}

/// The value with other keys, down to a number of levels.
fn keys_of<'a>(
    arguments: &Arguments<'a, '_>,
    value: Value<'a>,
    levels: usize,
) -> Result<Value<'a>, EvalError> {
    let Some(below) = levels.checked_sub(1) else { return Ok(value) };
    let context = arguments.context;
    match value {
        Value::Object(object) => {
            let mut members = UniqueMembers::new(context.bump);
            for (key, item) in object.iter(context.bump) {
                let Value::String(key) = arguments.run(&[Value::String(key)])? else {
                    return Err(arguments.error("the closure must give a string"));
                };
                members.put(key, keys_of(arguments, item, below)?);
            }
            Ok(members.into_value())
        }
        Value::Array(array) if below > 0 => {
            let items = array.iter(context.bump).map(|item| keys_of(arguments, item, below));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            Ok(context.array(items))
        }
        other => Ok(other),
    }
}

fn map_values<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let recursive = arguments.flag(1, false)?;
    match arguments.value(0)? {
        value @ (Value::Array(_) | Value::Object(_)) => {
            values_of(arguments, value, if recursive { crate::VALUE_DEPTH_MAX } else { 1 })
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn values_of<'a>(
    arguments: &Arguments<'a, '_>,
    value: Value<'a>,
    levels: usize,
) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let inner = |item: Value<'a>| match item {
        Value::Array(_) | Value::Object(_) if levels > 1 => values_of(arguments, item, levels - 1),
        _ => arguments.run(&[item]),
    };
    match value {
        Value::Object(object) => {
            let mut members = UniqueMembers::new(context.bump);
            for (key, item) in object.iter(context.bump) {
                members.put(key, inner(item)?);
            }
            Ok(members.into_value())
        }
        Value::Array(array) => {
            let mut items = BumpVec::new_in(context.bump);
            for item in array.iter(context.bump) {
                items.push(inner(item)?);
            }
            Ok(context.array_of(items))
        }
        other => Ok(other),
    }
}

fn filter<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let context = arguments.context;
    let keeps = |key: Value<'a>, value: Value<'a>| match arguments.run(&[key, value])? {
        Value::Boolean(keep) => Ok(keep),
        other => Err(EvalError::NotBoolean(other.kind())),
    };
    match arguments.value(0)? {
        Value::Array(array) => {
            let mut kept = BumpVec::new_in(context.bump);
            for (index, item) in array.iter(context.bump).enumerate() {
                if keeps(Value::Integer(index as i64), item)? {
                    kept.push(item);
                }
            }
            Ok(context.array_of(kept))
        }
        Value::Object(object) => {
            let mut kept = UniqueMembers::new(context.bump);
            for (key, item) in object.iter(context.bump) {
                if keeps(Value::String(key), item)? {
                    kept.put(key, item);
                }
            }
            Ok(kept.into_value())
        }
        other => Err(arguments.wrong_type(0, other)),
    }
}

fn assert<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    if arguments.flag(0, false)? {
        return Ok(Value::Boolean(true));
    }
    let message = arguments.string_or(1, "assertion failed")?;
    arguments.context.raised.set(Some(message));
    Err(EvalError::Raised(arguments.function.name))
}

fn assert_eq<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let (left, right) = (arguments.value(0)?, arguments.value(1)?);
    let bump = arguments.context.bump;
    if crate::compare::equals(&left, &right, bump) {
        return Ok(Value::Boolean(true));
    }
    let message = if arguments.given(2) {
        arguments.string(2)?
    } else {
        bump.alloc_str(&format!("assertion failed: {left} == {right}")).as_bytes()
    };
    arguments.context.raised.set(Some(message));
    Err(EvalError::Raised(arguments.function.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_writes_to_the_log_once_in_a_while() {
        let last = AtomicI64::new(i64::MIN);
        let at = |seconds: i64| 1_000_000_000 * seconds;
        assert!(may_write(&last, at(100), 2));
        assert!(!may_write(&last, at(101), 2));
        assert!(may_write(&last, at(102), 2));
        assert!(may_write(&last, at(102), 0));
        assert!(may_write(&last, at(5), 2), "a clock that was set back");
    }
}
