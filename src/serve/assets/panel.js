// What all panels share: loading, ready, empty, absent and error; refreshing without a flicker; keeping the focus.
import { h, keepingFocus, replace, withCode } from "./dom.js";
import { filters } from "./state.js";
import { shopZone } from "./zone.js";

const THROTTLE_MS = 2000;

/** The panels of the page, in its order. */
export const panels = [];

/**
 * Fills the section `id` of index.html, and adds it to `panels`.
 *
 * `mount(content, tools)` builds what stays and returns `render(data)`; `load(signal)` asks the server; `empty(data)` says what is
 * missing, or null. `tables` are those whose commits matter (null: all of them), or a function that returns them; `watches` are the
 * filters that matter.
 */
export function panel({ id, tables, watches = [], mount, load, empty = () => null, skeletonRows = 5 }) {
  const section = document.getElementById(id);
  const cover = h("div", { class: "panel-cover" });
  const note = h("div", { class: "panel-note", hidden: true });
  const content = h("div", { class: "panel-content", hidden: true });
  section.querySelector(".panel-body").append(cover, note, content);

  let running = null; // the load that counts; others were aborted
  let again = false; // something was committed while it ran
  let said = null; // the message on the screen, if there is one
  let shown = null; // the answer on the screen, as text
  let timer = null;
  let refreshedAt = -Infinity;

  const reload = (options) => start(options);
  const render = mount(content, section.querySelector(".panel-tools"), { reload, section });

  function become(state, ...children) {
    section.dataset.state = state;
    replace(cover, ...children);
    cover.hidden = state === "ready";
    content.hidden = state !== "ready";
    note.hidden = true;
    if (state !== "ready") shown = null;
  }

  function explain(state, message, help) {
    const words = JSON.stringify([state, message, help]);
    if (section.dataset.state === state && words === said) return; // or a screen reader hears it after every commit
    said = words;
    const hadFocus = cover.contains(document.activeElement);
    const retry = h("button", { class: "button", type: "button", onclick: () => start({ fresh: true }) }, "Try again");
    become(state, h("div", { class: "panel-message", role: state === "error" ? "alert" : null },
      h("p", { class: "message-title" }, message),
      help ? h("p", { class: "message-help" }, withCode(help)) : null,
      state === "error" ? retry : null));
    if (hadFocus && state === "error") retry.focus();
  }

  function failed(error, background) {
    if (error.code === "empty_lake") return explain("empty", error.message, error.help ?? "run `clickrec run`");
    // Neither a fault nor a lack of data: the project does without what this panel shows.
    if (error.code === "not_declared") return explain("absent", "Not in this project", [error.message, error.help].filter(Boolean).join("; "));
    if (!background || shown === null) return explain("error", error.message, error.help);
    // What is on the screen was true a moment ago: it stays, with a word about its age.
    note.hidden = false;
    replace(note, h("span", {}, `Could not refresh: ${error.message}`),
      h("button", { class: "button small", type: "button", onclick: () => start({ background: true }) }, "Try again"));
  }

  async function start({ background = false, fresh = false } = {}) {
    if (background && running) {
      again = true; // aborting slow answers for newer ones might never end
      return;
    }
    running?.abort();
    const mine = (running = new AbortController());
    if (fresh || (shown === null && !background)) become("loading", skeleton(skeletonRows));
    section.setAttribute("aria-busy", "true");
    section.classList.toggle("changing", !background);
    try {
      const [data] = await Promise.all([load(mine.signal), shopZone()]);
      if (running !== mine) return;
      const nothing = empty(data);
      if (nothing) explain("empty", nothing.message, data.help ?? nothing.help);
      else show(data);
    } catch (error) {
      if (running !== mine || error.name === "AbortError") return;
      if (!error.code) console.error(error); // ours, not the server's
      failed(error.code ? error : { message: "The answer cannot be displayed.", help: null }, background);
    } finally {
      if (running === mine) {
        running = null;
        section.setAttribute("aria-busy", "false");
        section.classList.remove("changing");
        if (again) { again = false; refreshSoon(); }
      }
    }
  }

  function show(data) {
    const text = JSON.stringify(data);
    if (text !== shown) keepingFocus(content, () => render(data));
    become("ready");
    shown = text;
  }

  function refreshSoon() {
    if (timer) return;
    timer = setTimeout(() => {
      timer = null;
      refreshedAt = performance.now();
      start({ background: true });
    }, Math.max(0, refreshedAt + THROTTLE_MS - performance.now()));
  }

  filters.subscribe((_, changed) => {
    if (watches.some((key) => changed.has(key))) start();
  });

  const handle = {
    start,
    /** Something is new (live.js); `changed` null means that we cannot know what. */
    committed(changed) {
      const mine = typeof tables === "function" ? tables() : tables;
      if (!changed || !mine || mine.some((table) => changed.has(table))) refreshSoon();
    },
  };
  panels.push(handle);
  return handle;
}

function skeleton(rows) {
  const lines = Array.from({ length: rows }, (_, i) =>
    h("span", { class: "skeleton-line", style: { width: `${[92, 78, 85, 64, 71][i % 5]}%` } }));
  return h("div", { class: "skeleton" }, h("span", { class: "visually-hidden" }, "Loading…"), lines);
}

export const TIME = ["range", "from", "to"];
/** What to do if a panel has nothing to show for the chosen time. */
export const OTHER_PERIOD = "choose another time range, or run `clickrec run`";
