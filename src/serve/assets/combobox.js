// A search box with a list, after the ARIA Authoring Practices' editable combobox: the focus stays in the box,
// aria-activedescendant walks through the list.
import { debounce, h, replace } from "./dom.js";

/**
 * `search(text, signal)` finds `[{id, detail}]`; an option may have a `name`, an element to show in place of its id. `select(option)`
 * is told what was chosen. With `clears`, the box is emptied then.
 */
export function combobox({ id, label, placeholder, search, select, clears = false }) {
  const listId = `${id}-list`;
  const list = h("ul", { id: listId, class: "options", role: "listbox", "aria-label": label });
  const note = h("p", { class: "options-note muted", hidden: true });
  const popup = h("div", { class: "popup", hidden: true }, list, note);
  const status = h("span", { class: "visually-hidden", role: "status" });
  const input = h("input", {
    id, class: "input", type: "text", role: "combobox", placeholder, autocomplete: "off", autocapitalize: "none", spellcheck: "false",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId, "aria-haspopup": "listbox",
  });
  const element = h("div", { class: "combobox" },
    h("label", { class: "visually-hidden", for: id }, label), input, popup, status);

  let options = [];
  let active = -1;
  let chosen = ""; // what the box says when nobody types
  let controller = null;
  let chooseWhenFound = false; // Enter was quicker than the answer

  const isOpen = () => !popup.hidden;

  function close() {
    controller?.abort();
    controller = null;
    chooseWhenFound = false;
    popup.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(-1);
    status.textContent = "";
  }

  function activate(index) {
    active = index;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
    if (index < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[index].id);
    list.children[index].scrollIntoView({ block: "nearest" });
  }

  function choose(option) {
    chosen = clears ? "" : option.id;
    input.value = chosen;
    close();
    select(option);
  }

  async function open(first) {
    controller?.abort();
    const mine = (controller = new AbortController());
    const text = input.value.trim();
    popup.hidden = false;
    input.setAttribute("aria-expanded", "true");
    try {
      // Untouched, the box holds the present choice: then every option is of interest, not just that one.
      const found = await search(text === chosen ? "" : text, mine.signal);
      if (controller === mine) show(found, first);
    } catch (error) {
      if (controller === mine && error.name !== "AbortError") show([], -1, error.message);
    }
  }

  function show(found, first, failure) {
    controller = null;
    options = found;
    replace(list, found.map((option, i) =>
      h("li", { id: `${listId}-${i}`, role: "option", "aria-selected": "false", data: { testid: "option" }, onclick: () => choose(option) },
        h("span", { class: "option-name" }, option.name ?? option.id), h("span", { class: "option-detail" }, option.detail))));
    const words = failure ?? (found.length ? "" : "Nothing found");
    note.textContent = words;
    note.hidden = !words;
    list.hidden = !found.length;
    status.textContent = words || `${found.length} found`;
    if (chooseWhenFound && found.length) return choose(found.find((o) => o.id === input.value.trim()) ?? found[0]);
    chooseWhenFound = false;
    activate(found.length ? (first === -2 ? found.length - 1 : first) : -1);
  }

  const typed = debounce(120, () => { if (document.activeElement === input) open(-1); });

  input.addEventListener("input", () => {
    controller?.abort(); // an answer to less text must not be taken for one to this
    controller = new AbortController();
    options = [];
    activate(-1);
    typed();
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => { if (!isOpen()) open(-1); });
  input.addEventListener("blur", () => { close(); input.value = chosen; });
  popup.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the box
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const last = options.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const down = event.key === "ArrowDown";
      event.preventDefault();
      if (!isOpen()) open(down ? 0 : -2);
      else if (last >= 0 && !event.altKey) activate(down ? (active >= last ? 0 : active + 1) : (active <= 0 ? last : active - 1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (active >= 0) choose(options[active]);
      else if (controller && input.value.trim() && input.value.trim() !== chosen) chooseWhenFound = true;
      else if (isOpen() && last >= 0) choose(options.find((o) => o.id === input.value.trim()) ?? options[0]);
    } else if (event.key === "Escape") {
      if (isOpen()) event.preventDefault();
      else input.value = chosen = "";
      close();
    }
  });

  return {
    element,
    input,
    /** What is chosen, said without anybody typing. Text that is just being typed is left alone. */
    set(text) {
      const typing = document.activeElement === input && input.value !== chosen;
      chosen = text;
      if (!typing) input.value = text;
    },
  };
}
