// Bursts: which there were in a time, from their starts and ends.

import { get } from "./api.js";

/** Starts and ends of bursts, the newest. */
const STATEMENTS = 500;

/** The bursts between two moments in milliseconds, each with a start, an end, a name and a factor. */
export async function burstsBetween(from, to, signal) {
  const { logs } = await get("/bursts", { from: new Date(from).toISOString(), to: new Date(to).toISOString(), limit: STATEMENTS }, signal);
  return pairs(logs.reverse(), to);
}

/**
 * Starts and ends as times with what they are of; a burst that has no end lasts until the end of the range. It has lasted a
 * while when it is told, so that it is drawn from where it began.
 */
function pairs(logs, to) {
  const open = new Map();
  const found = [];
  for (const log of logs) {
    const at = Date.parse(log.timestamp);
    const { event, id, key, factor, duration_seconds: seconds } = log.explanation ?? {};
    const start = at - 1000 * (seconds ?? 0);
    const name = key ?? "all events";
    if (event === "start") open.set(id ?? key, { start, end: to, name, factor });
    if (event === "end") {
      const burst = open.get(id ?? key) ?? { start, name };
      open.delete(id ?? key);
      found.push({ ...burst, end: at, factor });
    }
  }
  return [...found, ...open.values()];
}

/** The times of bursts, each once, however many there are at the same time; with those that are in it. */
export function spans(bursts) {
  const all = [];
  for (const burst of [...bursts].sort((a, b) => a.start - b.start)) {
    const last = all[all.length - 1];
    if (last && burst.start <= last.end) {
      last.end = Math.max(last.end, burst.end);
      last.bursts.push(burst);
    } else {
      all.push({ start: burst.start, end: burst.end, bursts: [burst] });
    }
  }
  return all;
}

/** A burst in words. */
export const told = ({ name, factor }) => `burst of ${name}${factor ? `, ${factor.toFixed(1)}×` : ""}`;
