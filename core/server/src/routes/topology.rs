//! What runs: the topology with its rates, the ledgers, the configuration, the plugins.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_runtime::{ComponentStatus, TopologyStatus};
use serde::Serialize;
use serde_json::Value;

use crate::admin::{PluginInfo, ReloadReport};
use crate::route::{Answer, Asked, Content, Method, Route, json};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/topology",
        tag: "topology",
        summary: "Every running component: inputs, ledger, rates, utilisation, how full its buffer is.",
        parameters: &[],
        body: None,
        answer: Content::json::<TopologyStatus>(),
        problems: &[],
        handler: topology,
    },
    Route {
        method: Method::Get,
        path: "/ledger",
        tag: "topology",
        summary: "What became of the events, and that none is missing: received + created = sent + discarded \
            + dead_lettered + in_flight, for every component.",
        parameters: &[],
        body: None,
        answer: Content::json::<LedgerAnswer>(),
        problems: &[],
        handler: ledger,
    },
    Route {
        method: Method::Get,
        path: "/config",
        tag: "topology",
        summary: "The running configuration as it was understood, defaults included, secrets as ***.",
        parameters: &[],
        body: None,
        answer: Content::json::<Value>(),
        problems: &[],
        handler: config,
    },
    Route {
        method: Method::Get,
        path: "/plugins",
        tag: "topology",
        summary: "The plugins that are loaded: versions, exchanges, the components that run on them and their errors.",
        parameters: &[],
        body: None,
        answer: Content::json::<PluginsAnswer>(),
        problems: &[],
        handler: plugins,
    },
];

/// The delivery ledgers.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LedgerAnswer {
    /// Every component, inputs before those they feed.
    components: Vec<LedgerLine>,
}

/// What became of the events of one component.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LedgerLine {
    /// Its id in the topology.
    id: String,
    /// `source`, `transform` or `sink`.
    kind: &'static str,
    /// Events taken in.
    received: u64,
    /// Events made beyond those received.
    created: u64,
    /// Events passed on; for a sink: durable.
    sent: u64,
    /// Events dropped as configured.
    discarded: u64,
    /// Events refused, with a reason.
    dead_lettered: u64,
    /// Events inside; below zero where more came out than went in, which is a bug.
    in_flight: i64,
}

/// The plugins.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct PluginsAnswer {
    /// In the order they were loaded.
    plugins: Vec<PluginLine>,
    /// The last time that the topology was read again, if it was.
    reload: Option<ReloadReport>,
}

/// A plugin and what runs on it.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct PluginLine {
    #[serde(flatten)]
    plugin: PluginInfo,
    /// `running`, or `unused` where the topology has no component of it.
    state: &'static str,
    /// The ids of the running components that are of it.
    used_by: Vec<String>,
    /// Their errors so far, retries included.
    errors: u64,
    /// Events that they refused.
    dead_lettered: u64,
    /// Instances whose call does not return: left behind, each with a thread and its memory.
    left_behind: usize,
}

impl PluginLine {
    fn new(plugin: &PluginInfo, running: &[ComponentStatus]) -> Self {
        let is_of_it = |one: &&ComponentStatus| {
            let name = format!("{} {}", one.kind, one.component_type);
            plugin.components.contains(&name)
        };
        let of_it: Vec<&ComponentStatus> = running.iter().filter(is_of_it).collect();
        Self {
            plugin: plugin.clone(),
            left_behind: (plugin.left_behind)(&plugin.name),
            state: if of_it.is_empty() { "unused" } else { "running" },
            errors: of_it.iter().map(|one| one.errors).sum(),
            dead_lettered: of_it.iter().map(|one| one.ledger.dead_lettered).sum(),
            used_by: of_it.into_iter().map(|one| one.id.clone()).collect(),
        }
    }
}

fn topology(asked: Asked) -> Answer {
    Box::pin(async move { json(&asked.shared.state.observer.status()) })
}

fn ledger(asked: Asked) -> Answer {
    Box::pin(async move {
        let status = asked.shared.state.observer.status();
        let line = |component: &ComponentStatus| {
            let ledger = component.ledger;
            LedgerLine {
                id: component.id.clone(),
                kind: component.kind,
                received: ledger.received,
                created: ledger.created,
                sent: ledger.sent,
                discarded: ledger.discarded,
                dead_lettered: ledger.dead_lettered,
                in_flight: i64::try_from(component.in_flight_events).unwrap_or(i64::MAX),
            }
        };
        json(&LedgerAnswer { components: status.components.iter().map(line).collect() })
    })
}

fn config(asked: Asked) -> Answer {
    Box::pin(async move { json(&asked.shared.described().configuration) })
}

fn plugins(asked: Asked) -> Answer {
    Box::pin(async move {
        let described = asked.shared.described();
        let running = asked.shared.state.observer.status().components;
        let line = |plugin| PluginLine::new(plugin, &running);
        let plugins = described.plugins.iter().map(line).collect();
        json(&PluginsAnswer { plugins, reload: described.reload.clone() })
    })
}
