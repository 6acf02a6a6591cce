// Lines of numbers over time: with axes and a cursor (LineChart), or a bare one for a table's cell (Sparkline).

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import uPlot from "../vendor/uplot.js";
import { clock, date, money } from "./format.js";
import { css } from "./theme.js";

const DAY_MS = 86_400_000;
const COLOURS = ["--accent", "--warn", "--up", "--down", "--muted"];

function options({ width, height, times, lines, format }) {
  const axis = { stroke: css("--muted"), grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, font: `11px ${css("--font")}` };
  const long = times.length > 1 && times[times.length - 1] - times[0] > 2 * DAY_MS;
  return {
    width,
    height,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, points: { size: 5 } },
    padding: [8, 8, 0, 0],
    axes: [
      { ...axis, space: 70, size: 26, values: (_, ticks) => ticks.map((at) => (long ? date(at * 1000).slice(5) : clock(at * 1000).slice(0, 5))) },
      { ...axis, size: 62, values: (_, ticks) => ticks.map(format) },
    ],
    // A flat line gets a range of its own size: 0.001 is far from flat for a Sharpe ratio, and flat for an account.
    scales: { y: { range: (_, low, high) => (high - low <= Math.abs(high) * 1e-9 ? [low - 1, high + 1] : uPlot.rangeNum(low, high, 0.1, true)) } },
    series: [{}, ...lines.map((line, index) => {
      const colour = css(line.colour || COLOURS[index % COLOURS.length]);
      return { label: line.label, stroke: colour, width: 1.6, dash: line.dashed ? [4, 4] : undefined, fill: line.fill ? css("--accent-soft") : undefined, points: { show: false }, spanGaps: true };
    })],
  };
}

const axisNumber = (value) => money(value, value % 1 ? 1 : 0);

// `times` in milliseconds, ascending; `lines` are `{label, values, colour: "--up", fill, dashed}`, null for a hole.
export function LineChart({ times, lines, height = 150, format = axisNumber, label = "" }) {
  const box = useRef(null);
  const plot = useRef(null);
  const given = useRef(null);
  const [read, setRead] = useState(null);
  given.current = { times, lines };
  const shape = `${height}|${lines.map((line) => `${line.label}${line.colour}${line.fill}${line.dashed}`).join("|")}|${times.length > 1 && times[times.length - 1] - times[0] > 2 * DAY_MS}`;
  useEffect(() => {
    const build = () => {
      if (plot.current) plot.current.destroy();
      const now = given.current;
      const made = options({ width: box.current.clientWidth, height, format, ...now });
      made.hooks = { setCursor: [(u) => setRead(u.cursor.idx ?? null)] };
      plot.current = new uPlot(made, [now.times.map((at) => at / 1000), ...now.lines.map((line) => line.values)], box.current);
    };
    build();
    const watch = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height }));
    watch.observe(box.current);
    addEventListener("genesis-theme", build);
    return () => {
      watch.disconnect();
      removeEventListener("genesis-theme", build);
      plot.current.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current.setData([times.map((at) => at / 1000), ...lines.map((line) => line.values)]);
  });
  const at = read !== null && read < times.length ? read : null;
  return html`<div class="equity-plot" role="img" aria-label=${label || lines.map((line) => line.label).join(", ")}>
    <div ref=${box}></div>
    ${(lines.length > 1 || at !== null) && html`<p class="legend">${at !== null && html`<span class="muted">${date(times[at])} ${clock(times[at])}</span>`}${lines.map(
      (line, index) => html`<span key=${line.label}><i class="swatch" style=${{ background: `var(${line.colour || COLOURS[index % COLOURS.length]})` }}></i>${line.label}${at !== null && html` <b>${line.values[at] === null ? "–" : format(line.values[at])}</b>`}</span>`,
    )}</p>`}
  </div>`;
}

export function Sparkline({ values, width = 90, height = 22, label = "" }) {
  const points = values.filter((value) => Number.isFinite(value));
  if (points.length < 2) return html`<span class="muted">–</span>`;
  const low = Math.min(...points);
  const span = Math.max(...points) - low || 1;
  const way = points.map((value, i) => `${((i / (points.length - 1)) * width).toFixed(1)},${(height - 2 - ((value - low) / span) * (height - 4)).toFixed(1)}`).join(" ");
  const rose = points[points.length - 1] >= points[0];
  return html`<svg class="spark ${rose ? "up" : "down"}" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-label=${label}><polyline points=${way} /></svg>`;
}
