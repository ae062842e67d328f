// Dead letters: what was refused and why, with buttons that offer it again or drop it.

import { post } from "./api.js";
import { h, put } from "./dom.js";
import { count, time } from "./format.js";

/** Letters that are shown. */
const SHOWN = 20;

/** Puts the letters into `element`; `again` is called once some are gone, `tell` with what is wrong. */
export function showLetters(element, { letters, refused, file }, again, tell) {
  const said = h("small", { role: "status" });
  const act = async (what, parameters) => {
    for (const button of element.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await post(`/dead-letters/${what}`, parameters);
      said.textContent = told(what, answer);
      await again();
    } catch (problem) {
      tell(problem);
      for (const button of element.querySelectorAll("button")) button.disabled = false;
    }
  };
  const buttons = (one) => one.id && [
    h("button", { class: "quiet", title: `Offer it to ${one.component_id} again`, onclick: () => act("replay", { ids: one.id }) }, "Replay"),
    h("button", { class: "quiet", title: "Take it out of the list for good", onclick: () => act("drop", { ids: one.id }) }, "Drop"),
  ];
  const original = (one) => one.message ?? JSON.stringify(one.fields);
  const row = (one) => h("tr", { "data-id": one.id }, h("td", { class: "nowrap" }, one.timestamp && time(one.timestamp)), h("td", {}, one.component_id ?? ""), h("td", {}, one.reason ?? ""),
    h("td", { class: "mono clip", title: original(one) }, original(one)), h("td", { class: "nowrap" }, buttons(one)));
  const dropAll = () => confirm("Drop all dead letters for good?") && act("drop", { all: true });
  const table = h("table", {}, h("thead", {}, h("tr", {}, ["Time", "Refused by", "Reason", "Original", ""].map((name) => h("th", {}, name)))), h("tbody", {}, letters.slice(0, SHOWN).map(row)));
  if (letters.length === 0) {
    put(element, h("p", { class: "empty" }, nothing(refused, file)));
    return;
  }
  put(element, table, h("p", {}, h("button", { onclick: () => act("replay", { all: true }) }, "Replay all"), " ", h("button", { onclick: dropAll }, "Drop all"), " ",
    h("small", {}, `${count(refused)} refused since the start; kept in ${file}. `), said));
}

function told(what, { replayed, dropped, left_out }) {
  const stays = (left_out ?? []).map((one) => `; ${count(one.letters)} stay: there is no ${one.component_id} any more`);
  return `${count(what === "replay" ? replayed : dropped)} ${what === "replay" ? "replayed" : "dropped"}${stays.join("")}`;
}

function nothing(refused, file) {
  if (refused === 0) return "Nothing was refused.";
  return file ? `No letter is left of ${count(refused)} events that were refused since the start.` : `${count(refused)} were refused; the topology reads them itself.`;
}
