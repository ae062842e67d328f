//! Properties: no text makes the compiler or the evaluator panic; arithmetic agrees with a model.

use proptest::prelude::*;

use super::events::batch;
use lograil_event::Batch;

use crate::{Condition, EvalError, Object, Program, Script, Unchanged, Value, Workspace};

const EVENT: &str = r#"{"a":1,"b":"text","c":{"d":[1,"x",null]},"e":null,"f":2.5,"g":true,
    "t":{"$timestamp":5},"w":{"$bytes":[255]}}"#;

/// Whether it is no fault of the program's types.
fn is_bound(error: EvalError) -> bool {
    matches!(error, EvalError::TooLong | EvalError::TooMuch)
}

/// Compiles a program and runs it: an event is changed as a whole or left as it was, and a program that
/// cannot fail does not.
fn exercise_script(source: &str) {
    let Ok(script) = Script::compile(source) else { return };
    let mut changed = batch(&[EVENT]);
    let shown = |batch: &Batch| Value::Object(Object::Event(batch.event(0))).to_string();
    let before = shown(&changed);
    let mut outcome = None;
    let mut workspace = Workspace::default();
    script.run(&mut changed, 0, &mut workspace, |_, why| outcome = Some(why));
    match outcome {
        None => {
            let mut names: Vec<_> = changed.event(0).iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{source}: a key comes twice");
        }
        Some(why) => {
            assert_eq!(shown(&changed), before, "{source}");
            if let Unchanged::Failed(error, text) = why {
                let bang = source.contains("!(");
                assert!(script.is_fallible() || bang || is_bound(error), "{source}: {text}");
            }
        }
    }
}

/// Statements over a few paths and variables.
fn statement() -> impl Strategy<Value = String> {
    let target =
        prop::sample::select(vec![".a", ".b", ".c.d", ".c.d[1]", ".new", ".n.x.y", "x", "y", ".c"]);
    let value = prop::sample::select(vec![
        "1",
        "\"t\"",
        ".a",
        ".b",
        ".c",
        ".c.d",
        "x",
        "y",
        "del(.a)",
        "del(.c.d)",
        "to_int!(.b)",
        "{\"k\": .a}",
        "[.b, 2]",
        "to_int(.b) ?? 0",
        "upcase(string(.b) ?? \"\")",
        "push(array(.c.d) ?? [], .a)",
        ".",
        "null",
        "encode_json(.c)",
        "string!(.a)",
        "upcase(.b)",
        "x + 1",
        "\"{{ x }}\"",
        "merge({\"a\": 1}, object(.c) ?? {})",
    ]);
    let assignment =
        (target, value.clone()).prop_map(|(target, value)| format!("{target} = {value}"));
    let leaf = prop_oneof![
        4 => assignment,
        1 => value.prop_map(str::to_owned),
        1 => Just("del(.c)".to_owned()),
        1 => Just("abort".to_owned()),
        1 => Just("return".to_owned()),
        1 => Just(". = {\"b\": .a, \"z\": .c}".to_owned()),
        1 => Just(". |= {\"b\": 5}".to_owned()),
        1 => Just("x, .err = to_int(.b)".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("if .g == true {{\n{a}\n}} else {{\n{b}\n}}")),
            inner.clone().prop_map(|a| format!("if .a == 2 {{ {a} }}")),
            inner
                .clone()
                .prop_map(|a| format!("for_each(array(.c.d) ?? []) -> |i, v| {{\nx = v\n{a}\n}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a}\n{b}")),
        ]
    })
}

/// Compiles a source and, if it can be, evaluates it. Spans must lie in the source, on characters.
fn exercise(source: &str) {
    match Program::compile(source) {
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(source.get(error.span.clone()).is_some(), "{error:?} in {source:?}");
            }
        }
        Ok(program) => {
            let batch = batch(&[EVENT]);
            let kind = program.kind();
            let mut bound = program.bind(&batch);
            match bound.eval(batch.event(0)) {
                Ok(value) => {
                    assert!(
                        kind.contains(value.kind()),
                        "{source}: {} not in {kind}",
                        value.kind()
                    );
                    let _ = value.to_string();
                }
                Err(error) => {
                    assert!(program.is_fallible() || is_bound(error), "{source}: {error}")
                }
            }
            if let Ok(condition) = Condition::compile(source) {
                let _ = condition.bind(&batch).test(batch.event(0));
            }
        }
    }
}

const TOKENS: &[&str] = &[
    ".",
    ".a",
    ".b",
    ".c.d[1]",
    ".e",
    ".f",
    ".g",
    ".t",
    ".w",
    ".c",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    "!",
    "+",
    "-",
    "*",
    "/",
    "%",
    "??",
    "if",
    "else",
    "true",
    "null",
    "1",
    "-2",
    "3.5",
    "0",
    "\"x\"",
    "s'y'",
    "r'x'",
    "t'2026-01-31T00:00:00Z'",
    ",",
    ":",
    "\n",
    ";",
    "#",
    "=",
    "upcase(",
    "for_each(",
    "-> |k, v| {",
    "|=",
    "x = ",
    ".a = ",
    "ok, err = ",
    "abort",
    "return",
    "del(.a)",
    "\"{{ x }}\"",
    "x",
    "to_int!(",
    "length(",
    "contains(",
    "match(",
    "exists(",
    "to_int(",
    "includes(",
    "is_null(",
    "to_string(",
    "case_sensitive:",
    "\"",
    "'",
    "\\",
    "é",
    "|",
    "&",
    "foo",
    "9999999999999999999",
];

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TOKENS)
}

fn valid() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".a",
        ".b",
        ".c.d[0]",
        ".c",
        ".e",
        ".f",
        ".g",
        ".t",
        ".missing",
        "1",
        "2.5",
        "\"x\"",
        "true",
        "null",
        "[1, .a]",
        "{\"k\": .b}",
        "t'2026-01-31T00:00:00Z'",
        "r'x+'",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let op = prop::sample::select(vec![
            "==", "!=", "<", ">=", "&&", "||", "+", "-", "*", "/", "%", "??",
        ]);
        let function = prop::sample::select(vec![
            "upcase",
            "length",
            "to_int",
            "to_string",
            "is_null",
            "is_string",
            "to_float",
            "to_bool",
            "is_empty",
            "downcase",
            "strlen",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            (function, inner.clone()).prop_map(|(name, value)| format!("{name}({value})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("contains({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("includes({a}, {b})")),
            inner.clone().prop_map(|value| format!("!({value})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("(if {c} {{ {a} }} else {{ {b} }})")),
        ]
    })
}

/// A number of the model: what VRL's rules give without this crate's code.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Integer(i64),
    Float(f64),
}

#[derive(Debug, Clone)]
enum Sum {
    Number(Number),
    Op(char, Box<Sum>, Box<Sum>),
}

impl Sum {
    /// The source, with every number as a literal or, for evaluation at run time, as a field.
    fn source(&self, fields: &mut Option<serde_json::Map<String, serde_json::Value>>) -> String {
        match self {
            Self::Number(number) => {
                let text = match number {
                    Number::Integer(value) => value.to_string(),
                    Number::Float(value) => format!("{value:?}"),
                };
                let Some(fields) = fields else { return text };
                let name = format!("f{}", fields.len());
                fields.insert(name.clone(), serde_json::json!({ "$number": text }));
                format!(".{name}")
            }
            Self::Op(op, left, right) => {
                format!("({} {op} {})", left.source(fields), right.source(fields))
            }
        }
    }

    fn model(&self) -> Option<Number> {
        let (op, left, right) = match self {
            Self::Number(number) => return Some(*number),
            Self::Op(op, left, right) => (*op, left.model()?, right.model()?),
        };
        if let (Number::Integer(left), Number::Integer(right), true) = (left, right, op != '/') {
            let (left, right) = (i128::from(left), i128::from(right));
            return Some(Number::Integer(match op {
                '+' => left + right,
                '-' => left - right,
                '*' => left * right,
                _ if right == 0 => return None,
                _ => left % right,
            } as i64));
        }
        let float = |number| match number {
            Number::Integer(value) => value as f64,
            Number::Float(value) => value,
        };
        let (left, right) = (float(left), float(right));
        let result = match op {
            '+' => left + right,
            '-' => left - right,
            '*' => left * right,
            _ if right == 0.0 => return None,
            '/' => left / right,
            _ => left % right,
        };
        Some(Number::Float(if result.is_nan() { 0.0 } else { result }))
    }
}

fn sum() -> impl Strategy<Value = Sum> {
    let integer = prop_oneof![any::<i64>(), -5i64..5, Just(i64::MIN), Just(i64::MAX)];
    let float = prop_oneof![-10.0f64..10.0, Just(0.0), Just(1e300), Just(-2.5)];
    let leaf = prop_oneof![
        integer.prop_map(|value| Sum::Number(Number::Integer(value))),
        float.prop_map(|value| Sum::Number(Number::Float(value))),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        (prop::sample::select(vec!['+', '-', '*', '/', '%']), inner.clone(), inner)
            .prop_map(|(op, left, right)| Sum::Op(op, Box::new(left), Box::new(right)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_text_is_compiled_or_refused(source in any::<String>()) {
        exercise(&source);
    }

    #[test]
    fn any_sequence_of_tokens_is_compiled_or_refused(tokens in prop::collection::vec(token(), 0..25), glue in "( |)") {
        exercise(&tokens.join(&glue));
        exercise_script(&tokens.join(&glue));
    }

    #[test]
    fn valid_syntax_evaluates_to_a_value_of_its_type_or_a_foreseen_error(source in valid()) {
        exercise(&source);
    }

    #[test]
    fn a_damaged_expression_is_compiled_or_refused(source in valid(), at in any::<prop::sample::Index>(), with in "[\\PC]?") {
        let mut chars: Vec<char> = source.chars().collect();
        let at = at.index(chars.len());
        chars.splice(at..=at, with.chars());
        exercise(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn an_event_is_changed_whole_or_not_at_all(statements in prop::collection::vec(statement(), 1..6)) {
        let start = "x = 1\ny = \"t\"\n";
        exercise_script(&format!("{start}{}", statements.join("\n")));
    }

    #[test]
    fn arithmetic_agrees_with_a_model(sum in sum()) {
        let mut fields = Some(serde_json::Map::new());
        let source = sum.source(&mut fields);
        let event = serde_json::to_string(&fields.unwrap()).unwrap();
        let program = Program::compile(&source).unwrap();
        let batch = batch(&[&event]);
        let mut bound = program.bind(&batch);
        let found = match bound.eval(batch.event(0)) {
            Ok(Value::Integer(value)) => Some(Number::Integer(value)),
            Ok(Value::Float(value)) => Some(Number::Float(value)),
            Err(error) => { prop_assert_eq!(error, EvalError::DivisionByZero); None }
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(found, sum.model(), "{}", source);
        // The same in literals is computed when it is compiled, or refused because it always fails.
        let literal = Program::compile(&sum.source(&mut None));
        prop_assert_eq!(literal.is_ok(), found.is_some());
    }
}
