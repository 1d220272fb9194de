// Small helpers to build the page. Text only ever goes in through text nodes, so that no item or session ID can be markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `on…` are listeners, `style` sets properties from script (the CSP allows that), null and false are left out. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else if (name === "data") for (const [key, v] of Object.entries(value)) element.dataset[key] = v;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

export function replace(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** `text` with what stands in backticks as code; without any backtick all of it is something to type. */
export function withCode(text) {
  if (!text.includes("`")) return [h("code", {}, text)];
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/** Says something to screen readers. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function debounce(wait, action) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), wait);
  };
}

/** Replaces content without taking the keyboard's place away: whoever had the focus is found again by its `data-key`. */
export function keepingFocus(root, change) {
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  change();
  if (focused && !root.contains(document.activeElement)) {
    root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}

/** A table in a box of its own that scrolls; `update` changes the rows alone, so the box keeps where it was. */
export function dataTable({ label, columns, testid, tall = false }) {
  const body = h("tbody");
  const head = columns.map((column) =>
    h("th", { scope: "col", class: column.numeric ? "numeric" : null }, column.label));
  const element = h("div", { class: tall ? "scroll tall" : "scroll", role: "region", tabindex: "0", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, head)), body));
  return {
    element,
    update(rows) {
      replace(body, rows.map((row) => h("tr", { data: { testid } },
        columns.map((column) => h(column.header ? "th" : "td",
          { scope: column.header ? "row" : null, class: column.numeric ? "numeric" : null }, column.cell(row))))));
    },
  };
}

const BADGES = { view: "View", add_to_cart: "Add to cart", remove_from_cart: "Removed from cart", purchase: "Purchase", refund: "Returned" };

export function badge(type) {
  return h("span", { class: "badge", data: { type } }, BADGES[type] ?? type);
}

export function scrollToPanel(id) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.getElementById(id).scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  document.getElementById(`${id}-title`).focus({ preventScroll: true });
}
