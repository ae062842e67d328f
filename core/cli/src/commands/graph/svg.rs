//! An image, without any other program: columns by distance from the sources, rows in order.

use std::fmt::Write;

use lograil_plugin::Kind;

use super::Drawing;

const BOX_WIDTH: usize = 170;
const BOX_HEIGHT: usize = 46;
const COLUMN_WIDTH: usize = 250;
pub(super) const ROW_HEIGHT: usize = 70;
const MARGIN: usize = 20;
const ID_CHARACTERS_MAX: usize = 22;

const STYLE: &str = "\
text{font:13px sans-serif;fill:#222}.type{font-size:11px;fill:#666}.port{font-size:10px;fill:#a33}\
rect{fill:#f6f6f6;stroke:#888;rx:6}.source{fill:#e3f0ff}.sink{fill:#e6f6e6}\
.edge{fill:none;stroke:#777;stroke-width:1.3}.side{stroke:#a33;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.type{fill:#aaa}rect{fill:#333}.source{fill:#234}.sink{fill:#243}}";

/// Where a box is: its upper left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub x: usize,
    pub y: usize,
}

/// The drawing as an SVG image.
pub(super) fn write(drawing: &Drawing) -> Result<String, std::fmt::Error> {
    let places = place(drawing);
    let width = places.iter().map(|place| place.x).max().unwrap_or(0) + BOX_WIDTH + MARGIN;
    let height = places.iter().map(|place| place.y).max().unwrap_or(0) + BOX_HEIGHT + MARGIN;
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\"><style>{STYLE}</style>\n<defs><marker id=\"tip\" \
         viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#777\"/></marker></defs>"
    )?;
    for edge in &drawing.edges {
        let (from, to) = (places[edge.from], places[edge.to]);
        let (x1, y1) = (from.x + BOX_WIDTH, from.y + BOX_HEIGHT / 2);
        let (x2, y2) = (to.x, to.y + BOX_HEIGHT / 2);
        let middle = usize::midpoint(x1, x2);
        let side = if edge.port.is_some() { " side" } else { "" };
        writeln!(
            out,
            "<path class=\"edge{side}\" marker-end=\"url(#tip)\" \
             d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\"/>"
        )?;
        if let Some(port) = &edge.port {
            let y = usize::midpoint(y1, y2).saturating_sub(4);
            writeln!(
                out,
                "<text class=\"port\" x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{port}</text>"
            )?;
        }
    }
    for (node, place) in drawing.nodes.iter().zip(&places) {
        let Place { x, y } = *place;
        let (class, middle) = (node.kind.name(), x + BOX_WIDTH / 2);
        let short: String = node.id.chars().take(ID_CHARACTERS_MAX).collect();
        let (first, second) = (y + 20, y + 36);
        writeln!(
            out,
            "<g><title>{} ({} {})</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" \
             width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\"/>\
             <text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\">{short}</text>\
             <text class=\"type\" x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\">{}</text></g>",
            node.id, class, node.component_type, node.component_type
        )?;
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// A column each step away from the sources; sinks without consumers stand in the last one.
pub(super) fn place(drawing: &Drawing) -> Vec<Place> {
    let mut columns = vec![0_usize; drawing.nodes.len()];
    // Nodes come after those they read from, so that one pass is enough.
    for to in 0..drawing.nodes.len() {
        let inputs = drawing.edges.iter().filter(|edge| edge.to == to);
        columns[to] = inputs.map(|edge| columns[edge.from] + 1).max().unwrap_or(0);
    }
    let last = columns.iter().copied().max().unwrap_or(0);
    for (column, (index, node)) in columns.iter_mut().zip(drawing.nodes.iter().enumerate()) {
        let is_read = drawing.edges.iter().any(|edge| edge.from == index);
        if node.kind == Kind::Sink && !is_read {
            *column = last;
        }
    }
    let mut rows = vec![0_usize; last + 1];
    let at = |column: &usize| {
        let row = rows[*column];
        rows[*column] += 1;
        Place { x: MARGIN + column * COLUMN_WIDTH, y: MARGIN + row * ROW_HEIGHT }
    };
    columns.iter().map(at).collect()
}
