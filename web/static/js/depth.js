// The order book's first levels and the newest public trades of the symbol that is looked at.

import { html } from "../vendor/preact-htm.js";
import { clock, pair, price, quantity } from "./format.js";
import { Answer, Card, useApi } from "./parts.js";
import { useTopics } from "./store.js";
import { fillTicket } from "./ticket.js";
import { useWords } from "./words.js";

const LEVELS = 12;
const BOOK_S = 1;
const PRINTS_S = 2;
const PRINTS = 60;

function Levels({ rows, most, side, onPrice }) {
  let sum = 0;
  const shown = rows.slice(0, LEVELS).map(([at, amount, orders]) => ({ at, amount, orders, sum: (sum += amount) }));
  if (side === "ask") shown.reverse();
  return shown.map(({ at, amount, orders, sum: total }) => html`<button type="button" key=${at} class="level ${side}" onClick=${() => onPrice(at)} title="${orders} · Σ ${quantity(total)}">
    <span class="depth" style=${{ width: `${Math.min(100, (100 * total) / most)}%` }}></span>
    <span class=${side === "ask" ? "down" : "up"}>${price(at)}</span><span class="n">${quantity(Number(amount.toPrecision(5)))}</span><span class="n muted">${quantity(Number(total.toPrecision(5)))}</span>
  </button>`);
}

export function BookCard({ className = "" }) {
  const tr = useWords();
  const { selection } = useTopics("selection");
  const symbol = selection.symbol;
  const of = useApi(symbol ? `/api/v2/market/book?symbol=${symbol}&limit=${LEVELS}` : null, { every: BOOK_S });
  const choose = (at) => fillTicket({ symbol, type: "LIMIT", price: String(at) });
  return html`<${Card} id="book" title=${tr("Order book")} className="book ${className}">
    <${Answer} of=${of} rows=${10} empty=${(told) => !told.known || !told.bids.length || !told.asks.length} title=${tr("No book yet")} text=${tr("It comes with the stream.")}>${(told) => {
      const total = (rows) => rows.slice(0, LEVELS).reduce((sum, row) => sum + row[1], 0);
      const most = Math.max(total(told.bids), total(told.asks), 1e-12);
      const middle = (told.bids[0][0] + told.asks[0][0]) / 2;
      const spread = told.asks[0][0] - told.bids[0][0];
      return html`<div class="levels">
        <div class="level head muted"><span>${tr("Price")}</span><span class="n">${tr("Quantity")}</span><span class="n">Σ</span></div>
        <${Levels} rows=${told.asks} most=${most} side="ask" onPrice=${choose} />
        <p class="spread"><b>${price(middle)}</b> <span class="muted">${tr("spread")} ${((spread / middle) * 10000).toFixed(1)} bp</span></p>
        <${Levels} rows=${told.bids} most=${most} side="bid" onPrice=${choose} />
      </div>`;
    }}<//>
  <//>`;
}

export function PrintsCard({ className = "" }) {
  const tr = useWords();
  const { selection } = useTopics("selection");
  const of = useApi(selection.symbol ? `/api/v2/market/trades?symbol=${selection.symbol}&limit=${PRINTS}` : null, { every: PRINTS_S });
  return html`<${Card} id="prints" title="${tr("Market trades")} ${selection.symbol ? pair(selection.symbol) : ""}" className="prints ${className}">
    <${Answer} of=${of} rows=${6} empty=${(told) => !told.trades.length} title=${tr("No trades heard yet")}>${(told) => html`<div class="scroll" tabindex="0" role="group" aria-label=${tr("Market trades")}><table>
      <thead><tr><th scope="col">${tr("Time")}</th><th scope="col" class="n">${tr("Price")}</th><th scope="col" class="n">${tr("Quantity")}</th></tr></thead>
      <tbody>${told.trades.map((row) => html`<tr key=${row.trade_id}><td class="muted">${clock(row.time_ms)}</td><td class="n ${row.amount > 0 ? "up" : "down"}">${price(row.price)}</td><td class="n">${quantity(Number(Math.abs(row.amount).toPrecision(5)))}</td></tr>`)}</tbody>
    </table></div>`}<//>
  <//>`;
}
