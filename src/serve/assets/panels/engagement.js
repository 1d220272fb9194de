// Activity: totals, and their course over time.
import { get } from "../api.js";
import { timeSeries } from "../charts.js";
import { dataTable, h, replace } from "../dom.js";
import { counted, date, dateTime, decimal, duration, inZoneLabel, number, percent } from "../format.js";
import { OTHER_PERIOD, panel, TIME } from "../panel.js";
import { filters, HOURS, newestAt, timeWindow } from "../state.js";
import { instantOf, nextDay } from "../zone.js";

const HOUR_MS = 3600e3;
const HOURLY_UP_TO = 72; // hours of range; longer ones are shown by day
const MOST_POINTS = 3000;
const LINES = { all: ["Events", "events"], view: ["Views", "views"], add_to_cart: ["Add to cart", "add_to_carts"], purchase: ["Purchases", "purchases"] };

async function load(signal) {
  const { event_type } = filters.get();
  const window = await timeWindow();
  const hours = await rangeHours(window);
  let answer = await get("/engagement", { ...window, bucket: hours <= HOURLY_UP_TO ? "hour" : "day" }, signal);
  // The lake may hold less than was requested: two points do not make a curve, so a short history is shown by the hour.
  if (answer.bucket === "day" && answer.points.length && answer.points.length <= 3) {
    answer = await get("/engagement", { ...window, bucket: "hour" }, signal);
  }
  return { type: event_type ?? "all", ...answer };
}

async function rangeHours({ from, to }) {
  const { range } = filters.get();
  if (HOURS[range]) return HOURS[range];
  if (!from) return Infinity;
  const end = to ?? (await newestAt());
  return (Date.parse(end) - Date.parse(from)) / HOUR_MS;
}

const NOTHING = { sessions: 0, events: 0, views: 0, add_to_carts: 0, purchases: 0, conversion: null };

/** Buckets in which nothing happened are not in the answer, but they are zeros, and a line must not jump over them. */
function filled(points, bucket) {
  const whole = [];
  for (const point of points) {
    for (const at of whole.length ? missing(whole.at(-1), point, bucket) : []) {
      if (whole.length >= MOST_POINTS) break;
      whole.push({ at, ...NOTHING });
    }
    whole.push(point);
  }
  return whole;
}

/** When the buckets between two points began. Days have 23 to 25 hours, so they are counted by their dates. */
function* missing(before, point, bucket) {
  if (bucket === "day") {
    for (let day = nextDay(before.day); day < point.day; day = nextDay(day)) yield instantOf(`${day}T00:00`);
  } else {
    const end = Date.parse(point.at);
    for (let at = Date.parse(before.at) + HOUR_MS; at + HOUR_MS <= end; at += HOUR_MS) yield new Date(at).toISOString();
  }
}

function tile(label, value, detail, testid) {
  return h("div", { class: "tile", data: { testid } }, h("dt", {}, label), h("dd", { class: "tile-value" }, value), h("dd", { class: "tile-detail" }, detail));
}

function mount(content) {
  const tiles = h("dl", { class: "tiles" });
  const chart = timeSeries();
  let bucket = "day";
  const table = dataTable({
    label: "Engagement as a table", testid: "engagement-row", tall: true,
    columns: [
      { label: inZoneLabel("Time"), header: true, cell: (p) => (bucket === "day" ? date(p.at) : dateTime(p.at)) },
      { label: "Sessions", numeric: true, cell: (p) => number(p.sessions) },
      { label: "People", numeric: true, cell: (p) => number(p.people) },
      { label: "Events", numeric: true, cell: (p) => number(p.events) },
      { label: "Views", numeric: true, cell: (p) => number(p.views) },
      { label: "Carts", numeric: true, cell: (p) => number(p.add_to_carts) },
      { label: "Purchases", numeric: true, cell: (p) => number(p.purchases) },
      { label: "Mean duration", numeric: true, cell: (p) => duration(p.mean_duration_s) },
      { label: "Events per session", numeric: true, cell: (p) => decimal(p.mean_events) },
      { label: "Conversion", numeric: true, cell: (p) => percent(p.conversion) },
    ],
  });
  content.append(tiles, chart.element, h("details", { class: "as-table" }, h("summary", {}, "As a table"), table.element));

  // uPlot measures its box, so the box must be on the page by then: panels show their content after they render it.
  return ({ type, points, totals, bucket: by }) => {
    bucket = by;
    content.hidden = false;
    replace(tiles,
      tile("Sessions", number(totals.sessions), counted(totals.events, "event", "events"), "kpi-sessions"),
      totals.people ? tile("People", number(totals.people), `${decimal(totals.sessions / totals.people)} sessions each`, "kpi-people") : null,
      tile("Mean duration", duration(totals.mean_duration_s), "of a session", "kpi-duration"),
      tile("Events per session", decimal(totals.mean_events), `${counted(totals.views, "view", "views")} in total`, "kpi-events"),
      tile("Conversion", percent(totals.conversion), counted(totals.purchases, "purchase", "purchases"), "kpi-conversion"));
    const whole = filled(points, bucket);
    const [label, field] = LINES[type];
    chart.update({
      bucket,
      at: whole.map((p) => p.at),
      lines: [
        { label, values: whole.map((p) => p[field]), color: "--series-2", scale: "count" },
        { label: "Sessions", values: whole.map((p) => p.sessions), color: "--accent", scale: "count" },
        { label: "Conversion", values: whole.map((p) => p.conversion), color: "--series-3", scale: "share" },
      ],
      summary: `${label}, sessions and conversion by ${bucket}, ${counted(points.length, "point", "points")}. The same numbers are in the table below.`,
    });
    table.update([...points].reverse());
  };
}

panel({
  id: "engagement",
  tables: ["gold.sessions", "gold.engagement"],
  watches: ["event_type", ...TIME],
  skeletonRows: 8,
  mount, load,
  empty: ({ points }) => (points.length ? null : { message: "Nothing happened in this period.", help: OTHER_PERIOD }),
});
