// Overview: how many events of which level, what was unusual, who was busy, what changed.

import { get } from "./api.js";
import { Timeline } from "./chart.js";
import { h, put } from "./dom.js";
import { bytes, change, compact, count, percent, rate, span, time } from "./format.js";
import * as state from "./state.js";

const REFRESH_MS = 2000;
let parts, shared, timer, asking;

function tile(name) {
  const value = h("b", {});
  const about = h("small", {});
  return { element: h("div", { class: "tile" }, h("span", {}, name), value, about), value, about };
}

function enter(main, given) {
  shared = given;
  parts = {
    events: tile("Events"), rate: tile("Rate"), errors: tile("Errors"), anomalies: tile("Anomalies"), store: tile("Stored"),
    chart: h("div", { class: "chart" }), services: h("div"), templates: h("div"), changes: h("div"),
  };
  const tiles = ["events", "rate", "errors", "anomalies", "store"].map((name) => parts[name].element);
  parts.tiles = h("section", { class: "tiles" }, tiles);
  put(main, parts.tiles,
    h("section", { class: "panel" }, h("h2", {}, "Events by level"), parts.chart),
    h("div", { class: "columns" },
      h("section", { class: "panel" }, h("h2", {}, "Services"), parts.services),
      h("section", { class: "panel" }, h("h2", {}, "Changed since the time before"), parts.changes),
      h("section", { class: "panel wide" }, h("h2", {}, "Templates"), parts.templates)));
  parts.timeline = new Timeline(parts.chart, { onZoom: state.zoom });
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
  const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const before = { from: new Date(2 * from - to).toISOString(), to: range.from };
  const [stats, preceding, bursts] = await Promise.all([
    get("/stats", { ...counted, intervals: 120 }, signal),
    get("/stats", { ...before, intervals: 1 }, signal),
    get("/bursts", { ...range, limit: 200, order: "oldest" }, signal),
  ]);
  const earlier = oldest < from ? preceding : { ...preceding, total: 0, errors: 0, anomalies: 0, levels: [], services: [] };
  parts.timeline.show(stats, start, to, pairs(bursts.logs, start, to));
  showTiles(stats, earlier, (to - start) / 1000, stores[0]);
  showServices(stats, earlier);
  parts.tiles.setAttribute("aria-busy", "false");
  if (!performance.getEntriesByName("interactive").length) performance.mark("interactive");
  // Templates come later: counting them costs more than the rest of the page.
  const [top, fresh] = await Promise.all([
    get("/templates", { order: "top", limit: 8 }, signal),
    get("/templates", { order: "new", limit: 5, first_seen_from: range.from }, signal),
  ]);
  showTemplates(top.templates);
  showChanges(stats, earlier, fresh.templates);
}

/** Starts and ends of bursts as pairs; one that has no end lasts until the end of the range. */
function pairs(logs, from, to) {
  const found = [];
  let start;
  for (const log of logs) {
    const at = Date.parse(log.timestamp);
    const event = log.explanation?.event;
    if (event === "start") start ??= at;
    if (event === "end") {
      found.push([start ?? from, at]);
      start = undefined;
    }
  }
  if (start !== undefined) found.push([start, to]);
  return found;
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
  set("store", compact(store.rows), `${bytes(store.size_bytes)}, since ${time(store.oldest).slice(0, 16)}`);
}

function bar(part, kind) {
  return h("span", { class: "bar" }, h("i", { class: kind, style: { width: `${Math.max(0, Math.min(1, part)) * 100}%` } }));
}

function showServices(stats, earlier) {
  const most = Math.max(1, ...stats.services.map((one) => one.total));
  const before = new Map(earlier.services.map((one) => [one.service, one]));
  const row = (one) => h("tr", {},
    h("td", {}, h("a", { href: state.link("logs", { service: one.service }) }, one.service || "(none)")),
    h("td", { class: "grow" }, bar(one.total / most, "info")),
    h("td", { class: "number" }, count(one.total)),
    h("td", { class: "number muted" }, earlier.total > 0 && change(one.total, before.get(one.service)?.total ?? 0)),
    h("td", { class: "number" }, one.errors > 0 && h("a", { class: "text-error", href: state.link("logs", { service: one.service, level: "ERROR,CRITICAL" }) }, count(one.errors))));
  put(parts.services, h("table", {},
    h("thead", {}, h("tr", {}, ["Service", "", "Events", "Change", "Errors"].map((name, at) => h("th", { class: at > 1 && "number" }, name)))),
    h("tbody", {}, stats.services.slice(0, 10).map(row))));
}

function showTemplates(templates) {
  if (templates.length === 0) return put(parts.templates, h("p", { class: "empty" }, "No templates: the topology has no transform template."));
  const most = Math.max(1, templates[0].count);
  const row = (one) => h("tr", {},
    h("td", { class: "mono clip" }, h("a", { href: state.link("logs", { template: one.id }) }, one.text)),
    h("td", { class: "grow" }, bar(one.count / most, "info")),
    h("td", { class: "number" }, count(one.count)),
    h("td", { class: "muted nowrap" }, time(one.last_seen)));
  return put(parts.templates, h("table", { class: "fixed" },
    h("thead", {}, h("tr", {}, ["Template", "", "Events", "Last seen"].map((name, at) => h("th", { class: at === 2 && "number" }, name)))),
    h("tbody", {}, templates.map(row))));
}

function showChanges(stats, earlier, fresh) {
  const differences = (now, before, name) => {
    const old = new Map(before.map((one) => [one[name], one.total ?? one.count]));
    const all = now.map((one) => ({ name: one[name] || "(none)", now: one.total ?? one.count, before: old.get(one[name]) ?? 0 }));
    const names = new Set(now.map((one) => one[name]));
    for (const [key, value] of old) if (!names.has(key)) all.push({ name: key || "(none)", now: 0, before: value });
    const weight = (one) => Math.abs(one.now - one.before) / Math.sqrt(one.before + 1);
    return all.filter((one) => weight(one) > 3).sort((a, b) => weight(b) - weight(a));
  };
  const line = (kind) => (one) => h("li", {}, h("span", { class: "tag" }, kind), ` ${one.name} `, h("b", {}, change(one.now, one.before)),
    h("small", {}, ` ${count(one.before)} → ${count(one.now)}`));
  const items = [
    ...fresh.map((one) => h("li", {}, h("span", { class: "tag" }, "new template"), " ", h("a", { class: "mono", href: state.link("logs", { template: one.id }) }, one.text))),
  ];
  if (earlier.total > 0) {
    items.push(...differences(stats.levels, earlier.levels, "level").slice(0, 4).map(line("level")),
      ...differences(stats.services, earlier.services, "service").slice(0, 6).map(line("service")));
  }
  const empty = earlier.total === 0 ? "There is nothing before to compare with." : "Nothing out of the ordinary.";
  put(parts.changes, items.length > 0 ? h("ul", { class: "changes" }, items) : h("p", { class: "empty" }, empty));
}

export const overview = { enter, leave, update };
