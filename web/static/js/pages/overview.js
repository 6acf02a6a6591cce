// The overview: what a trader wants to know at a glance, and where to look next.

import { html } from "../../vendor/preact-htm.js";
import { FreshnessCard } from "../actors.js";
import { ChartCard } from "../chart.js";
import { deepest, EquityCard, useProfit } from "../equity.js";
import { money, pair, percent, price, signed, tone } from "../format.js";
import { Answer, Card, Chip, link, useApi } from "../parts.js";
import { spoken } from "../reasons.js";
import { RiskCard } from "../risk.js";
import { useTopics } from "../store.js";
import { DecisionsCard, NoticesCard, PositionsCard, TradesCard } from "../tables.js";
import { useWords } from "../words.js";

export const words = {
  "Open profit": "Öppen vinst", "Exposure": "Exponering", "of its limit": "av gränsen", "Win rate": "Vinstandel", "closed trades": "stängda affärer",
  "Watchlist": "Bevakning", "Nothing is watched": "Inget bevakas", "Last": "Senast", "Signal": "Signal",
  "Stops": "Stopp", "in place": "på plats", "without a stop": "utan stopp", "entries": "ingångar", "Alerts": "Larm", "Profit factor": "Vinstfaktor",
};

const WATCH_S = 2;

function Tile({ title, value, tone: kind = "", note, href }) {
  return html`<a class="tile" href=${href}><span class="muted">${title}</span><b class=${kind}>${value}</b><small class="muted">${note || "\u00a0"}</small></a>`;
}

function Tiles({ profit }) {
  const tr = useWords();
  const { wallet, equity, risk, protection, notification } = useTopics("wallet", "equity", "risk", "protection", "notification");
  const known = wallet && wallet.known;
  const start = wallet ? Number(wallet.day_start_equity) : 0;
  const today = known && start > 0 ? Number(wallet.equity) - start : null;
  const [used, allowed] = (risk && (risk.headroom.max_gross_exposure || risk.headroom.gross_exposure)) || [null, null];
  const naked = protection ? protection.watch.naked : 0;
  const alarms = [...(notification || new Map()).values()].filter((row) => row.level !== "info").length;
  const dash = "–";
  return html`<div class="tiles-row">
    <${Tile} title=${tr("Equity")} value=${known ? money(wallet.equity) : dash} note=${known ? wallet.quote_currency : ""} href=${link("account")} />
    <${Tile} title=${tr("Today")} value=${today === null ? dash : signed(today)} tone=${tone(today)} note=${today === null ? "" : percent(today / start)} href=${link("account")} />
    <${Tile} title=${tr("Open profit")} value=${known ? signed(wallet.unrealized_pnl) : dash} tone=${known ? tone(wallet.unrealized_pnl) : ""} note=${known ? `${tr("Realized")} ${signed(wallet.realized_pnl)}` : ""} href=${link("orders")} />
    <${Tile} title=${tr("Exposure")} value=${used === null ? dash : money(used, 0)} note=${used === null || !Number(allowed) ? "" : `${percent(used / allowed, 0)} ${tr("of its limit")}`} href=${link("risk")} />
    <${Tile} title=${tr("Win rate")} value=${profit && profit.winrate !== null ? percent(profit.winrate, 0) : dash} note=${profit ? `${profit.closed_trade_count} ${tr("closed trades")}` : ""} href=${link("orders", [], { tab: "closed" })} />
    <${Tile} title=${tr("Max drawdown")} value=${profit && equity ? percent(deepest(equity, profit)) : dash} note=${profit && profit.profit_factor !== null ? `${tr("Profit factor")} ${profit.profit_factor.toFixed(2)}` : ""} href=${link("account")} />
    <${Tile} title=${tr("Stops")} value=${!protection ? dash : naked ? `${naked} ${tr("without a stop")}` : tr("in place")} tone=${naked ? "down" : "up"} note=${protection ? `p99 ${protection.watch.naked_p99_s.toFixed(1)} s` : ""} href=${link("orders")} />
    <${Tile} title=${tr("Alerts")} value=${alarms} tone=${alarms ? "warn-text" : ""} note=${risk ? `${risk.trades_today} ${tr("entries")}` : ""} href=${link("observability")} />
  </div>`;
}

function Signal({ strategies }) {
  const tr = useWords();
  const newest = strategies.map((one) => one.acted).filter(Boolean).sort((a, b) => b.decided_ms - a.decided_ms)[0];
  if (!newest) return html`<span class="muted">–</span>`;
  return html`<${Chip} tone=${newest.recommendation === "buy" ? "good" : "bad"} title=${newest.reasons.map(spoken).join(" · ")}>${tr(newest.recommendation)}<span class="wide"> ${Math.round(newest.confidence * 100)} %</span><//>`;
}

function Watchlist({ className }) {
  const tr = useWords();
  const of = useApi("/api/v2/watchlist", { every: WATCH_S });
  return html`<${Card} id="watchlist" className=${className} title=${tr("Watchlist")}>
    <${Answer} of=${of} rows=${2} empty=${(told) => !told.symbols.length} title=${tr("Nothing is watched")}>${(told) => html`<div class="scroll" tabindex="0" role="group" aria-label=${tr("Watchlist")}><table>
      <thead><tr><th scope="col">${tr("Symbol")}</th><th scope="col" class="n">${tr("Last")}</th><th scope="col" class="n">${"24 h"}</th><th scope="col" class="n wide">${tr("Spread")}</th><th scope="col">${tr("Regime")}</th><th scope="col">${tr("Signal")}</th></tr></thead>
      <tbody>${told.symbols.map((row) => html`<tr key=${row.symbol} class=${row.stale.length ? "closed" : ""} title=${row.stale.join(", ")}>
        <td><a href=${link("chart", [], { symbol: row.symbol })}><b>${pair(row.symbol)}</b></a></td><td class="n">${price(row.last)}</td>
        <td class="n ${tone(row.daily_change)}">${percent(row.daily_change)}</td><td class="n wide muted">${row.spread_bps === null ? "–" : `${row.spread_bps.toFixed(1)} bp`}</td>
        <td>${row.regime ? html`<span title=${spoken(row.regime.reason)}><i class="swatch regime ${row.regime.regime}"></i>${tr(row.regime.regime.replaceAll("_", " "))}</span>` : html`<span class="muted">–</span>`}</td>
        <td><${Signal} strategies=${row.strategies} /></td>
      </tr>`)}</tbody></table></div>`}<//>
  <//>`;
}

export function component() {
  const profit = useProfit().data;
  return html`<${Tiles} profit=${profit} />
  <div class="grid overview">
    <${ChartCard} className="chart span-8" />
    <div class="side"><${EquityCard} profit=${profit} /><${PositionsCard} /><${Watchlist} /></div>
    <${RiskCard} className="span-4" /><${DecisionsCard} className="span-4" /><${TradesCard} className="span-4" />
    <${FreshnessCard} className="span-6" /><${NoticesCard} className="span-6" />
  </div>`;
}
