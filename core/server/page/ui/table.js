// A table of millions of rows: those in sight are elements, those around them are held, all others are asked for when
// somebody comes near. Rows are counted from the top, whether they are held or not.

import { h, put } from "./dom.js";
import { levelClass, oneLine, time } from "./format.js";

const ROW_HEIGHT = 26;
const MARGIN = 12;
/** A browser draws no element that is much higher: beyond, a pixel of the scroll bar stands for several. */
const HEIGHT_MAX = 8e6;
/** Screens at either end where a pixel is a pixel, so that both ends can be reached by small steps. */
const EXACT_SCREENS = 4;

export class LogTable {
  /** `need(first, last)` is called with what is in sight, `open(row)` when a row is chosen. */
  constructor(element, { need, open }) {
    Object.assign(this, { need, open, rows: [], start: 0, total: 0, at: -1, top: 0, seen: 0, selected: new Map() });
    this.body = h("div", { class: "rows", role: "rowgroup" });
    this.sizer = h("div", { class: "sizer" }, this.body);
    this.end = h("div", { class: "end" });
    const head = h("div", { class: "row head", role: "row" }, ["", "Time", "Level", "Service", "Message"].map((name) => h("span", { role: "columnheader", class: name.toLowerCase() }, name)));
    this.scroller = h("div", { class: "scroller", role: "table", "aria-label": "Events", tabindex: "0", onscroll: () => this.scrolled() }, head, this.sizer, this.end);
    this.body.addEventListener("click", (event) => this.click(event));
    put(element, this.scroller);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.scroller);
  }

  destroy() {
    this.resize.disconnect();
    clearTimeout(this.settling);
  }

  clear() {
    this.at = -1;
    this.selected.clear();
    this.show([], 0, 0);
    this.scrollTo(0);
  }

  /** Shows rows of which the first is number `start` of `total`. What is looked at stays where it is. */
  show(rows, start, total) {
    Object.assign(this, { rows, start, total });
    this.draw();
  }

  /** All rows have got other numbers: so many were put in front. */
  shift(by) {
    if (this.at >= 0) this.at += by;
    if (this.top > 0) this.scrollTo(this.top / ROW_HEIGHT + by);
  }

  /** Puts rows in front of a list that is held as a whole. */
  prepend(rows, limit) {
    const all = [...rows, ...this.rows].slice(0, limit);
    this.show(all, 0, all.length);
    this.shift(rows.length);
    this.draw();
  }

  say(...text) { put(this.end, ...text); }

  /** The row of a number, where it is held. */
  row(number) { return this.rows[number - this.start]; }

  /** The numbers of the first row in sight and the one behind the last. */
  sight() {
    const first = Math.floor(this.top / ROW_HEIGHT);
    return [first, Math.min(this.total, first + Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 1))];
  }

  /** Puts a row at the top of what is in sight. */
  scrollTo(number) {
    this.sizer.style.height = `${Math.min(HEIGHT_MAX, this.total * ROW_HEIGHT)}px`;
    this.top = Math.max(0, number * ROW_HEIGHT);
    this.settle();
  }

  /** How far the bar can go, and how far the rows. */
  lengths() {
    const bar = Math.max(0, this.scroller.scrollHeight - this.scroller.clientHeight);
    const hidden = Math.max(0, this.total * ROW_HEIGHT - HEIGHT_MAX);
    return { bar, all: bar + hidden, exact: EXACT_SCREENS * this.scroller.clientHeight };
  }

  toBar(top) {
    const { bar, all, exact } = this.lengths();
    if (bar === all || top <= exact) return top;
    if (all - top <= exact) return bar - (all - top);
    return exact + ((top - exact) * (bar - 2 * exact)) / (all - 2 * exact);
  }

  fromBar(at) {
    const { bar, all, exact } = this.lengths();
    if (bar === all || at <= exact) return at;
    if (bar - at <= exact) return all - (bar - at);
    return exact + ((at - exact) * (all - 2 * exact)) / (bar - 2 * exact);
  }

  scrolled() {
    const now = this.scroller.scrollTop;
    const by = now - this.seen;
    this.seen = now;
    const { bar, all } = this.lengths();
    const isStep = bar !== all && Math.abs(by) < 2 * this.scroller.clientHeight;
    this.top = isStep ? Math.max(0, Math.min(all, this.top + by)) : this.fromBar(now);
    if (isStep && by !== 0) {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.settle(), 150);
    }
    this.draw();
  }

  /** Puts the bar where it belongs; steps leave it where a pixel was a pixel. */
  settle() {
    this.scroller.scrollTop = this.toBar(this.top);
    this.seen = this.scroller.scrollTop;
    if (this.lengths().bar === this.lengths().all) this.top = this.seen;
    this.draw();
  }

  draw() {
    this.sizer.style.height = `${Math.min(HEIGHT_MAX, this.total * ROW_HEIGHT)}px`;
    const [sight, behind] = this.sight();
    const first = Math.max(0, sight - MARGIN);
    const last = Math.min(this.total, behind + MARGIN);
    this.body.style.transform = `translateY(${this.seen - this.top + first * ROW_HEIGHT}px)`;
    const elements = [];
    for (let number = first; number < last; number += 1) elements.push(this.element(number));
    put(this.body, elements);
    this.need?.(sight, behind);
  }

  element(number) {
    const row = this.row(number);
    if (!row) return h("div", { class: "row waiting", role: "row" });
    const kind = levelClass(row.level);
    const isSelected = this.selected.has(row.id ?? row);
    const text = time(row.timestamp);
    return h("div", {
      class: `row ${kind}${number === this.at ? " current" : ""}${isSelected ? " selected" : ""}`, role: "row", "data-number": number, "aria-rowindex": number + 1,
    },
    h("span", { class: "pick", role: "cell", title: "Select (x)" }, isSelected ? "☑" : "☐"),
    h("span", { class: "time", role: "cell" }, h("span", { class: "date" }, text.slice(0, 11)), text.slice(11)),
    h("span", { class: `level ${kind}`, role: "cell" }, oneLine(row.level ?? "")),
    h("span", { class: "service", role: "cell" }, oneLine(row.service ?? "")),
    h("span", { class: "message", role: "cell" }, (row.anomaly_score ?? 0) >= 0.5 && h("i", { class: "mark", title: `anomaly score ${row.anomaly_score.toFixed(2)}` }, "▲ "), oneLine(row.message ?? JSON.stringify(row.fields))));
  }

  click(event) {
    const element = event.target.closest("[data-number]");
    if (!element) return;
    this.at = Number(element.dataset.number);
    if (event.target.closest(".pick") || event.ctrlKey) this.select();
    else this.choose();
  }

  select() {
    const row = this.row(this.at);
    if (!row) return;
    const key = row.id ?? row;
    if (!this.selected.delete(key)) this.selected.set(key, row);
    this.draw();
    this.onselect?.();
  }

  choose() {
    this.draw();
    if (this.row(this.at)) this.open(this.row(this.at));
  }

  /** Goes to a row by number and shows it. */
  moveTo(number) {
    this.at = Math.max(0, Math.min(this.total - 1, number));
    const [first, behind] = this.sight();
    if (this.at < first) this.scrollTo(this.at);
    else if (this.at >= behind - 1) this.scrollTo(this.at - (behind - first) + 2);
    else this.draw();
  }

  move(by) { this.moveTo(this.at + by); }
}
