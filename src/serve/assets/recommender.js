// What the project declares about its recommender: the parts of a score, and whether there are similar items.
import { get } from "./api.js";
import { ANSWERS } from "./live.js";

let answer = null;
let known = null; // the last answer, for callers that cannot wait

/** `{scores: [{column, label, color, fallback}], similar, model, items, …}`, requested once until a commit may have changed it. */
export function recommender() {
  const mine = (answer ??= get("/recommender"));
  mine.then((declared) => { known = declared; }, () => { if (answer === mine) answer = null; });
  return mine;
}

/** Something is new: the model may have another version. */
export function forgetRecommender() {
  answer = null;
}

/** What may change recommendations, and other tables that a panel reads; null (anything) as long as no model is known. */
export function tablesOfRecommender(...others) {
  if (!known?.model) return null;
  const { events, recommendations, description, model, items } = known;
  return [ANSWERS, events, recommendations, description, model.table, items, ...others].filter(Boolean);
}

/** The table of titles and pictures, for panels that show items; none if the project has no catalog. */
export const tablesOfCatalog = () => [known?.items].filter(Boolean);
