// What is similar to an item, in a dialog over the page.
import { get, part } from "./api.js";
import { bar } from "./charts.js";
import { h, replace, withCode } from "./dom.js";
import { decimal } from "./format.js";
import { barName, itemLink, itemName, itemView } from "./item.js";

let controller = null;

/** An item whose name is a button that shows what is similar to it, or only a name if the project declares no similar items. */
export function itemWithSimilar(item, key, { similar }) {
  const link = itemLink(item, key);
  if (!similar) return itemView(item, (text) => h("span", { class: "item-name" }, text), link);
  const choosing = { title: `What is similar to ${itemName(item)}`, data: { key }, onclick: () => showSimilar(item) };
  return itemView(item, (text) => h("button", { class: "item", type: "button", ...choosing }, text), link);
}

export async function showSimilar(item, focus = false) {
  const dialog = document.getElementById("similar");
  const body = dialog.querySelector(".dialog-body");
  document.getElementById("similar-title").textContent = `Similar to ${itemName(item)}`;
  controller?.abort();
  const mine = (controller = new AbortController());
  if (!dialog.open) {
    replace(body, h("p", { class: "muted" }, "Loading…"));
    dialog.querySelector("[data-close]").onclick = () => dialog.close();
    dialog.onclose = () => controller?.abort();
    dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); }; // the ground behind it
    dialog.showModal();
  }
  try {
    const { similar } = await get(`/items/${part(item.item_id)}/similar`, { k: 10 }, mine.signal);
    const most = Math.max(...similar.map((row) => row.score), 1e-9);
    replace(body, similar.length
      ? h("ol", { class: "bars" }, similar.map((row) => h("li", { data: { testid: "similar-item" } },
        h("button", { class: "bar-row", type: "button", title: `What is similar to ${itemName(row)}`, onclick: () => showSimilar(row, true) },
          h("span", { class: "rank" }, String(row.rank)), itemView(row, barName),
          bar(row.score / most), h("span", { class: "bar-value" }, decimal(row.score))),
        itemLink(row, `similar-${row.item_id}`))))
      : h("p", { class: "muted" }, "No similar items are known."));
  } catch (error) {
    if (mine.signal.aborted) return;
    replace(body, h("p", { class: "message-title" }, error.message), error.help ? h("p", {}, withCode(error.help)) : null,
      h("button", { class: "button", type: "button", onclick: () => showSimilar(item, true) }, "Try again"));
  }
  // The button that was clicked is gone, and the focus with it.
  if (focus) body.querySelector("button")?.focus();
}
