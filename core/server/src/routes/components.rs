//! The component types that a topology may name, with their manuals.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ComponentSpec, Kind};
use serde::Serialize;
use serde_json::Value;

use crate::parameter::{Parameter, ParameterKind};
use crate::problem::Problem;
use crate::route::{Answer, Asked, Content, Method, Route, json};

const KINDS: &[&str] = &["source", "transform", "sink"];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/components",
        tag: "topology",
        summary: "The component types that a topology may name, those of plugins included.",
        parameters: &[Parameter::query(
            "kind",
            ParameterKind::Choice { of: KINDS, default: None },
            "Only this kind.",
        )],
        body: None,
        answer: Content::json::<ComponentsAnswer>(),
        problems: &[],
        handler: components,
    },
    Route {
        method: Method::Get,
        path: "/components/{kind}/{name}",
        tag: "topology",
        summary: "The manual of a component type, and the JSON Schema of its options.",
        parameters: &[
            Parameter::path(
                "kind",
                ParameterKind::Choice { of: KINDS, default: None },
                "`source`, `transform` or `sink`.",
            ),
            Parameter::path(
                "name",
                ParameterKind::Text { bytes_max: 128 },
                "What `type` says in the topology.",
            ),
        ],
        body: None,
        answer: Content::json::<ComponentAnswer>(),
        problems: &[404],
        handler: component,
    },
];

/// Component types.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ComponentsAnswer {
    /// By kind and name.
    components: Vec<ComponentType>,
}

/// A component type.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ComponentType {
    /// What `type` says in the topology.
    name: &'static str,
    /// `source`, `transform` or `sink`.
    kind: &'static str,
    /// What it does, in a sentence.
    summary: &'static str,
    /// The components of the running topology that are of this type.
    used_by: Vec<String>,
}

/// A component type with its manual.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ComponentAnswer {
    #[serde(flatten)]
    component: ComponentType,
    /// The manual, in Markdown.
    manual: &'static str,
    /// The JSON Schema of the options.
    schema: Value,
}

fn describe(asked: &Asked, spec: &ComponentSpec) -> ComponentType {
    let kind = spec.kind().name();
    let running = asked.shared.state.observer.status().components;
    let of_type =
        running.into_iter().filter(|one| one.kind == kind && one.component_type == spec.name);
    let used_by = of_type.map(|one| one.id).collect();
    ComponentType { name: spec.name, kind, summary: spec.summary, used_by }
}

fn components(asked: Asked) -> Answer {
    Box::pin(async move {
        let wanted = asked.parameters.text("kind");
        let described = asked.shared.described();
        let specs = described.catalogue.iter();
        let specs = specs.filter(|spec| wanted.is_none_or(|kind| spec.kind().name() == kind));
        json(&ComponentsAnswer { components: specs.map(|spec| describe(&asked, spec)).collect() })
    })
}

fn component(asked: Asked) -> Answer {
    Box::pin(async move {
        let kind = match asked.parameters.text("kind") {
            Some("source") => Kind::Source,
            Some("transform") => Kind::Transform,
            _ => Kind::Sink,
        };
        let name = asked.parameters.text("name").unwrap_or_default();
        let described = asked.shared.described();
        let Some(spec) = described.catalogue.find(kind, name) else {
            let detail = format!("there is no {} of this type; see /components", kind.name());
            return Err(Problem::not_found(detail));
        };
        let component = describe(&asked, spec);
        json(&ComponentAnswer { component, manual: spec.manual, schema: (spec.schema)() })
    })
}
