//! Paths made of fields and of the time: `logs/{service}/%Y-%m-%d.log`.
//!
//! **Invariant:** what an event holds names one component of a path at most: it can neither begin another nor be
//! one of `.` and `..`. No event names a file that the sink makes for itself: its journal, a backup.

use jiff::Timestamp;
use jiff::fmt::strtime;
use lograil_codec::text::{Format, TextEncoder};
use lograil_event::{Batch, TIMESTAMP_UNKNOWN};
use lograil_plugin::ConfigError;

use super::slots;

/// Most bytes of a component that a field is part of. File systems take 255; backups get suffixes.
const COMPONENT_BYTES_MAX: usize = 200;
/// What names end with that begin with `.` and are the sink's own.
const OWN_ENDINGS: [&str; 3] = [".openings", ".openings.new", ".packing"];
/// Conversions of strftime whose text has no separator.
const CONVERSIONS: &str = "YymdHMSjFVGuaAbBeIp";

enum Piece {
    Literal(String),
    /// A strftime conversion, such as `%Y`.
    Time(String),
    Field {
        name: String,
        value: TextEncoder,
    },
}

/// A path with places for what events hold.
pub(super) struct PathTemplate {
    pieces: Vec<Piece>,
    /// What stands for fields that an event does not have.
    default: Option<String>,
    /// If the files get backups: what stands in their names before, between and behind fields and times.
    around: Vec<String>,
    /// The second that `times` are of.
    second: i64,
    times: Vec<String>,
    value: Vec<u8>,
}

impl PathTemplate {
    /// Compiles `path`; nothing if nothing in it changes from event to event.
    pub(super) fn parse(path: &str, default: Option<&str>) -> Result<Option<Self>, ConfigError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = path;
        while let Some(at) = rest.find(['{', '}', '%']) {
            let from = path.len() - rest.len() + at;
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            let doubled = ["{{", "}}", "%%"].iter().any(|doubled| tail.starts_with(doubled));
            let (piece, len) = if doubled {
                literal.push_str(&tail[..1]);
                (None, 2)
            } else if tail.starts_with('%') {
                (Some(time(tail, from)?), 2)
            } else {
                let (piece, len) = field(tail, from)?;
                (Some(piece), len)
            };
            if let Some(piece) = piece {
                pieces.extend(Some(Piece::Literal(std::mem::take(&mut literal))));
                pieces.push(piece);
            }
            rest = &tail[len..];
        }
        literal.push_str(rest);
        if pieces.is_empty() && literal == path {
            return Ok(None);
        }
        pieces.push(Piece::Literal(literal));
        let default = default.map(str::to_owned);
        Ok(Some(Self {
            pieces,
            default,
            around: Vec::new(),
            second: i64::MIN,
            times: Vec::new(),
            value: Vec::new(),
        }))
    }

    /// The same for files that get backups: no path is one that another one's backup has.
    pub(super) fn rotating(mut self) -> Self {
        for piece in &self.pieces {
            let Piece::Literal(text) = piece else { continue };
            if let Some((_, name)) = text.rsplit_once('/') {
                self.around = vec![name.to_owned()];
            } else {
                self.around.push(text.clone());
            }
        }
        self
    }

    /// The directory that all paths are in, as text that ends with `/` or is empty.
    pub(super) fn fixed_directory(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => &text[..text.rfind('/').map_or(0, |at| at + 1)],
            _ => "",
        }
    }

    /// Looks up the fields of a batch.
    pub(super) fn prepare(&mut self, batch: &Batch) {
        for piece in &mut self.pieces {
            if let Piece::Field { value, .. } = piece {
                value.prepare(batch);
            }
        }
    }

    /// The path of an event of the batch that was prepared, or why there is none. `now_ns` is for events
    /// without a time.
    pub(super) fn render(
        &mut self,
        batch: &Batch,
        event: usize,
        now_ns: i64,
        path: &mut String,
    ) -> Result<(), String> {
        let record = &batch.records()[event];
        let known = record.timestamp_ns != TIMESTAMP_UNKNOWN;
        self.set_time(if known { record.timestamp_ns } else { now_ns });
        path.clear();
        let (mut component, mut has_field) = (0, false);
        let mut times = self.times.iter();
        for piece in &mut self.pieces {
            let from = path.len();
            match piece {
                Piece::Literal(text) => path.push_str(text),
                Piece::Time(_) => path.push_str(times.next().map_or("", String::as_str)),
                Piece::Field { name, value } => {
                    has_field = true;
                    self.value.clear();
                    value.encode_event(batch, record, &mut self.value);
                    if !self.value.is_empty() {
                        push_safe(&self.value, path);
                    } else if let Some(default) = &self.default {
                        path.push_str(default);
                    } else {
                        return Err(format!("the path needs the field `{name}`"));
                    }
                }
            }
            // Only literals hold separators.
            while let Some(at) = path[from.max(component)..].find('/') {
                let end = from.max(component) + at;
                check_component(&path[component..end], has_field)?;
                component = end + 1;
                has_field = false;
            }
        }
        let name = &path[component..];
        check_component(name, has_field)?;
        match slots::owner(name).filter(|owner| fits(owner, &self.around)) {
            Some(owner) => Err(format!("`{name}` could be an old file of `{owner}`")),
            None => Ok(()),
        }
    }

    fn set_time(&mut self, ns: i64) {
        let second = ns.div_euclid(1_000_000_000);
        if second == self.second && !self.times.is_empty() {
            return;
        }
        self.second = second;
        let utc = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let utc = utc.to_zoned(jiff::tz::TimeZone::UTC);
        let conversions = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Time(conversion) => Some(conversion),
            _ => None,
        });
        let texts = conversions.map(|conversion| strtime::format(conversion, &utc));
        self.times = texts.map(Result::unwrap_or_default).collect();
    }
}

fn check_component(component: &str, has_field: bool) -> Result<(), String> {
    if !has_field {
        return Ok(());
    }
    if matches!(component, "." | "..") {
        return Err(format!("`{component}` cannot be a part of the path"));
    }
    if component.starts_with('.') && OWN_ENDINGS.iter().any(|end| component.ends_with(end)) {
        return Err(format!("`{component}` is a name that the sink itself uses"));
    }
    if component.len() > COMPONENT_BYTES_MAX {
        let len = component.len();
        return Err(format!("a part of the path has {len} bytes, more than {COMPONENT_BYTES_MAX}"));
    }
    Ok(())
}

/// Whether a name has these texts in it, in their order, from its beginning to its end, and something between any two.
fn fits(name: &str, around: &[String]) -> bool {
    let [first, between @ .., last] = around else { return false };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
    for text in between {
        let at = rest.chars().next().map_or(0, char::len_utf8);
        match rest[at..].find(text.as_str()) {
            Some(found) if at > 0 => rest = &rest[at + found + text.len()..],
            _ => return false,
        }
    }
    rest.strip_suffix(last.as_str()).is_some_and(|value| !value.is_empty())
}

/// Appends a value with `_` for separators, control characters and what is not UTF-8.
fn push_safe(value: &[u8], path: &mut String) {
    for c in String::from_utf8_lossy(value).chars() {
        let is_safe = !(c == '/' || c.is_control() || c == char::REPLACEMENT_CHARACTER);
        path.push(if is_safe { c } else { '_' });
    }
}

fn time(tail: &str, from: usize) -> Result<Piece, ConfigError> {
    match tail.chars().nth(1) {
        Some(conversion) if CONVERSIONS.contains(conversion) => {
            Ok(Piece::Time(tail[..2].to_owned()))
        }
        _ => {
            let error = ConfigError::new(["path"], "`%` is not followed by a part of the time");
            let error = error.within(from..from + 1);
            Err(error.help("such as `%Y-%m-%d`; write `%%` for a percent sign"))
        }
    }
}

fn field(tail: &str, from: usize) -> Result<(Piece, usize), ConfigError> {
    let len = tail.find('}').map_or(tail.len(), |at| at + 1);
    let text = &tail[..len];
    match Format::parse(text) {
        Ok(format) => {
            let name = text.trim_matches(['{', '}']).to_owned();
            Ok((Piece::Field { name, value: TextEncoder::new(Some(format)).skipping_nulls() }, len))
        }
        Err(error) => {
            let within = error.within.map_or(0..len, |range| range);
            let mistake = ConfigError::new(["path"], error.message);
            Err(mistake.within(from + within.start..from + within.end))
        }
    }
}

#[cfg(test)]
mod tests {
    use lograil_testkit::batches::batch_of_json;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOON: i64 = 1_767_355_200_000_000_000;

    fn render(
        template: &str,
        default: Option<&str>,
        event: serde_json::Value,
    ) -> Result<String, String> {
        render_with(PathTemplate::parse(template, default).unwrap().unwrap(), event)
    }

    fn render_with(mut template: PathTemplate, event: serde_json::Value) -> Result<String, String> {
        let batch = batch_of_json(&[event]);
        template.prepare(&batch);
        let mut path = String::new();
        template.render(&batch, 0, NOON, &mut path).map(|()| path)
    }

    #[test]
    fn fields_and_the_time_become_the_path() {
        let event = json!({"service": "pay", "http": {"status": 503}});
        let path =
            render("/l/{service}/%Y/%m-%d_%H/{http.status}%%{{x}}.log", None, event).unwrap();
        assert_eq!(path, "/l/pay/2026/01-02_12/503%{x}.log");
        assert!(PathTemplate::parse("plain/a.log", None).unwrap().is_none());
    }

    #[test]
    fn a_missing_field_is_a_reason_or_the_default() {
        let event = || json!({"service": ""});
        assert_eq!(render("{service}.log", Some("none"), event()).unwrap(), "none.log");
        let reason = render("{host}.log", None, event()).unwrap_err();
        assert_eq!(reason, "the path needs the field `host`");
    }

    #[test]
    fn a_field_that_is_null_is_missing_too() {
        let event = || json!({"tenant": null, "http": {"host": null}});
        for template in ["l/{tenant}/a.log", "l/{http.host}/a.log"] {
            assert_eq!(render(template, Some("none"), event()).unwrap(), "l/none/a.log");
            let reason = render(template, None, event()).unwrap_err();
            assert!(reason.starts_with("the path needs the field `"), "{reason}");
        }
        let text = json!({"tenant": "null"});
        assert_eq!(render("l/{tenant}/a.log", None, text).unwrap(), "l/null/a.log");
    }

    #[test]
    fn no_value_leads_elsewhere() {
        let of = |value: &str| render("d/{a}/x.log", None, json!({ "a": value }));
        assert_eq!(of("../../etc").unwrap(), "d/.._.._etc/x.log");
        assert_eq!(of("a\0b\nc").unwrap(), "d/a_b_c/x.log");
        assert!(of("..").is_err() && of(".").is_err() && of(&"x".repeat(201)).is_err());
        assert!(render("d/{a}{a}", None, json!({ "a": "." })).is_err());
        assert!(render("d/.{a}", None, json!({ "a": "." })).is_err());
        assert!(render("d/{a}", None, json!({ "a": ".." })).is_err());
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let at = |template: &str| {
            let error = PathTemplate::parse(template, None).err().unwrap();
            (error.message, error.within.unwrap())
        };
        assert_eq!(at("a/%q.log").1, 2..3);
        assert_eq!(at("a/{x").1, 2..4);
        assert_eq!(at("a}").1, 1..2);
    }

    #[test]
    fn no_value_names_a_file_of_the_sinks_own() {
        for name in [".id.openings", ".id.openings.new", ".web.packing"] {
            let event = || json!({ "a": name });
            let reason = render("d/{a}", None, event()).unwrap_err();
            assert_eq!(reason, format!("`{name}` is a name that the sink itself uses"));
            assert!(render("d/{a}/x", None, event()).is_err(), "nor a directory: {name}");
            assert!(render("d/{a}.log", None, event()).is_ok(), "{name}.log");
        }
        assert!(render("d/{a}", None, json!({ "a": "x.openings" })).is_ok());
    }

    #[test]
    fn no_value_names_a_backup_where_files_are_rotated() {
        let rendered = |template: &str, value: &str| {
            let template = PathTemplate::parse(template, None).unwrap().unwrap();
            render_with(template.rotating(), json!({ "a": value }))
        };
        for name in ["web.1", "web.1.gz", "web.20.zst", "10.0.0.9"] {
            let reason = rendered("d/{a}", name).unwrap_err();
            assert!(reason.starts_with(&format!("`{name}` could be an old file of `")), "{reason}");
            assert!(render("d/{a}", None, json!({ "a": name })).is_ok(), "nothing is rotated");
            assert!(rendered("d/{a}.log", name).is_ok(), "no backup ends so");
            assert!(rendered("d/{a}/x", name).is_ok(), "a directory");
        }
        for name in ["web", "web1", "web.01", "web.1.xz", "web.x1", ".1"] {
            assert_eq!(rendered("d/{a}", name).unwrap(), format!("d/{name}"));
        }
        // A literal or a time may end so, as long as no other path can be what comes before.
        assert!(rendered("d/{a}.log.%Y%m%d", "web").is_ok());
        assert!(rendered("d/{a}.%Y%m%d", "web").is_ok());
        assert!(rendered("d/{a}.%Y%m%d", "web.20260101").is_err());
        assert!(rendered("d/%Y.%d", "").is_ok());
        assert!(rendered("d/a-{a}.{a}", "9").is_ok());
        assert!(rendered("d/a-{a}.{a}", "x.9").is_err());
    }

    proptest! {
        #[test]
        fn every_value_stays_within_its_component(value in ".{0,40}") {
            if let Ok(path) = render("d/{a}/x", None, json!({ "a": value })) {
                prop_assert_eq!(path.matches('/').count(), 2);
                let inner = path.strip_prefix("d/").unwrap().strip_suffix("/x").unwrap();
                prop_assert!(inner != "." && inner != ".." && !inner.is_empty());
            }
        }
    }
}
