// Commits as they happen, from the server-sent events. EventSource could not send the token, so the stream is read by hand.
import { address, authorization } from "./api.js";
import { timeElement } from "./format.js";
import { announce, h, replace } from "./dom.js";

const WORDS = { connecting: "Connecting…", connected: "Live", reconnecting: "Reconnecting…", locked: "Token required" };
const MAX_WAIT_MS = 30_000;

/** Stands among the names of tables for what answers requests: other models, or clicks that were read again. */
export const ANSWERS = "answers";

let state = "connecting";
let lastCommit = null;

function draw() {
  const live = document.getElementById("live");
  live.dataset.live = state;
  replace(live.querySelector(".live-text"), WORDS[state],
    lastCommit ? [" · ", h("span", { class: "live-label" }, "last commit "), timeElement(lastCommit, { relative: true })] : null);
}

function become(next) {
  if (state === next) return;
  if (state !== "connecting") announce(WORDS[next]); // not a live region: its relative time would be read out again and again
  state = next;
  draw();
}

export function committedAt(at) {
  if (at === lastCommit) return;
  lastCommit = at;
  draw();
}

/**
 * Calls `changed(tables)` with the set of tables of each commit, and with ANSWERS among them; null after a pause in which anything
 * may have happened.
 */
export function follow(changed) {
  const versions = {};
  let answers = null;
  let waiting = null; // tables that changed while nobody looked
  let wake = () => {};

  function tell(tables) {
    if (document.hidden) {
      waiting = tables && waiting !== "all" ? new Set([...(waiting ?? []), ...tables]) : "all";
    } else changed(tables);
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || waiting === null) return;
    const tables = waiting === "all" ? null : waiting;
    waiting = null;
    changed(tables);
  });
  document.addEventListener("token-given", () => wake());
  addEventListener("online", () => wake());

  function onEvent(name, data) {
    if (name !== "commit") return;
    let told;
    try { told = JSON.parse(data); } catch { return; }
    const { tables = {} } = told;
    const news = new Set(Object.keys(tables).filter((table) => versions[table] !== tables[table]));
    Object.assign(versions, tables);
    if (answers !== told.answers) news.add(ANSWERS);
    answers = told.answers;
    if (news.size) tell(news);
  }

  async function connect() {
    const response = await fetch(address("/events"), { cache: "no-store", headers: { accept: "text/event-stream", ...authorization() } });
    if (response.status === 401) return "locked"; // the panels ask for the token
    if (!response.ok || !response.body) return "reconnecting";
    const again = state === "reconnecting";
    become("connected");
    if (again) tell(null);
    await read(response.body.pipeThrough(new TextDecoderStream()).getReader(), onEvent);
    return "ended";
  }

  (async () => {
    for (let wait = 1000; ; wait = Math.min(MAX_WAIT_MS, wait * 2)) {
      const began = performance.now();
      const end = await connect().catch(() => "reconnecting");
      // A stream that lasted was a good one; one that ends at once must not be asked for again and again.
      if (performance.now() - began > 5000) wait = 1000;
      become(end === "locked" ? "locked" : "reconnecting");
      const jitter = wait * (0.8 + Math.random() * 0.4);
      await new Promise((resolve) => { wake = resolve; setTimeout(resolve, jitter); });
    }
  })();
}

async function read(reader, onEvent) {
  let rest = "";
  let name = "";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) onEvent(name || "message", data.join("\n"));
        name = "";
        data = [];
      } else {
        const [, field, text = ""] = /^([^:]*):? ?(.*)$/.exec(line);
        if (field === "event") name = text;
        else if (field === "data") data.push(text);
      }
    }
  }
}
