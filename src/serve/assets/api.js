// Asks the server. A 401 asks for the token once, whichever of the requests got it, and then continues.

const BASE = "/api/v1";
const TOKEN = "clickrec.token";

export class ApiError extends Error {
  constructor(status, code, message, help) {
    super(message);
    Object.assign(this, { status, code, help });
  }
}

const store = (() => {
  let memory = null; // when the browser forbids storage, the tab still works
  return {
    get() { try { return sessionStorage.getItem(TOKEN); } catch { return memory; } },
    set(token) { memory = token; try { sessionStorage.setItem(TOKEN, token); } catch { /* kept in memory */ } },
  };
})();

const header = (token) => (token ? { authorization: `Bearer ${token}` } : {});
export const authorization = () => header(store.get());

let asking = null;

/** Resolves to true once a token was given, false when the dialog was left. */
function askForToken(refused) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("token");
    const input = document.getElementById("token-input");
    document.getElementById("token-error").textContent = refused ? "That token was not accepted." : "";
    input.value = "";
    let given = false;
    document.getElementById("token-form").onsubmit = (event) => {
      event.preventDefault();
      store.set(input.value.trim());
      given = true;
      dialog.close();
    };
    dialog.querySelector("[data-close]").onclick = () => dialog.close();
    dialog.addEventListener("close", () => {
      asking = null;
      resolve(given);
      if (given) document.dispatchEvent(new CustomEvent("token-given"));
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

export function address(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, value);
  }
  const text = parameters.toString();
  return BASE + path + (text ? `?${text}` : "");
}

async function request(url, init = {}) {
  for (;;) {
    const used = store.get();
    let response;
    try {
      response = await fetch(url, { ...init, cache: "no-store", headers: { accept: "application/json", ...init.headers, ...header(used) } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "unreachable", "The server does not answer.", "Is `clickrec serve` still running?");
    }
    if (response.status === 401) {
      // Another request may have got a token since this one was sent.
      if (store.get() !== used || (await askForToken(Boolean(used)))) {
        init.signal?.throwIfAborted();
        continue;
      }
    }
    return answer(response);
  }
}

async function answer(response) {
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error; // else it is not JSON: a proxy's page, or cut off
  }
  if (response.ok && body !== null) return body;
  const { code = "unreadable", message, help = null } = body?.error ?? {};
  throw new ApiError(response.status, code, message ?? `The server's answer cannot be read (status ${response.status}).`, help);
}

export const get = (path, query, signal) => request(address(path, query), { signal });

export const post = (path, body, signal) =>
  request(address(path), { method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json" } });

/** A part of a path that may hold any character. */
export const part = (text) => encodeURIComponent(text);
