//! What the screen shows, and how it changes. Knows no terminal.

use std::collections::VecDeque;

use serde::Deserialize;

/// Lines of a tap that are kept.
const LINES_MAX: usize = 500;

/// Rates that are kept for the curve.
const RATES_MAX: usize = 300;

/// `/topology`, as far as it is shown.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Topology {
    pub uptime_seconds: f64,
    pub in_flight_batches: u64,
    pub components: Vec<Component>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Component {
    pub id: String,
    pub kind: String,
    pub component_type: String,
    pub inputs: Vec<String>,
    pub ledger: Ledger,
    pub in_flight_events: i64,
    pub errors: u64,
    pub received_events_per_second: f64,
    pub sent_events_per_second: f64,
    pub utilisation: f64,
    pub buffer: Option<Buffer>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ledger {
    pub discarded: u64,
    pub dead_lettered: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Buffer {
    pub events: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
}

impl Component {
    /// How full the edge in front of it is, 0 to 1.
    pub fn buffer_fill(&self) -> Option<f64> {
        let buffer = self.buffer.as_ref()?;
        Some(buffer.bytes as f64 / buffer.capacity_bytes.max(1) as f64)
    }

    /// How long what waits in front of it takes at the rate it has now.
    pub fn lag_seconds(&self) -> Option<f64> {
        let waiting = self.buffer.as_ref()?.events as f64;
        Some(if waiting > 0.0 { waiting / self.received_events_per_second.max(0.1) } else { 0.0 })
    }
}

/// How the components are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Table,
    Graph,
}

/// Live events of one component.
#[derive(Debug)]
pub(super) struct Tap {
    pub id: String,
    pub lines: VecDeque<String>,
    pub is_paused: bool,
    number: u64,
}

/// What the screen shows.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub topology: Option<Topology>,
    /// Why the last question had no answer.
    pub problem: Option<String>,
    pub selected: usize,
    pub view: View,
    pub tap: Option<Tap>,
    /// Events that all sources read in a second, the newest last.
    pub rates: VecDeque<u64>,
    taps: u64,
}

/// An event in few words, if it has a message: the rest of it would hide that behind the edge of the screen.
fn short(line: String) -> String {
    let Ok(serde_json::Value::Object(event)) = serde_json::from_str(&line) else { return line };
    let text = |name: &str| event.get(name).and_then(serde_json::Value::as_str);
    let Some(message) = text("message") else { return line };
    let head = ["timestamp", "level", "service"].into_iter().filter_map(text);
    head.chain([message]).collect::<Vec<_>>().join(" ")
}

impl Model {
    pub fn take(&mut self, topology: Result<Topology, String>) {
        match topology {
            Err(problem) => self.problem = Some(problem),
            Ok(mut topology) => {
                // What the program itself adds is shown once it does something.
                topology
                    .components
                    .retain(|one| !one.id.contains(':') || one.received_events_per_second > 0.0);
                let sources = topology.components.iter().filter(|one| one.kind == "source");
                let rate: f64 = sources.map(|one| one.received_events_per_second).sum();
                self.rates.push_back(rate as u64);
                if self.rates.len() > RATES_MAX {
                    self.rates.pop_front();
                }
                self.problem = None;
                self.topology = Some(topology);
                self.select(0);
            }
        }
    }

    pub fn components(&self) -> &[Component] {
        self.topology.as_ref().map_or(&[], |topology| &topology.components)
    }

    /// Moves the selection.
    pub fn select(&mut self, by: isize) {
        let last = self.components().len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    pub fn switch_view(&mut self) {
        self.view = if self.view == View::Table { View::Graph } else { View::Table };
    }

    /// Listens to the selected component; to none if that was it. Whether that is a change.
    pub fn switch_tap(&mut self) -> bool {
        let Some(component) = self.components().get(self.selected) else { return false };
        let id = component.id.clone();
        if self.tap_of() == Some(&id) {
            return self.end_tap();
        }
        self.taps += 1;
        self.tap = Some(Tap { id, lines: VecDeque::new(), is_paused: false, number: self.taps });
        true
    }

    /// Whether there was a tap to end.
    pub fn end_tap(&mut self) -> bool {
        self.tap.take().is_some()
    }

    pub fn tap_of(&self) -> Option<&str> {
        self.tap.as_ref().map(|tap| tap.id.as_str())
    }

    /// Tells the taps apart: lines of one that was left may still be under way.
    pub fn tap_number(&self) -> u64 {
        self.taps
    }

    pub fn tapped(&mut self, number: u64, line: String) {
        let Some(tap) = self.tap.as_mut().filter(|tap| tap.number == number && !tap.is_paused)
        else {
            return;
        };
        tap.lines.push_back(short(line));
        if tap.lines.len() > LINES_MAX {
            tap.lines.pop_front();
        }
    }

    pub fn pause(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.is_paused = !tap.is_paused;
        }
    }
}
