// What the address bar holds: the view, the time range, the filters. Everything else follows from it.

const RANGES = [["-15m", "15 min"], ["-1h", "1 h"], ["-6h", "6 h"], ["-24h", "24 h"], ["-7d", "7 d"], ["", "All"]];
const UNITS = { m: 60e3, h: 3600e3, d: 86400e3 };

/** The view, what follows it after a slash, and the parameters. */
export function read() {
  const [path, query = ""] = location.hash.slice(1).split("?", 2);
  const [view, ...rest] = path.split("/");
  return { view: view || "overview", rest: rest.map(decodeURIComponent), parameters: new URLSearchParams(query) };
}

/** Goes to a view; `changes` are laid over the parameters there are, empty ones removed. */
export function go(view, changes = {}, keep = ["from", "to"]) {
  location.hash = link(view, changes, keep);
}

export function link(view, changes = {}, keep = ["from", "to"]) {
  const now = read().parameters;
  const next = new URLSearchParams();
  for (const name of keep) if (now.has(name)) next.set(name, now.get(name));
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null) next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return `#${view}${text ? `?${text}` : ""}`;
}

/** The same view with the times that are meant now, for others and for later. */
export function permalink(view) {
  const { view: now, rest, parameters } = read();
  const { from, to } = range();
  const iso = (text, otherwise) => (text ? new Date(moment(text)).toISOString() : otherwise);
  const path = view ?? [now, ...rest.map(encodeURIComponent)].join("/");
  const times = { from: iso(from, ""), to: iso(to, from ? new Date().toISOString() : undefined) };
  return `${location.origin}${location.pathname}${link(path, times, [...parameters.keys()])}`;
}

/** All parameters stay but those that change. */
export function change(changes) {
  const { view, parameters } = read();
  go(view, changes, [...parameters.keys()]);
}

export const ranges = RANGES;

/** The range as parameters of the API. */
export function range() {
  const { parameters } = read();
  const from = parameters.get("from") ?? fallback.from;
  return { from: from || undefined, to: parameters.get("to") || undefined };
}

/** The range where the address has none: the last hour, or all if the store has nothing that is so new. */
export const fallback = { from: "-1h" };

/** A time of the range in milliseconds. */
export function moment(text, otherwise) {
  if (!text) return otherwise;
  const relative = /^-(\d+)([mhd])$/.exec(text);
  return relative ? Date.now() - Number(relative[1]) * UNITS[relative[2]] : Date.parse(text);
}

/** Whether the range ends now. */
export const isLive = () => !range().to;

/** Sets the range to two moments in milliseconds. */
export function zoom(from, to) {
  change({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
}

/**
 * The range in milliseconds as a store counts it, in whole minutes: `from` to `to`; `start` is the store's oldest event
 * where that is younger. `counted` are whole intervals as counts are kept: a long time is not put together from short ones.
 */
export function bounds(store) {
  const { from, to } = range();
  const oldest = Date.parse(store?.oldest ?? "") || undefined;
  const newest = Date.parse(store?.newest ?? "") || Date.now();
  const end = moment(to, from ? Date.now() : newest + 1);
  const first = Math.floor(moment(from, oldest ?? end - 3600e3) / 60e3) * 60e3;
  const start = Math.max(first, Math.min(end - 1000, oldest ?? first));
  return { from: first, to: end, start, counted: whole(start, end), oldest };
}

function whole(start, end) {
  const step = end - start < 7200e3 ? 10e3 : end - start < 3 * 86400e3 ? 60e3 : 600e3;
  return { from: new Date(Math.floor(start / step) * step).toISOString(), to: new Date(Math.ceil(end / step) * step).toISOString() };
}
