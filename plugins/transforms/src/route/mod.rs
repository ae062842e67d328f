//! The transform `route`: events go to the named outputs whose conditions are true.

mod lanes;

use lograil_event::{Batch, Selection};
use lograil_expr::Stretch;
use lograil_plugin::spec::{no_claims, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigError, ConfigErrors, Outputs, Port, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::condition::OptionCondition;
use lanes::Lanes;

/// The output of the events that no condition matches.
const UNMATCHED: &str = "_unmatched";

/// Most routes: a condition each is evaluated for every event.
const ROUTES_MAX: usize = 256;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "route",
    summary: "Sends events to the named outputs whose conditions are true.",
    manual: include_str!("README.md"),
    schema: schema_of::<RouteOptions>,
    ports: ports_of,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Route::new(options.parse()?)?))),
};

/// Options of `route`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RouteOptions {
    /// The outputs and their conditions: `route.errors = '.level == "ERROR"'`.
    route: Lanes,
    /// Whether an event goes only to the first output whose condition is true, in the order of the file.
    #[serde(default)]
    exclusive: bool,
    /// Whether events that no condition matches go to the output `_unmatched`; otherwise they are dropped.
    #[serde(default = "default_reroute_unmatched")]
    reroute_unmatched: bool,
}

fn default_reroute_unmatched() -> bool {
    true
}

/// The names of the routes in the order of the file, then that of the unmatched.
fn ports_of(options: &Value) -> Vec<String> {
    let routes = options["route"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let reroutes = options["reroute_unmatched"].as_bool().unwrap_or(true);
    routes.chain(reroutes.then(|| UNMATCHED.to_owned())).collect()
}

struct Route {
    conditions: Vec<OptionCondition>,
    exclusive: bool,
    reroute_unmatched: bool,
    /// For each lane, which events of the current batch take it; the last lane is that of the unmatched.
    taken: Vec<Selection>,
    /// How many take it.
    counts: Vec<usize>,
}

impl Route {
    fn new(options: RouteOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let routes = options.route.0;
        if routes.is_empty() {
            let error = ConfigError::new(["route"], "there is no route");
            errors.push(error.help("add one: `route.errors = '.level == \"ERROR\"'`"));
        }
        if routes.len() > ROUTES_MAX {
            let message = format!("{} routes are more than {ROUTES_MAX}", routes.len());
            let help = "chain several `route` transforms by their output `_unmatched`";
            errors.push(ConfigError::new(["route"], message).help(help));
        }
        let mut conditions = Vec::new();
        for (name, condition) in &routes {
            errors.extend(mistake_in_name(name));
            conditions.extend(OptionCondition::compile(&["route", name], condition, &mut errors));
        }
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        Ok(Self {
            taken: vec![Selection::default(); conditions.len() + 1],
            counts: Vec::new(),
            conditions,
            exclusive: options.exclusive,
            reroute_unmatched: options.reroute_unmatched,
        })
    }

    /// Fills `taken` and `counts`: a stretch of events after the other, and for each one condition after the other.
    fn choose(&mut self, batch: &Batch) {
        self.taken.iter_mut().for_each(Selection::clear);
        let Some((unmatched, lanes)) = self.taken.split_last_mut() else { return };
        let mut tests: Vec<_> = self.conditions.iter_mut().map(|test| test.bind(batch)).collect();
        let mut stretch = Stretch::new(batch);
        while stretch.all() != 0 {
            let mut left = stretch.all();
            for (lane, test) in lanes.iter_mut().zip(&mut tests) {
                let wanted = if self.exclusive { left } else { stretch.all() };
                let takes = test.holds_in(&mut stretch, wanted);
                left &= !takes;
                lane.push(takes);
            }
            unmatched.push(left);
            stretch.advance();
        }
        self.counts.clear();
        self.counts.extend(self.taken.iter().map(Selection::count));
    }
}

fn mistake_in_name(name: &str) -> Option<ConfigError> {
    let at = ["route", name];
    if name == UNMATCHED || name == Port::DEAD_LETTER_NAME {
        let message = format!("the output `{name}` is there already");
        return Some(ConfigError::new(at, message).help("give the route another name"));
    }
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    (name.is_empty() || !is_plain).then(|| {
        let message = format!("`{name}` is no name of an output");
        ConfigError::new(at, message).help("use letters, digits, `_` and `-`")
    })
}

impl Transform for Route {
    fn has_unnamed_output(&self) -> bool {
        false
    }

    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        for condition in &mut self.conditions {
            condition.start(&context);
        }
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let events = batch.len();
        self.choose(&batch);
        let unmatched = self.conditions.len();
        let matched = events - self.counts[unmatched];
        if !self.reroute_unmatched {
            out.discard("unmatched", self.counts[unmatched]);
            self.counts[unmatched] = 0;
        }
        let routed: usize = self.counts[..unmatched].iter().sum();
        out.create(routed - matched);
        let Some(last) = self.counts.iter().rposition(|count| *count > 0) else {
            // Nothing goes on, but somebody waits for the acknowledgement.
            batch.retain(|_| false);
            out.emit(batch);
            return;
        };
        for lane in (0..last).filter(|lane| self.counts[*lane] > 0) {
            out.emit_to(Port(lane as u16 + 1), batch.share_of(&self.taken[lane]));
        }
        if self.counts[last] < events {
            batch.keep(&self.taken[last]);
        }
        out.emit_to(Port(last as u16 + 1), batch);
    }
}

#[cfg(test)]
mod tests;
