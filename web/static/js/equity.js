// The equity line of this session, and the numbers of the account beside it.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import uPlot from "../vendor/uplot.js";
import { css } from "./chart.js";
import { clock, money, percent, quantity, signed, tone } from "./format.js";
import { Card, Empty, Loading } from "./parts.js";
import { useTopics } from "./store.js";
import { useWords } from "./words.js";

const HEIGHT = 150;

function options(width) {
  const axis = { stroke: css("--muted"), grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, font: `11px ${css("--font")}` };
  return {
    width,
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, points: { size: 5 } },
    padding: [8, 8, 0, 0],
    axes: [{ ...axis, space: 70, size: 26, values: (_, ticks) => ticks.map((at) => clock(at * 1000).slice(0, 5)) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((v) => money(v, v % 1 ? 1 : 0)) }],
    scales: { y: { range: (_, low, high) => (high - low < 1 ? [low - 1, high + 1] : uPlot.rangeNum(low, high, 0.1, true)) } },
    series: [{}, { stroke: css("--accent"), width: 1.6, fill: css("--accent-soft"), points: { show: false } }],
  };
}

function Line({ points }) {
  const box = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const build = () => {
      if (plot.current) plot.current.destroy();
      plot.current = new uPlot(options(box.current.clientWidth), [[], []], box.current);
      feed();
    };
    const feed = () => {
      const shown = box.current.points || [];
      plot.current.setData([shown.map((p) => p.at_ms / 1000), shown.map((p) => p.equity)]);
    };
    box.current.feed = feed;
    box.current.points = points;
    build();
    const watch = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    watch.observe(box.current);
    addEventListener("genesis-theme", build);
    return () => {
      watch.disconnect();
      removeEventListener("genesis-theme", build);
      plot.current.destroy();
    };
  }, []);
  useEffect(() => {
    box.current.points = points;
    box.current.feed();
  });
  return html`<div class="equity-plot" ref=${box}></div>`;
}

function drawdown(points) {
  let peak = -Infinity;
  let worst = 0;
  for (const { equity } of points) {
    peak = Math.max(peak, equity);
    if (peak > 0) worst = Math.max(worst, (peak - equity) / peak);
  }
  return worst;
}

export function EquityCard() {
  const tr = useWords();
  const { equity, wallet } = useTopics("equity", "wallet");
  const body = () => {
    if (wallet === undefined || equity === undefined) return html`<${Loading} rows=${3} />`;
    if (!wallet || !wallet.known) return html`<${Empty} title=${tr("The account is not known yet")} />`;
    const first = equity.length ? equity[0].equity : Number(wallet.equity);
    const gain = Number(wallet.equity) - first;
    return html`
      <dl class="tiles">
        <div><dt>${tr("Equity")}</dt><dd>${money(wallet.equity)}</dd></div>
        <div><dt>${tr("Session")}</dt><dd class=${tone(gain)}>${signed(gain)}</dd></div>
        <div><dt>${tr("Max drawdown")}</dt><dd>${percent(drawdown(equity))}</dd></div>
        <div><dt>${tr("Unrealized")}</dt><dd class=${tone(wallet.unrealized_pnl)}>${signed(wallet.unrealized_pnl)}</dd></div>
        <div><dt>${tr("Realized")}</dt><dd class=${tone(wallet.realized_pnl)}>${signed(wallet.realized_pnl)}</dd></div>
        <div><dt>${tr("Fees")}</dt><dd>${money(wallet.fees)}</dd></div>
      </dl>
      ${equity.length > 1 ? html`<${Line} points=${equity} />` : html`<${Empty} title=${tr("Not enough points for a line yet")} />`}
      <ul class="wallets">
        ${wallet.wallets.map((w) => html`<li key=${w.wallet_type + w.currency}>${w.wallet_type !== "exchange" && html`<span class="muted">${w.wallet_type}</span> `}<b>${w.currency}</b> ${quantity(w.balance)}</li>`)}
      </ul>
    `;
  };
  return html`<${Card} id="equity" title=${tr("Equity")} className="equity">${body()}<//>`;
}
