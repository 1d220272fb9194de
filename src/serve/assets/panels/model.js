// Which model answers, and how good it is. The details are whatever columns the project's description of the model has.
import { get } from "../api.js";
import { sparkline } from "../charts.js";
import { h, replace } from "../dom.js";
import { duration, humanName, number, NONE, precise, timeElement } from "../format.js";
import { panel } from "../panel.js";
import { recommender, tablesOfRecommender } from "../recommender.js";

const isTime = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value);

function shown(value, name) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") return Number.isInteger(value) && !/seed|version/.test(name) ? number(value) : /seed|version/.test(name) ? String(value) : precise(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (isTime(value)) return timeElement(value);
  if (Array.isArray(value) && value.length > 1 && value.every((v) => typeof v === "number")) {
    const words = `${precise(value[0])} → ${precise(value.at(-1))}`;
    return [sparkline(value, `${value.length} values, ${words}`), h("span", { class: "nowrap" }, words)];
  }
  return typeof value === "object" ? h("code", {}, JSON.stringify(value)) : String(value);
}

function definitions(values) {
  return h("dl", { class: "definitions" }, Object.entries(values).map(([name, value]) =>
    h("div", { data: { testid: `model-${name}` } }, h("dt", {}, humanName(name)), h("dd", {}, shown(value, name)))));
}

/** How old the model is now: the answer stays on the screen, and the model grows older. */
function age(model) {
  if (model.trained_at) return timeElement(model.trained_at, { relative: true });
  return duration(model.age_s);
}

const isTrained = ({ version, trained_at }) => version !== null || Boolean(trained_at);

/** What is missing: a model that was never trained, or, in a project without one, anything to say about it. */
function missing(model) {
  if (isTrained(model)) return null;
  if (model.declared) return { message: "No model has been trained yet.", help: "run `clickrec run`" };
  if (model.evaluation || Object.keys(model.details ?? {}).length) return null;
  return {
    message: "This project declares no model.",
    help: "declare one in pipelines.yaml: `recommender: { stale_after: [TABLE], description: TABLE }`",
  };
}

function mount(content) {
  return (model) => {
    const tile = (label, value, testid) => h("div", { class: "tile", data: { testid } }, h("dt", {}, label), h("dd", { class: "tile-value" }, value));
    replace(content,
      isTrained(model) ? [
        h("dl", { class: "tiles two" }, tile("Trained", age(model), "model-age"), tile("Version", String(model.version ?? NONE), "model-version")),
        h("p", { class: "muted small" }, "Trained at ", timeElement(model.trained_at)),
      ] : null,
      definitions(model.details ?? {}),
      model.evaluation
        ? [h("h3", {}, "Last evaluation"), definitions(model.evaluation)]
        : h("p", { class: "muted small aside" }, "Not evaluated yet: ", h("code", {}, "clickrec evaluate")));
  };
}

panel({
  id: "model",
  tables: () => tablesOfRecommender("system.evaluations"),
  skeletonRows: 9,
  mount,
  load: async (signal) => {
    const [answer, { model: current, description }] = await Promise.all([get("/model", {}, signal), recommender()]);
    signal.throwIfAborted();
    // Nothing that changes with every request may make the panel draw again; the page counts the age itself.
    return { ...answer, age_s: answer.trained_at ? null : answer.age_s, declared: Boolean(current || description) };
  },
  empty: missing,
});
