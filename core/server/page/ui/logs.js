// Logs: search, facets, the table, live tail.

import { Problem, get, listen } from "./api.js";
import { burstsBetween } from "./bursts.js";
import { Timeline } from "./chart.js";
import { Detail, condition } from "./detail.js";
import { copy, debounce, h, put } from "./dom.js";
import { showFacets } from "./facets.js";
import { compact, count } from "./format.js";
import { Pages } from "./pages.js";
import * as state from "./state.js";
import { LogTable } from "./table.js";
import { testCase } from "./testcase.js";

/** The counts of a search: at once from a small sample, then from so many events that most searches are exact. */
const LOOKS = [{ events: 10000, time_ms: 80 }, { events: 300000, time_ms: 2500 }];
const TAIL_ROWS = 2000;
/** Around an event that is opened without a range. */
const AROUND_MS = 15 * 60e3;
const HISTORY = "lograil-searches";
const FILTERS = ["level", "service", "template", "text", "where", "anomalies"];

let parts, shared, asking, tail, components, pages;
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
    filter: h("button", { class: "narrow", type: "button", "aria-expanded": "false", onclick: () => switchFacets() }, "Facets"),
    tail: h("button", { type: "button", onclick: () => switchTail(), title: "Live tail (t)" }, "Live tail"), pause: h("button", { type: "button", hidden: true, onclick: () => pause(), title: "Pause (p)" }, "Pause"),
    of: h("select", { hidden: true, "aria-label": "Component", onchange: () => startTail() }), told: h("span", { class: "muted told" }),
    copy: h("button", { type: "button", hidden: true, onclick: (event) => copySelected(event.target) }, "Copy as [[tests]]"), chart: h("div", { class: "chart small" }),
  };
  const submit = (event) => {
    event.preventDefault();
    const text = search.value.trim();
    remember(text);
    // The keys go to the events that were found.
    parts.list.scroller.focus();
    state.change({ text: text && !isCondition(text) ? text : undefined, where: text && isCondition(text) ? text : undefined });
  };
  put(main, h("form", { class: "search", role: "search", onsubmit: submit }, parts.mode, search, parts.history, h("button", { class: "primary" }, "Search"), parts.filter, parts.tail, parts.of, parts.pause, parts.copy, parts.told),
    parts.mistake, parts.chips, parts.chart, h("div", { class: "logs" }, parts.facets, parts.table, parts.detail));
  parts.timeline = new Timeline(parts.chart, { height: 116, onZoom: state.zoom, onPick: (at, step) => goTo(at + step) });
  pages = new Pages({ ask, changed: () => showRows(), failed: (problem) => showMistake(problem) });
  parts.list = new LogTable(parts.table, { need, open: (row) => open(row) });
  parts.list.onselect = () => { parts.copy.hidden = parts.list.selected.size === 0; };
  parts.panel = new Detail(parts.detail, { filter: narrow, tell: shared.tell, close: () => close(), component: testComponent });
  query = "";
  showHistory();
  findComponents();
}

/** On a narrow screen the facets are shown when they are asked for. */
function switchFacets() {
  const isOpen = parts.facets.classList.toggle("open");
  parts.filter.setAttribute("aria-expanded", String(isOpen));
}

function leave() {
  asking?.abort();
  pages.clear();
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
  const id = /^-?\d+$/.test(rest[0] ?? "") ? Number(rest[0]) : undefined;
  if (key !== query || (parts.list.rows.length === 0 && !tail)) {
    query = key;
    parts.search.value = parameters.get("where") ?? parameters.get("text") ?? "";
    showMode();
    showChips(parameters);
    if (tail) startTail();
    else search(id);
  }
  if (id !== undefined) openById(id);
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

function search(id) {
  asking?.abort();
  asking = new AbortController();
  pages.clear();
  parts.list.clear();
  parts.copy.hidden = true;
  put(parts.mistake);
  put(parts.told);
  if (shared.stores.length === 0) {
    parts.chart.hidden = true;
    return parts.list.say("No sink of this topology can be asked; the live tail shows what passes.");
  }
  parts.list.say("…");
  // An event that is to be opened says itself where to look.
  if (id === undefined) pages.first();
  return counts(asking);
}

const ask = (parameters) => get("/logs", { ...filters(), ...state.range(), ...parameters }, asking.signal);

/** Shows the pages that are held. */
function showRows() {
  const { list } = parts;
  const { rows, start, total, shifted, isEnd } = pages;
  pages.shifted = 0;
  list.show(rows, start, total);
  if (shifted !== 0) list.shift(shifted);
  const isEmpty = total === 0 && isEnd;
  list.say(isEmpty ? "No events in this time fit." : isEnd ? (total === 1 ? "One event." : `The oldest of ${count(total)} events.`) : "…");
  shared.tell();
}

function need(first, last) {
  if (tail) return;
  pages.need(first, last);
  const [newest, oldest] = [parts.list.row(first), parts.list.row(last - 1)];
  if (newest && oldest) parts.timeline.mark(Date.parse(oldest.timestamp), Date.parse(newest.timestamp));
  if (pages.total > 0) put(parts.told, `${count(first + 1)}–${count(last)} of ${pages.isEnd ? "" : "~"}${compact(pages.total)}`);
}

/** Shows the events before a time. */
function goTo(ms) {
  if (tail) return;
  const number = pages.numberOf(ms);
  pages.before(ms, number, () => {
    parts.list.show(pages.rows, pages.start, pages.total);
    parts.list.scrollTo(pages.start);
  });
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

const isCounting = (is) => [parts.facets, parts.chart].forEach((element) => element.setAttribute("aria-busy", String(is)));

/** The facets and the timeline. */
async function counts(mine) {
  isCounting(true);
  try {
    const { from, start, to } = state.bounds(shared.stores[0]);
    const bursts = burstsBetween(from, to, mine.signal);
    for (const look of LOOKS) {
      const asked = get("/facets", { ...filters(), ...state.range(), intervals: 160, ...look }, mine.signal);
      const [found, ofBursts] = await Promise.all([asked, bursts]);
      if (mine !== asking) return;
      parts.timeline.show(found, start, to, ofBursts);
      showFacets(parts.facets, found);
      pages.expect(found.total, found.timeline, found.interval_seconds);
      isCounting(false);
      if (!found.is_estimate && !found.is_estimate_of_templates) return;
    }
  } catch (problem) {
    // What is wrong with the search is told by its events.
    if (!mine.signal.aborted && problem.status !== 400) shared.tell(problem);
  }
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
  document.getElementById("main").dataset.address = location.hash;
}

async function openById(id) {
  if (parts.panel.row?.id === id) return;
  try {
    const { log } = await get(`/logs/${id}`, { before: 0, after: 0 });
    const ms = Date.parse(log.timestamp);
    const { from, to } = state.range();
    if (ms < state.moment(from, -Infinity) || ms >= state.moment(to, Infinity)) {
      return state.change({ from: new Date(ms - AROUND_MS).toISOString(), to: new Date(ms + AROUND_MS).toISOString() });
    }
    parts.panel.show(log);
    if (!tail) showAt(log, ms);
  } catch (problem) {
    shared.tell(problem);
    if (pages.pages.length === 0) pages.first();
  }
}

/** Shows an event among those of the search, if it is one of them. */
function showAt(log, ms) {
  const { list } = parts;
  const find = () => {
    const at = pages.rows.findIndex((row) => row.id === log.id);
    list.show(pages.rows, pages.start, pages.total);
    if (at >= 0) list.at = pages.start + at;
    list.scrollTo(Math.max(0, (at >= 0 ? list.at : pages.start) - 5));
  };
  if (pages.rows.some((row) => row.id === log.id)) find();
  else pages.before(ms + 1, pages.numberOf(ms), find);
}

function close() {
  parts.panel.hide();
  showAddress("logs");
  parts.list.scroller.focus();
}

function copySelected(button) {
  copy(testCase([...parts.list.selected.values()], testComponent()), button);
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
  pages.clear();
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
