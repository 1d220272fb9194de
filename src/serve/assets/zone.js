// The shop's time zone: which it is, and what its clocks show. Instants are UTC; only what people read and type is local.
import { get } from "./api.js";

let name = "UTC";
let fields = clock(name);
let asked = null;

/** Shows the fields of a time on the zone's clocks; throws if the browser does not know the zone. */
function clock(timeZone) {
  const two = "2-digit";
  return new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", year: "numeric", month: two, day: two, hour: two, minute: two, second: two });
}

/** Its name, "UTC" until it is known. */
export const zone = () => name;

/** Its city, for narrow columns. */
export const zoneCity = () => name.split("/").at(-1).replaceAll("_", " ");

/** Resolves once the zone is known; asked for once, and again if there was no answer. */
export function shopZone() {
  asked ??= get("/project").then(({ timezone }) => use(timezone));
  asked.catch(() => { asked = null; });
  return asked;
}

function use(timezone) {
  try {
    fields = clock(timezone);
    name = timezone;
  } catch {
    console.error(`This browser does not know the time zone ${timezone}; times are shown in UTC.`);
  }
  for (const element of document.querySelectorAll("[data-zone]")) element.textContent = element.dataset.zone === "city" ? zoneCity() : name;
}

/** By how many milliseconds its clocks are ahead of UTC. */
function ahead(at) {
  const { year, month, day, hour, minute, second } = Object.fromEntries(fields.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/** What its clocks show at an instant, as `datetime-local` takes it: 2026-03-29T03:00. */
export const localText = (at) => new Date(Date.parse(at) + ahead(Date.parse(at))).toISOString().slice(0, 16);

/** The instant of such a text, or of one with seconds: the first of two, and if the clocks skip it, as much after the change. */
export function instantOf(text) {
  const wall = Date.parse(`${text}Z`);
  const [before, after] = [wall - 864e5, wall + 864e5].map(ahead); // no clock changes twice in two days
  const found = [wall - Math.max(before, after), wall - Math.min(before, after)].find((at) => at + ahead(at) === wall);
  return new Date(found ?? wall - before).toISOString().replace(".000Z", "Z");
}

/** The date after another, both as 2026-03-29. */
export const nextDay = (day) => new Date(Date.parse(`${day}T00:00Z`) + 864e5).toISOString().slice(0, 10);
