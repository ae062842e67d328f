//! `parse_grok` and `parse_groks`: patterns are expanded and compiled when the program is.

use std::collections::BTreeMap;

use lograil_codec::grok::{self, CaptureType};
use regex::bytes::Regex;

use super::object::unique_members;
use super::{Accepts, Arguments, Function, Parameter, fails, gives, optional, required};
use crate::constant::{Constant, ConstantMember};
use crate::error::{EvalError, ExprError};
use crate::kind::Kind;
use crate::node::Node;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "parse_grok",
        &[
            required("value", Kind::STRING),
            Parameter { name: "pattern", accepts: Accepts::Pattern, required: true },
            optional("aliases", Kind::OBJECT),
        ],
        Kind::OBJECT,
        "What a grok pattern captures: `%{NAME:field}`, or `%{NAME:field:int}` (`float`, `bool`) for a typed value. \
         The names are those of Logstash and those of `aliases`. What captures nothing is left out.",
        &[
            gives(
                "parse_grok!(.a, \"%{IP:client} %{WORD:method} %{NUMBER:took:float}\")",
                r#"{"a":"192.0.2.1 GET 0.25"}"#,
                r#"{"client":"192.0.2.1","method":"GET","took":0.25}"#,
            ),
            gives(
                "parse_grok!(.a, \"%{head} %{GREEDYDATA:text}\", aliases: {\"head\": \"%{LOGLEVEL:level}:\"})",
                r#"{"a":"WARN: disk full"}"#,
                r#"{"level":"WARN","text":"disk full"}"#,
            ),
            fails("parse_grok!(.a, \"%{INT:n}\")", r#"{"a":"x"}"#, "`parse_grok`: the pattern does not match"),
        ],
        parse,
    )
    .fallible(),
    Function::new(
        "parse_groks",
        &[
            required("value", Kind::STRING),
            Parameter { name: "patterns", accepts: Accepts::Patterns, required: true },
            optional("aliases", Kind::OBJECT),
        ],
        Kind::OBJECT,
        "What the first of several grok patterns captures that matches.",
        &[
            gives(
                "parse_groks!(.a, [\"%{LOGLEVEL:level} %{INT:code:int}\", \"%{LOGLEVEL:level} %{GREEDYDATA:text}\"])",
                r#"{"a":"INFO started"}"#,
                r#"{"level":"INFO","text":"started"}"#,
            ),
            gives(
                "parse_groks!(.a, patterns: [\"%{head} %{_code}\", \"%{head}\"], aliases: {\"head\": \"%{LOGLEVEL:level}\", \"_code\": \"%{INT:code}\"})",
                r#"{"a":"INFO 7"}"#,
                r#"{"level":"INFO","code":"7"}"#,
            ),
            fails("parse_groks!(.a, [\"%{INT:n}\"])", r#"{"a":"x"}"#, "`parse_groks`: no pattern matches"),
        ],
        parse,
    )
    .fallible(),
];

fn parse<'a>(arguments: &Arguments<'a, '_>) -> Result<Value<'a>, EvalError> {
    let text = arguments.string(0)?;
    let Some(Some(Node::Grok(patterns))) = arguments.nodes.get(1) else {
        return Err(arguments.error("takes patterns in quotes"));
    };
    let found = patterns.iter().find_map(|pattern| pattern.read(text, arguments));
    found.ok_or_else(|| {
        arguments.error(match patterns.len() {
            1 if arguments.function.name == "parse_grok" => "the pattern does not match",
            _ => "no pattern matches",
        })
    })
}

/// The arguments of a call with the patterns that are written in it compiled; or the argument that is wrong.
pub(crate) fn with_grok(
    function: &Function,
    mut nodes: Vec<Option<Node>>,
) -> Result<Vec<Option<Node>>, (usize, ExprError)> {
    let takes =
        |parameter: &Parameter| matches!(parameter.accepts, Accepts::Pattern | Accepts::Patterns);
    let Some(at) = function.parameters.iter().position(takes) else { return Ok(nodes) };
    let aliases = match nodes.get_mut(at + 1).and_then(Option::take) {
        None => BTreeMap::new(),
        Some(Node::Constant(Constant::Object(members))) => {
            let text = |(name, value): &ConstantMember| match value {
                Constant::String(text) => Some((lossy(name), lossy(text))),
                _ => None,
            };
            members.iter().map(text).collect::<Option<_>>().ok_or_else(|| unwritten(at + 1))?
        }
        Some(_) => return Err(unwritten(at + 1)),
    };
    let compile = |pattern: &Constant| match pattern {
        Constant::String(text) => {
            Grok::compile(&lossy(text), &aliases).map_err(|problem| (at, problem))
        }
        _ => Err(unwritten(at)),
    };
    let compiled = match nodes[at].take() {
        Some(Node::Constant(Constant::Array(patterns))) => {
            patterns.iter().map(compile).collect::<Result<_, _>>()?
        }
        Some(Node::Constant(pattern)) => Box::from([compile(&pattern)?]),
        _ => return Err(unwritten(at)),
    };
    nodes[at] = Some(Node::Grok(compiled));
    Ok(nodes)
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn unwritten(argument: usize) -> (usize, ExprError) {
    let error = ExprError::new(0..0, "a grok pattern must be a text in quotes");
    (argument, error.help("it is compiled when the program is loaded"))
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Grok {
    regex: Regex,
    /// Number of the group, field and type.
    captures: Box<[(usize, String, CaptureType)]>,
}

impl Grok {
    /// Compiles a pattern.
    fn compile(pattern: &str, aliases: &BTreeMap<String, String>) -> Result<Self, ExprError> {
        let expanded = grok::expand(pattern, aliases)
            .map_err(|problem| ExprError::new(0..0, problem.message).help(problem.help))?;
        let regex = Regex::new(&expanded.regex)
            .map_err(|error| ExprError::new(0..0, format!("not a pattern: {error}")))?;
        let captures = expanded.captures.into_iter().filter_map(|capture| {
            let name = Some(capture.group.as_str());
            let group = regex.capture_names().position(|other| other == name)?;
            Some((group, capture.field, capture.kind.unwrap_or(CaptureType::String)))
        });
        Ok(Self { captures: captures.collect(), regex })
    }

    fn read<'a>(&'a self, text: &'a [u8], arguments: &Arguments<'a, '_>) -> Option<Value<'a>> {
        let found = self.regex.captures(text)?;
        let mut members = Vec::with_capacity(self.captures.len());
        for (group, field, kind) in &self.captures {
            let Some(group) = found.get(*group).filter(|group| !group.is_empty()) else { continue };
            members.push((field.as_bytes(), typed(group.as_bytes(), *kind)));
        }
        Some(unique_members(members, arguments.context))
    }
}

/// The text as what it is meant to be, or as text where it is something else.
fn typed<'a>(text: &'a [u8], kind: CaptureType) -> Value<'a> {
    let utf8 = std::str::from_utf8(text).unwrap_or_default();
    let value = match kind {
        CaptureType::String => None,
        CaptureType::Int => utf8.parse().ok().map(Value::Integer),
        CaptureType::Float => utf8.parse().ok().map(Value::float),
        CaptureType::Bool => match utf8.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Some(Value::Boolean(true)),
            "false" | "f" | "no" | "n" | "0" => Some(Value::Boolean(false)),
            _ => None,
        },
    };
    value.unwrap_or(Value::String(text))
}
