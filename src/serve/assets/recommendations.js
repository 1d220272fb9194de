// A list of recommendations: rank, item, what each model adds to the score, and why. Two panels show such a list.
import { h, keepingFocus, replace } from "./dom.js";
import { decimal, wholePercent } from "./format.js";

export const MODELS = [["session_knn", "Sessions like it"], ["als", "ALS model"], ["popularity", "Popularity"]];

export function legend() {
  return h("ul", { class: "legend", "aria-label": "What a score is made of" },
    MODELS.map(([name, label]) => h("li", {}, h("span", { class: "dot", data: { model: name } }), label)));
}

/** What each model adds, without those that add nothing. A model may also take away; a bar cannot show that, the numbers do. */
const parts = (row) => MODELS.map(([name, label]) => ({ name, label, value: row[name] ?? 0 })).filter((p) => p.value !== 0);

const height = (row) => Math.max(row.score, parts(row).reduce((sum, p) => sum + Math.max(0, p.value), 0));

function scoreBar(row, most) {
  const width = (value) => ({ width: `${(Math.max(0, value) / most) * 100}%` });
  const known = parts(row);
  const segments = known.length
    ? known.filter((p) => p.value > 0).map((p) => h("span", { class: "segment", data: { model: p.name }, style: width(p.value) }))
    : h("span", { class: "segment", style: width(row.score) });
  return h("div", { class: "score" },
    h("span", { class: "score-number" }, decimal(row.score)),
    h("span", { class: "stack", "aria-hidden": "true" }, segments),
    h("span", { class: "score-parts" }, known.map((p) =>
      h("span", { title: p.label }, h("span", { class: "dot", data: { model: p.name } }),
        h("span", { class: "visually-hidden" }, `${p.label}: `), decimal(p.value, Math.abs(p.value) < 0.01 ? 3 : 2)))));
}

function reasons(because) {
  if (!because) return null;
  if (!because.length) return h("p", { class: "because" }, "popular with everyone");
  return h("p", { class: "because" }, "because of ",
    because.slice(0, 3).map((b, i) => [i ? ", " : "", h("span", { class: "nowrap" }, `${b.item_id} (${wholePercent(b.share)})`)]));
}

function move(row, before) {
  if (!before) return null;
  const old = before.get(row.item_id);
  if (old === undefined) return h("span", { class: "move new", data: { testid: "new" } }, "new");
  if (old <= row.rank) return null;
  return h("span", { class: "move up", data: { testid: "moved-up" } }, h("span", { "aria-hidden": "true" }, "▲ "),
    h("span", { class: "visually-hidden" }, "up by "), String(old - row.rank));
}

/** `choose(item, button)` is told of a click; `action` says in words what it will do. */
export function recommendationList({ label, choose, action }) {
  const element = h("ol", { class: "recommendations", "aria-label": label });
  return {
    element,
    /** `before` maps items to the ranks that they had, to mark what is new or has moved up. */
    update(rows, before = null) {
      const most = Math.max(...rows.map(height), 1e-9);
      keepingFocus(element, () => replace(element, rows.map((row) =>
        h("li", { class: "recommendation", data: { testid: "recommendation", item: row.item_id } },
          h("span", { class: "rank" }, String(row.rank)),
          h("div", { class: "recommended" },
            h("button", { class: "item", type: "button", title: action(row.item_id), data: { key: `rec-${row.item_id}` },
              onclick: (event) => choose(row.item_id, event.currentTarget) }, row.item_id),
            move(row, before), reasons(row.because)),
          scoreBar(row, most)))));
    },
  };
}

/** Where a list comes from: the version of the model, or that there is none yet. */
export function origin({ model, only_popular }) {
  const version = model?.version === null || model?.version === undefined ? "No model trained yet" : `Model version ${model.version}`;
  return only_popular ? `${version}: what is popular with everyone` : version;
}
