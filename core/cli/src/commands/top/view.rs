//! Drawing the model.

use std::fmt::Write;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, List, ListItem, ListState, Paragraph, Row, Sparkline, Table, TableState,
};

use super::model::{Component, Model, Tap, Topology, View};
use crate::output;

/// Columns: the name, the least width, and from which width of the screen on there is room for it.
const COLUMNS: [(&str, u16, u16); 11] = [
    ("COMPONENT", 18, 0),
    ("TYPE", 12, 84),
    ("IN/s", 7, 0),
    ("OUT/s", 7, 0),
    ("BUSY", 6, 0),
    ("BUFFER", 7, 62),
    ("LAG", 7, 70),
    ("IN FLIGHT", 10, 96),
    ("DISCARDED", 10, 108),
    ("REFUSED", 8, 52),
    ("ERRORS", 7, 0),
];

const KEYS: &str = " j k select   t listen   p pause   g graph   q leave";

/// What is near its limit is shown in red from here on.
const HIGH: f64 = 0.9;

pub(super) fn draw(frame: &mut Frame, model: &Model) {
    let tap_height =
        if model.tap.is_some() { Constraint::Percentage(45) } else { Constraint::Length(0) };
    let areas = [Constraint::Length(4), Constraint::Min(5), tap_height, Constraint::Length(1)];
    let [head, components, tap, keys] = Layout::vertical(areas).areas(frame.area());
    draw_head(frame, head, model);
    match model.view {
        View::Table => draw_table(frame, components, model),
        View::Graph => draw_graph(frame, components, model),
    }
    if let Some(shown) = &model.tap {
        draw_tap(frame, tap, shown);
    }
    frame.render_widget(Paragraph::new(KEYS).dim(), keys);
}

fn draw_head(frame: &mut Frame, area: Rect, model: &Model) {
    let [figures, problem] =
        Layout::vertical([Constraint::Min(3), Constraint::Length(1)]).areas(area);
    let [text, curve] =
        Layout::horizontal([Constraint::Length(44), Constraint::Min(10)]).areas(figures);
    let rate = model.rates.back().copied().unwrap_or_default();
    let mut lines = vec![Line::from(vec![
        "lograil".bold(),
        format!("  {} events/s in", number(rate as f64)).into(),
    ])];
    if let Some(topology) = &model.topology {
        lines.push(Line::from(format!(
            "up {}, {} in flight",
            time(topology.uptime_seconds),
            output::counted(topology.in_flight_batches, "batch", "batches")
        )));
    }
    frame.render_widget(Paragraph::new(lines), text);
    if let Some(told) = &model.problem {
        let old = if model.topology.is_some() { "no answer, this is old: " } else { "" };
        frame.render_widget(Paragraph::new(format!("{old}{told}").red()), problem);
    }
    let width = usize::from(curve.width);
    let rates: Vec<u64> =
        model.rates.iter().skip(model.rates.len().saturating_sub(width)).copied().collect();
    frame
        .render_widget(Sparkline::default().data(rates).style(Style::new().fg(Color::Blue)), curve);
}

/// The cells of a component, in the order of [`COLUMNS`].
fn cells(component: &Component) -> [String; 11] {
    let percent = |part: f64| format!("{:.0}%", part * 100.0);
    [
        component.id.clone(),
        component.component_type.clone(),
        number(component.received_events_per_second),
        number(component.sent_events_per_second),
        if component.kind == "source" { "-".to_owned() } else { percent(component.utilisation) },
        component.buffer_fill().map_or("-".to_owned(), percent),
        component.lag_seconds().map_or("-".to_owned(), lag),
        component.in_flight_events.to_string(),
        component.ledger.discarded.to_string(),
        component.ledger.dead_lettered.to_string(),
        component.errors.to_string(),
    ]
}

fn draw_table(frame: &mut Frame, area: Rect, model: &Model) {
    let fits = |(_, _, from): &(&str, u16, u16)| area.width >= *from;
    let row = |component: &Component| {
        let is_high =
            component.utilisation > HIGH || component.buffer_fill().is_some_and(|fill| fill > HIGH);
        let is_wrong = component.in_flight_events < 0
            || component.errors > 0
            || component.ledger.dead_lettered > 0;
        let colour = match (is_wrong, is_high) {
            (true, _) => Color::Red,
            (false, true) => Color::Yellow,
            _ => Color::Reset,
        };
        let cells = cells(component).into_iter().zip(COLUMNS);
        Row::new(cells.filter(|(_, column)| fits(column)).map(|(cell, _)| cell))
            .style(Style::new().fg(colour))
    };
    let rows: Vec<Row> = model.components().iter().map(row).collect();
    let shown: Vec<_> = COLUMNS.into_iter().filter(fits).collect();
    let heads = shown.iter().map(|(name, ..)| *name);
    let table = Table::new(rows, shown.iter().map(|(_, width, _)| Constraint::Min(*width)))
        .header(Row::new(heads).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(model.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Every component below what it reads from.
fn draw_graph(frame: &mut Frame, area: Rect, model: &Model) {
    let components = model.components();
    let item = |component: &Component| {
        let depth = depth(components, component, 0);
        let arrow = if depth == 0 { "" } else { "└─ " };
        let inputs = if component.inputs.is_empty() {
            String::new()
        } else {
            format!("  ← {}", component.inputs.join(", "))
        };
        ListItem::new(Line::from(vec![
            Span::raw(format!("{}{arrow}", "   ".repeat(depth))),
            component.id.clone().bold(),
            Span::raw(format!(
                " ({})  {}/s",
                component.component_type,
                number(component.sent_events_per_second)
            )),
            inputs.dim(),
        ]))
    };
    let list = List::new(components.iter().map(item).collect::<Vec<_>>())
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = ListState::default().with_selected(Some(model.selected));
    frame.render_stateful_widget(list, area, &mut state);
}

/// How many components lie between it and a source, the longest way. A topology has no cycle.
fn depth(components: &[Component], of: &Component, seen: usize) -> usize {
    let reads = |input: &String, id: &str| {
        input == id || input.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'))
    };
    let inputs =
        components.iter().filter(|one| of.inputs.iter().any(|input| reads(input, &one.id)));
    if seen >= components.len() {
        return seen;
    }
    inputs.map(|input| depth(components, input, seen + 1) + 1).max().unwrap_or(0)
}

fn draw_tap(frame: &mut Frame, area: Rect, tap: &Tap) {
    let state = if tap.is_paused { " (paused)" } else { "" };
    let block = Block::bordered().title(format!(" {}{state} ", tap.id));
    let room = usize::from(area.height.saturating_sub(2));
    let lines = tap.lines.iter().skip(tap.lines.len().saturating_sub(room));
    // Log text is shown as text: control characters could move the cursor.
    let clean = |line: &String| Line::from(line.replace(|c: char| c.is_control(), "·"));
    frame.render_widget(Paragraph::new(lines.map(clean).collect::<Vec<_>>()).block(block), area);
}

/// The table without a screen.
pub(super) fn plain(topology: &Topology) -> String {
    let rows: Vec<[String; 11]> = topology.components.iter().map(cells).collect();
    let heads = COLUMNS.map(|(name, ..)| name);
    let mut widths = heads.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(heads.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing to a string does not fail.
            let _written = match at {
                0 | 1 => write!(line, "{cell:<width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn number(value: f64) -> String {
    match value {
        1e6.. => format!("{:.1}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

/// A delay: to a tenth of a second where it is short.
fn lag(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1} s") } else { time(seconds) }
}

fn time(seconds: f64) -> String {
    let seconds = seconds as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;

    fn component(id: &str, kind: &str, inputs: &[&str], rate: f64) -> serde_json::Value {
        json!({
            "id": id, "kind": kind, "component_type": "kind", "inputs": inputs, "in_flight_events": 3, "errors": 0,
            "ledger": { "discarded": 7, "dead_lettered": 0 }, "utilisation": 0.25,
            "received_events_per_second": rate, "sent_events_per_second": rate,
            "buffer": { "events": 30_000, "bytes": 512, "capacity_bytes": 1024 },
        })
    }

    fn topology() -> Topology {
        serde_json::from_value(json!({
            "uptime_seconds": 75.0, "in_flight_batches": 2,
            "components": [
                component("app", "source", &[], 12345.0),
                component("parsed", "transform", &["app"], 12000.0),
                component("out", "sink", &["parsed.errors"], 20.0),
            ],
        }))
        .unwrap()
    }

    fn screen(model: &Model, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, model)).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer.content.chunks(usize::from(width));
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
    }

    #[test]
    fn shows_components_and_survives_any_size() {
        let mut model = Model::default();
        model.take(Ok(topology()));
        let shown = screen(&model, 110, 20);
        let parts =
            ["12k events/s in", "2 batches in flight", "parsed", "25%", "50%", "BUFFER", "2.5 s"];
        for part in parts {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        model.switch_view();
        let graph = screen(&model, 110, 20);
        assert!(graph.contains("      └─ out (kind)  20/s  ← parsed.errors"), "{graph}");
        model.switch_view();
        let narrow = screen(&model, 60, 20);
        assert!(narrow.contains("COMPONENT") && narrow.contains("ERRORS"), "{narrow}");
        assert!(narrow.contains("REFUSED") && !narrow.contains("DISC"), "{narrow}");
        for (width, height) in [(1, 1), (10, 3), (300, 2), (40, 100)] {
            screen(&model, width, height);
        }
    }

    #[test]
    fn a_tap_shows_lines_of_its_component_alone_and_no_control_characters() {
        let mut model = Model::default();
        model.take(Ok(topology()));
        model.select(1);
        assert!(model.switch_tap());
        let number = model.tap_number();
        model.tapped(number, "one \u{1b}[2Jtwo".to_owned());
        model.tapped(number + 1, "of another".to_owned());
        model.pause();
        model.tapped(number, "in the pause".to_owned());
        let shown = screen(&model, 110, 30);
        assert!(shown.contains(" parsed (paused) ") && shown.contains("one ·[2Jtwo"), "{shown}");
        assert!(!shown.contains("of another") && !shown.contains("in the pause"), "{shown}");
        assert!(model.switch_tap() && model.tap_of().is_none());
    }

    #[test]
    fn what_is_wrong_is_shown_and_the_last_state_stays() {
        let mut model = Model::default();
        model.take(Ok(topology()));
        model.take(Err("connect to the admin server: refused".to_owned()));
        let shown = screen(&model, 110, 20);
        let problem = "no answer, this is old: connect to the admin server: refused";
        assert!(shown.contains(problem) && shown.contains("parsed"), "{shown}");
    }

    #[test]
    fn the_plain_table_has_a_line_a_component() {
        let text = plain(&topology());
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.starts_with("COMPONENT  TYPE"), "{text}");
    }
}
