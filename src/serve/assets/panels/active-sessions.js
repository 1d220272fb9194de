// The most active sessions; the first panel shows the one that is chosen.
import { get } from "../api.js";
import { dataTable, h, scrollToPanel } from "../dom.js";
import { bareDayTime, dateTimeSeconds, duration, inZoneLabel, number } from "../format.js";
import { OTHER_PERIOD, panel, TIME } from "../panel.js";
import { filters, timeWindow } from "../state.js";

function mount(content) {
  let shown = null;
  const table = dataTable({
    label: "Most active sessions, as a table", testid: "active-session",
    columns: [
      { label: "Session", header: true, cell: (s) => h("button", {
        class: "item", type: "button", title: `Recommendations for ${s.session_id}`, data: { key: s.session_id, session: s.session_id },
        "aria-current": s.session_id === shown ? "true" : null,
        onclick: () => { filters.set({ session: s.session_id }); scrollToPanel("session"); },
      }, s.session_id) },
      { label: "Events", numeric: true, cell: (s) => number(s.events) },
      { label: "Views", numeric: true, cell: (s) => number(s.views) },
      { label: "Carts", numeric: true, cell: (s) => number(s.add_to_carts) },
      { label: "Bought", numeric: true, cell: (s) => number(s.purchases) },
      { label: "Duration", numeric: true, cell: (s) => duration(s.duration_s) },
      { label: inZoneLabel("Last seen"), cell: (s) => h("time", { datetime: s.ended_at, title: dateTimeSeconds(s.ended_at) }, bareDayTime(s.ended_at)) },
    ],
  });
  content.append(table.element);
  document.addEventListener("session-shown", ({ detail }) => {
    shown = detail;
    for (const button of table.element.querySelectorAll("button[data-session]")) {
      if (button.dataset.session === shown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  });
  return ({ sessions }) => table.update(sessions);
}

panel({
  id: "active-sessions",
  tables: ["gold.sessions"],
  watches: ["event_type", ...TIME],
  skeletonRows: 10,
  mount,
  load: async (signal) => get("/sessions", { ...(await timeWindow()), event_type: filters.get().event_type, limit: 10 }, signal),
  empty: ({ sessions }) => (sessions.length ? null : { message: "No session was active in this period.", help: OTHER_PERIOD }),
});
