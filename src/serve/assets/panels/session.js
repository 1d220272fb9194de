// The most important panel: what a visitor clicked, and what to show them next.
import { get, part } from "../api.js";
import { combobox } from "../combobox.js";
import { announce, badge, dataTable, h, replace, withCode } from "../dom.js";
import { bareTime, counted, date, dateTimeSeconds, inZoneLabel } from "../format.js";
import { OTHER_PERIOD, panel, TIME } from "../panel.js";
import { origin, recommendationList } from "../recommendations.js";
import { recommender, tablesOfRecommender } from "../recommender.js";
import { itemWithSimilar } from "../similar.js";
import { filters, timeWindow } from "../state.js";

const LIMIT = 20;
let shownSession = null;

async function find(search, signal) {
  // A session that is searched for is found whenever it was active; without a name, the filters say which sessions matter.
  const where = search ? { search } : { ...(await timeWindow()), event_type: filters.get().event_type };
  const { sessions } = await get("/sessions", { ...where, limit: LIMIT }, signal);
  return sessions;
}

const detail = (s) => `${counted(s.events, "event", "events")}${s.converted ? " · bought" : ""}`;

async function load(signal) {
  const declared = await recommender();
  signal.throwIfAborted();
  let id = filters.get().session;
  if (!id) {
    const { sessions, help } = await get("/sessions", { ...(await timeWindow()), event_type: filters.get().event_type, limit: 1 }, signal);
    if (!sessions.length) return { id: null, help };
    id = sessions[0].session_id;
  }
  // A list names sessions, and the one that is shown should be the one that was chosen, also if a later one has its ID.
  const [clicks, recommended] = await Promise.allSettled([
    get(`/sessions/${part(id)}`, { exact: true }, signal),
    get(`/sessions/${part(id)}/recommendations`, { k: 10, explain: true, exact: true }, signal),
  ]);
  signal.throwIfAborted();
  // Half an answer is better than none; without either there is nothing to show.
  if (clicks.status === "rejected" && recommended.status === "rejected") throw clicks.reason;
  return { id, declared, clicks: settled(clicks), recommended: settled(recommended) };
}

const settled = ({ value, reason }) => value ?? { failure: { message: reason.message, help: reason.help ?? null } };

function mount(content, tools) {
  const box = combobox({
    id: "session-search", label: "Search for a session", placeholder: "Search for a session…",
    search: async (text, signal) => (await find(text, signal)).map((s) => ({ id: s.session_id, detail: detail(s) })),
    select: ({ id }) => filters.set({ session: id }),
  });
  tools.append(box.element);

  let declared = { similar: false };
  const item = (row, key) => itemWithSimilar(row, key, declared);
  const clicks = dataTable({
    label: "Clicks of the session, newest first", testid: "click", tall: true,
    columns: [
      { label: inZoneLabel("Time"), cell: (click) => h("time", { datetime: click.event_at, title: dateTimeSeconds(click.event_at) }, bareTime(click.event_at)) },
      { label: "Event", cell: (click) => badge(click.event_type) },
      { label: "Item", cell: (click) => item(click, `click-${click.event_at}-${click.item_id}`) },
    ],
  });
  const list = recommendationList({ label: "Recommendations", item });
  const clicksNote = h("div", { class: "part-note" });
  const listNote = h("div", { class: "part-note" });
  const from = h("p", { class: "muted small" });
  const count = h("span", { class: "count" });
  const name = h("span", { class: "session-name" });
  content.append(h("div", { class: "split" },
    h("div", { class: "part" }, h("div", { class: "part-head" }, h("h3", {}, "Clicks of ", name), count), clicksNote, clicks.element),
    h("div", { class: "part" }, h("div", { class: "part-head" }, h("h3", {}, "Recommended next"), from), list.legend, listNote, list.element)));

  return ({ id, declared: now, clicks: clicked, recommended }) => {
    declared = now;
    list.declare(declared);
    const another = shownSession !== null && shownSession !== id;
    shownSession = id;
    box.set(id);
    name.textContent = id;
    document.dispatchEvent(new CustomEvent("session-shown", { detail: id }));

    note(clicksNote, clicked.failure ?? (clicked.clicks.length ? null : { message: "This session has no clicks." }));
    clicks.element.hidden = !clicked.clicks?.length;
    clicks.update(clicked.clicks ?? []);
    if (another) clicks.element.scrollTop = 0;
    const events = clicked.clicks ?? [];
    count.textContent = events.length ? `${counted(events.length, "click", "clicks")}, the last on ${date(events[0].event_at)}` : "";

    const rows = recommended.recommendations ?? [];
    note(listNote, recommended.failure ?? (rows.length ? null : { message: "There is nothing to recommend to this session.", help: recommended.help ?? "run `clickrec run`" }));
    from.textContent = recommended.failure ? "" : origin(recommended, declared);
    list.update(rows);
    if (another) announce(`${counted(rows.length, "recommendation", "recommendations")} for ${id}`);
  };
}

function note(element, what) {
  element.hidden = !what;
  replace(element, what ? [h("p", {}, what.message), what.help ? h("p", {}, withCode(what.help)) : null] : null);
}

panel({
  id: "session",
  tables: () => tablesOfRecommender("gold.sessions"),
  watches: ["session", "event_type", ...TIME],
  skeletonRows: 10,
  mount, load,
  empty: ({ id }) => (id === null ? { message: "No session clicked anything in this period.", help: OTHER_PERIOD } : null),
});
