// View → cart → purchase: how many sessions reached each step.
import { get } from "../api.js";
import { bar } from "../charts.js";
import { h, replace } from "../dom.js";
import { number, percent } from "../format.js";
import { OTHER_PERIOD, panel, TIME } from "../panel.js";
import { timeWindow } from "../state.js";

const STEPS = [["viewed", "Viewed"], ["added_to_cart", "Added to cart"], ["purchased", "Purchased"]];

function mount(content) {
  const list = h("ol", { class: "funnel" });
  const total = h("p", { class: "funnel-total" });
  content.append(list, total);
  return (counts) => {
    const most = Math.max(...STEPS.map(([name]) => counts[name]), 1);
    replace(list, STEPS.map(([name, label], i) => {
      const before = i ? counts[STEPS[i - 1][0]] : counts.sessions;
      const rate = before ? counts[name] / before : null;
      return h("li", { class: "funnel-step", data: { testid: `funnel-${name}` } },
        h("p", { class: "funnel-head" }, h("span", {}, label), h("strong", {}, number(counts[name]))),
        bar(counts[name] / most, `funnel-${i}`),
        h("p", { class: "funnel-rate" }, `${percent(rate)} of ${i ? `those who ${["", "viewed", "added to cart"][i]}` : "all sessions"}`));
    }));
    replace(total, h("span", {}, "From view to purchase"), h("strong", {}, percent(counts.viewed ? counts.purchased / counts.viewed : null)));
  };
}

panel({
  id: "funnel",
  tables: ["gold.engagement"],
  watches: TIME,
  skeletonRows: 6,
  mount,
  load: async (signal) => get("/funnel", await timeWindow(), signal),
  empty: ({ sessions }) => (sessions ? null : { message: "No sessions in this period.", help: OTHER_PERIOD }),
});
