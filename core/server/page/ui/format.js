// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (number) => whole.format(number);
/** A number with the word that goes with it. */
export const counted = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
export const compact = (number) => short.format(number);
export const percent = (part) => (part > 0 && part < 0.0005 ? "less than 0.1 %" : `${(part * 100).toFixed(part >= 0.1 || part === 0 ? 0 : 1)} %`);

/** The unit of time in which a number of events a second is no small fraction. */
const unitOf = (number) => [[1, "s"], [60, "min"], [3600, "h"], [86400, "d"]].find(([seconds]) => number * seconds >= 0.1) ?? [86400, "d"];

const inUnit = (number, [seconds, name]) => {
  const events = number * seconds;
  return `${events >= 1000 ? short.format(events) : events.toFixed(events >= 10 || events === 0 ? 0 : 1)}/${name}`;
};

/** Events a second, or in a longer time where they are few. */
export const rate = (number) => inUnit(number, number > 0 ? unitOf(number) : [1, "s"]);

/** The same of several, in one unit. */
export function rates(numbers) {
  const unit = unitOf(numbers.length > 1 ? numbers[1] - numbers[0] : 1);
  return numbers.map((number) => inUnit(number, unit));
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; number >= 1024 && at < units.length - 1; at += 1) number /= 1024;
  return `${number >= 10 || at === 0 ? number.toFixed(0) : number.toFixed(1)} ${units[at]}`;
}

/** A time of day with milliseconds, in the browser's zone, with the date where it is not today. */
export function time(text) {
  if (!text) return "";
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text ?? "";
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Characters of a text that is shown in one line; there may be millions. */
const LINE_MAX = 1000;

/** A text for one line. */
export const oneLine = (text) => text.slice(0, LINE_MAX).replace(/\r?\n|\r/g, " ↵ ");

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** A change against the time before: `+12 %`, `new`, `gone`. */
export function change(now, before) {
  if (before === 0) return now === 0 ? "±0 %" : "new";
  if (now === 0) return "gone";
  if (now >= 10 * before) return `${Math.round(now / before)}×`;
  const part = Math.round((100 * (now - before)) / before);
  return `${part >= 0 ? "+" : "−"}${Math.abs(part)} %`;
}

/** The class of the colour of a level. */
export function levelClass(level) {
  const name = (level ?? "").toUpperCase();
  if (["CRITICAL", "FATAL", "EMERGENCY", "ALERT"].includes(name)) return "critical";
  if (["ERROR", "ERR", "SEVERE"].includes(name)) return "error";
  if (["WARNING", "WARN"].includes(name)) return "warning";
  if (["INFO", "NOTICE"].includes(name)) return "info";
  if (["DEBUG", "TRACE"].includes(name)) return "debug";
  return "other";
}
