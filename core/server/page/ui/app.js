// The frame of the page: which view is shown, the range of time, the keys.

import { get, setToken } from "./api.js";
import { copy, h, put } from "./dom.js";
import * as state from "./state.js";
import { anomalies } from "./anomalies.js";
import { logs } from "./logs.js";
import { overview } from "./overview.js";
import { system } from "./system.js";
import { topology } from "./topology.js";

const VIEWS = { overview, logs, anomalies, topology, system };
const TITLES = {
  overview: "Overview", logs: "Logs", anomalies: "Anomalies", topology: "Topology", system: "Plugins & config",
};
const KEYS = [
  ["1 … 5", "the views"], ["/", "search"], ["j  k", "next and previous event"], ["Enter", "open the event"],
  ["x", "select the event"], ["Home  End", "the newest and the oldest event"], ["l", "copy a link to what is shown"], ["t", "live tail"], ["p", "pause the tail"], ["Esc", "close"], ["d", "light or dark"], ["?", "these keys"],
];

/** What the pages share: the stores, and a way to say that something is wrong. */
const shared = { stores: [], tell };
let leave = () => {};
let shown = "";

function tell(problem) {
  const notice = document.getElementById("notice");
  if (!problem) return put(notice);
  if (problem.name === "AbortError") return notice;
  if (problem.status === 401) return askForToken(notice);
  return put(notice, h("span", {}, problem.message), h("button", { class: "quiet", onclick: () => put(notice) }, "Close"));
}

function askForToken(notice) {
  const input = h("input", { type: "password", name: "token", "aria-label": "Token", autocomplete: "current-password" });
  const send = (event) => {
    event.preventDefault();
    setToken(input.value);
    location.reload();
  };
  put(notice, h("form", { onsubmit: send }, "This server asks for the token of [admin]: ", input, h("button", {}, "Send")));
  input.focus();
}

function showNavigation(view) {
  const item = (name, at) => h("a", {
    href: state.link(name), "aria-current": name === view ? "page" : undefined, title: `${TITLES[name]} (${at + 1})`,
  }, TITLES[name]);
  put(document.getElementById("nav"), Object.keys(VIEWS).map(item));
  document.title = `${TITLES[view]} · lograil`;
}

function showRange(view) {
  const element = document.getElementById("range");
  element.hidden = !["overview", "logs", "anomalies"].includes(view);
  const { from, to } = state.range();
  const choices = state.ranges.map(([value, name]) => h("button", {
    "aria-pressed": String(!to && (from ?? "") === value),
    onclick: () => state.change({ from: value, to: undefined }),
  }, name));
  const two = (text) => new Date(text).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
  const custom = to && h("button", { "aria-pressed": "true", title: "A range of your own; click for all", onclick: () => state.change({ from: "", to: undefined }) },
    `${two(state.moment(from, 0))} – ${two(to)} ×`);
  put(element, custom, choices);
}

function show() {
  const { view, rest, parameters } = state.read();
  const name = VIEWS[view] ? view : "overview";
  showNavigation(name);
  showRange(name);
  const main = document.getElementById("main");
  main.dataset.address = location.hash;
  if (name !== shown) {
    leave();
    shown = name;
    put(main);
    main.dataset.view = name;
    VIEWS[name].enter(main, shared);
    leave = () => VIEWS[name].leave();
  }
  VIEWS[name].update(rest, parameters);
}

function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("lograil-theme", next);
  dispatchEvent(new Event("theme"));
}

const copyLink = () => copy(state.permalink(), document.getElementById("link"));

function showKeys() {
  const dialog = h("dialog", { class: "keys", onclose: () => dialog.remove() },
    h("h2", {}, "Keys"),
    h("dl", {}, KEYS.map(([key, about]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, about)])),
    h("form", { method: "dialog" }, h("button", {}, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key !== "Escape" && event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
  const at = Number(event.key);
  if (at >= 1 && at <= 5) return state.go(Object.keys(VIEWS)[at - 1]);
  if (event.key === "d") return switchTheme();
  if (event.key === "l") return copyLink();
  if (event.key === "?") return showKeys();
  if (event.key === "/" && shown !== "logs") {
    event.preventDefault();
    state.go("logs");
    return setTimeout(() => document.querySelector("#search")?.focus(), 50);
  }
  return VIEWS[shown]?.key?.(event);
}

async function start() {
  document.getElementById("link").addEventListener("click", copyLink);
  document.getElementById("theme").addEventListener("click", switchTheme);
  document.getElementById("keys").addEventListener("click", showKeys);
  addEventListener("keydown", press);
  try {
    shared.stores = (await get("/stores")).stores;
    const newest = Date.parse(shared.stores[0]?.newest ?? "");
    if (newest < Date.now() - 3600e3) state.fallback.from = "";
  } catch (problem) {
    tell(problem);
    // Without the token there is nothing to show.
    if (problem.status === 401) return;
  }
  addEventListener("hashchange", show);
  show();
}

start();
