// Anomalies: when they were, why each was scored, and whether a person thinks it is one.

import { get } from "./api.js";
import { labels } from "./detail.js";
import { h, put } from "./dom.js";
import { count, levelClass, oneLine, time } from "./format.js";
import * as state from "./state.js";

let parts, shared, asking, next;

function enter(main, given) {
  shared = given;
  parts = {
    strip: h("div", { class: "strip" }), list: h("div", { class: "cards" }), more: h("button", { hidden: true, onclick: () => load() }, "More"), told: h("span", { class: "muted" }),
    hide: h("input", { type: "checkbox", id: "hide-noise", checked: localStorage.getItem("lograil-hide-noise") === "1", onchange: (event) => {
      localStorage.setItem("lograil-hide-noise", event.target.checked ? "1" : "0");
      update();
    } }),
  };
  put(main, h("section", { class: "panel" }, h("h2", {}, "Anomalies ", parts.told), parts.strip, h("label", { for: "hide-noise" }, parts.hide, " hide what is marked as noise")), parts.list, h("p", {}, parts.more));
}

function leave() { asking?.abort(); }

function update() {
  asking?.abort();
  asking = new AbortController();
  next = undefined;
  parts.all = [];
  put(parts.list);
  if (shared.stores.length > 0) load();
  else put(parts.list, h("p", { class: "empty" }, "No sink of this topology can be asked."));
}

async function load() {
  const mine = asking;
  try {
    const page = await get("/anomalies", { ...state.range(), limit: 100, cursor: next }, mine.signal);
    if (mine !== asking) return;
    next = page.next;
    parts.more.hidden = !next;
    parts.all.push(...page.logs);
    const shown = page.logs.filter((log) => !(parts.hide.checked && log.label === "noise"));
    parts.list.append(...shown.map(card));
    parts.told.textContent = `${count(parts.all.length)}${next ? "+" : ""}`;
    if (parts.all.length === 0) put(parts.list, h("p", { class: "empty" }, "No anomalies in this time."));
    showStrip();
    shared.tell();
  } catch (problem) {
    if (!mine.signal.aborted) shared.tell(problem);
  }
}

/** One mark an anomaly on the axis of time, as high as its score. */
function showStrip() {
  const times = parts.all.map((log) => Date.parse(log.timestamp));
  if (times.length === 0) return put(parts.strip);
  const { from, to } = state.range();
  const oldest = Math.min(...times, Date.parse(shared.stores[0]?.oldest ?? "") || Infinity);
  const first = Math.max(state.moment(from, oldest), oldest);
  const last = Math.max(state.moment(to, from ? Date.now() : Math.max(...times)), first + 1);
  const mark = (log, at) => h("a", {
    href: state.link(`logs/${log.id}`), title: `${time(log.timestamp)} ${oneLine(log.message ?? "")}`, class: levelClass(log.level),
    style: { left: `${(100 * (times[at] - first)) / (last - first)}%`, height: `${20 + 80 * Math.min(1, log.anomaly_score ?? 0.5)}%` },
  });
  return put(parts.strip, parts.all.map(mark), h("small", { class: "start" }, time(new Date(first).toISOString()).slice(0, 19)), h("small", { class: "finish" }, time(new Date(last).toISOString()).slice(0, 19)));
}

function card(log) {
  const kind = levelClass(log.level);
  return h("article", { class: `card ${kind}` },
    h("div", { class: "score", title: "Score, 0 to 1" }, (log.anomaly_score ?? 0).toFixed(2)),
    h("div", { class: "grow" },
      h("div", { class: "muted" }, log.level && h("span", { class: `level ${kind}` }, log.level), ` ${oneLine(log.service ?? "")} · ${time(log.timestamp)}`),
      h("a", { class: "mono message", href: state.link(`logs/${log.id}`) }, oneLine(log.message ?? "(no message)")),
      reasons(log.explanation)),
    h("div", { class: "side" }, labels(log, shared.tell)));
}

const rounded = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(3)) : value);

/** Why it was scored, as a sentence where the kind is known; everything else that the detector wrote behind it. */
function reasons(why) {
  if (why === null || typeof why !== "object") return null;
  const of = why.key !== undefined ? ` for ${why.key_field} ${why.key}` : "";
  const expected = `${rounded(why.expected_low)} to ${rounded(why.expected_high)} is usual${of}`;
  const sentences = {
    value: why.median === undefined || why.median === null ? `${why.field} is ${rounded(why.value)}; ${expected}.` : `The median of the newest ${why.field} is ${rounded(why.median)}; ${expected}.`,
    rate: `${rounded(why.value)} ${why.value === 1 ? "event" : "events"} in an interval; ${expected}.`,
    new: `This ${why.field} was never seen before${of}.`,
    rare: `This ${why.field} is rare${of}: seen ${why.seen_before === 1 ? "once" : `${why.seen_before} times`} before, one in ${rounded(why.expected_one_in)} events.`,
  };
  const rest = Object.entries(why).filter(([name, value]) => value !== null && !["score", "alarm"].includes(name));
  const about = rest.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : rounded(value)}`).join(" · ");
  return h("div", { class: "reasons" }, sentences[why.kind] && h("span", { class: "reason" }, sentences[why.kind]), h("small", {}, about));
}

export const anomalies = { enter, leave, update };
