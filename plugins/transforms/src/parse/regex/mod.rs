//! `format = "regex"`: the named groups of a pattern become fields, which point into the event's own text.

mod boundary;
mod keys;
mod matcher;

use std::ops::Range;

use lograil_codec::rows::kind;
use lograil_event::{Batch, BatchMut, EventFlags, Field, FieldFlags, Key, Span, Tag};
use lograil_plugin::{ComponentMetrics, ConfigError, ConfigErrors};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::Format;
use super::convert::Type;
use super::lowered::ABSENT;
use super::options::ParseOptions;
use boundary::without_sure_boundaries;
use keys::GroupKeys;
use matcher::{Encoding, Matcher, NoMatch};

/// What one named group becomes.
struct Group {
    index: usize,
    kind: Type,
    flags: FieldFlags,
    /// Whether an earlier group becomes the same field.
    is_repeated: bool,
}

/// A group of an expression, and the field that it becomes.
pub(super) struct NamedGroup {
    pub(super) group: String,
    pub(super) field: String,
    pub(super) kind: Option<Type>,
}

/// What becomes of a group that matched nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmptyGroups {
    /// An empty field.
    Kept,
    /// No field.
    Dropped,
}

/// Why an event could not be parsed.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Missing,
    NotText(&'static str),
    NoMatch { reason: NoMatch, len: u32, encoding: Encoding },
}

/// The format's state.
pub(super) struct RegexFormat {
    field: String,
    keep_field: bool,
    matcher: Matcher,
    groups: Vec<Group>,
    keys: GroupKeys,
    /// Whether every group of a match is UTF-8, whatever the text.
    matches_utf8_only: bool,
    empty_groups: EmptyGroups,
    failures: Vec<Failure>,
    metrics: Option<Metrics>,
}

struct Metrics {
    conversion_failures: prometheus::IntCounter,
    regex_events: prometheus::IntCounter,
}

impl RegexFormat {
    pub(super) fn new(options: &ParseOptions) -> Result<Self, ConfigErrors> {
        let Some(pattern) = &options.pattern else {
            let error = ConfigError::new(["pattern"], "the format `regex` needs a pattern");
            let help = r"such as pattern = '^(?P<level>[A-Z]+): (?P<text>.*)$'";
            return Err(error.help(help).into());
        };
        let hir = parse_pattern(pattern)?;
        let named = named_groups(&hir);
        check_groups(&named, options)?;
        let fields = named.iter().map(|(name, ..)| (name.clone(), None)).collect();
        Self::build(options, &hir, &named, fields, EmptyGroups::Kept)
    }

    /// A format whose groups become other fields than they are called, several of them perhaps the same.
    pub(super) fn with_groups(
        options: &ParseOptions,
        pattern: &str,
        groups: &[NamedGroup],
    ) -> Result<Self, ConfigErrors> {
        let hir = without_sure_boundaries(&parse_pattern(pattern)?);
        let mut named = named_groups(&hir);
        let mut fields = Vec::new();
        for (name, ..) in &mut named {
            let Some(group) = groups.iter().find(|group| group.group == *name) else { continue };
            fields.push((group.field.clone(), group.kind));
            name.clone_from(&group.field);
        }
        check_groups(&named, options)?;
        Self::build(options, &hir, &named, fields, EmptyGroups::Dropped)
    }

    fn build(
        options: &ParseOptions,
        hir: &Hir,
        named: &[(String, u32, Hir)],
        fields: Vec<(String, Option<Type>)>,
        empty_groups: EmptyGroups,
    ) -> Result<Self, ConfigErrors> {
        let matcher = Matcher::new(hir).map_err(|error| ConfigError::new(["pattern"], error))?;
        let groups = named.iter().zip(&fields).enumerate();
        let groups = groups.map(|(position, ((_, index, sub), (name, kind)))| Group {
            index: *index as usize,
            kind: options.types.get(name).copied().or(*kind).unwrap_or_default(),
            flags: if is_clean(sub) { FieldFlags::CLEAN } else { FieldFlags::NONE },
            is_repeated: fields[..position].iter().any(|(other, _)| other == name),
        });
        Ok(Self {
            groups: groups.collect(),
            keys: GroupKeys::new(fields.iter().map(|(name, _)| name.clone()).collect()),
            matcher,
            matches_utf8_only: hir.properties().is_utf8(),
            empty_groups,
            field: options.field.clone(),
            keep_field: options.keep_field,
            failures: Vec::new(),
            metrics: None,
        })
    }
}

fn parse_pattern(pattern: &str) -> Result<Hir, ConfigError> {
    ParserBuilder::new().utf8(false).build().parse(pattern).map_err(|error| {
        let (message, range): (String, Range<usize>) = match &error {
            regex_syntax::Error::Parse(error) => {
                let span = error.span();
                (error.kind().to_string(), span.start.offset..span.end.offset)
            }
            regex_syntax::Error::Translate(error) => {
                let span = error.span();
                (error.kind().to_string(), span.start.offset..span.end.offset)
            }
            error => (error.to_string(), 0..pattern.len()),
        };
        let error = ConfigError::new(["pattern"], format!("not a regular expression: {message}"));
        let help = "the syntax is that of Rust's `regex`: no look-around and no back-references";
        error.within(range).help(help)
    })
}

/// Name, index and content of the named groups.
fn named_groups(hir: &Hir) -> Vec<(String, u32, Hir)> {
    let mut groups = Vec::new();
    let mut stack = vec![hir];
    while let Some(hir) = stack.pop() {
        if let HirKind::Capture(capture) = hir.kind()
            && let Some(name) = &capture.name
        {
            groups.push((name.to_string(), capture.index, (*capture.sub).clone()));
        }
        stack.extend(hir.kind().subs());
    }
    groups.sort_by_key(|(_, index, _)| *index);
    groups
}

fn check_groups(named: &[(String, u32, Hir)], options: &ParseOptions) -> Result<(), ConfigErrors> {
    if named.is_empty() {
        let error = ConfigError::new(["pattern"], "the pattern has no named group");
        let help = "name what is to become a field: `(?P<status>[0-9]+)`";
        return Err(error.help(help).into());
    }
    let names: Vec<&str> = named.iter().map(|(name, ..)| name.as_str()).collect();
    let unknown = options.types.keys().filter(|name| !names.contains(&name.as_str()));
    let errors: Vec<ConfigError> = unknown
        .map(|name| {
            ConfigError::new(["types", name], format!("the pattern has no group `{name}`"))
                .help(format!("its groups are {}", names.join(", ")))
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
}

/// Whether nothing that `hir` matches needs an escape in JSON.
fn is_clean(hir: &Hir) -> bool {
    let is_special = |byte: u32| byte < 0x20 || byte == u32::from(b'"') || byte == u32::from(b'\\');
    let excludes_special =
        |start: u32, end: u32| (start..=end.min(0x7F)).all(|byte| !is_special(byte));
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().all(|byte| !is_special((*byte).into())),
        HirKind::Class(Class::Unicode(class)) => class
            .ranges()
            .iter()
            .all(|range| excludes_special(range.start().into(), range.end().into())),
        HirKind::Class(Class::Bytes(class)) => class
            .ranges()
            .iter()
            .all(|range| excludes_special(range.start().into(), range.end().into())),
        kind => kind.subs().iter().all(is_clean),
    }
}

impl Format for RegexFormat {
    fn start(&mut self, id: &str, metrics: &ComponentMetrics) {
        match self.matcher.obstacle() {
            None => tracing::debug!(component_id = id, "the pattern is matched by its delimiters"),
            Some(why) => {
                tracing::info!(
                    component_id = id,
                    "the pattern is matched by the regex engine: {why}"
                );
            }
        }
        let conversions = "Groups whose text is not of the type it was to be read as.";
        let regex = "Events matched by the regex engine, because delimiters do not decide them.";
        self.metrics = Some(Metrics {
            conversion_failures: metrics.counter("conversion_failures", conversions),
            regex_events: metrics.counter("regex_engine_events", regex),
        });
    }

    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>) {
        self.failures.clear();
        batch.freeze();
        let events = batch.len();
        let source = batch.find_key(&self.field);
        let mut edit = batch.edit();
        let keys = self.keys.resolve(&mut edit);
        edit.fields().reserve(events * (self.groups.len() + 1));
        let mut run = Run {
            matcher: &mut self.matcher,
            groups: &self.groups,
            keys,
            keep_field: self.keep_field,
            matches_utf8_only: self.matches_utf8_only,
            empty_groups: self.empty_groups,
            conversion_failures: 0,
        };
        for event in 0..events {
            let parsed = match source {
                Some(source) => run.event(&mut edit, event, source),
                None => Err(Failure::Missing),
            };
            if let Err(failure) = parsed {
                failed.push(event);
                self.failures.push(failure);
            }
        }
        let conversion_failures = run.conversion_failures;
        self.keys.keep(batch.shared_keys());
        let regex_events = self.matcher.take_asked_regex();
        if let Some(metrics) = &self.metrics {
            metrics.conversion_failures.inc_by(conversion_failures);
            metrics.regex_events.inc_by(regex_events);
        }
    }

    fn reason(&self, nth: usize) -> String {
        let field = &self.field;
        match self.failures.get(nth) {
            None | Some(Failure::Missing) => format!("the event has no field `{field}`"),
            Some(Failure::NotText(kind)) => {
                format!("`{field}` must be text to match the pattern, but is of the type {kind}")
            }
            Some(Failure::NoMatch { encoding: Encoding::Unknown, len, .. }) => {
                format!(
                    "the pattern does not match the {len} bytes of `{field}`, which are not UTF-8"
                )
            }
            Some(Failure::NoMatch { reason: NoMatch::Anywhere, len, .. }) => {
                format!("the pattern does not match the {len} bytes of `{field}`")
            }
            Some(Failure::NoMatch { reason: NoMatch::At { op, at }, .. }) => {
                format!("expected {} at byte {at} of `{field}`", self.matcher.expected(*op))
            }
        }
    }
}

/// The parsing of one batch.
struct Run<'r> {
    matcher: &'r mut Matcher,
    groups: &'r [Group],
    keys: &'r [u32],
    keep_field: bool,
    matches_utf8_only: bool,
    empty_groups: EmptyGroups,
    conversion_failures: u64,
}

impl Run<'_> {
    fn event(&mut self, edit: &mut BatchMut<'_>, event: usize, source: Key) -> Result<(), Failure> {
        let field = edit.find(event, source).ok_or(Failure::Missing)?;
        let encoding = match field.tag {
            Tag::Str => Encoding::Utf8,
            Tag::Bytes => Encoding::Unknown,
            tag => return Err(Failure::NotText(kind(tag))),
        };
        let span = field.span();
        self.matcher.search(edit.text(span), encoding).map_err(|reason| Failure::NoMatch {
            reason,
            len: span.len,
            encoding,
        })?;
        let slots = self.matcher.slots();
        let first = edit.fields().len();
        for (group, key) in self.groups.iter().zip(self.keys) {
            let (start, end) = (slots[group.index * 2], slots[group.index * 2 + 1]);
            if start == ABSENT || (start == end && self.empty_groups == EmptyGroups::Dropped) {
                continue;
            }
            if group.is_repeated && edit.fields()[first..].iter().any(|field| field.key == *key) {
                continue;
            }
            let part =
                Span { segment: span.segment, offset: span.offset + start, len: end - start };
            let mut tag = Tag::Str;
            if group.kind != Type::String {
                let converted = group.kind.field(*key, edit.text(part), part);
                if let Some(converted) = converted {
                    edit.fields().push(converted);
                    continue;
                }
                self.conversion_failures += 1;
            }
            if !self.matches_utf8_only && std::str::from_utf8(edit.text(part)).is_err() {
                tag = Tag::Bytes;
            }
            // A part of a text without special characters has none either.
            let flags =
                if field.flags().contains(FieldFlags::CLEAN) { field.flags() } else { group.flags };
            edit.fields().push(Field::text(*key, tag, part, flags));
        }
        self.keep_others(edit, event, source, first);
        Ok(())
    }

    /// Moves the event's other fields behind the parsed ones, which start at `first`.
    fn keep_others(&self, edit: &mut BatchMut<'_>, event: usize, source: Key, first: usize) {
        let parsed = edit.fields().len();
        let record = edit.events()[event];
        for index in record.first..record.first + record.count {
            let fields = edit.fields();
            let other = fields[index as usize];
            let is_dropped = other.key == source.0 && !self.keep_field;
            if !is_dropped && fields[first..parsed].iter().all(|field| field.key != other.key) {
                fields.push(other);
            }
        }
        let count = (edit.fields().len() - first) as u32;
        let record = &mut edit.events()[event];
        record.first = first as u32;
        record.count = count;
        record.capacity = count;
        record.raw_fields = 0;
        record.flags.remove(EventFlags::RAW_JSON);
    }
}
