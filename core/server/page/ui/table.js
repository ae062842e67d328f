// A table of as many rows as there are: only those in sight are elements; more are asked for before the end is reached.

import { h, put } from "./dom.js";
import { levelClass, time } from "./format.js";

const ROW_HEIGHT = 26;
const MARGIN = 12;
/** Rows kept at most; beyond that a narrower time has to be chosen. */
export const ROWS_MAX = 200000;

export class LogTable {
  /** `more()` is called when the end comes near, `open(row)` when a row is chosen. */
  constructor(element, { more, open }) {
    this.rows = [];
    this.at = -1;
    this.selected = new Set();
    this.more = more;
    this.open = open;
    this.body = h("div", { class: "rows", role: "rowgroup" });
    this.sizer = h("div", { class: "sizer" }, this.body);
    this.end = h("div", { class: "end" });
    const head = h("div", { class: "row head", role: "row" }, ["", "Time", "Level", "Service", "Message"].map((name) => h("span", { role: "columnheader" }, name)));
    this.scroller = h("div", { class: "scroller", role: "table", "aria-label": "Events", tabindex: "0", onscroll: () => this.draw() }, head, this.sizer, this.end);
    this.body.addEventListener("click", (event) => this.click(event));
    put(element, this.scroller);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.scroller);
  }

  destroy() { this.resize.disconnect(); }

  clear() {
    this.rows = [];
    this.at = -1;
    this.selected.clear();
    this.scroller.scrollTop = 0;
    this.draw();
  }

  append(rows) {
    this.rows.push(...rows.slice(0, ROWS_MAX - this.rows.length));
    this.draw();
  }

  /** Puts rows in front; what is looked at stays where it is. */
  prepend(rows, limit) {
    this.rows = [...rows, ...this.rows].slice(0, limit);
    if (this.at >= 0) this.at += rows.length;
    if (this.scroller.scrollTop > 0) this.scroller.scrollTop += rows.length * ROW_HEIGHT;
    this.draw();
  }

  say(...text) { put(this.end, ...text); }

  draw() {
    this.sizer.style.height = `${this.rows.length * ROW_HEIGHT}px`;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - MARGIN);
    const last = Math.min(this.rows.length, first + Math.ceil(this.scroller.clientHeight / ROW_HEIGHT) + 2 * MARGIN);
    this.body.style.transform = `translateY(${first * ROW_HEIGHT}px)`;
    const elements = [];
    for (let index = first; index < last; index += 1) elements.push(this.row(index));
    put(this.body, elements);
    if (last > this.rows.length - 100) this.more?.();
  }

  row(index) {
    const row = this.rows[index];
    const kind = levelClass(row.level);
    return h("div", {
      class: `row ${kind}${index === this.at ? " current" : ""}${this.selected.has(row) ? " selected" : ""}`, role: "row", "data-index": index,
    },
    h("span", { class: "pick", role: "cell", title: "Select (x)" }, this.selected.has(row) ? "☑" : "☐"),
    h("span", { class: "time", role: "cell" }, h("span", { class: "date" }, time(row.timestamp).slice(0, 11)), time(row.timestamp).slice(11)),
    h("span", { class: `level ${kind}`, role: "cell" }, row.level ?? ""),
    h("span", { class: "service", role: "cell" }, row.service ?? ""),
    h("span", { class: "message", role: "cell" }, (row.anomaly_score ?? 0) >= 0.5 && h("i", { class: "mark", title: `anomaly score ${row.anomaly_score.toFixed(2)}` }, "▲ "), row.message ?? JSON.stringify(row.fields)));
  }

  click(event) {
    const element = event.target.closest(".row");
    if (!element) return;
    this.at = Number(element.dataset.index);
    if (event.target.closest(".pick") || event.ctrlKey) this.select();
    else this.choose();
  }

  select() {
    const row = this.rows[this.at];
    if (!row) return;
    if (!this.selected.delete(row)) this.selected.add(row);
    this.draw();
    this.onselect?.();
  }

  choose() {
    this.draw();
    if (this.rows[this.at]) this.open(this.rows[this.at]);
  }

  move(by) {
    this.at = Math.max(0, Math.min(this.rows.length - 1, this.at + by));
    const top = this.at * ROW_HEIGHT;
    const view = this.scroller;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + 3 * ROW_HEIGHT > view.scrollTop + view.clientHeight) view.scrollTop = top + 3 * ROW_HEIGHT - view.clientHeight;
    this.draw();
  }
}
