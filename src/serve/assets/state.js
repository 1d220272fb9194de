// What the whole page is filtered by. It lives in the address, so a view can be bookmarked, shared, and gone back to.
import { get } from "./api.js";

export const HOURS = { "24h": 24, "7d": 7 * 24, "30d": 30 * 24 };
export const EVENT_TYPES = ["view", "add_to_cart", "purchase"];
const DEFAULT_RANGE = "7d";

const listeners = new Set();
let current = parse(location.search);

function parse(search) {
  const query = new URLSearchParams(search);
  const instant = (name) => {
    const time = Date.parse(query.get(name) ?? "");
    return Number.isNaN(time) ? null : iso(time);
  };
  const from = instant("from");
  const to = instant("to");
  const asked = query.get("range");
  const named = asked === "all" || Object.hasOwn(HOURS, asked ?? "") ? asked : DEFAULT_RANGE;
  const type = query.get("event_type");
  return {
    range: from || to ? "custom" : named,
    from,
    to,
    event_type: EVENT_TYPES.includes(type) ? type : null,
    session: query.get("session") || null,
  };
}

function iso(time) {
  return new Date(time).toISOString().replace(".000Z", "Z");
}

function address(state) {
  const query = new URLSearchParams();
  if (state.range !== "custom") query.set("range", state.range);
  for (const name of ["from", "to", "event_type", "session"]) if (state[name]) query.set(name, state[name]);
  return `${location.pathname}?${query}${location.hash}`;
}

function become(next) {
  const changed = Object.keys(next).filter((key) => next[key] !== current[key]);
  current = next;
  // Anchors of the nav also come by here (popstate), and change nothing.
  if (changed.length) for (const listener of listeners) listener(current, new Set(changed));
  return changed.length > 0;
}

export const filters = {
  get: () => current,
  set(patch) {
    const next = { ...current, ...patch };
    if (next.range !== "custom") next.from = next.to = null;
    if (address(next) !== address(current)) history.pushState(null, "", address(next));
    become(next);
  },
  subscribe: (listener) => listeners.add(listener),
};

addEventListener("popstate", () => become(parse(location.search)));

let newest = null;

const unknown = (error) => {
  if (error.code === "not_declared") return null; // the project does not count events by time
  throw error;
};

/**
 * When the newest event of the lake happened: "last 7 days" counts back from there, so that old data can be looked at. Null if
 * nothing says when.
 */
export function newestAt() {
  newest ??= get("/engagement", { bucket: "day" }).then((answer) => answer.newest_at, unknown);
  newest.catch(() => { newest = null; });
  return newest;
}

export function forgetNewest() {
  newest = null;
}

/** The filters as the API's `from` and `to`. */
export async function timeWindow() {
  const { range, from, to } = current;
  if (range === "custom") return { from, to };
  if (range === "all") return {};
  const end = await newestAt();
  return end ? { from: iso(Date.parse(end) - HOURS[range] * 3600e3) } : {};
}
