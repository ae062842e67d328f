// Topology: the graph of components with live rates, how busy each is, how full the buffers are, whether the ledgers
// balance; a click listens to a component.

import { get, listen } from "./api.js";
import { h, put, svg } from "./dom.js";
import { bytes, count, counted, percent, rate, span } from "./format.js";

const WIDTH = 208;
const HEIGHT = 92;
const GAP_X = 64;
const GAP_Y = 22;
const TAP_ROWS = 200;

let parts, shared, timer, tap, chosen, last;

function enter(main, given) {
  shared = given;
  parts = { graph: h("div", { class: "graph" }), told: h("span", { class: "muted" }), panel: h("aside", { class: "tap", hidden: true }) };
  put(main, h("section", { class: "panel" }, h("h2", {}, "Topology ", parts.told), parts.graph), parts.panel);
  timer = setInterval(() => { if (!document.hidden) refresh(); }, 1000);
}

function leave() {
  clearInterval(timer);
  tap?.abort();
  chosen = tap = undefined;
}

function update(rest) {
  refresh();
  if (rest[0] && rest[0] !== chosen) open(rest[0]);
}

async function refresh() {
  try {
    last = await get("/topology");
    draw(last);
    shared.tell();
  } catch (problem) {
    shared.tell(problem);
  }
}

/** A column for every component: one more than the last of its inputs. */
function layout(components) {
  const columns = [];
  const place = new Map();
  for (const one of components) {
    const inputs = one.inputs.map((input) => place.get(input) ?? place.get(input.slice(0, input.lastIndexOf(".")))).filter(Boolean);
    const x = one.kind === "source" ? 0 : Math.max(0, ...inputs.map((input) => input.x)) + 1;
    columns[x] ??= [];
    const wanted = inputs.length > 0 ? inputs.reduce((sum, input) => sum + input.y, 0) / inputs.length : columns[x].length;
    const at = { x, y: Math.max(columns[x].length, Math.round(wanted)) };
    while (columns[x].includes(at.y)) at.y += 1;
    columns[x].push(at.y);
    place.set(one.id, at);
  }
  return place;
}

function draw(topology) {
  const components = topology.components.filter((one) => !(one.id.includes(":") && one.ledger.received === 0));
  const place = layout(components);
  const left = ({ x }) => 12 + x * (WIDTH + GAP_X);
  const top = ({ y }) => 12 + y * (HEIGHT + GAP_Y);
  const all = [...place.values()];
  const size = [Math.max(...all.map(left)) + WIDTH + 12, Math.max(...all.map(top)) + HEIGHT + 12];
  const edges = components.flatMap((one) => one.inputs.map((input, at) => edge(components, place, one, input, left, top, at)));
  const nodes = components.map((one) => node(one, left(place.get(one.id)), top(place.get(one.id))));
  // The keyboard stays where it is although every second all is drawn anew.
  const focused = document.activeElement?.closest?.(".node")?.dataset.id;
  put(parts.graph, svg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, width: size[0], height: size[1], role: "group", "aria-label": "Components" }, edges, nodes));
  if (focused) [...parts.graph.querySelectorAll(".node")].find((one) => one.dataset.id === focused)?.focus();
  parts.told.textContent = `up ${span(topology.uptime_seconds)} · ${counted(topology.in_flight_batches, "batch", "batches")} under way`;
}

function edge(components, place, to, input, left, top, at) {
  const id = place.has(input) ? input : input.slice(0, input.lastIndexOf("."));
  if (!place.has(id)) return null;
  const port = id === input ? "" : input.slice(id.length + 1);
  const [x1, y1] = [left(place.get(id)) + WIDTH, top(place.get(id)) + HEIGHT / 2];
  const [x2, y2] = [left(place.get(to.id)), top(place.get(to.id)) + HEIGHT / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  const busy = components.find((one) => one.id === id).sent_events_per_second > 0;
  return svg("g", { class: `edge${busy ? " busy" : ""}${port === "dead_letter" ? " dead" : ""}` },
    svg("path", { d: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}` }),
    port && svg("text", { x: x2 - 6, y: y2 - 6 - 11 * Math.max(0, at - 1), "text-anchor": "end" }, port));
}

function node(one, x, y) {
  const { ledger, buffer } = one;
  const open_ = () => open(one.id);
  const text = (content, dx, dy, name = "", anchor) => svg("text", { x: dx, y: dy, class: name, "text-anchor": anchor }, content);
  const out = one.kind === "sink" ? one.received_events_per_second : one.sent_events_per_second;
  const balanced = one.in_flight_events >= 0;
  const fill = buffer && buffer.capacity_bytes > 0 ? buffer.bytes / buffer.capacity_bytes : 0;
  const label = one.id.length > 22 ? `${one.id.slice(0, 21)}…` : one.id;
  return svg("g", {
    class: `node ${one.kind}${chosen === one.id ? " chosen" : ""}${balanced ? "" : " wrong"}`, transform: `translate(${x},${y})`, tabindex: "0", role: "button", "data-id": one.id,
    "aria-label": `${one.kind} ${one.id}, ${rate(out)}; listen`, onclick: open_, onkeydown: (event) => { if (event.key === "Enter") open_(); },
  },
  svg("title", {}, `${one.id}: ${count(ledger.received)} in + ${count(ledger.created)} created = ${count(ledger.sent)} out + ${count(ledger.discarded)} discarded + ${count(ledger.dead_lettered)} dead-lettered + ${count(one.in_flight_events)} in flight`),
  svg("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
  text(label, 12, 21, "name"), text(one.component_type, WIDTH - 10, 21, "type", "end"),
  text(rate(out), 12, 45, "rate"), text(balanced ? `${count(one.in_flight_events)} in flight ✓` : "ledger does not balance", WIDTH - 10, 45, balanced ? "small" : "small bad", "end"),
  one.kind !== "source" && meter(12, 54, one.utilisation, "busy"), one.kind !== "source" && text(`busy ${percent(one.utilisation)}`, WIDTH - 10, 60, "small", "end"),
  buffer && meter(12, 68, fill, "buffer"), buffer && text(`buffer ${bytes(buffer.bytes)}`, WIDTH - 10, 74, "small", "end"),
  (ledger.dead_lettered > 0 || one.errors > 0) && text(`${ledger.dead_lettered > 0 ? `${counted(ledger.dead_lettered, "dead letter", "dead letters")} ` : ""}${one.errors > 0 ? `${counted(one.errors, "error", "errors")}` : ""}`, 12, 86, "small bad"));
}

function meter(x, y, part, name) {
  const width = 84;
  return svg("g", { class: `meter ${name}${part > 0.9 ? " full" : ""}` },
    svg("rect", { x, y, width, height: 5, rx: 2 }), svg("rect", { class: "fill", x, y, width: width * Math.max(0, Math.min(1, part)), height: 5, rx: 2 }));
}

function open(id) {
  tap?.abort();
  if (chosen === id) {
    chosen = tap = undefined;
    parts.panel.hidden = true;
    return last && draw(last);
  }
  chosen = id;
  if (last) draw(last);
  const rows = h("div", { class: "lines" });
  const told = h("span", { class: "muted" }, "listening …");
  let paused = false;
  const pause = h("button", { onclick: () => { paused = !paused; pause.textContent = paused ? "Go on" : "Pause"; } }, "Pause");
  const where = h("input", { type: "search", placeholder: "condition, as .level == \"ERROR\"", "aria-label": "Condition" });
  let [seen, missed] = [0, 0];
  const hear = (name, data, output) => {
    if (name === "missed") missed += Number(data);
    if (name === "event") seen += 1;
    told.textContent = `${counted(seen, "event", "events")}${missed > 0 ? `, ${count(missed)} not shown` : ""}`;
    if (name !== "event" || paused) return;
    rows.prepend(h("div", { class: "line" }, output && h("span", { class: "tag" }, output), data));
    while (rows.childElementCount > TAP_ROWS) rows.lastChild.remove();
  };
  const start = () => {
    tap?.abort();
    tap = new AbortController();
    const { signal } = tap;
    listen(`/tap/${encodeURIComponent(id)}`, { rate: 20, where: where.value.trim() || undefined }, signal, hear)
      .catch((problem) => { if (!signal.aborted) told.textContent = problem.message; });
  };
  put(parts.panel, h("div", { class: "detail-head" }, h("b", {}, id), told,
    h("form", { class: "inline", onsubmit: (event) => { event.preventDefault(); start(); } }, where), pause,
    h("button", { class: "quiet close", "aria-label": "Close", onclick: () => open(id) }, "×")), rows);
  parts.panel.hidden = false;
  return start();
}

function key(event) {
  if (event.key === "Escape" && chosen) open(chosen);
}

export const topology = { enter, leave, update, key };
