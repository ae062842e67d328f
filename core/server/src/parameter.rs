//! Parameters of requests: declared once, from which their check and their part of the OpenAPI document follow.

use std::collections::BTreeMap;

use lograil_expr::Condition;
use serde_json::{Value, json};

use crate::problem::{Mistake, Problem};

/// One parameter of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub place: Place,
    pub kind: ParameterKind,
    pub is_required: bool,
    pub about: &'static str,
}

/// Where a parameter stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ParameterKind {
    /// A whole number between two bounds; absent it is `default`.
    Integer { min: i64, max: i64, default: Option<i64> },
    /// A text of so many bytes at most.
    Text { bytes_max: usize },
    /// One of these words; absent it is the first, if there is a default.
    Choice { of: &'static [&'static str], default: Option<&'static str> },
    /// `true` or `false`; absent it is `false`.
    Flag,
    /// A time: RFC 3339, or relative to now as `-15m`.
    Time,
    /// A condition in the expression language.
    Expression,
}

/// Bytes a condition may have.
const EXPRESSION_BYTES_MAX: usize = 4096;

/// What a time looks like, for the document.
const TIME_PATTERN: &str = r"^(now|-[0-9]{1,9}(ms|s|m|h|d)|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))$";

impl Place {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

impl Parameter {
    pub const fn query(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { name, place: Place::Query, kind, is_required: false, about }
    }

    /// One in the query that must be there.
    pub const fn required(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { is_required: true, ..Self::query(name, kind, about) }
    }

    pub const fn path(name: &'static str, kind: ParameterKind, about: &'static str) -> Self {
        Self { name, place: Place::Path, kind, is_required: true, about }
    }

    /// The parameter object of the OpenAPI document.
    pub fn document(&self) -> Value {
        let mut schema = match self.kind {
            ParameterKind::Integer { min, max, .. } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            ParameterKind::Text { bytes_max } => {
                json!({ "type": "string", "minLength": 1, "maxLength": bytes_max })
            }
            ParameterKind::Choice { of, .. } => json!({ "type": "string", "enum": of }),
            ParameterKind::Flag => json!({ "type": "boolean", "default": false }),
            ParameterKind::Time => json!({ "type": "string", "pattern": TIME_PATTERN }),
            ParameterKind::Expression => {
                json!({ "type": "string", "minLength": 1, "maxLength": EXPRESSION_BYTES_MAX })
            }
        };
        match self.kind {
            ParameterKind::Integer { default: Some(default), .. } => {
                schema["default"] = default.into();
            }
            ParameterKind::Choice { default: Some(default), .. } => {
                schema["default"] = default.into();
            }
            _ => {}
        }
        let mut document = json!({
            "name": self.name,
            "in": self.place.name(),
            "required": self.is_required,
            "description": self.about,
            "schema": schema,
        });
        match self.kind {
            ParameterKind::Expression => document["example"] = ".level == \"ERROR\"".into(),
            ParameterKind::Time => document["example"] = "-15m".into(),
            _ => {}
        }
        document
    }

    fn parse(&self, text: &str, now_ns: i64) -> Result<Parsed, Mistake> {
        let wrong = |detail: String| Err(Mistake::new(self.place.name(), self.name, detail));
        match self.kind {
            ParameterKind::Integer { min, max, .. } => match text.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(Parsed::Integer(number)),
                _ => wrong(format!("{} is not a whole number from {min} to {max}", shown(text))),
            },
            ParameterKind::Text { bytes_max } if !fits(text, bytes_max) => {
                wrong(too_long(bytes_max))
            }
            ParameterKind::Expression if !fits(text, EXPRESSION_BYTES_MAX) => {
                wrong(too_long(EXPRESSION_BYTES_MAX))
            }
            ParameterKind::Text { .. } => Ok(Parsed::Text(text.to_owned())),
            ParameterKind::Choice { of, .. } => match of.iter().find(|word| **word == text) {
                Some(word) => Ok(Parsed::Text((*word).to_owned())),
                None => wrong(format!("{} is none of {}", shown(text), of.join(", "))),
            },
            ParameterKind::Flag => match text {
                "true" => Ok(Parsed::Flag(true)),
                "false" => Ok(Parsed::Flag(false)),
                _ => wrong(format!("{} is neither true nor false", shown(text))),
            },
            ParameterKind::Time => match time(text, now_ns) {
                Some(ns) => Ok(Parsed::Integer(ns)),
                None => wrong(format!(
                    "{} is not a time; write 2026-01-31T23:59:59Z, now or -15m",
                    shown(text)
                )),
            },
            ParameterKind::Expression => match Condition::compile(text) {
                Ok(condition) => {
                    Ok(Parsed::Condition(Expression { text: text.to_owned(), condition }))
                }
                Err(errors) => Err(self.mistake_in_expression(&errors)),
            },
        }
    }

    fn mistake_in_expression(&self, errors: &[lograil_expr::ExprError]) -> Mistake {
        let Some(first) = errors.first() else {
            return Mistake::new(self.place.name(), self.name, "it is no condition");
        };
        let help = first.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let detail = format!("{}{help}", first.message);
        let mut mistake = Mistake::new(self.place.name(), self.name, detail);
        (mistake.start, mistake.end) = (Some(first.span.start), Some(first.span.end));
        mistake
    }
}

/// A condition as it was written and as it is evaluated.
#[derive(Debug)]
pub(crate) struct Expression {
    pub text: String,
    pub condition: Condition,
}

#[derive(Debug)]
enum Parsed {
    Integer(i64),
    Text(String),
    Flag(bool),
    Condition(Expression),
}

fn fits(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len())
}

fn too_long(bytes_max: usize) -> String {
    format!("must have 1 to {bytes_max} bytes")
}

/// A value in a message: whole if it is short.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{more}`")
}

/// A point in time: RFC 3339, `now`, or as long ago as `-15m` says.
fn time(text: &str, now_ns: i64) -> Option<i64> {
    if text == "now" {
        return Some(now_ns);
    }
    let Some(ago) = text.strip_prefix('-') else {
        return lograil_codec::time::parse_rfc3339(text.as_bytes());
    };
    let digits = ago.len() - ago.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: i64 = ago[..digits].parse().ok()?;
    let unit_ns: i64 = match &ago[digits..] {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    now_ns.checked_sub(number.checked_mul(unit_ns)?)
}

/// The parameters of one request, all of them right.
#[derive(Debug, Default)]
pub(crate) struct Parameters(BTreeMap<&'static str, Parsed>);

impl Parameters {
    /// Checks the pairs of a request against what its route declares; tells all that is wrong at once.
    pub fn check(
        declared: &[Parameter],
        given: &[(Place, String, String)],
        now_ns: i64,
    ) -> Result<Self, Problem> {
        let (mut values, mut mistakes) = (BTreeMap::new(), Vec::new());
        for (place, name, text) in given {
            let is_named =
                |parameter: &&Parameter| parameter.place == *place && parameter.name == name;
            let Some(parameter) = declared.iter().find(is_named) else {
                let names = declared.iter().filter(|one| one.place == *place);
                let names: Vec<&str> = names.map(|one| one.name).collect();
                let detail = match names.as_slice() {
                    [] => "there is no such parameter; this route takes none".to_owned(),
                    names => format!("there is no such parameter; there are {}", names.join(", ")),
                };
                mistakes.push(Mistake::new(place.name(), name, detail));
                continue;
            };
            match parameter.parse(text, now_ns) {
                Ok(value) => {
                    if values.insert(parameter.name, value).is_some() {
                        mistakes.push(Mistake::new(place.name(), name, "is given more than once"));
                    }
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let is_given = |one: &Parameter| given.iter().any(|(_, name, _)| name == one.name);
        for parameter in declared {
            if values.contains_key(parameter.name) {
                continue;
            }
            let default = match parameter.kind {
                ParameterKind::Integer { default: Some(default), .. } => Parsed::Integer(default),
                ParameterKind::Choice { default: Some(default), .. } => {
                    Parsed::Text(default.to_owned())
                }
                ParameterKind::Flag => Parsed::Flag(false),
                _ => {
                    // The router gives every parameter of a path.
                    if parameter.is_required
                        && parameter.place == Place::Query
                        && !is_given(parameter)
                    {
                        mistakes.push(Mistake::new("query", parameter.name, "is missing"));
                    }
                    continue;
                }
            };
            values.insert(parameter.name, default);
        }
        if mistakes.is_empty() { Ok(Self(values)) } else { Err(Problem::mistakes(mistakes)) }
    }

    /// A number or a time in nanoseconds since 1970.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Parsed::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number that has a default and is not negative.
    pub fn count(&self, name: &str) -> usize {
        self.integer(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Parsed::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Parsed::Flag(true)))
    }

    pub fn take_expression(&mut self, name: &str) -> Option<Expression> {
        match self.0.remove(name) {
            Some(Parsed::Condition(expression)) => Some(expression),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[Parameter] = &[
        Parameter::query("limit", ParameterKind::Integer { min: 1, max: 10, default: Some(5) }, ""),
        Parameter::query("q", ParameterKind::Text { bytes_max: 5 }, ""),
        Parameter::query("from", ParameterKind::Time, ""),
        Parameter::query("where", ParameterKind::Expression, ""),
        Parameter::query("deep", ParameterKind::Flag, ""),
        Parameter::query(
            "order",
            ParameterKind::Choice { of: &["asc", "desc"], default: None },
            "",
        ),
    ];

    fn check(pairs: &[(&str, &str)]) -> Result<Parameters, Problem> {
        let own =
            |(name, text): &(&str, &str)| (Place::Query, (*name).to_owned(), (*text).to_owned());
        let given: Vec<_> = pairs.iter().map(own).collect();
        Parameters::check(DECLARED, &given, 90_000_000_000)
    }

    #[test]
    fn values_and_defaults_are_read() {
        let parameters = check(&[("q", "a b"), ("from", "-1m"), ("deep", "true")]).unwrap();
        assert_eq!((parameters.count("limit"), parameters.text("q")), (5, Some("a b")));
        assert_eq!(
            (parameters.integer("from"), parameters.flag("deep")),
            (Some(30_000_000_000), true)
        );
        assert_eq!(time("1970-01-01T00:00:01Z", 0), Some(1_000_000_000));
        for wrong in ["", "-", "-1", "-1w", "-99999999999999999999d", "-999999999d", "soon", "2026"]
        {
            assert_eq!(time(wrong, 0), None, "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_the_name_of_its_parameter() {
        let wrong = [
            ("limit", "11"),
            ("q", "123456"),
            ("from", "soon"),
            ("where", ".a =="),
            ("deep", "yes"),
            ("order", "up"),
            ("sort", "x"),
        ];
        let problem = check(&wrong).unwrap_err();
        let told = serde_json::to_value(&problem).unwrap();
        let names: Vec<Value> = wrong.iter().map(|(name, _)| Value::from(*name)).collect();
        let found: Vec<Value> =
            told["errors"].as_array().unwrap().iter().map(|error| error["name"].clone()).collect();
        assert_eq!(found, names);
        assert_eq!(told["errors"][3]["end"], 5, "{told:#}");
        assert!(check(&[("q", "a"), ("q", "b")]).is_err());
        let needed = [Parameter::required("message", ParameterKind::Text { bytes_max: 5 }, "")];
        let missing = Parameters::check(&needed, &[], 0).unwrap_err();
        assert_eq!(missing.detail(), "query `message`: is missing");
    }
}
