// The time series (uPlot on a canvas) and the bars (plain elements).
import uPlot from "/assets/vendor/uplot/uPlot.esm.js";
import { h, svg } from "./dom.js";
import { compact, date, dayMonth, dateTime, hour, number, percent } from "./format.js";
import { zone } from "./zone.js";

/** A canvas needs a color, not `var(--x)`: let the browser work it out, whatever theme it is in. */
function color(name) {
  const probe = h("span", { style: { color: `var(${name})` } });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

// Steps of the time axis in seconds; a chart by day has no use for hours between its points.
const DAYS = [1, 2, 3, 5, 7, 10, 15, 30, 60, 90, 180, 365, 730, 1825].map((days) => days * 86400);

const faint = (rgb, opacity) => rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);

/** `update({bucket, at, lines: [{label, values, color, scale: "count" | "share"}], summary})` draws, or just sets new data. */
export function timeSeries() {
  const element = h("div", { class: "chart", role: "img" });
  let plot = null;
  let drawn = ""; // what the plot was made for; other values of the same lines need no new plot
  let last = null;

  function update(next) {
    last = next;
    element.setAttribute("aria-label", next.summary);
    const data = [next.at.map((at) => Date.parse(at) / 1000), ...next.lines.map((line) => line.values)];
    const made = JSON.stringify([next.bucket, next.lines.map((line) => line.label)]);
    if (plot && made === drawn) return plot.setData(data);
    drawn = made;
    plot?.destroy();
    plot = new uPlot(options(next), data, element);
  }

  function options({ bucket, lines }) {
    const muted = color("--muted");
    const grid = { stroke: color("--line"), width: 1 };
    const axis = { stroke: muted, font: `12px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
    const left = { ...axis, scale: "count", grid, size: 48, values: (_, ticks) => ticks.map((v) => countLabel(v, ticks)) };
    const right = { ...axis, scale: "share", side: 1, gap: 8, grid: { show: false }, size: 46, values: (_, ticks) => ticks.map(percent) };
    return {
      ...size(),
      padding: [12, 4, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone()),
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      legend: { markers: { fill: (plot, i) => plot.series[i].stroke() } },
      scales: { count: { range: fromZero(1) }, share: { range: fromZero(0.01) } },
      axes: [{ ...axis, grid: { show: false }, gap: 8, size: bucket === "day" ? 32 : 48, space: 64, values: timeLabels, ...(bucket === "day" ? { incrs: DAYS } : {}) }, left, right],
      series: [
        { label: "Time", value: (_, seconds) => (seconds === null ? "–" : bucket === "day" ? date(seconds * 1e3) : dateTime(seconds * 1e3)) },
        ...lines.map((line) => {
          const stroke = color(line.color);
          const share = line.scale === "share";
          return {
            label: line.label, scale: line.scale, stroke, width: 2, points: { fill: color("--card") }, spanGaps: share, dash: share ? [5, 4] : undefined,
            fill: share ? undefined : faint(stroke, 0.08),
            value: (_, v) => (v === null || v === undefined ? "–" : share ? percent(v) : number(v)),
          };
        }),
      ],
    };
  }

  function size() {
    const width = Math.max(200, Math.floor(element.clientWidth));
    return { width, height: width < 500 ? 220 : 300 };
  }

  // A hidden panel has no width; when it is shown, or the window changes, the plot follows.
  new ResizeObserver(() => {
    if (plot && element.clientWidth && plot.width !== size().width) plot.setSize(size());
  }).observe(element);
  document.addEventListener("theme-changed", () => {
    drawn = "";
    if (last) update(last);
  });

  return { element, update };
}

/** 1,250 must not be shown as 1.3k next to 1k; from 10,000 on, the short form is exact enough. */
const countLabel = (v, ticks) => (!Number.isInteger(v) ? "" : ticks.at(-1) < 10_000 ? number(v) : compact(v));

const fromZero = (least) => (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.1)];

function timeLabels(_, ticks, __, ___, step) {
  let before = "";
  return ticks.map((seconds) => {
    const day = dayMonth(seconds * 1e3);
    const text = step >= 86400 ? day : day === before ? hour(seconds * 1e3) : `${hour(seconds * 1e3)}\n${day}`;
    before = day;
    return text;
  });
}

/** A bar of `share` (0 to 1) of its track; its value is also next to it, in words. */
export function bar(share, kind = "") {
  return h("span", { class: "bar", "aria-hidden": "true" },
    h("span", { class: `bar-fill ${kind}`, style: { width: `${Math.max(0, Math.min(1, share || 0)) * 100}%` } }));
}

/** A small line without axes, for a handful of numbers such as the losses of the training. */
export function sparkline(values, label) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((v, i) =>
    `${(i / Math.max(1, values.length - 1)) * 96 + 2},${high === low ? 12 : 22 - ((v - low) / (high - low)) * 20}`);
  return svg("svg", { class: "sparkline", viewBox: "0 0 100 24", role: "img", "aria-label": label },
    svg("polyline", { points: points.join(" "), fill: "none" }));
}
