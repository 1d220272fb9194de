// Which products were viewed (or put in the cart, or bought) most.
import { get } from "../api.js";
import { bar } from "../charts.js";
import { h, replace } from "../dom.js";
import { decimal, number } from "../format.js";
import { barName, itemLink, itemName, itemView } from "../item.js";
import { OTHER_PERIOD, panel, TIME } from "../panel.js";
import { recommender, tablesOfCatalog } from "../recommender.js";
import { showSimilar } from "../similar.js";
import { filters, timeWindow } from "../state.js";

const KINDS = {
  all: ["Most viewed products", "views"],
  view: ["Most viewed products", "views"],
  add_to_cart: ["Products added to carts most often", "add_to_carts"],
  purchase: ["Most purchased products", "purchases"],
};
const WORDS = { views: ["view", "views"], add_to_carts: ["time added", "times added"], purchases: ["purchase", "purchases"] };

// How far from 1 a trend has to be to be shown.
const RISES = 1.5;

const trendMark = ({ trend }) => {
  if (!(trend >= RISES || trend <= 1 / RISES)) return null; // also if there is none
  const words = `${trend > 1 ? "rising" : "falling"}: ${decimal(trend)} times as many events lately as expected`;
  return h("span", { class: "trend", title: words, data: { testid: "trend" } },
    h("span", { "aria-hidden": "true" }, trend > 1 ? "▲ " : "▼ "), h("span", { class: "visually-hidden" }, `${words}, `));
};

const choosing = (item) =>
  ({ type: "button", title: `What is similar to ${itemName(item)}`, data: { key: item.item_id }, onclick: () => showSimilar(item) });

function mount(content) {
  const list = h("ol", { class: "bars" });
  content.append(list);
  return ({ type, items, similar }) => {
    document.getElementById("popular-sub").hidden = !similar;
    const [title, count] = KINDS[type];
    document.getElementById("popular-title").textContent = title;
    const most = Math.max(...items.map((item) => item[count]), 1);
    list.setAttribute("aria-label", title);
    replace(list, items.map((item) => h("li", { data: { testid: "popular-item", item: item.item_id } },
      h(similar ? "button" : "div", { class: "bar-row", ...(similar ? choosing(item) : {}) },
        h("span", { class: "rank" }, String(item.rank)),
        itemView(item, barName),
        bar(item[count] / most),
        h("span", { class: "bar-value" }, trendMark(item), number(item[count]),
          h("span", { class: "visually-hidden" }, ` ${WORDS[count][item[count] === 1 ? 0 : 1]}`))),
      itemLink(item, item.item_id))));
  };
}

panel({
  id: "popular",
  tables: () => ["gold.item_activity", "gold.item_trends", ...tablesOfCatalog()],
  watches: ["event_type", ...TIME],
  skeletonRows: 10,
  mount,
  load: async (signal) => {
    const { event_type } = filters.get();
    // Without a type the panel still is about views, so it asks for the most viewed.
    const query = { ...(await timeWindow()), event_type: event_type ?? "view", limit: 10 };
    const [answer, { similar }] = await Promise.all([get("/items/popular", query, signal), recommender()]);
    signal.throwIfAborted();
    return { type: event_type ?? "all", similar, ...answer };
  },
  empty: ({ items }) => (items.length ? null : { message: "No product was clicked in this period.", help: OTHER_PERIOD }),
});
