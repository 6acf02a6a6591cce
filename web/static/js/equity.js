// The equity line of this session, and the numbers of the account beside it.

import { html } from "../vendor/preact-htm.js";
import { money, percent, quantity, signed, tone } from "./format.js";
import { Card, Empty, LineChart, Loading, useApi } from "./parts.js";
import { useTopics } from "./store.js";
import { realizedWords, useWords } from "./words.js";

const PROFIT_S = 5;

// Money that was paid in or taken out is neither won nor lost: the peak before it is scaled to what was there after it,
// as in the engine's own figures.
export function drawdown(points) {
  let peak = -Infinity;
  let worst = 0;
  let seen = points.length ? points[0].flows || 0 : 0;
  for (const { equity, flows = 0 } of points) {
    const own = equity - (flows - seen);
    if (flows !== seen) peak = own > 0 && equity > 0 ? (peak * equity) / own : equity;
    seen = flows;
    peak = Math.max(peak, equity);
    if (peak > 0) worst = Math.max(worst, (peak - equity) / peak);
  }
  return worst;
}

// The deepest fall, for every place that shows it: the engine has looked at all points, and was asked some seconds ago;
// the line has but some of them, and is as new as what is drawn beside it.
export const deepest = (points, profit) => Math.max(drawdown(points || []), profit ? profit.max_drawdown : 0);

// The account's figures, asked once for a page: what two parts of it ask by themselves differs for seconds.
export const useProfit = () => useApi("/api/v2/profit", { every: PROFIT_S });

// What was made since the first point of the line.
export function gained(points, wallet) {
  const equity = Number(wallet.equity);
  const flows = Number(wallet.flows);
  return points.length ? equity - points[0].equity - (flows - (points[0].flows || 0)) : 0;
}

export function EquityCard({ className = "", profit }) {
  const tr = useWords();
  const { equity, wallet } = useTopics("equity", "wallet");
  const body = () => {
    if (wallet === undefined || equity === undefined) return html`<${Loading} rows=${3} />`;
    if (!wallet || !wallet.known) return html`<${Empty} title=${tr("The account is not known yet")} />`;
    const gain = gained(equity, wallet);
    return html`
      <dl class="tiles">
        <div><dt>${tr("Equity")}</dt><dd>${money(wallet.equity)}</dd></div>
        <div><dt>${tr("Session")}</dt><dd class=${tone(gain)}>${signed(gain)}</dd></div>
        <div><dt>${tr("Max drawdown")}</dt><dd>${percent(deepest(equity, profit))}</dd></div>
        <div><dt>${tr("Unrealized")}</dt><dd class=${tone(wallet.unrealized_pnl)}>${signed(wallet.unrealized_pnl)}</dd></div>
        <div title=${realizedWords()}><dt>${tr("Realized")}</dt><dd class=${tone(wallet.realized_pnl)}>${signed(wallet.realized_pnl)}</dd></div>
        <div><dt>${tr("Fees")}</dt><dd>${money(wallet.fees)}</dd></div>
      </dl>
      ${equity.length > 1 ? html`<${LineChart} times=${equity.map((p) => p.at_ms)} lines=${[{ label: tr("Equity"), values: equity.map((p) => p.equity), fill: true }]} />` : html`<${Empty} title=${tr("Not enough points for a line yet")} />`}
      <ul class="wallets">
        ${wallet.wallets.map((w) => html`<li key=${w.wallet_type + w.currency}>${w.wallet_type !== "exchange" && html`<span class="muted">${w.wallet_type}</span> `}<b>${w.currency}</b> ${quantity(w.balance)}</li>`)}
      </ul>
    `;
  };
  return html`<${Card} id="equity" title=${tr("Equity")} className="equity ${className}">${body()}<//>`;
}
