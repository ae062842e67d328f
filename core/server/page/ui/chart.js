// Events over time by level: stacked bars, anomalies and bursts on the same axis; dragging sets the range.

import { spans, told } from "./bursts.js";
import { h, put } from "./dom.js";
import { compact, count, levelClass, rate, rates } from "./format.js";

const ORDER = ["debug", "other", "info", "warning", "error", "critical"];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Intervals from the API as one column a class of levels; intervals without events are zero. */
function columns(stats, from, to) {
  const step = stats.interval_seconds;
  const starts = stats.timeline.map((one) => Date.parse(one.start) / 1000);
  if (!step || starts.length === 0) return { times: [], counts: {}, anomalies: [], step };
  const first = Math.min(starts[0], Math.floor(from / 1000 / step) * step || starts[0]);
  const last = Math.max(starts[starts.length - 1], Math.min(Math.floor(to / 1000 / step) * step, first + 3000 * step));
  const times = [];
  // The first and the last interval are cut off: their rate is over the part that belongs to the range.
  const part = (time) => Math.max(1, Math.min(time + step, to / 1000) - Math.max(time, from / 1000));
  for (let time = first; time <= last + step / 2; time += step) times.push(time);
  const counts = Object.fromEntries(ORDER.map((name) => [name, new Array(times.length).fill(0)]));
  const anomalies = new Array(times.length).fill(0);
  stats.timeline.forEach((one, at) => {
    const index = Math.round((starts[at] - first) / step);
    for (const { level, count: events } of one.levels) counts[levelClass(level)][index] += events;
    anomalies[index] += one.anomalies;
  });
  const seconds = times.map((time) => Math.min(step, part(time)));
  return { times, counts, anomalies, step, seconds };
}

export class Timeline {
  /**
   * Dragging, and a click on the mark of a burst or of an anomaly, calls `onZoom(from, to)`; a click elsewhere `onPick(at, step)`
   * with the interval's start and length; all in milliseconds.
   */
  constructor(element, { height = 190, onZoom, onPick, hint }) {
    this.hint = hint;
    this.element = element;
    this.height = height;
    this.onZoom = onZoom;
    this.onPick = onPick;
    this.place = h("div", { class: "place", hidden: true });
    this.plot = null;
    this.legend = h("div", { class: "legend" });
    this.canvas = h("div", { class: "canvas" });
    put(element, this.canvas, this.legend);
    this.resize = new ResizeObserver(() => this.plot?.setSize({ width: this.canvas.clientWidth, height }));
    this.resize.observe(this.canvas);
    this.redraw = () => this.last && this.show(...this.last);
    addEventListener("theme", this.redraw);
  }

  destroy() {
    this.resize.disconnect();
    removeEventListener("theme", this.redraw);
    this.plot?.destroy();
  }

  /** Draws counts between two moments in milliseconds; `bursts` have a start, an end, a name and a factor. */
  show(stats, from, to, bursts = []) {
    this.last = [stats, from, to, bursts];
    const { times, counts, anomalies, step, seconds } = columns(stats, from, to);
    this.plot?.destroy();
    this.plot = null;
    if (times.length === 0) {
      put(this.legend);
      put(this.canvas, h("p", { class: "empty" }, "No events in this time."));
      return;
    }
    put(this.canvas);
    const used = ORDER.filter((name) => counts[name].some((events) => events > 0));
    const stacked = [];
    const sum = new Array(times.length).fill(0);
    for (const name of used) {
      counts[name].forEach((events, at) => { sum[at] += events / seconds[at]; });
      stacked.push([...sum]);
    }
    // The highest is drawn first, so that the lower ones lie over it.
    const series = used.map((name, at) => ({ name, data: stacked[at] })).reverse();
    const hover = h("div", { class: "hover", hidden: true });
    const options = this.options(series, { times, counts, anomalies, step, seconds, sum, used, hover, bursts });
    // An empty interval behind the last one, so that its bar is shown whole.
    const data = [[...times, times[times.length - 1] + step], ...series.map((one) => [...one.data, null])];
    this.plot = new uPlot(options, data, this.canvas);
    this.plot.over.append(hover, this.place);
    this.plot.over.addEventListener("click", (event) => {
      const { plot } = this;
      const box = plot.over.getBoundingClientRect();
      const at = Math.floor((plot.posToVal(event.clientX - box.left, "x") - times[0]) / step);
      if (plot.select.width >= 4 || event.target.closest(".burst-mark")) return;
      const start = (times[0] + at * step) * 1000;
      const isOnAnomaly = anomalies[at] > 0 && Math.abs(event.clientY - box.top - anomalyTop(plot, sum[at])) < 8;
      if (isOnAnomaly) this.onZoom(start, start + step * 1000);
      else this.onPick?.(start, step * 1000);
    });
    const total = (name) => counts[name].reduce((a, b) => a + b, 0);
    const item = (name) => h("span", { class: `swatch ${name}` }, `${name} ${compact(total(name))}`);
    const found = anomalies.reduce((a, b) => a + b, 0);
    put(this.legend, [...used].reverse().map(item), found > 0 && h("span", { class: "swatch anomaly" }, `anomalies ${compact(found)}`),
      bursts.length > 0 && h("span", { class: "swatch burst" }, `bursts ${bursts.length}`), this.hint && h("span", { class: "hint" }, this.hint));
  }

  /** A mark above the time of every burst, that a mouse or a keyboard can go to. */
  showBursts(plot, bursts) {
    const width = plot.over.clientWidth;
    const at = (ms) => Math.max(0, Math.min(width, plot.valToPos(ms / 1000, "x")));
    const mark = ({ start, end, bursts: inside }) => {
      const [left, right] = [at(start), at(end)];
      const text = [...inside.slice(0, 6).map(told), `${new Date(start).toLocaleString()} – ${new Date(end).toLocaleString()}`].join("\n");
      return h("button", { class: "burst-mark", type: "button", title: text, "aria-label": `Zoom to the ${text}`, style: { left: `${(100 * left) / width}%`, width: `${(100 * Math.max(6, right - left)) / width}%` },
        onmousedown: (event) => event.stopPropagation(), onclick: () => this.onZoom(start - (end - start) / 4, end + (end - start) / 4) });
    };
    plot.over.append(...spans(bursts).map(mark));
  }

  /** Marks the times that are looked at elsewhere. */
  mark(from, to) {
    this.marked = [from, to];
    if (!this.plot?.over.clientWidth) return;
    const at = (ms) => Math.max(0, Math.min(this.plot.over.clientWidth, this.plot.valToPos(ms / 1000, "x")));
    const left = at(from);
    this.place.hidden = false;
    Object.assign(this.place.style, { left: `${left}px`, width: `${Math.max(2, at(to) - left)}px` });
  }

  options(series, told) {
    const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui, sans-serif" };
    const bars = uPlot.paths.bars({ size: [0.92, 1000], align: 1 });
    const level = ({ name }) => ({ stroke: colour(name), fill: colour(name), width: 0, paths: bars, points: { show: false } });
    return {
      width: this.canvas.clientWidth || 600,
      height: this.height,
      legend: { show: false },
      padding: [10, 22, 0, 0],
      cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] } },
      axes: [axis, { ...axis, size: 58, values: (_, values) => rates(values) }],
      series: [{}, ...series.map(level)],
      hooks: {
        // Only then it has a size.
        ready: [(plot) => {
          this.showBursts(plot, told.bursts);
          if (this.marked) this.mark(...this.marked);
        }],
        drawClear: [(plot) => drawBursts(plot, told.bursts)],
        draw: [(plot) => drawAnomalies(plot, told)],
        setCursor: [(plot) => showHover(plot, told)],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          const at = (x) => plot.posToVal(x, "x") * 1000;
          if (width < 4) return;
          this.onZoom(at(left), at(left + width));
        }],
      },
    };
  }
}

function drawBursts(plot, bursts) {
  plot.ctx.save();
  plot.ctx.beginPath();
  plot.ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
  plot.ctx.clip();
  plot.ctx.fillStyle = colour("burst");
  for (const { start, end } of spans(bursts)) {
    const left = plot.valToPos(start / 1000, "x", true);
    const right = plot.valToPos(end / 1000, "x", true);
    plot.ctx.fillRect(left, plot.bbox.top, Math.max(3, right - left), plot.bbox.height);
  }
  plot.ctx.restore();
}

/** Where the mark of an interval's anomalies is, in pixels below the top. */
const anomalyTop = (plot, events) => Math.max(6, plot.valToPos(events, "y") - 7);

/** A mark above every interval with anomalies. */
function drawAnomalies(plot, { times, anomalies, sum, step }) {
  plot.ctx.save();
  plot.ctx.fillStyle = colour("anomaly");
  plot.ctx.strokeStyle = colour("panel");
  anomalies.forEach((events, at) => {
    if (events === 0) return;
    const x = plot.valToPos(times[at] + step / 2, "x", true);
    const y = plot.bbox.top + anomalyTop(plot, sum[at]) * devicePixelRatio;
    plot.ctx.beginPath();
    plot.ctx.arc(x, y, 4 * devicePixelRatio, 0, 2 * Math.PI);
    plot.ctx.fill();
    plot.ctx.stroke();
  });
  plot.ctx.restore();
}

function showHover(plot, { times, counts, anomalies, step, seconds, used, hover, bursts }) {
  const at = plot.cursor.left < 0 ? -1 : Math.floor((plot.posToVal(plot.cursor.left, "x") - times[0]) / step);
  hover.hidden = at < 0 || at >= times.length;
  if (hover.hidden) return;
  const [from, to] = [times[at] * 1000, (times[at] + step) * 1000];
  const inside = bursts.filter(({ start, end }) => start < to && end > from).slice(0, 6);
  const lines = [...used].reverse().filter((name) => counts[name][at] > 0);
  put(hover, h("b", {}, new Date(times[at] * 1000).toLocaleString()),
    lines.map((name) => h("div", { class: `swatch ${name}` }, `${name} ${count(counts[name][at])} · ${rate(counts[name][at] / seconds[at])}`)),
    anomalies[at] > 0 && h("div", { class: "swatch anomaly" }, `anomalies ${anomalies[at]}`),
    inside.map((burst) => h("div", { class: "swatch burst" }, told(burst))));
  const right = plot.cursor.left > plot.over.clientWidth / 2;
  hover.style.left = right ? "" : `${plot.cursor.left + 12}px`;
  hover.style.right = right ? `${plot.over.clientWidth - plot.cursor.left + 12}px` : "";
}
