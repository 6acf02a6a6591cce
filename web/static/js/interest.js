// What the venue counts of the symbol that is looked at, and the prices at which it shall tell.

import { html, useState } from "../vendor/preact-htm.js";
import { dayClock, pair, percent, price, quantity, signed } from "./format.js";
import { act, Answer, api, Bar, Card, Field, Form, Table, useApi } from "./parts.js";
import { may } from "./session.js";
import { useTopics } from "./store.js";
import { addWords, useWords } from "./words.js";

addWords({
  "Open interest": "Öppna positioner på marginal", "Long positions": "Långa", "Short positions": "Korta", "in an hour": "på en timme",
  "Liquidations": "Tvångsstängningar", "None was told": "Inga har rapporterats", "The venue counts none of this symbol": "Börsen räknar inget för den här symbolen",
  "long taken": "lång stängd", "short taken": "kort stängd",
  "Price alerts": "Prislarm", "Tell me at": "Säg till vid", "Set": "Sätt", "No alert is set": "Inget larm är satt",
  "The venue watches, also while no engine runs. It is told as a notice, and on Telegram.": "Börsen vakar, även när ingen motor kör. Det sägs som ett meddelande och på Telegram.",
  "Drop": "Ta bort", "The alert is set": "Larmet är satt",
});

const COUNTED_S = 60;
const HOUR = 60;
const SHOWN = 8;
const ALERTS_S = 10;

// The newest size, and what it was an hour before.
const change = (rows) => (rows.length > 1 ? rows[0].value - rows[rows.length - 1].value : 0);

export function InterestCard({ className = "" }) {
  const tr = useWords();
  const { selection } = useTopics("selection");
  const { symbol } = selection;
  const interest = useApi(symbol ? `/api/v2/market/interest?symbol=${symbol}&limit=${HOUR}` : null, { every: COUNTED_S });
  const taken = useApi(symbol ? `/api/v2/market/liquidations?symbol=${symbol}&limit=${SHOWN}` : null, { every: COUNTED_S });
  const side = (rows, words, tone) => html`<div><dt>${tr(words)}</dt><dd class=${tone}>${quantity(Number(rows[0].value.toPrecision(6)))} <small class="muted">${signed(change(rows), 0)} ${tr("in an hour")}</small></dd></div>`;
  return html`<${Card} id="interest" title="${tr("Open interest")} ${symbol ? pair(symbol) : ""}" className="interest ${className}">
    <${Answer} of=${interest} rows=${2} empty=${(told) => !told.longs.length || !told.shorts.length} title=${tr("The venue counts none of this symbol")}>${({ longs, shorts }) => {
      const share = longs[0].value / (longs[0].value + shorts[0].value || 1);
      return html`<dl class="facts">${side(longs, "Long positions", "up")}${side(shorts, "Short positions", "down")}</dl>
        <p class="note muted"><${Bar} fraction=${share} tone="good" /> ${tr("Long positions")} ${percent(share, 1)}</p>`;
    }}<//>
    <h3 class="note">${tr("Liquidations")}</h3>
    <${Answer} of=${taken} rows=${1} empty=${(told) => !told.liquidations.length} title=${tr("None was told")}>${(told) => html`<${Table} label=${tr("Liquidations")} heads=${[[tr("Time")], [tr("Symbol")], [tr("Quantity"), "n"], [tr("Price"), "n"]]} rows=${told.liquidations.map(
      (row) => html`<tr key=${`${row.position_id}-${row.time_ms}`}><td class="muted">${dayClock(row.time_ms)}</td><td>${pair(row.symbol)} <small class="muted">${tr(row.amount > 0 ? "long taken" : "short taken")}</small></td><td class="n">${quantity(Math.abs(row.amount))}</td><td class="n">${price(row.price)}</td></tr>`,
    )} />`}<//>
  <//>`;
}

export function AlertsCard({ className = "" }) {
  const tr = useWords();
  const { selection } = useTopics("selection");
  const { symbol } = selection;
  const of = useApi("/api/v2/alerts", { every: ALERTS_S });
  const [wanted, setWanted] = useState("");
  const change = async (what, about) => {
    const done = await act(what, about);
    if (done) of.again();
    return done;
  };
  const set = async () => {
    const text = wanted.trim().replace(",", ".");
    if (text && (await change(() => api("POST", "/api/v2/alerts", { symbol, price: text }), `${tr("The alert is set")}: ${pair(symbol)} ${text}`))) setWanted("");
  };
  const drop = (row) => change(() => api("DELETE", `/api/v2/alerts/${encodeURIComponent(row.symbol)}/${row.price}`));
  return html`<${Card} id="alerts" title=${tr("Price alerts")} className="alerts ${className}" count=${of.data && of.data.alerts.length}>
    <${Form} label=${tr("Price alerts")} onSubmit=${set} buttons=${html`<button type="submit" class="small" disabled=${!may("trade") || !symbol || !wanted.trim()}>${tr("Set")}</button>`}>
      <${Field} kind="number" label="${tr("Tell me at")} (${symbol ? pair(symbol) : "–"})" value=${wanted} onChange=${setWanted} hint=${tr("The venue watches, also while no engine runs. It is told as a notice, and on Telegram.")} /><//>
    <${Answer} of=${of} rows=${1} empty=${(told) => !told.alerts.length} title=${tr("No alert is set")}>${(told) => html`<${Table} label=${tr("Price alerts")} heads=${[[tr("Symbol")], [tr("Price"), "n"], ["", "act"]]} rows=${told.alerts.map(
      (row) => html`<tr key=${row.key}><td>${pair(row.symbol)}</td><td class="n">${price(row.price)}</td><td class="act"><button type="button" class="small" disabled=${!may("trade")} aria-label="${tr("Drop")} ${pair(row.symbol)} ${row.price}" onClick=${() => drop(row)}>${tr("Drop")}</button></td></tr>`,
    )} />`}<//>
  <//>`;
}
