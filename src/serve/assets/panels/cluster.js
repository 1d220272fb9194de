// Where steps run: the executors of a cluster, and the progress of its jobs. Hidden where steps run in one process.
import { get } from "../api.js";
import { dataTable, h, replace } from "../dom.js";
import { decimal, mebibytes, NONE, timeElement } from "../format.js";
import { panel } from "../panel.js";

const EVERY_MS = 3000; // jobs come and go without a commit
const KINDS = { done: "good", failed: "bad" };

function stages(job) {
  return job.stages === null || job.stages === undefined ? NONE : `${job.stages_done} of ${job.stages}`;
}

function mount(content) {
  const summary = h("p", { class: "muted small", data: { testid: "cluster-summary" } });
  const executors = dataTable({
    label: "Executors", testid: "executor-row",
    columns: [
      { label: "Executor", header: true, cell: (e) => e.address },
      { label: "Parallel tasks", numeric: true, cell: (e) => String(e.cores) },
      { label: "Peak memory", numeric: true, cell: (e) => mebibytes(e.peak_memory_bytes) },
      { label: "Last heartbeat", cell: (e) => timeElement(e.heard_at, { relative: true }) },
    ],
  });
  const jobs = dataTable({
    label: "Jobs", testid: "job-row",
    columns: [
      { label: "Step", header: true, cell: (j) => j.step },
      { label: "State", cell: (j) => h("span", { class: "badge", data: { kind: KINDS[j.outcome] ?? "" } }, j.outcome) },
      { label: "Stages done", numeric: true, cell: stages },
      { label: "Seconds", numeric: true, cell: (j) => decimal(j.seconds) },
      { label: "Started", cell: (j) => timeElement(j.started_at, { relative: true }) },
    ],
  });
  const bad = h("p", { class: "bad small", role: "alert" });
  const parts = h("div", { class: "pipeline-tables" },
    h("div", { class: "part" }, h("h3", {}, "Executors"), executors.element),
    h("div", { class: "part" }, h("h3", {}, "Jobs"), jobs.element));
  content.append(summary, bad, parts);

  return ({ scheduler, state, error }) => {
    if (!scheduler) return; // steps run in one process
    const running = (state?.jobs ?? []).filter((j) => j.outcome === "running").length;
    replace(summary, `Scheduler ${scheduler}`, state ? ` · ${running} running, ${state.waiting} waiting` : "");
    const trouble = error ?? (state.executors.length ? null : "There are no executors; jobs wait until one is started.");
    bad.hidden = !trouble;
    replace(bad, trouble ?? "");
    parts.hidden = !state;
    executors.update(state?.executors ?? []);
    jobs.update(state?.jobs ?? []);
  };
}

const section = document.getElementById("cluster");
const link = document.querySelector('.nav a[href="#cluster"]').parentElement;

const cluster = panel({
  id: "cluster",
  tables: null,
  mount,
  load: async (signal) => {
    const answer = await get("/cluster", {}, signal);
    section.hidden = link.hidden = !answer.scheduler;
    return answer;
  },
});

setInterval(() => {
  if (!section.hidden && !document.hidden) cluster.start({ background: true });
}, EVERY_MS);
