// A session made up by hand; the recommendations follow every click.
import { get, post } from "../api.js";
import { combobox } from "../combobox.js";
import { announce, debounce, h, replace, withCode } from "../dom.js";
import { counted, decimal, number } from "../format.js";
import { barName, itemLink, itemName, itemView } from "../item.js";
import { panel } from "../panel.js";
import { origin, recommendationList } from "../recommendations.js";
import { recommender, tablesOfRecommender } from "../recommender.js";
import { EVENT_TYPES } from "../state.js";

const NAMES = { view: "View", add_to_cart: "Add to cart", purchase: "Purchase" };
const DEBOUNCE_MS = 80;
const POPULAR = 16;

function mount(content, tools) {
  const events = []; // {id, item_id, details, event_type}, oldest first
  let nextId = 1;
  let before = null; // item → rank of the list on the screen
  let controller = null;
  let declared = null;

  const box = combobox({
    id: "item-search", label: "Search for an item to click", placeholder: "Search for an item…", clears: true,
    search: async (search, signal) => (await get("/items", { search, limit: 20 }, signal)).items
      .map((item) => ({ id: item.item_id, item, name: itemView(item), detail: counted(item.views, "view", "views") })),
    select: ({ item }) => add(item),
  });
  tools.append(box.element);
  const chips = h("ul", { class: "chips", "aria-label": "Popular items" });
  const clicks = h("ol", { class: "made-clicks", "aria-label": "Clicks of this visitor" });
  const clear = h("button", { class: "button small", type: "button", data: { testid: "clear" }, onclick: clearAll }, "Clear");
  const hint = h("p", { class: "hint" });
  const list = recommendationList({
    label: "Recommendations for this visitor",
    item: (row, key) => itemView(row, (text) => h("button", { class: "item", type: "button", title: `Click ${itemName(row)} too`, data: { key }, onclick: () => add(row) }, text),
      itemLink(row, key)),
  });
  const note = h("div", { class: "part-note", hidden: true });
  const answer = h("p", { class: "muted small", data: { testid: "answer-time" } });
  const result = h("div", { class: "part result", data: { testid: "playground-result" }, "aria-busy": "false" },
    h("div", { class: "part-head" }, h("h3", {}, "Recommended next"), answer), list.legend, hint, note, list.element);
  content.append(h("div", { class: "split" },
    h("div", { class: "part" },
      h("h3", {}, "Popular items"), chips,
      h("div", { class: "part-head" }, h("h3", {}, "This visitor’s clicks"), clear), clicks),
    result));

  function add({ item_id, details }) {
    events.push({ id: nextId++, item_id, details, event_type: "view" });
    changed();
  }

  function remove(event) {
    const index = events.indexOf(event);
    events.splice(index, 1);
    changed();
    // The button that had the focus is gone: its neighbor, or the search box, takes it.
    (clicks.querySelectorAll(".remove")[Math.min(index, events.length - 1)] ?? box.input).focus();
  }

  function clearAll() {
    events.length = 0;
    changed();
    box.input.focus();
  }

  function drawClicks() {
    clear.hidden = !events.length;
    replace(clicks, events.length ? events.map((event, i) => h("li", { data: { testid: "made-click" } },
      h("span", { class: "rank" }, String(i + 1)),
      itemView(event, barName, itemLink(event, `made-${event.id}`)),
      h("select", { class: "input small", "aria-label": `What was done with ${itemName(event)}`,
        onchange: ({ currentTarget }) => { event.event_type = currentTarget.value; ask(); } },
      EVENT_TYPES.map((type) => h("option", { value: type, selected: type === event.event_type }, NAMES[type]))),
      h("button", { class: "button quiet remove", type: "button", "aria-label": `Remove ${itemName(event)}`, onclick: () => remove(event) }, "✕")))
      : h("li", { class: "muted none" }, "No clicks yet."));
  }

  function changed() {
    drawClicks();
    ask();
  }

  const askSoon = debounce(DEBOUNCE_MS, send);

  function ask() {
    if (events.length) result.setAttribute("aria-busy", "true");
    else showNothing();
    askSoon();
  }

  function showNothing() {
    controller?.abort();
    before = null;
    result.setAttribute("aria-busy", "false");
    answer.textContent = "";
    note.hidden = true;
    hint.hidden = false;
    hint.textContent = "Click a product to see at once what this visitor would be shown.";
    list.update([]);
  }

  async function send() {
    controller?.abort();
    if (!events.length) return;
    const mine = (controller = new AbortController());
    const began = performance.now();
    try {
      const body = { events: events.map(({ item_id, event_type }) => ({ item_id, event_type })), k: 10, explain: true };
      const found = await post("/recommendations", body, mine.signal);
      if (controller === mine && events.length) show(found, performance.now() - began);
    } catch (error) {
      if (controller !== mine || mine.signal.aborted) return;
      note.hidden = false;
      replace(note, h("p", {}, error.message), error.help ? h("p", {}, withCode(error.help)) : null,
        h("button", { class: "button small", type: "button", onclick: ask }, "Try again"));
    } finally {
      if (controller === mine) result.setAttribute("aria-busy", "false");
    }
  }

  function show(found, took) {
    const rows = found.recommendations;
    hint.hidden = true;
    note.hidden = rows.length > 0;
    replace(note, rows.length ? null : h("p", {}, "There is nothing to recommend after these clicks."));
    const from = origin(found, declared);
    answer.textContent = `${from ? `${from} · answered` : "Answered"} in ${took < 10 ? decimal(took, 1) : number(took)} ms`;
    list.update(rows, before);
    before = new Map(rows.map((row) => [row.item_id, row.rank]));
    announce(rows.length ? `${counted(rows.length, "recommendation", "recommendations")}, first ${itemName(rows[0])}` : "Nothing to recommend");
  }

  drawClicks();
  showNothing();

  return ({ items, declared: now }) => {
    declared = now;
    list.declare(declared);
    replace(chips, items.map((item) => h("li", {}, h("button", {
      class: "chip", type: "button", title: `Click ${itemName(item)}`, data: { testid: "chip", key: `chip-${item.item_id}` }, onclick: () => add(item),
    }, itemView(item)))));
    if (events.length) ask(); // the model may have changed too
  };
}

panel({
  id: "playground",
  tables: () => tablesOfRecommender("gold.item_activity"),
  skeletonRows: 6,
  mount,
  // What is declared has the model's version in it, so a new model answers even if the popular items stay the same.
  load: async (signal) => {
    const [popular, declared] = await Promise.all([get("/items/popular", { limit: POPULAR }, signal), recommender()]);
    signal.throwIfAborted();
    return { items: popular.items, help: popular.help, declared };
  },
  empty: ({ items }) => (items.length ? null : { message: "No item has been clicked yet.", help: "run `clickrec run`" }),
});
