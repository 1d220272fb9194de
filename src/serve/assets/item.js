// An item as the page shows it: its picture, its title, and what else the project's catalog says about it (`details`). An item
// without details is its ID alone. Pictures and links come from outside, so only addresses of known kinds get into the page.
import { h } from "./dom.js";
import { exact } from "./format.js";

const WEB = ["https:", "http:"];

/** `text` as an absolute address on the web; null for everything else, such as `javascript:`. */
function webAddress(text) {
  const address = URL.canParse(text) ? new URL(text) : null;
  return WEB.includes(address?.protocol) ? address.href : null;
}

const pictureAddress = (text) => (/^data:image\//i.test(text) ? text : webAddress(text));

/** A square of fixed size. Empty, because there is no picture or it cannot be loaded, it shows a placeholder (item.css). */
function picture({ image, title }) {
  const src = pictureAddress(image);
  return h("span", { class: "picture" }, src && h("img", {
    alt: title ?? "", loading: "lazy", referrerpolicy: "no-referrer",
    onerror: ({ currentTarget }) => currentTarget.remove(),
    src, // last, because it may start the request
  }));
}

/** The mark of an item that is not in stock, in the shop's own words; null if it is, or if nobody knows. */
function stockMark({ availability }) {
  const words = (availability ?? "").replace(/^https?:\/\/schema\.org\//i, "").trim();
  const unremarkable = !words || /^in[\s_-]?stock$/i.test(words);
  return unremarkable ? null : h("span", { class: "badge", dir: "auto", data: { kind: "warn" } }, words);
}

function facts({ item_id, details }) {
  const { title, category, price } = details;
  return [
    title ? h("span", { class: "product-id" }, item_id) : null,
    category ? h("span", { class: "product-category", dir: "auto" }, category) : null,
    typeof price === "number"
      ? h("span", { class: "product-price" }, h("span", { class: "visually-hidden" }, "Price: "), exact(price)) : null,
    stockMark(details),
  ];
}

/** A name in a row that is a button itself, or has buttons of its own. */
export const barName = (text) => h("span", { class: "bar-name" }, text);

/** What to call an item, in plain text. */
export const itemName = ({ item_id, details }) => details?.title || item_id;

/** An item in the middle of a sentence. */
export function itemMention(item) {
  const title = item.details?.title;
  return title ? h("bdi", { class: "product-mention", title }, title) : item.item_id;
}

/** A link to the item's own page, or null; `key` finds it again (`keepingFocus`). It must not stand inside a button. */
export function itemLink(item, key) {
  const href = webAddress(item.details?.url);
  return href && h("a", {
    class: "product-link", href, target: "_blank", rel: "noopener noreferrer", title: "Open in a new tab",
    "aria-label": `Open ${itemName(item)} in a new tab`, data: { key: `${key}-link` },
  }, "↗");
}

/** An item. `name` makes an element of its title or ID, such as a button; `link` (from `itemLink`) stands after its facts. */
export function itemView(item, name = (text) => text, link = null) {
  const { item_id, details } = item;
  if (!details) return name(item_id);
  const { title } = details;
  return h("span", { class: "product" }, picture(details),
    h("span", { class: "product-text" },
      name(title ? h("span", { class: "product-title", dir: "auto", title }, title) : item_id),
      h("span", { class: "product-facts" }, facts(item), link)));
}
