// What the project declares about its recommender: the parts of a score, and whether there are similar items.
import { get } from "./api.js";

let answer = null;
let known = null; // the last answer, for callers that cannot wait

/** `{scores: [{column, label, color, fallback}], similar, model, …}`, requested once until a commit may have changed it. */
export function recommender() {
  const mine = (answer ??= get("/recommender"));
  mine.then((declared) => { known = declared; }, () => { if (answer === mine) answer = null; });
  return mine;
}

/** Something was committed: the model may have another version. */
export function forgetRecommender() {
  answer = null;
}

/** The tables whose commits may change recommendations, and others that a panel reads; null (any) as long as no model is known. */
export function tablesOfRecommender(...others) {
  if (!known?.model) return null;
  const { events, recommendations, description, model } = known;
  return [events, recommendations, description, model.table, ...others].filter(Boolean);
}
