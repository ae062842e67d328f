//! Presets: what stack traces look like, language by language.
//!
//! Written from what the runtimes print; each language's file says what that is. A trace that follows a line
//! of the log (`ERROR request failed`, then the exception) belongs to that line.

mod dotnet;
mod go;
mod java;
mod php;
mod python;
mod ruby;

#[cfg(test)]
mod tests;

use lograil_plugin::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::Step;

/// Rules that are known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "lograil_plugin::schemars")]
pub enum Preset {
    /// Lines that begin with a blank or a tab belong to the line before.
    Indent,
    /// Stack traces of Java, Kotlin and Scala.
    Java,
    /// Tracebacks of Python, with their chains.
    Python,
    /// Panics and goroutine dumps of Go.
    Go,
    /// Backtraces of Ruby.
    Ruby,
    /// Stack traces of .NET.
    Dotnet,
    /// Stack traces of PHP.
    Php,
    /// Stack traces of any of these languages.
    Any,
}

/// Where in a trace the last line was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A line of the log, or lines that belong to it.
    Record,
    /// The line that names what went wrong.
    Header,
    /// The calls that led to it.
    Frames,
    /// A line that ends the trace, unless there is a chain.
    Closed,
    /// An empty line that may lead to a further part of the trace.
    Gap,
    /// What announces a further part of the trace.
    Chain,
}

/// Where in which language's trace the last line was.
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    language: Option<Language>,
    place: Place,
}

/// How the lines of one language's traces follow each other.
#[derive(Debug, Clone, Copy)]
struct Language {
    first: fn(&[u8]) -> Place,
    step: fn(Place, &[u8]) -> Step<Place>,
}

const INDENT: Language = Language {
    first: |_| Place::Record,
    step: |place, line| if is_indented(line) { Step::Join(place) } else { Step::Break },
};

/// The first line of an exception does not tell these two apart.
const JAVA_OR_DOTNET: Language = Language {
    first: |line| match (java::RULES.first)(line) {
        Place::Record => (dotnet::RULES.first)(line),
        place => place,
    },
    step: |place, line| match (java::RULES.step)(place, line) {
        Step::Break => (dotnet::RULES.step)(place, line),
        step => step,
    },
};

const ANY: [Language; 5] = [JAVA_OR_DOTNET, python::RULES, go::RULES, ruby::RULES, php::RULES];

impl Preset {
    fn language(self) -> Option<Language> {
        match self {
            Self::Indent => Some(INDENT),
            Self::Java => Some(java::RULES),
            Self::Python => Some(python::RULES),
            Self::Go => Some(go::RULES),
            Self::Ruby => Some(ruby::RULES),
            Self::Dotnet => Some(dotnet::RULES),
            Self::Php => Some(php::RULES),
            Self::Any => None,
        }
    }

    /// Where an event's first line is.
    #[must_use]
    pub fn first(self, line: &[u8]) -> Trace {
        if let Some(language) = self.language() {
            return Trace { language: Some(language), place: (language.first)(line) };
        }
        let begins = |language: &Language| {
            let place = (language.first)(line);
            (place != Place::Record).then_some(Trace { language: Some(*language), place })
        };
        // Which language an indented line is of shows later.
        let found = if is_indented(line) { None } else { ANY.iter().find_map(begins) };
        found.unwrap_or(Trace { language: None, place: Place::Record })
    }

    /// What a further line does to a trace.
    #[must_use]
    pub fn step(self, trace: Trace, line: &[u8]) -> Step<Trace> {
        let with = |language: Option<Language>, step: Step<Place>| match step {
            Step::Join(place) => Step::Join(Trace { language, place }),
            Step::Perhaps(place) => Step::Perhaps(Trace { language, place }),
            Step::Break => Step::Break,
        };
        if let Some(language) = trace.language {
            return with(Some(language), (language.step)(trace.place, line));
        }
        for language in ANY {
            match (language.step)(trace.place, line) {
                Step::Break => {}
                // A line that only is indented says nothing of the language.
                Step::Join(Place::Record) => return with(None, Step::Join(Place::Record)),
                step => return with(Some(language), step),
            }
        }
        Step::Break
    }
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// Whether a line begins with a class name with its package, such as `java.io.IOException` or
/// `System.Net.Http.HttpRequestException`, that ends with one of `endings` and is followed by nothing or `:`.
fn names_exception(line: &[u8], endings: &[&[u8]]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let len = line.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = line.split_at(len);
    name.contains(&b'.')
        && endings.iter().any(|ending| name.ends_with(ending))
        && matches!(rest.first(), None | Some(b':'))
}
