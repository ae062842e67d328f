// Overview: how many events of which level, what was unusual, who was busy, what changed.

import { get } from "./api.js";
import { burstsBetween } from "./bursts.js";
import { Timeline } from "./chart.js";
import { h, put } from "./dom.js";
import { bytes, change, compact, count, oneLine, percent, rate, span, time } from "./format.js";
import * as state from "./state.js";

const REFRESH_MS = 2000;
/** What has changed is looked for less often: templates are counted from a sample of events. */
const CHANGES_MS = 10000;
const SAMPLE = { events: 10000, time_ms: 150 };
/** All that /stats lists: what is compared with the time before must not be cut where the busiest end. */
const SERVICES_MAX = 10000;
let parts, shared, timer, asking, changesAt;

function tile(name) {
  const value = h("b", {});
  const about = h("small", {});
  return { element: h("div", { class: "tile" }, h("span", {}, name), value, about), value, about };
}

function enter(main, given) {
  shared = given;
  parts = {
    events: tile("Events"), rate: tile("Rate"), errors: tile("Errors"), anomalies: tile("Anomalies"), store: tile("Stored"),
    chart: h("div", { class: "chart" }), services: h("div"), templates: h("div"), changes: h("div"), periods: h("span", { class: "muted" }),
  };
  const tiles = ["events", "rate", "errors", "anomalies", "store"].map((name) => parts[name].element);
  parts.tiles = h("section", { class: "tiles" }, tiles);
  put(main, parts.tiles,
    h("section", { class: "panel" }, h("h2", {}, "Events by level"), parts.chart),
    h("div", { class: "columns" },
      h("section", { class: "panel" }, h("h2", {}, "Services"), parts.services),
      h("section", { class: "panel" }, h("h2", {}, "What changed ", parts.periods), parts.changes),
      h("section", { class: "panel wide" }, h("h2", {}, "Templates"), parts.templates)));
  const eventsOf = (at, step) => state.go("logs", { from: new Date(at).toISOString(), to: new Date(at + step).toISOString() });
  parts.timeline = new Timeline(parts.chart, { onZoom: state.zoom, onPick: eventsOf, hint: "drag to zoom, click for the events" });
  timer = setInterval(() => { if (!document.hidden && state.isLive() && !asking) refresh(); }, REFRESH_MS);
}

function leave() {
  clearInterval(timer);
  asking?.abort();
  asking = undefined;
  parts.timeline.destroy();
}

function update() {
  asking?.abort();
  changesAt = 0;
  parts.tiles.setAttribute("aria-busy", "true");
  refresh();
}

async function refresh() {
  if (shared.stores.length === 0) return put(parts.chart, h("p", { class: "empty" }, "No sink of this topology can be asked. Add a sink of the type sqlite; live events are under Topology."));
  const mine = new AbortController();
  asking = mine;
  try {
    await load(mine.signal);
    shared.tell();
  } catch (problem) {
    if (!mine.signal.aborted) shared.tell(problem);
  } finally {
    if (asking === mine) asking = undefined;
  }
}

async function load(signal) {
  const stores = (await get("/stores", {}, signal)).stores;
  shared.stores = stores;
  const { from, to, start, counted, oldest } = state.bounds(stores[0]);
  const before = { from: new Date(2 * from - to).toISOString(), to: new Date(from).toISOString() };
  const [stats, preceding, bursts] = await Promise.all([
    get("/stats", { ...counted, intervals: 120, limit: SERVICES_MAX }, signal),
    get("/stats", { ...before, intervals: 1, limit: SERVICES_MAX }, signal),
    burstsBetween(from, to, signal),
  ]);
  // A time before of which a part is missing would make everything more.
  const hasEarlier = oldest <= 2 * from - to;
  const earlier = hasEarlier ? preceding : { ...preceding, total: 0, errors: 0, anomalies: 0, levels: [], services: [] };
  parts.timeline.show(stats, start, to, bursts);
  showTiles(stats, earlier, (to - start) / 1000, stores[0]);
  showServices(stats, earlier);
  parts.tiles.setAttribute("aria-busy", "false");
  if (!performance.getEntriesByName("interactive").length) performance.mark("interactive");
  if (Date.now() - changesAt < CHANGES_MS) return;
  changesAt = Date.now();
  // Without a time before, the second half is held against the first.
  const middle = (start + to) / 2;
  const [first, second] = hasEarlier ? [2 * from - to, from] : [start, middle];
  const period = (one, other) => ({ from: new Date(one).toISOString(), to: new Date(other).toISOString(), intervals: 1, values: 100, ...SAMPLE });
  const [top, fresh, was, is] = await Promise.all([
    get("/templates", { order: "top", limit: 8 }, signal),
    get("/templates", { order: "new", limit: 3, first_seen_from: new Date(second).toISOString() }, signal),
    get("/facets", period(first, second), signal),
    get("/facets", period(second, to), signal),
  ]);
  showTemplates(top.templates);
  parts.periods.textContent = `in the last ${span((to - second) / 1000)} against the ${span((second - first) / 1000)} before`;
  if (!state.isLive()) parts.periods.textContent = `in these ${span((to - second) / 1000)} against the ${span((second - first) / 1000)} before`;
  showChanges(is, was, fresh.templates);
}

function showTiles(stats, earlier, seconds, store) {
  const set = (name, value, about) => {
    parts[name].value.textContent = value;
    parts[name].about.textContent = about;
  };
  const against = (now, before) => (earlier.total > 0 ? `, ${change(now, before)}` : "");
  set("events", compact(stats.total), `in ${span(seconds)}${against(stats.total, earlier.total)}`);
  set("rate", rate(stats.total / Math.max(1, seconds)), `over ${span(seconds)}`);
  set("errors", compact(stats.errors), `${percent(stats.error_rate)} of all${against(stats.errors, earlier.errors)}`);
  set("anomalies", compact(stats.anomalies), `in ${span(seconds)}${against(stats.anomalies, earlier.anomalies)}`);
  set("store", compact(store.rows), `${bytes(store.size_bytes)}${store.oldest ? `, since ${time(store.oldest).slice(0, 16)}` : ""}`);
}

function bar(part, kind) {
  return h("span", { class: "bar" }, h("i", { class: kind, style: { width: `${Math.max(0, Math.min(1, part)) * 100}%` } }));
}

function showServices(stats, earlier) {
  if (stats.services.length === 0) return put(parts.services, h("p", { class: "empty" }, "No events in this time."));
  const most = Math.max(1, ...stats.services.map((one) => one.total));
  const before = new Map(earlier.services.map((one) => [one.service, one]));
  const row = (one) => h("tr", {},
    h("td", { class: "name clip", title: oneLine(one.service) }, h("a", { href: state.link("logs", { service: one.service }) }, oneLine(one.service) || "(none)")),
    h("td", { class: "grow" }, bar(one.total / most, "info")),
    h("td", { class: "number" }, count(one.total)),
    h("td", { class: "number muted" }, earlier.total > 0 && change(one.total, before.get(one.service)?.total ?? 0)),
    h("td", { class: "number" }, one.errors > 0 && h("a", { class: "text-error", href: state.link("logs", { service: one.service, level: "ERROR,CRITICAL" }) }, count(one.errors))));
  return put(parts.services, h("table", {},
    h("thead", {}, h("tr", {}, ["Service", "", "Events", "Change", "Errors"].map((name, at) => h("th", { class: at > 1 && "number" }, name)))),
    h("tbody", {}, stats.services.slice(0, 10).map(row))));
}

function showTemplates(templates) {
  if (templates.length === 0) return put(parts.templates, h("p", { class: "empty" }, "No templates in the store: they come from a transform of the type template."));
  const most = Math.max(1, templates[0].count);
  const row = (one) => h("tr", {},
    h("td", { class: "mono clip" }, h("a", { href: state.link("logs", { template: one.id }) }, oneLine(one.text))),
    h("td", { class: "grow" }, bar(one.count / most, "info")),
    h("td", { class: "number" }, count(one.count)),
    h("td", { class: "muted nowrap" }, time(one.last_seen)));
  return put(parts.templates, h("table", { class: "fixed" },
    h("thead", {}, h("tr", {}, ["Template", "", "Events", "Last seen"].map((name, at) => h("th", { class: at === 2 && "number" }, name)))),
    h("tbody", {}, templates.map(row))));
}

/**
 * What is more or less than chance and the number of all events explain, the most striking first: of all there are `factor`
 * times as many as before, and a count may stand for so many events as `noise` says.
 */
function differences(now, before, factor, noise = 1) {
  const old = new Map(before.map((one) => [one.id, one]));
  const all = now.map((one) => ({ ...one, before: old.get(one.id)?.count ?? 0 }));
  const ids = new Set(now.map((one) => one.id));
  for (const one of before) if (!ids.has(one.id)) all.push({ ...one, count: 0, before: one.count });
  const weight = (one) => Math.abs(one.count - one.before * factor) / Math.sqrt((one.before * factor * factor + one.count + 1) * noise);
  return all.filter((one) => weight(one) > 4).sort((a, b) => weight(b) - weight(a));
}

function showChanges(is, was, fresh) {
  const noise = (found) => (found.is_estimate_of_templates ? Math.max(1, found.total / Math.max(1, found.events_seen)) : 1);
  const levels = ({ levels: all }) => all.map((one) => ({ id: one.level, text: one.level || "(none)", count: one.count, link: { level: one.level } }));
  const services = ({ services: all }) => all.map((one) => ({ id: one.service, text: one.service || "(none)", count: one.total, link: { service: one.service } }));
  const templates = ({ templates: all }) => all.map((one) => ({ id: one.id, text: one.text || one.id, count: one.count, link: { template: one.id }, mono: "mono" }));
  const factor = is.total / Math.max(1, was.total);
  const all = differences([{ id: "all", text: "all events", count: is.total, link: {} }], [{ id: "all", count: was.total }], 1);
  const known = new Set(fresh.map((one) => one.id));
  const line = (kind) => (one) => h("li", {}, h("span", { class: "tag" }, kind), " ", h("a", { class: one.mono, href: state.link("logs", one.link) }, oneLine(one.text)), " ",
    h("b", {}, change(one.count, one.before)), h("small", {}, ` ${compact(one.before)} → ${compact(one.count)}`));
  const items = [
    ...all.map(line("total")),
    ...fresh.map((one) => h("li", {}, h("span", { class: "tag" }, "new template"), " ", h("a", { class: "mono", href: state.link("logs", { template: one.id }) }, oneLine(one.text)), h("small", {}, ` ${compact(one.count)}`))),
    ...differences(levels(is), levels(was), factor).slice(0, 4).map(line("level")),
    ...differences(services(is), services(was), factor).slice(0, 4).map(line("service")),
    ...differences(templates(is), templates(was), factor, Math.max(noise(is), noise(was))).filter((one) => !known.has(one.id)).slice(0, 6).map(line("template")),
  ];
  put(parts.changes, items.length > 0 ? h("ul", { class: "changes" }, items) : h("p", { class: "empty" }, "Nothing out of the ordinary."));
}

export const overview = { enter, leave, update };
