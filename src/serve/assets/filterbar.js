// The controls of the filters; the filters themselves are in state.js.
import { h } from "./dom.js";
import { dateTime, span } from "./format.js";
import { filters, HOURS, newestAt, timeWindow } from "./state.js";
import { instantOf, localText, shopZone } from "./zone.js";

const RANGES = [["24h", "24 hours", "Last 24 hours"], ["7d", "7 days", "Last 7 days"], ["30d", "30 days", "Last 30 days"],
  ["all", "All", "Everything"], ["custom", "Custom", "Custom: from and to"]];
const TYPES = [["all", "All", "All events"], ["view", "Views", "Views"], ["add_to_cart", "Carts", "Added to cart"], ["purchase", "Purchases", "Purchases"]];

const byId = (id) => document.getElementById(id);
const field = (at) => (at ? localText(at) : "");

function radios(fieldset, name, choices, choose) {
  fieldset.append(...choices.map(([value, short, long]) =>
    h("label", { title: long },
      h("input", { type: "radio", name, value, "aria-label": long, onchange: () => choose(value) }), h("span", {}, short))));
}

const check = (name, value) => {
  document.querySelector(`input[name="${name}"][value="${value}"]`).checked = true;
};

export function filterBar() {
  radios(byId("filter-range"), "range", RANGES, chooseRange);
  radios(byId("filter-type"), "event_type", TYPES, (type) => filters.set({ event_type: type === "all" ? null : type }));
  byId("filters").addEventListener("submit", apply);
  filters.subscribe(draw);
  draw();
  shopZone().then(draw, () => {}); // the panels say what is wrong
}

async function chooseRange(range) {
  if (range !== "custom") {
    byId("filter-custom").hidden = true; // also when the range before "custom" is chosen again, and nothing changes
    return filters.set({ range });
  }
  byId("filter-custom").hidden = false;
  // Nothing is filtered until both ends are there; what is on the screen now is a good start.
  const window = await timeWindow().catch(() => ({}));
  const newest = await newestAt().catch(() => null);
  const end = newest ? new Date(Date.parse(newest) + 60_000).toISOString() : null; // minutes: the newest event stays inside
  byId("filter-from").value ||= field(window.from ?? (newest && new Date(Date.parse(newest) - 7 * 864e5).toISOString()));
  byId("filter-to").value ||= field(window.to ?? end);
}

function apply(event) {
  event.preventDefault();
  const [from, to] = ["filter-from", "filter-to"].map((id) => byId(id).value);
  const error = !from && !to ? "Enter at least one of the two times." : from && to && from >= to ? "“From” must be before “to”." : "";
  byId("filter-error").textContent = error;
  if (error) return byId(from && !to ? "filter-to" : "filter-from").focus();
  filters.set({ range: "custom", from: from ? instantOf(from) : null, to: to ? instantOf(to) : null });
}

function draw() {
  const { range, from, to, event_type } = filters.get();
  check("range", range);
  check("event_type", event_type ?? "all");
  byId("filter-custom").hidden = range !== "custom";
  byId("filter-error").textContent = "";
  byId("filter-from").value = field(from);
  byId("filter-to").value = field(to);
  drawWindow();
}

/** The range in words; also after a commit, when "last" has moved on. */
export async function drawWindow() {
  const now = filters.get();
  let text = "";
  try {
    const { from, to } = await timeWindow();
    const end = to ?? (await newestAt());
    if (from && end) text = span(from, end);
    else if (from) text = `from ${dateTime(from)}`;
    else if (end) text = `up to ${dateTime(end)}`;
    else if (HOURS[now.range]) text = "all times: it is not known when the newest event was";
  } catch { /* the panels say what is wrong */ }
  if (filters.get() === now) byId("filter-window").textContent = text;
}
