//! `parse_grok`: the pattern is expanded and compiled when the program is.

use std::collections::BTreeMap;

use lograil_codec::grok::{self, CaptureType};
use regex::bytes::Regex;

use super::object::unique_members;
use super::{Accepts, Arguments, Function, Parameter, fails, gives, required};
use crate::error::{ExprError, Span};
use crate::kind::Kind;
use crate::node::Node;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    "parse_grok",
    &[
        required("value", Kind::STRING),
        Parameter { name: "pattern", accepts: Accepts::Grok, required: true },
    ],
    Kind::OBJECT,
    "What a grok pattern captures: `%{NAME:field}`, or `%{NAME:field:int}` (`float`, `bool`) for a typed value. \
     The names are those of Logstash. What captures nothing is left out.",
    &[
        gives(
            "parse_grok!(.a, \"%{IP:client} %{WORD:method} %{NUMBER:took:float}\")",
            r#"{"a":"192.0.2.1 GET 0.25"}"#,
            r#"{"client":"192.0.2.1","method":"GET","took":0.25}"#,
        ),
        fails("parse_grok!(.a, \"%{INT:n}\")", r#"{"a":"x"}"#, "`parse_grok`: the pattern does not match"),
    ],
    |arguments| {
        let text = arguments.string(0)?;
        let found = match arguments.nodes.get(1) {
            Some(Some(Node::Grok(grok))) => grok.read(text, arguments),
            _ => None,
        };
        found.ok_or_else(|| arguments.error("the pattern does not match"))
    },
)
.fallible()];

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Grok {
    regex: Regex,
    /// Number of the group, field and type.
    captures: Box<[(usize, String, CaptureType)]>,
}

impl Grok {
    /// Compiles a pattern that is at `span` of the source.
    pub(crate) fn compile(pattern: &str, span: &Span) -> Result<Self, ExprError> {
        let expanded = grok::expand(pattern, &BTreeMap::new())
            .map_err(|problem| ExprError::new(span.clone(), problem.message).help(problem.help))?;
        let regex = Regex::new(&expanded.regex)
            .map_err(|error| ExprError::new(span.clone(), format!("not a pattern: {error}")))?;
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
