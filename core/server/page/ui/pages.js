// The events of a search around a place, newest first: pages of them, which grow at the end that is looked at and are
// let go at the other. Where a row stands among all is known by counting from the top, or estimated from the timeline.

const PAGE = 200;
/** Pages that are held. */
const PAGES_MAX = 30;
/** Rows beyond what is in sight that are asked for before they are needed. */
const AHEAD = 120;
/** Rows up to which the next page is asked for; beyond, it is a leap to another place. */
const NEAR = 600;

export class Pages {
  /** `ask(parameters)` gives a page of /logs; `changed()` is called when there are other rows. */
  constructor({ ask, changed, failed }) {
    Object.assign(this, { ask, changed, failed });
    this.clear();
  }

  clear() {
    this.turn = (this.turn ?? 0) + 1;
    Object.assign(this, { pages: [], rows: [], start: 0, isTop: false, isEnd: false, isLoading: false, isGuess: false, shifted: 0, estimate: undefined, timeline: [] });
    clearTimeout(this.leaping);
  }

  /** All rows, as far as it is known. */
  get total() {
    const known = this.start + this.rows.length;
    if (this.isEnd) return known;
    return Math.max(this.estimate ?? 0, known + (this.pages.length > 0 ? PAGE : 0));
  }

  /** What counts say: the number of events and the intervals they are in. */
  expect(total, timeline, seconds) {
    const sum = (interval) => interval.levels.reduce((events, level) => events + level.count, 0);
    this.timeline = timeline.map((one) => ({ start: Date.parse(one.start), end: Date.parse(one.start) + seconds * 1000, events: sum(one) })).reverse();
    this.estimate = total;
    const newest = this.rows[0];
    if (this.isGuess && newest) this.renumber(this.numberOf(Date.parse(newest.timestamp)), this.start);
    this.changed();
  }

  /** The time of a row by its number, in milliseconds. */
  timeOf(number) {
    let left = number;
    for (const { start, end, events } of this.timeline) {
      if (left < events) return Math.ceil(end - ((end - start) * left) / events);
      left -= events;
    }
    return undefined;
  }

  /** The number of the first row before a time. */
  numberOf(ms) {
    let number = 0;
    for (const { start, end, events } of this.timeline) {
      if (ms >= end) break;
      number += ms <= start ? events : (events * (end - ms)) / (end - start);
    }
    return Math.round(number);
  }

  /** The newest events. */
  first() {
    return this.load({}, (page) => this.restart(page, 0, { isTop: true }));
  }

  /** Those before a time; `place()` is called when they are there. */
  before(ms, number, place) {
    return this.load({ to: new Date(ms).toISOString() }, (page) => {
      this.restart(page, number, { isGuess: number > 0 });
      place?.();
    });
  }

  /** The oldest events. */
  last() {
    return this.load({ order: "oldest" }, (page) => {
      const rows = page.logs.reverse();
      this.restart({ logs: rows }, Math.max(0, this.total - rows.length), { isTop: !page.next, isEnd: true, isGuess: true });
      this.pages = [{ count: rows.length, up: page.next, down: null }];
      if (this.isTop) this.start = 0;
    });
  }

  older() {
    return this.load({ cursor: this.pages[this.pages.length - 1].down }, (page) => {
      this.pages.push({ count: page.logs.length, up: page.first, down: page.next });
      this.rows = this.rows.concat(page.logs);
      this.isEnd = !page.next;
      if (this.pages.length <= PAGES_MAX) return;
      const { count } = this.pages.shift();
      this.rows = this.rows.slice(count);
      this.start += count;
      this.isTop = false;
    });
  }

  newer() {
    return this.load({ order: "oldest", cursor: this.pages[0].up }, (page) => {
      const rows = page.logs.reverse();
      this.pages.unshift({ count: rows.length, up: page.next, down: page.first });
      this.rows = rows.concat(this.rows);
      this.isTop = !page.next;
      this.isGuess &&= !this.isTop;
      this.renumber(this.start - rows.length, this.start - rows.length);
      if (this.pages.length <= PAGES_MAX) return;
      const { count } = this.pages.pop();
      this.rows = this.rows.slice(0, -count);
      this.isEnd = false;
    });
  }

  /** An estimate of the number of the first row is put right once the top is seen, and never lets it begin before it. */
  renumber(start, before) {
    const right = this.isTop ? 0 : Math.max(1, start);
    this.shifted += right - before;
    this.start = right;
  }

  restart(page, start, { isTop = false, isEnd = !page.next, isGuess = false }) {
    this.pages = [{ count: page.logs.length, up: page.first, down: page.next }];
    Object.assign(this, { rows: page.logs, start, isTop, isEnd, isGuess });
  }

  async load(parameters, take) {
    if (this.isLoading) return;
    const mine = this.turn;
    this.isLoading = true;
    try {
      const page = await this.ask({ ...parameters, limit: PAGE });
      if (mine !== this.turn) return;
      this.isLoading = false;
      take(page);
    } catch (problem) {
      if (mine !== this.turn) return;
      // Not asked again at once: whoever scrolls or searches asks anew.
      this.isLoading = false;
      this.failed(problem);
      return;
    }
    this.changed();
  }

  /** What is in sight: rows beyond it are asked for. */
  need(first, last) {
    clearTimeout(this.leaping);
    if (this.isLoading || this.pages.length === 0) return;
    const end = this.start + this.rows.length;
    const isFar = first > end + NEAR || last < this.start - NEAR;
    if (isFar && this.timeline.length > 0) this.leaping = setTimeout(() => this.leap(first, last), 60);
    else if (last + AHEAD > end && !this.isEnd) this.older();
    else if (first - AHEAD < this.start && !this.isTop) this.newer();
  }

  leap(first, last) {
    if (first === 0) return this.first();
    const ms = this.timeOf(first);
    if (ms === undefined || last >= this.total) return this.last();
    return this.before(ms, first);
  }
}
