// The health of the pipeline, its lag, what it did not accept, and what Gold leaves out.
import { get } from "../api.js";
import { bar } from "../charts.js";
import { dataTable, h, replace } from "../dom.js";
import { counted, decimal, number, NONE, timeElement } from "../format.js";
import { committedAt } from "../live.js";
import { panel } from "../panel.js";

function status({ status: word, reasons, rates }) {
  const good = word === "ok";
  return h("div", { class: "health", data: { good: String(good), testid: "health" } },
    h("p", { class: "health-word" }, h("span", { class: "live-dot" }), good ? "Healthy" : "Failing"),
    reasons?.length ? h("ul", { class: "reasons" }, reasons.map((reason) => h("li", {}, reason))) : null,
    h("p", { class: "health-rate" }, h("strong", {}, rates?.records_per_s === null || rates?.records_per_s === undefined ? NONE
      : rates.records_per_s >= 100 ? number(rates.records_per_s) : decimal(rates.records_per_s, 1)), " records/s"));
}

function sourceCard(source) {
  const places = source.places ?? [];
  return h("li", { class: "source", data: { testid: "source" } },
    h("p", { class: "source-head" }, h("span", { class: "bar-name" }, source.source),
      h("strong", {}, source.waiting === null || source.waiting === undefined ? "lag unknown" : source.waiting ? `${number(source.waiting)} waiting` : "nothing waiting")),
    source.error ? h("p", { class: "bad small" }, source.error) : null,
    places.length > 1 ? h("details", {}, h("summary", {}, `${places.length} places`),
      h("ul", { class: "places" }, places.map((p) => h("li", {}, h("span", {}, String(p.place)), h("span", {}, number(p.waiting)))))) : null);
}

function outcome({ outcome: word, error }) {
  const kind = error || /fail|error/i.test(word) ? "bad" : /built|updated|written|trained|merged|appended/i.test(word) ? "good" : "";
  return [h("span", { class: "badge", data: { kind } }, word), error ? h("p", { class: "bad small step-error" }, error) : null];
}

/** What became of the records of the last run. */
function balance(records) {
  if (!records) return h("p", { class: "muted" }, "No run has reported its record counts yet.");
  const { records: read, accepted, repeated, quarantined, conflicting } = records;
  const missing = read - accepted - repeated - quarantined;
  return h("p", { class: "balance", data: { testid: "records" } },
    h("strong", {}, counted(read, "record", "records")), missing ? (read === 1 ? " is not " : " are not ") : " = ",
    `${number(accepted)} accepted + ${number(repeated)} repeated + ${number(quarantined)} quarantined`,
    conflicting ? ` (${number(conflicting)} of them conflicting)` : "",
    missing ? h("span", { class: "bad" }, ` ${counted(Math.abs(missing), "is", "are")} ${missing > 0 ? "unaccounted for" : "in several tables"}`) : "");
}

function mount(content) {
  const health = h("div");
  const sources = h("ul", { class: "sources" });
  const tables = dataTable({
    label: "Tables", testid: "table-row",
    columns: [
      { label: "Table", header: true, cell: (t) => t.table },
      { label: "Rows", numeric: true, cell: (t) => number(t.rows) },
      { label: "Version", numeric: true, cell: (t) => String(t.version ?? NONE) },
      { label: "Last commit", cell: (t) => timeElement(t.committed_at, { relative: true }) },
    ],
  });
  const steps = dataTable({
    label: "Steps of the last run", testid: "step-row",
    columns: [
      { label: "Step", header: true, cell: (s) => s.step },
      { label: "Result", cell: outcome },
      { label: "Rows", numeric: true, cell: (s) => number(s.rows_written) },
      { label: "Seconds", numeric: true, cell: (s) => decimal(s.seconds) },
    ],
  });
  const stepsAt = h("span", { class: "muted small" });
  const quarantine = h("div");
  const records = h("div");
  const excluded = h("div");
  content.append(
    h("div", { class: "pipeline-top" }, health, h("div", {}, h("h3", {}, "Sources"), sources)),
    h("div", { class: "pipeline-tables" },
      h("div", { class: "part" }, h("h3", {}, "Tables"), tables.element),
      h("div", { class: "part" }, h("div", { class: "part-head" }, h("h3", {}, "Last run"), stepsAt), steps.element)),
    h("h3", {}, "Records of the last run"), records,
    h("h3", {}, "Quarantine by reason"), quarantine,
    h("h3", {}, "Sessions left out of Gold and of the models, by reason"), excluded);

  return (data) => {
    replace(health, status(data));
    replace(sources, data.sources.length ? data.sources.map(sourceCard) : h("li", { class: "muted" }, "No source is configured."));
    tables.update(data.tables);
    steps.update(data.steps);
    steps.element.hidden = !data.steps.length;
    const began = data.steps.map((s) => s.started_at).filter(Boolean).sort()[0];
    replace(stepsAt, began ? ["started ", timeElement(began, { relative: true })] : "nothing has run yet");
    replace(records, balance(data.records));
    const most = Math.max(...data.quarantine.map((q) => q.records), 1);
    replace(quarantine, data.quarantine.length
      ? h("ul", { class: "bars" }, data.quarantine.map((q) => h("li", { class: "bar-row quarantine-row", data: { testid: "quarantine-row" } },
        h("span", { class: "bar-name" }, q.reason), bar(q.records / most, "warn"),
        h("span", { class: "bar-value" }, number(q.records)),
        h("span", { class: "muted small" }, q.newest_at ? timeElement(q.newest_at, { relative: true }) : ""))))
      : h("p", { class: "muted" }, "Nothing is in quarantine."));
    const largest = Math.max(...data.excluded.map((e) => e.sessions), 1);
    replace(excluded, data.excluded.length
      ? h("ul", { class: "bars" }, data.excluded.map((e) => h("li", { class: "bar-row quarantine-row", data: { testid: "excluded-row" } },
        h("span", { class: "bar-name" }, e.reason), bar(e.sessions / largest, "warn"),
        h("span", { class: "bar-value" }, number(e.sessions)),
        h("span", { class: "muted small" }, counted(e.events, "event", "events")))))
      : h("p", { class: "muted" }, "No session is left out."));
  };
}

panel({
  id: "pipeline",
  tables: null,
  skeletonRows: 10,
  mount,
  load: async (signal) => {
    const answer = await get("/pipeline", {}, signal);
    const commits = answer.tables.map((t) => t.committed_at).filter(Boolean);
    if (commits.length) committedAt(commits.reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b)));
    return answer;
  },
});
