// Numbers and times as people read them. Times are those of the shop's time zone, and say which.
import { h } from "./dom.js";
import { zone, zoneCity } from "./zone.js";

const LOCALE = "en-GB"; // the page's language; day before month cannot be misread
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compactNumber = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });
const wholePercents = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const relativeTime = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
const DAY = { day: "numeric", month: "short", year: "numeric" };
const SHORT_DAY = { day: "numeric", month: "short" };
const MINUTES = { hour: "2-digit", minute: "2-digit" };
const SECONDS = { ...MINUTES, second: "2-digit" };
const NAMED = { timeZoneName: "short" }; // CET or CEST, which tells the two hours after two o'clock apart

/** Formats in the shop's zone, which is known only when the first answer is there. */
function inZone(parts) {
  let made = null;
  return (at) => {
    if (made?.zone !== zone()) made = { zone: zone(), format: new Intl.DateTimeFormat(LOCALE, { timeZone: zone(), hourCycle: "h23", ...parts }) };
    return made.format.format(new Date(at));
  };
}

const dateAndTime = inZone({ ...DAY, ...MINUTES });

export const NONE = "–";
const missing = (value) => value === null || value === undefined || Number.isNaN(value);

export const number = (n) => (missing(n) ? NONE : whole.format(n));
/** 1 view, 2 views. */
export const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
export const mebibytes = (n) => (missing(n) ? NONE : `${whole.format(n / 2 ** 20)} MiB`);
export const compact = (n) => (missing(n) ? NONE : compactNumber.format(n));
export const percent = (n) => (missing(n) ? NONE : percents.format(n));
export const wholePercent = (n) => (missing(n) ? NONE : wholePercents.format(n));

export function decimal(n, digits = 2) {
  if (missing(n)) return NONE;
  return new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(n);
}

/** As many digits as it takes: parameters may be 8 or 0.00025. */
export const precise = (n) =>
  missing(n) ? NONE : new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: Math.abs(n) >= 1e5 ? 15 : 5 }).format(n);

/** Every digit of a number; of a huge one, its size. */
export const exact = (n) =>
  missing(n) ? NONE : new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 15, notation: Math.abs(n) >= 1e15 ? "scientific" : "standard" }).format(n);

export function duration(seconds) {
  if (missing(seconds)) return NONE;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const known = (format) => (at) => (at ? format(at) : NONE);
export const dateTime = known(inZone({ ...DAY, ...MINUTES, ...NAMED }));
export const dateTimeSeconds = known(inZone({ ...DAY, ...SECONDS, ...NAMED }));
/** Without the zone, for columns whose head says it, and without the year, for narrow ones. */
export const bareTime = known(inZone({ ...SHORT_DAY, ...SECONDS }));
export const bareDayTime = known(inZone({ ...SHORT_DAY, ...MINUTES }));
export const date = inZone(DAY);
export const dayMonth = inZone(SHORT_DAY);
export const hour = inZone(MINUTES);
/** Both ends and the zone: 19 Nov 2026, 12:00 – 26 Nov 2026, 12:00 Europe/Berlin. */
export const span = (from, to) => `${dateAndTime(from)} – ${dateAndTime(to)} ${zone()}`;

/** The head of a column of times. */
export const inZoneLabel = (text) => [`${text} (`, h("span", { data: { zone: "city" } }, zoneCity()), ")"];

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function relative(at, now = Date.now()) {
  // Another machine's clock may be a little ahead of this one; nothing was committed in the future.
  const seconds = Math.min(0, (new Date(at).getTime() - now) / 1000);
  for (const [unit, size] of UNITS) {
    if (-seconds >= size) return relativeTime.format(Math.round(seconds / size), unit);
  }
  return -seconds < 10 ? "just now" : relativeTime.format(Math.round(seconds), "second");
}

/** A `<time>`; relative ones are kept true by `tick`. */
export function timeElement(at, { relative: isRelative = false, seconds = false } = {}) {
  if (!at) return NONE;
  const full = seconds ? dateTimeSeconds(at) : dateTime(at);
  if (!isRelative) return h("time", { datetime: at }, full);
  return h("time", { datetime: at, title: dateTimeSeconds(at), data: { relative: "" } }, relative(at));
}

export function tick() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = relative(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** session_knn → session knn; als stays ALS. */
export function humanName(name) {
  const text = name.replaceAll("_", " ").replace(/\bals\b/gi, "ALS").replace(/\bknn\b/gi, "kNN").replace(/\b(mrr|ndcg|auc|rmse)\b/gi, (short) => short.toUpperCase());
  return text.charAt(0).toUpperCase() + text.slice(1);
}
