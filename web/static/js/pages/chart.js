// The chart: one symbol in any time frame, its book and prints, and a ticket beside it.

import { html, useEffect } from "../../vendor/preact-htm.js";
import { ChartCard, pick, TIMEFRAMES } from "../chart.js";
import { BookCard, PrintsCard } from "../depth.js";
import { AlertsCard, InterestCard } from "../interest.js";
import { setQuery } from "../router.js";
import { state, useTopics } from "../store.js";
import { OrdersCard, PositionsCard } from "../tables.js";
import { TicketCard } from "../ticket.js";

export const words = {
  "Chart": "Diagram", "Order book": "Orderbok", "No book yet": "Ingen orderbok ännu",
  "It comes with the stream.": "Den kommer med strömmen.", "Market trades": "Marknadens avslut", "No trades heard yet": "Inga avslut hörda ännu",
};

export function component({ query }) {
  const { selection, status } = useTopics("selection", "status");
  useEffect(() => {
    // An address names what to look at: #/chart?symbol=tBTCUSD&timeframe=1h
    if (query.symbol && status && status.symbols.includes(query.symbol) && (query.symbol !== selection.symbol || (query.timeframe && query.timeframe !== selection.timeframe))) {
      pick(query.symbol, TIMEFRAMES.includes(query.timeframe) ? query.timeframe : selection.timeframe || status.timeframes[0]);
    }
  }, [query.symbol, query.timeframe, Boolean(status)]);
  useEffect(() => {
    // Not `selection`: what was drawn may be older than what the address has just asked for.
    if (state.selection.symbol && status) setQuery({ ...state.selection });
  }, [selection.symbol, selection.timeframe]);
  return html`<div class="grid chart-page">
    <div class="column left"><${ChartCard} full className="chart tall" /><${PositionsCard} /><${OrdersCard} symbol=${selection.symbol} /><div class="two"><${InterestCard} /><${AlertsCard} /></div></div>
    <div class="right"><${BookCard} /><${TicketCard} className="" symbol=${selection.symbol} /><${PrintsCard} /></div>
  </div>`;
}
