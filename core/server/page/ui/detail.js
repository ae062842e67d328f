// One event with all its fields, its neighbours, and what can be done with it.

import { get, post } from "./api.js";
import { copy, h, put } from "./dom.js";
import { count, levelClass, oneLine, time } from "./format.js";
import * as state from "./state.js";
import { testCase } from "./testcase.js";

/** The condition that a field has a value, as the expression language writes it. */
export function condition(path, value, operator = "==") {
  const names = path.map((name) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `."${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`));
  return `${names.join("")} ${operator} ${JSON.stringify(value)}`;
}

/** The fields of an event as paths and values, nested ones too. */
function* leaves(value, path = []) {
  for (const [name, one] of Object.entries(value)) {
    if (one !== null && typeof one === "object" && !Array.isArray(one)) yield* leaves(one, [...path, name]);
    else yield [[...path, name], one];
  }
}

export class Detail {
  /** `filter(condition)` adds to the search; `component` is where test cases go in. */
  constructor(element, { filter, tell, close, component }) {
    Object.assign(this, { element, filter, tell, close, component });
  }

  hide() {
    this.element.hidden = true;
    this.element.parentElement.classList.remove("open");
    this.row = undefined;
  }

  async show(row) {
    this.row = row;
    this.element.hidden = false;
    this.element.parentElement.classList.add("open");
    this.draw(row);
    if (row.id === undefined) return;
    try {
      const found = await get(`/logs/${row.id}`, { before: 5, after: 5 });
      if (this.row === row) this.draw(found.log, found);
    } catch (problem) {
      this.tell(problem);
    }
  }

  draw(row, context) {
    const kind = levelClass(row.level);
    put(this.element,
      h("div", { class: "detail-head" },
        row.level && h("span", { class: `level ${kind}` }, row.level), h("b", {}, row.service ?? ""), h("span", { class: "muted" }, time(row.timestamp)),
        h("button", { class: "quiet close", title: "Close (Esc)", "aria-label": "Close", onclick: () => this.close() }, "×")),
      h("pre", { class: "message" }, cut(row.message ?? "")),
      h("div", { class: "actions" },
        row.id !== undefined && h("button", { onclick: (event) => copy(state.permalink(`logs/${row.id}`), event.target) }, "Copy permalink"),
        h("button", { onclick: (event) => copy(JSON.stringify(row, null, 2), event.target) }, "Copy JSON"),
        h("button", { onclick: (event) => copy(testCase([row], this.component()), event.target) }, "Copy as [[tests]]"),
        row.id !== undefined && row.anomaly_score >= 0.5 && labels(row, this.tell)),
      this.fields(row), context && contextOf(context));
  }

  fields(row) {
    const own = { level: row.level, service: row.service, template_id: row.template_id, template: row.template, ...row.fields };
    const line = ([path, value]) => {
      const simple = value === null || typeof value !== "object";
      return h("tr", {}, h("th", {}, path.join(".")), h("td", { class: "mono" }, cut(simple ? String(value) : JSON.stringify(value))),
        h("td", { class: "nowrap" }, simple && h("button", { class: "quiet", title: "Add to the filter", onclick: () => this.filter(condition(path, value)) }, "+"),
          simple && h("button", { class: "quiet", title: "Exclude", onclick: () => this.filter(condition(path, value, "!=")) }, "−")));
    };
    const all = [...leaves(own)].filter(([, value]) => value !== null && value !== undefined);
    return h("table", { class: "fields" }, all.map(line));
  }
}

/** Characters of a text that are shown before somebody asks for all. */
const SHOWN = 10_000;

/** A text, the rest of it behind a button where it is long. */
function cut(text) {
  if (text.length <= SHOWN) return text;
  const all = h("button", { class: "link", onclick: () => put(shown, text) }, ` … all ${count(text.length)} characters`);
  const shown = h("span", {}, text.slice(0, SHOWN), all);
  return shown;
}

function contextOf({ before, log, after }) {
  const kept = [...state.read().parameters.keys()];
  const line = (row) => h("a", { class: `row context ${levelClass(row.level)}${row.id === log.id ? " current" : ""}`, href: state.link(`logs/${row.id}`, {}, kept) },
    h("span", { class: "time" }, time(row.timestamp).slice(11)), h("span", { class: `level ${levelClass(row.level)}` }, row.level ?? ""), h("span", { class: "message" }, oneLine(row.message ?? "")));
  return h("section", {}, h("h3", {}, "Before and after"), [...before, log, ...after].map(line));
}

/** Buttons to say what one thinks of an anomaly. */
export function labels(row, tell) {
  const group = h("span", { class: "group", role: "group", "aria-label": "Label" });
  const draw = () => put(group, ["real", "noise"].map((name) => h("button", {
    "aria-pressed": String(row.label === name), title: name === "real" ? "An incident" : "Nothing to look at", onclick: () => state(name),
  }, name)));
  const state = async (name) => {
    try {
      const label = row.label === name ? "none" : name;
      row.label = (await post(`/logs/${row.id}/label`, { label })).label;
      draw();
    } catch (problem) {
      tell(problem);
    }
  };
  draw();
  return group;
}
