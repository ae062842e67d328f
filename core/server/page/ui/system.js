// Plugins and configuration: what is loaded, what there is, what runs.

import { get } from "./api.js";
import { copy, h, put } from "./dom.js";
import { bytes, count, counted, time } from "./format.js";
import { getLetters, showLetters } from "./letters.js";

let parts, shared;

function enter(main, given) {
  shared = given;
  parts = { plugins: h("div"), stores: h("div"), ledger: h("div"), letters: h("div"), components: h("div"), config: h("pre", { class: "config" }), manual: h("div") };
  const copyConfig = (event) => copy(parts.config.textContent, event.target);
  put(main, h("div", { class: "columns" },
    h("section", { class: "panel wide" }, h("h2", {}, "Delivery ledger"), parts.ledger),
    h("section", { class: "panel wide" }, h("h2", {}, "Dead letters"), parts.letters),
    h("section", { class: "panel" }, h("h2", {}, "Plugins"), parts.plugins),
    h("section", { class: "panel" }, h("h2", {}, "Stores"), parts.stores),
    h("section", { class: "panel" }, h("h2", {}, "Component types"), parts.components),
    h("section", { class: "panel" }, h("h2", {}, "Running configuration ", h("button", { class: "quiet", onclick: copyConfig }, "Copy")), parts.config)));
}

async function update() {
  try {
    const paths = ["/plugins", "/stores", "/ledger", "/components", "/config"];
    const [letters, plugins, stores, ledger, components, config] = await Promise.all([getLetters(), ...paths.map((path) => get(path))]);
    showLetters(parts.letters, letters, update, shared.tell);
    showPlugins(plugins);
    showStores(stores.stores);
    showLedger(ledger.components);
    showComponents(components.components);
    parts.config.textContent = JSON.stringify(config, null, 2);
    shared.tell();
  } catch (problem) {
    shared.tell(problem);
  }
}

function table(heads, rows, empty) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  return h("table", {}, h("thead", {}, h("tr", {}, heads.map((name) => h("th", { class: /^[+=]|received|Events|Size|Generation/.test(name) && "number" }, name)))), h("tbody", {}, rows));
}

const number = (value) => h("td", { class: "number" }, count(value));

function showPlugins({ plugins, reload }) {
  const state = (one) => h("span", { class: one.errors + one.left_behind > 0 ? "text-error" : "" }, one.state, one.errors > 0 && `, ${counted(one.errors, "error", "errors")}`, one.dead_lettered > 0 && `, ${count(one.dead_lettered)} refused`, one.left_behind > 0 && `, ${count(one.left_behind)} hang`);
  const row = (one) => [
    h("tr", {}, h("td", {}, h("b", {}, one.name), ` ${one.version}`),
      h("td", { class: "number", title: one.generation > 1 ? `exchanged ${counted(one.generation - 1, "time", "times")} since the start` : "as at the start" }, one.generation),
      h("td", { class: "nowrap", title: `loaded ${time(one.loaded_at)}` }, state(one)),
      h("td", { class: "mono", title: `SHA-256 ${one.sha256}, interface ${one.abi}` }, one.file), h("td", {}, one.components.join(", "), one.used_by.length > 0 && h("small", {}, ` used by ${one.used_by.join(", ")}`))),
    one.last_error && h("tr", {}, h("td", { colspan: 5, class: "text-error" }, `${time(one.last_error.at).slice(0, 19)} not exchanged: ${one.last_error.message}`)),
  ];
  const last = reload && h("p", { class: reload.is_refused ? "text-error" : "muted" }, `Read again ${counted(reload.count, "time", "times")}, last ${time(reload.at).slice(0, 19)}${reload.is_refused ? ", refused" : ""}: ${reload.messages.join("; ")}`);
  put(parts.plugins, table(["Plugin", "Generation", "State", "File", "Components"], plugins.map(row), "No plugins are loaded; all components are built in."), last);
}

function showStores(stores) {
  const row = (one) => h("tr", {}, h("td", {}, one.id), number(one.rows), h("td", { class: "number" }, bytes(one.size_bytes)), h("td", { class: "nowrap" }, one.problem ?? (one.oldest && `since ${time(one.oldest).slice(0, 19)}`)));
  put(parts.stores, table(["Sink", "Events", "Size", ""], stores.map(row), "No sink can be asked."));
}

function showLedger(components) {
  const names = ["received", "created", "sent", "discarded", "dead_lettered", "in_flight"];
  const row = (one) => h("tr", {}, h("td", {}, one.id), h("td", { class: "muted" }, one.kind), names.map((name) => number(one[name])), h("td", {}, one.in_flight >= 0 ? "✓" : h("b", { class: "text-error" }, "✗")));
  put(parts.ledger, table(["Component", "", "received", "+ created", "= sent", "+ discarded", "+ dead-lettered", "+ in flight", ""], components.map(row), ""));
}

function showComponents(components) {
  const row = (one) => h("tr", {}, h("td", { class: "muted" }, one.kind), h("td", {}, h("button", { class: "link", onclick: () => showManual(one) }, one.name)), h("td", {}, one.summary), h("td", {}, one.used_by.join(", ")));
  put(parts.components, table(["", "Type", "What it does", "Used by"], components.map(row), ""), parts.manual);
}

async function showManual(one) {
  const found = await get(`/components/${one.kind}/${encodeURIComponent(one.name)}`);
  const dialog = h("dialog", { class: "manual", onclose: () => dialog.remove() }, h("pre", {}, found.manual), h("form", { method: "dialog" }, h("button", {}, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

export const system = { enter, leave() {}, update };
