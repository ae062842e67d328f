// Logs: search, facets, the table, live tail.

import { Problem, get, listen } from "./api.js";
import { Timeline } from "./chart.js";
import { Detail, condition } from "./detail.js";
import { copy, debounce, h, put } from "./dom.js";
import { compact, count, levelClass } from "./format.js";
import * as state from "./state.js";
import { LogTable, ROWS_MAX } from "./table.js";
import { testCase } from "./testcase.js";

const PAGE = 200;
const TAIL_ROWS = 2000;
const HISTORY = "lograil-searches";
const FILTERS = ["level", "service", "template", "text", "where", "anomalies"];

let parts, shared, asking, next, loading, tail, components;
let query = "";

/** Whether what was typed is a condition; otherwise it is words. */
const isCondition = (text) => /^\s*[.!(]|==|!=|>=|<=|&&|\|\||\w\(/.test(text);

const history = () => JSON.parse(localStorage.getItem(HISTORY) ?? "[]");

function remember(text) {
  if (!text) return;
  const all = [text, ...history().filter((one) => one !== text)].slice(0, 30);
  localStorage.setItem(HISTORY, JSON.stringify(all));
  showHistory();
}

function showHistory() {
  put(parts.history, history().map((one) => h("option", { value: one })));
}

function enter(main, given) {
  shared = given;
  components = [];
  const search = h("input", {
    id: "search", type: "search", list: "searches", autocomplete: "off", spellcheck: "false", "aria-label": "Search",
    placeholder: 'words, or a condition: .level == "ERROR" && .duration_ms > 500', oninput: () => showMode(),
  });
  parts = {
    search, history: h("datalist", { id: "searches" }), mode: h("span", { class: "tag mode" }), mistake: h("div", { class: "mistake", role: "alert" }),
    chips: h("div", { class: "chips" }), facets: h("aside", { class: "facets" }), table: h("div", { class: "table" }), detail: h("aside", { class: "detail", hidden: true }),
    tail: h("button", { onclick: () => switchTail(), title: "Live tail (t)" }, "Live tail"), pause: h("button", { hidden: true, onclick: () => pause(), title: "Pause (p)" }, "Pause"),
    of: h("select", { hidden: true, "aria-label": "Component", onchange: () => startTail() }), told: h("span", { class: "muted told" }),
    copy: h("button", { hidden: true, onclick: (event) => copySelected(event.target) }, "Copy as [[tests]]"), chart: h("div", { class: "chart small" }),
  };
  const submit = (event) => {
    event.preventDefault();
    const text = search.value.trim();
    remember(text);
    state.change({ text: text && !isCondition(text) ? text : undefined, where: text && isCondition(text) ? text : undefined });
  };
  put(main, h("form", { class: "search", role: "search", onsubmit: submit }, parts.mode, search, parts.history, h("button", { class: "primary" }, "Search"), parts.tail, parts.of, parts.pause, parts.copy, parts.told),
    parts.mistake, parts.chips, parts.chart, h("div", { class: "logs" }, parts.facets, parts.table, parts.detail));
  parts.timeline = new Timeline(parts.chart, { height: 116, onZoom: state.zoom });
  parts.list = new LogTable(parts.table, { more, open: (row) => open(row) });
  parts.list.onselect = () => { parts.copy.hidden = parts.list.selected.size === 0; };
  parts.panel = new Detail(parts.detail, { filter: narrow, tell: shared.tell, close: () => close(), component: testComponent });
  query = "";
  showHistory();
  findComponents();
}

function leave() {
  asking?.abort();
  stopTail();
  parts.timeline.destroy();
  parts.list.destroy();
}

async function findComponents() {
  try {
    components = (await get("/topology")).components;
    const ids = components.filter((one) => !one.id.includes(":")).map((one) => one.id);
    put(parts.of, ids.map((id) => h("option", { value: id }, id)));
    parts.of.value = shared.stores[0]?.id ?? ids[ids.length - 1] ?? "";
    if (shared.stores.length === 0 && ids.length > 0) switchTail();
  } catch (problem) {
    shared.tell(problem);
  }
}

/** The transform before the store: a test case puts events in there. */
function testComponent() {
  const sink = components.find((one) => one.id === shared.stores[0]?.id);
  return sink?.inputs[0]?.split(".")[0] ?? components.find((one) => one.kind === "transform")?.id ?? "TRANSFORM";
}

function update(rest, parameters) {
  const key = `${parameters}`;
  const id = rest[0];
  if (key !== query || parts.list.rows.length === 0) {
    query = key;
    parts.search.value = parameters.get("where") ?? parameters.get("text") ?? "";
    showMode();
    showChips(parameters);
    if (tail) startTail();
    else search();
    counts();
  }
  if (id && /^-?\d+$/.test(id)) openById(Number(id));
}

function showMode() {
  parts.mode.textContent = isCondition(parts.search.value) ? "condition" : "words";
}

function showChips(parameters) {
  const chip = (name) => parameters.has(name) && h("button", { class: "chip", title: "Remove", onclick: () => state.change({ [name]: undefined }) }, `${name}: ${parameters.get(name)} ×`);
  put(parts.chips, FILTERS.map(chip));
}

function filters() {
  const { parameters } = state.read();
  return Object.fromEntries(FILTERS.map((name) => [name, parameters.get(name) ?? undefined]));
}

async function search() {
  asking?.abort();
  asking = new AbortController();
  parts.list.clear();
  parts.copy.hidden = true;
  put(parts.mistake);
  next = undefined;
  loading = false;
  if (shared.stores.length > 0) await load(asking);
  else parts.list.say("No sink of this topology can be asked; the live tail shows what passes.");
}

async function load(mine) {
  loading = true;
  try {
    const page = await get("/logs", { ...filters(), ...state.range(), limit: PAGE, cursor: next }, mine.signal);
    if (mine !== asking) return;
    next = page.next ?? null;
    parts.list.say(next === null ? `${count(parts.list.rows.length + page.logs.length)} events` : "…");
    loading = false;
    parts.list.append(page.logs);
    shared.tell();
  } catch (problem) {
    loading = false;
    if (mine.signal.aborted) return;
    next = null;
    showMistake(problem);
  }
}

function more() {
  if (tail || loading || !next || !asking) return;
  if (parts.list.rows.length >= ROWS_MAX) return parts.list.say(`These are ${count(ROWS_MAX)} events; choose a narrower time for those before.`);
  return load(asking);
}

function showMistake(problem) {
  if (!(problem instanceof Problem) || problem.status !== 400) return shared.tell(problem);
  const lines = problem.errors.map(({ name, detail, start, end }) => {
    const text = name === "where" ? parts.search.value : "";
    const within = start !== undefined && text && [text.slice(0, start), h("mark", {}, text.slice(start, end) || "␣"), text.slice(end)];
    return h("div", {}, within && h("code", {}, within), ` ${name}: ${detail}`);
  });
  put(parts.mistake, lines);
  return parts.list.say("");
}

/** The facets and the timeline: counts of the time, whatever else is searched for. */
async function counts() {
  if (shared.stores.length === 0) {
    parts.chart.hidden = true;
    return;
  }
  const mine = asking;
  try {
    const stores = (await get("/stores")).stores;
    const { to, start, counted } = state.bounds(stores[0]);
    const stats = await get("/stats", { ...counted, intervals: 160 }, mine?.signal);
    parts.timeline.show(stats, start, to);
    showFacets(stats);
  } catch (problem) {
    if (!mine?.signal.aborted) shared.tell(problem);
  }
}

function showFacets(stats) {
  const { parameters } = state.read();
  const facet = (title, name, all) => {
    const chosen = (parameters.get(name) ?? "").split(",").filter(Boolean);
    const switchTo = (value) => {
      const values = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
      state.change({ [name]: values.join(",") || undefined });
    };
    const line = ([value, number]) => h("button", { class: "facet", "aria-pressed": String(chosen.includes(value)), onclick: () => switchTo(value) },
      h("span", { class: name === "level" ? `swatch ${levelClass(value)}` : "" }, value), h("small", {}, compact(number)));
    return [h("h3", {}, title), all.filter(([value]) => value).slice(0, 20).map(line)];
  };
  const anomalies = parameters.get("anomalies") === "true";
  put(parts.facets,
    facet("Level", "level", stats.levels.map((one) => [one.level, one.count])),
    facet("Service", "service", stats.services.map((one) => [one.service, one.total])),
    h("h3", {}, "Only"),
    h("button", { class: "facet", "aria-pressed": String(anomalies), onclick: () => state.change({ anomalies: anomalies ? undefined : "true" }) },
      h("span", { class: "swatch anomaly" }, "anomalies"), h("small", {}, compact(stats.anomalies))));
}

/** Adds a condition to the search. */
function narrow(text) {
  const { parameters } = state.read();
  const before = parameters.get("where");
  const where = before ? `${before.includes("||") ? `(${before})` : before} && ${text}` : text;
  remember(where);
  state.change({ where });
}

function open(row) {
  parts.panel.show(row);
  if (row.id !== undefined) showAddress(`logs/${row.id}`);
}

/** The address of an open event is its permalink; going there is no step back. */
function showAddress(view) {
  const { parameters } = state.read();
  window.history.replaceState(null, "", state.link(view, {}, [...parameters.keys()]));
}

async function openById(id) {
  if (parts.panel.row?.id === id) return;
  try {
    parts.panel.show((await get(`/logs/${id}`, { before: 0, after: 0 })).log);
  } catch (problem) {
    shared.tell(problem);
  }
}

function close() {
  parts.panel.hide();
  showAddress("logs");
  parts.list.scroller.focus();
}

function copySelected(button) {
  copy(testCase([...parts.list.selected], testComponent()), button);
}

/** The filters as one condition, for events that are in no store yet. */
function tailCondition() {
  const { where, text, level, service, template } = filters();
  const any = (name, values) => values && `(${values.split(",").map((value) => condition([name], value)).join(" || ")})`;
  const words = text && text.split(/\s+/).map((word) => `contains(string(.message) ?? "", ${JSON.stringify(word)}, case_sensitive: false)`).join(" && ");
  return [where && `(${where})`, words, any("level", level), any("service", service), any("template_id", template)].filter(Boolean).join(" && ") || undefined;
}

function switchTail() {
  if (tail) {
    stopTail();
    return search();
  }
  return startTail();
}

function stopTail() {
  tail?.control.abort();
  tail = undefined;
  parts.tail.setAttribute("aria-pressed", "false");
  parts.pause.hidden = parts.of.hidden = true;
  put(parts.told);
}

function startTail() {
  tail?.control.abort();
  asking?.abort();
  const mine = { control: new AbortController(), waiting: [], paused: false, missed: 0 };
  tail = mine;
  put(parts.mistake);
  parts.list.clear();
  parts.list.say("");
  parts.tail.setAttribute("aria-pressed", "true");
  parts.pause.hidden = parts.of.hidden = false;
  parts.pause.textContent = "Pause";
  const flush = debounceFrame(() => showTail(mine));
  const hear = (name, data) => {
    if (name === "event") {
      mine.waiting.push(rowOf(JSON.parse(data)));
      if (mine.waiting.length > TAIL_ROWS) mine.waiting.shift();
    } else if (name === "missed") {
      mine.missed += Number(data);
    }
    flush();
  };
  listen(`/tap/${encodeURIComponent(parts.of.value)}`, { where: tailCondition(), rate: 100 }, mine.control.signal, hear)
    .then(() => { if (tail === mine) put(parts.told, "the component ended"); })
    .catch((problem) => { if (!mine.control.signal.aborted) showMistake(problem); });
}

function showTail(mine) {
  if (tail !== mine) return;
  const waiting = mine.waiting.length;
  const missed = mine.missed > 0 ? ` · ${count(mine.missed)} not shown (100 a second at most)` : "";
  put(parts.told, mine.paused ? `paused, ${count(waiting)} new${missed}` : `live${missed}`);
  if (mine.paused || waiting === 0) return;
  parts.list.prepend(mine.waiting.reverse(), TAIL_ROWS);
  mine.waiting = [];
}

function debounceFrame(action) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(() => { asked = false; action(); }, 100);
  };
}

function pause() {
  if (!tail) return;
  tail.paused = !tail.paused;
  parts.pause.textContent = tail.paused ? "Go on" : "Pause";
  showTail(tail);
}

/** A live event in the shape of those of the store. */
function rowOf(event) {
  const { timestamp, level, service, message, severity, template_id, ...fields } = event;
  const text = (value) => (value === undefined || value === null ? null : String(value));
  return {
    timestamp: timestamp ?? new Date().toISOString(), level: text(level), service: text(service), message: text(message),
    severity: severity ?? null, template_id: text(template_id), anomaly_score: event.anomaly?.score ?? null, fields,
  };
}

const openSoon = debounce(() => parts.list.choose(), 60);

function key(event) {
  const { list } = parts;
  const actions = {
    "/": () => parts.search.focus(), j: () => list.move(1), k: () => list.move(-1), ArrowDown: () => list.move(1), ArrowUp: () => list.move(-1),
    Enter: () => list.choose(), x: () => list.select(), t: () => switchTail(), p: () => pause(),
    Escape: () => (parts.panel.row ? close() : document.activeElement?.blur()),
  };
  const action = actions[event.key];
  if (!action || (event.key === "Enter" && event.target.closest("button, a, input"))) return;
  event.preventDefault();
  action();
  if (["j", "k"].includes(event.key) && parts.panel.row) openSoon();
}

export const logs = { enter, leave, update, key };
