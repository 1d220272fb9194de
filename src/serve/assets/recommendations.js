// A list of recommendations: rank, item, what each part adds to the score, and why. Two panels show such a list.
import { h, keepingFocus, replace } from "./dom.js";
import { decimal, wholePercent } from "./format.js";
import { itemMention } from "./item.js";

const dot = ({ color }) => h("span", { class: "dot", data: { color } });

/** What each part adds, without those that add nothing. A part may also take away; a bar cannot show that, the numbers do. */
const parts = (row, scores) => scores.map((part) => ({ ...part, value: row[part.column] ?? 0 })).filter((part) => part.value !== 0);

const height = (row, scores) => Math.max(row.score, parts(row, scores).reduce((sum, part) => sum + Math.max(0, part.value), 0));

/** A score as a number and a bar: of its parts, or of one piece where the project declares none. */
function scoreBar(row, scores, most) {
  const width = (value) => ({ width: `${(Math.max(0, value) / most) * 100}%` });
  const known = parts(row, scores);
  const segments = known.length
    ? known.filter((part) => part.value > 0).map((part) => h("span", { class: "segment", data: { color: part.color }, style: width(part.value) }))
    : h("span", { class: "segment", style: width(row.score) });
  return h("div", { class: "score" },
    h("span", { class: "score-number" }, decimal(row.score)),
    h("span", { class: "stack", "aria-hidden": "true" }, segments),
    h("span", { class: "score-parts" }, known.map((part) =>
      h("span", { title: part.label }, dot(part),
        h("span", { class: "visually-hidden" }, `${part.label}: `), decimal(part.value, Math.abs(part.value) < 0.01 ? 3 : 2)))));
}

function reasons(because) {
  if (!because) return null;
  if (!because.length) return h("p", { class: "because" }, "popular with everyone");
  return h("p", { class: "because" }, "because of ",
    because.slice(0, 3).map((b, i) => [i ? ", " : "", h("span", { class: "nowrap" }, itemMention(b), ` (${wholePercent(b.share)})`)]));
}

function move(row, before) {
  if (!before) return null;
  const old = before.get(row.item_id);
  if (old === undefined) return h("span", { class: "move new", data: { testid: "new" } }, "new");
  if (old <= row.rank) return null;
  return h("span", { class: "move up", data: { testid: "moved-up" } }, h("span", { "aria-hidden": "true" }, "▲ "),
    h("span", { class: "visually-hidden" }, "up by "), String(old - row.rank));
}

/** `item(row, key)` is the element that stands for the item of a row. */
export function recommendationList({ label, item }) {
  const element = h("ol", { class: "recommendations", "aria-label": label });
  const legend = h("ul", { class: "legend", "aria-label": "The parts of a score", hidden: true });
  let scores = [];
  return {
    element,
    legend,
    /** The parts of a score, as the project declares them. */
    declare(declared) {
      scores = declared.scores;
      legend.hidden = !scores.length;
      replace(legend, scores.map((part) => h("li", {}, dot(part), part.label)));
    },
    /** `before` maps items to the ranks that they had, to mark what is new or has moved up. */
    update(rows, before = null) {
      const most = Math.max(...rows.map((row) => height(row, scores)), 1e-9);
      keepingFocus(element, () => replace(element, rows.map((row) =>
        h("li", { class: "recommendation", data: { testid: "recommendation", item: row.item_id } },
          h("span", { class: "rank" }, String(row.rank)),
          h("div", { class: "recommended" }, item(row, `rec-${row.item_id}`), move(row, before), reasons(row.because)),
          scoreBar(row, scores, most)))));
    },
  };
}

/** Where a list comes from: the version of the model, where the project declares one, or that there is none yet. */
export function origin({ model, only_popular }, declared) {
  if (!declared.model) return only_popular ? "What is popular with everyone" : "";
  const version = model?.version ?? null;
  const words = version === null ? "No model trained yet" : `Model version ${version}`;
  return only_popular ? `${words}: what is popular with everyone` : words;
}
