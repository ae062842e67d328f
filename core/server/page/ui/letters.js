// Dead letters: what was refused and why, with buttons that offer it again or drop it.

import { get, post } from "./api.js";
import { h, put } from "./dom.js";
import { count, counted, time } from "./format.js";

/** Letters that are shown at first, and more of them each time that older ones are asked for. */
const PAGE = 20;

/** The newest letters. */
export const getLetters = (cursor) => get("/dead-letters", { limit: PAGE, cursor });

/** Puts the letters into `element`; `again` is called once some are gone, `tell` with what is wrong. */
export function showLetters(element, { letters, refused, file, next }, again, tell) {
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
  const rows = h("tbody", {}, letters.map(row));
  const older = h("button", { hidden: !next, onclick: () => showOlder() }, "Older");
  const showOlder = async () => {
    older.disabled = true;
    try {
      const page = await getLetters(next);
      next = page.next;
      rows.append(...page.letters.map(row));
      older.hidden = !next;
    } catch (problem) {
      tell(problem);
    }
    older.disabled = false;
  };
  const table = h("table", {}, h("thead", {}, h("tr", {}, ["Time", "Refused by", "Reason", "Original", ""].map((name) => h("th", {}, name)))), rows);
  // A page may be empty although there are older letters: many had to be looked at.
  if (letters.length === 0 && !next) {
    put(element, h("p", { class: "empty" }, nothing(refused, file)));
    return;
  }
  put(element, table, h("p", {}, older, " ", h("button", { onclick: () => act("replay", { all: true }) }, "Replay all"), " ", h("button", { onclick: dropAll }, "Drop all"), " ",
    h("small", {}, `${count(refused)} refused since the start; kept in ${file}. `), said));
}

function told(what, { replayed, dropped, left_out }) {
  const stays = (left_out ?? []).map((one) => `; ${counted(one.letters, "stays", "stay")}: there is no ${one.component_id} any more`);
  return `${count(what === "replay" ? replayed : dropped)} ${what === "replay" ? "replayed" : "dropped"}${stays.join("")}`;
}

function nothing(refused, file) {
  if (refused === 0) return "Nothing was refused.";
  return file ? `No letter is left of ${counted(refused, "event that was", "events that were")} refused since the start.` : `${counted(refused, "event was", "events were")} refused; the topology reads them itself.`;
}
