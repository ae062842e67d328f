//! What a component says about itself: its name, its manual, its options, how it is built.

use serde_json::Value;

use crate::error::ConfigErrors;
use crate::options::Options;
use crate::sink::Sink;
use crate::source::Source;
use crate::transform::Transform;

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Brings events in.
    Source,
    /// Changes, drops or splits them.
    Transform,
    /// Delivers them.
    Sink,
}

impl Kind {
    /// `source`, `transform` or `sink`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Sink => "sink",
        }
    }

    /// The table of the topology file that holds this kind.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Transform => "transforms",
            Self::Sink => "sinks",
        }
    }
}

/// An output of a component. Port 0 is the unnamed one; every component also has [`Port::DEAD_LETTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

impl Port {
    /// The output that `inputs = ["id"]` means.
    pub const MAIN: Self = Self(0);
    /// The output that `inputs = ["id.dead_letter"]` means: refused events, with the reason.
    pub const DEAD_LETTER: Self = Self(u16::MAX);
    /// The name of [`Port::DEAD_LETTER`] in `inputs`.
    pub const DEAD_LETTER_NAME: &'static str = "dead_letter";
}

/// What a component's code does to the thread it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threading {
    /// Never blocks; shares the runtime's threads.
    Async,
    /// May block in file or device calls; gets a thread of its own.
    Blocking,
}

type Builder<T> = &'static (dyn Fn(&Options) -> Result<Box<T>, ConfigErrors> + Sync);

/// How a component is made from its options. Building has no effect outside: `lograil check` builds too.
#[derive(Clone, Copy)]
pub enum Build {
    /// Makes a source.
    Source(Builder<dyn Source>),
    /// Makes a transform.
    Transform(Builder<dyn Transform>),
    /// Makes a sink.
    Sink(Builder<dyn Sink>),
}

/// A component type. Built-in ones are `const`; those of plugins live as long as the program.
#[derive(Clone, Copy)]
pub struct ComponentSpec {
    /// What `type = "..."` says.
    pub name: &'static str,
    /// One sentence for the catalogue.
    pub summary: &'static str,
    /// The manual in Markdown: the component's README.md.
    pub manual: &'static str,
    /// The JSON Schema of the options (draft 2020-12).
    pub schema: fn() -> Value,
    /// Names of the ports beyond the unnamed one, in the order of their numbers from 1. May depend on the
    /// options, which are not yet checked when this is asked.
    pub ports: fn(&Value) -> Vec<String>,
    /// What no other component of the topology may use at the same time, such as `file /var/log/out.log`.
    pub claims: fn(&Value) -> Vec<String>,
    /// What it does to its thread.
    pub threading: Threading,
    /// How it is made.
    pub build: Build,
}

impl ComponentSpec {
    /// Whether it is a source, a transform or a sink.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.build {
            Build::Source(_) => Kind::Source,
            Build::Transform(_) => Kind::Transform,
            Build::Sink(_) => Kind::Sink,
        }
    }
}

impl std::fmt::Debug for ComponentSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ComponentSpec({} {})", self.kind().name(), self.name)
    }
}

/// For [`ComponentSpec::ports`]: no port beyond the unnamed one.
#[must_use]
pub fn no_ports(_: &Value) -> Vec<String> {
    Vec::new()
}

/// For [`ComponentSpec::claims`]: nothing exclusive.
#[must_use]
pub fn no_claims(_: &Value) -> Vec<String> {
    Vec::new()
}

/// For [`ComponentSpec::schema`]: the schema of an options type.
#[must_use]
pub fn schema_of<T: schemars::JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// All component types that a topology may name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    specs: Vec<ComponentSpec>,
}

impl Catalogue {
    /// A catalogue of the given types.
    #[must_use]
    pub fn new(specs: impl IntoIterator<Item = ComponentSpec>) -> Self {
        let mut specs: Vec<_> = specs.into_iter().collect();
        specs.sort_by_key(|spec| (spec.kind(), spec.name));
        Self { specs }
    }

    /// The type of a kind and a name.
    #[must_use]
    pub fn find(&self, kind: Kind, name: &str) -> Option<&ComponentSpec> {
        self.specs.iter().find(|spec| spec.kind() == kind && spec.name == name)
    }

    /// All types, ordered by kind and name.
    pub fn iter(&self) -> impl Iterator<Item = &ComponentSpec> {
        self.specs.iter()
    }
}
