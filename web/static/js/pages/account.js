// The account: what it holds, what was made by day, week and month, by symbol and by ending, and the venue's own books.

import { html, useState } from "../../vendor/preact-htm.js";
import { change, dayClock, duration, money, pair, percent, quantity, signed, tone } from "../format.js";
import { deepest, EquityCard, useProfit } from "../equity.js";
import { Answer, api, ApiProblem, Card, Facts, Field, Segments, Table, useApi } from "../parts.js";
import { setQuery } from "../router.js";
import { useTopics } from "../store.js";
import { LoginsCard, MovementsCard, TransfersCard } from "../venuebook.js";
import { useWords } from "../words.js";
import { ClosedPositions } from "./orders.js";

export const words = {
  "Profit by day": "Vinst per dag", "Profit by week": "Vinst per vecka", "Profit by month": "Vinst per månad", "Day": "Dag", "At its start": "Vid början", "Week": "Vecka", "Month": "Månad",
  "In short": "I korthet", "Closed": "Stängt", "All of it": "Allt", "Win rate": "Vinstandel", "Profit factor": "Vinstfaktor", "Expectancy": "Väntevärde", "Mean time held": "Medeltid hållen", "Traded": "Omsatt",
  "By symbol": "Per symbol", "By ending": "Per avslutsorsak", "Wins": "Vinster", "Losses": "Förluster", "Profit": "Vinst", "Return": "Avkastning", "No trade was closed yet": "Ingen affär har stängts ännu",
  "What each day, week or month brought stands here.": "Vad varje dag, vecka eller månad gav står här.", "Balances": "Saldon", "Free": "Fritt", "Worth": "Värde", "Ledger": "Kontoutdrag", "Amount": "Belopp", "What": "Vad", "The venue has no entries": "Börsen har inga poster", "Margin": "Marginal", "Funding": "Utlåning",
  "profit": "vinst", "swaps": "räntor", "balance": "saldo", "net": "netto", "required": "krävs",
  "For the tax return": "För deklarationen", "First in, first out, of all trades that the journal holds. It is a list to check, not advice.": "Först in, först ut, av alla affärer som journalen håller. Det är en lista att granska, inte råd.", "Nothing is converted: each pair is told in its quote currency. Coins that paid a fee are no disposal here.": "Inget räknas om: varje par anges i sin prisvaluta. Mynt som betalade en avgift är ingen avyttring här.", "Year": "År", "Disposals with their cost": "Avyttringar med omkostnad", "Every trade": "Varje affär", "Funding, interest and deposits": "Utlåning, räntor och insättningar", "rows": "rader", "Disposals": "Avyttringar", "Proceeds": "Försäljningspris", "Cost": "Omkostnad",
  "No trade bought what was sold: its cost counts as 0 here": "Ingen affär köpte det som såldes: omkostnaden räknas som 0 här", "A fee in a third currency had no price, and is not in the figures": "En avgift i en tredje valuta hade inget pris och ingår inte i talen",
  "No margin is used": "Ingen marginal används", "Net value": "Nettovärde", "Needed": "Krävs", "Offers": "Erbjudanden", "Nothing is lent or borrowed": "Inget är lånat eller utlånat",
};

// A file made of what the engine told, kept where the browser keeps downloads.
function save(name, text) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const LISTS = [["disposals", "Disposals with their cost"], ["trades", "Every trade"], ["ledger", "Funding, interest and deposits"]];
const NOTES = { no_basis: "No trade bought what was sold: its cost counts as 0 here", fee_unpriced: "A fee in a third currency had no price, and is not in the figures" };

function TaxCard() {
  const tr = useWords();
  const { status } = useTopics("status");
  const now = new Date(status && status.venue_ms ? status.venue_ms : Date.now()).getUTCFullYear();
  const [year, setYear] = useState("");
  const [told, setTold] = useState(null);
  const wanted = year || String(now);
  const get = async (kind) => {
    setTold({ busy: true });
    try {
      const made = await api("GET", `/api/v2/tax?${new URLSearchParams({ year: wanted, kind })}`);
      save(made.name, made.csv);
      setTold(made);
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      setTold({ problem: problem.message });
    }
  };
  return html`<${Card} id="tax" className="span-12" title=${tr("For the tax return")}>
    <p class="why muted">${tr("First in, first out, of all trades that the journal holds. It is a list to check, not advice.")} ${tr("Nothing is converted: each pair is told in its quote currency. Coins that paid a fee are no disposal here.")}</p>
    <div class="line padded"><${Field} kind="select" label=${tr("Year")} value=${wanted} onChange=${setYear} options=${[...Array(8).keys()].map((back) => [String(now - back), String(now - back)])} />
      ${LISTS.map(([kind, words]) => html`<button key=${kind} type="button" class="small" disabled=${told && told.busy} onClick=${() => get(kind)}>${tr(words)} (CSV)</button>`)}</div>
    ${told && told.problem && html`<p class="down" role="alert">${told.problem}</p>`}
    ${told && told.name && html`<p role="status">${told.name}: ${told.rows} ${tr("rows")} · ${told.timezone}</p>`}
    ${told && told.totals && told.totals.length > 0 && html`<${Table} label=${tr("For the tax return")} heads=${[[tr("Symbol")], [tr("Wallet")], [tr("Disposals"), "n"], [tr("Proceeds"), "n"], [tr("Cost"), "n"], [tr("Profit"), "n"]]} rows=${told.totals.map((row) => html`<tr key=${row.symbol + row.wallet}><td>${pair(row.symbol)}</td><td class="muted">${row.wallet}</td><td class="n">${row.disposals}</td><td class="n">${money(row.proceeds)}</td><td class="n">${money(row.cost)}</td><td class="n ${tone(row.gain)}">${signed(row.gain)} ${row.quote}</td></tr>`)} />`}
    ${told && told.notes && Object.entries(told.notes).map(([note, count]) => html`<p key=${note} class="warn-text">${count} × ${tr(NOTES[note])} (${note})</p>`)}
  <//>`;
}

const UNITS = { daily: ["Day", "Profit by day", 30], weekly: ["Week", "Profit by week", 26], monthly: ["Month", "Profit by month", 24] };

// Bars above and below a line in the middle: what each unit made.
function Bars({ rows }) {
  const most = Math.max(...rows.map((row) => Math.abs(row.abs_profit)), 1e-9);
  return html`<div class="bars" role="img" aria-label=${rows.map((row) => `${row.date} ${row.abs_profit.toFixed(2)}`).join(", ")}>${[...rows].reverse().map(
    (row) => html`<span key=${row.date} class=${tone(row.abs_profit)} title="${row.date} · ${signed(row.abs_profit)} · ${percent(row.rel_profit)} · ${row.trade_count}"><i style=${{ height: `${(50 * Math.abs(row.abs_profit)) / most}%`, [row.abs_profit >= 0 ? "bottom" : "top"]: "50%" }}></i></span>`,
  )}</div>`;
}

function Periods({ unit }) {
  const tr = useWords();
  const [, title, count] = UNITS[unit];
  const of = useApi(`/api/v2/${unit}?timescale=${count}`, { every: 10 });
  const tools = html`<${Segments} label=${tr("Time frame")} value=${unit} onPick=${(next) => setQuery({ unit: next })} options=${Object.entries(UNITS).map(([key, [word]]) => [key, tr(word)])} />`;
  return html`<${Card} id="periods" className="span-7" title=${tr(title)} tools=${tools}><${Answer} of=${of} empty=${(told) => !told.data.some((row) => row.trade_count || row.abs_profit)} title=${tr("No trade was closed yet")} text=${tr("What each day, week or month brought stands here.")}>${(told) => html`<${Bars} rows=${told.data} />
    <${Table} label=${tr(title)} heads=${[[tr(UNITS[unit][0])], [tr("Trades"), "n"], [tr("Profit"), "n"], [tr("Return"), "n"], [tr("At its start"), "n wide"]]} rows=${told.data.filter((row) => row.trade_count).map((row) => html`<tr key=${row.date}><td>${row.date}</td><td class="n">${row.trade_count}</td><td class="n ${tone(row.abs_profit)}">${signed(row.abs_profit)}</td><td class="n ${tone(row.rel_profit)}">${percent(row.rel_profit)}</td><td class="n muted wide">${money(row.starting_balance)}</td></tr>`)} />`}<//><//>`;
}

function InShort({ of }) {
  const tr = useWords();
  const { equity } = useTopics("equity");
  return html`<${Card} id="short" className="span-5" title=${tr("In short")}><${Answer} of=${of}>${(told) => html`<${Facts} rows=${[
    [tr("All of it"), `${signed(told.profit_all_coin)} (${percent(told.profit_all_ratio)})`, tone(told.profit_all_coin)],
    [tr("Closed"), `${signed(told.profit_closed_coin)} (${percent(told.profit_closed_ratio)})`, tone(told.profit_closed_coin)],
    [tr("Trades"), `${told.winning_trades} / ${told.closed_trade_count}`],
    [tr("Win rate"), told.winrate === null ? "–" : percent(told.winrate, 1)],
    [tr("Profit factor"), told.profit_factor === null ? "–" : told.profit_factor.toFixed(2)],
    [tr("Expectancy"), told.expectancy === null ? "–" : signed(told.expectancy), tone(told.expectancy)],
    [tr("Max drawdown"), percent(deepest(equity, told))],
    ["Sharpe", told.figures && told.figures.sharpe !== null ? told.figures.sharpe.toFixed(2) : "–"],
    [tr("Mean time held"), told.avg_duration_s === null ? "–" : duration(told.avg_duration_s)],
    [tr("Fees"), money(told.fees)],
    [tr("Traded"), money(told.trading_volume, 0)],
  ]} />
  ${told.by_symbol.length > 0 && html`<${Table} label=${tr("By symbol")} heads=${[[tr("By symbol")], [tr("Trades"), "n"], [tr("Return"), "n"], [tr("Profit"), "n"]]} rows=${told.by_symbol.map((row) => html`<tr key=${row.pair}><td>${pair(row.pair)}</td><td class="n">${row.count}</td><td class="n ${tone(row.profit_ratio)}">${percent(row.profit_ratio)}</td><td class="n ${tone(row.profit_abs)}">${signed(row.profit_abs)}</td></tr>`)} />`}`}<//><//>`;
}

function Endings() {
  const tr = useWords();
  const of = useApi("/api/v2/stats", { every: 10 });
  return html`<${Card} id="endings" className="span-4" title=${tr("By ending")}><${Answer} of=${of} empty=${(told) => !Object.keys(told.exit_reasons).length} title=${tr("No trade was closed yet")}>${(told) => html`<${Table} label=${tr("By ending")} heads=${[[tr("Ended by")], [tr("Wins"), "n"], [tr("Losses"), "n"], [tr("Win rate"), "n"]]} rows=${Object.entries(told.exit_reasons).map(([name, row]) => html`<tr key=${name}><td>${tr(name)}</td><td class="n up">${row.wins}</td><td class="n down">${row.losses}</td><td class="n">${percent(row.wins / Math.max(1, row.wins + row.losses + row.draws), 0)}</td></tr>`)} />
    <${Facts} rows=${[[`${tr("Mean time held")} · ${tr("Wins")}`, duration(told.durations.wins)], [`${tr("Mean time held")} · ${tr("Losses")}`, duration(told.durations.losses)]]} />`}<//><//>`;
}

function Balances() {
  const tr = useWords();
  const of = useApi("/api/v2/balance", { every: 5 });
  return html`<${Card} id="balances" className="span-4" title=${tr("Balances")}><${Answer} of=${of}>${(told) => html`<${Table} label=${tr("Balances")} heads=${[[tr("Wallet")], [tr("Currency")], [tr("Balance"), "n"], [tr("Free"), "n wide"], [tr("Worth"), "n"]]} rows=${told.currencies.map((row) => html`<tr key=${row.wallet + row.currency}><td class="muted">${row.wallet}</td><td><b>${row.currency}</b></td><td class="n">${quantity(row.balance)}</td><td class="n muted wide">${quantity(row.free)}</td><td class="n">${row.est_stake === null ? "–" : money(row.est_stake)}</td></tr>`)} />`}<//><//>`;
}

function LedgerCard() {
  const tr = useWords();
  const of = useApi("/api/v2/ledgers?limit=100");
  return html`<${Card} id="ledger" className="span-12" title=${tr("Ledger")} tools=${html`<button type="button" class="small" aria-label="${tr("Ledger")}: ${tr("Try again")}" onClick=${of.again}>↻</button>`}><${Answer} of=${of} empty=${(told) => !told.ledgers.length} title=${tr("The venue has no entries")}>${(told) => html`<${Table} label=${tr("Ledger")} heads=${[[tr("Time")], [tr("Amount"), "n"], [tr("Balance"), "n"], [tr("What")]]} rows=${told.ledgers.map((row) => html`<tr key=${row.entry_id}><td class="muted">${dayClock(row.time_ms)}</td><td class="n ${tone(row.amount)}">${change(row.amount)} ${row.currency}</td><td class="n">${quantity(row.balance)}</td><td class="muted meaning" title=${row.description}>${row.description}</td></tr>`)} />`}<//><//>`;
}

function MarginCard() {
  const tr = useWords();
  const margin = useApi("/api/v2/margin");
  const offers = useApi("/api/v2/funding/offers");
  const base = margin.data && margin.data.margin.find((row) => row.margin_net !== undefined || row.net_value !== undefined);
  return html`<${Card} id="margin" className="span-4" title="${tr("Margin")} · ${tr("Funding")}"><${Answer} of=${margin} empty=${(told) => !told.margin.length} title=${tr("No margin is used")}>${() => html`<${Facts} rows=${Object.entries(base || margin.data.margin[0]).filter(([name, value]) => !["type", "session", "received_ns", "symbol"].includes(name) && value !== null).map(([name, value]) => [tr(name.replaceAll("_", " ")), quantity(value)])} />`}<//>
    <${Answer} of=${offers} rows=${1} empty=${(told) => !told.offers.length} title=${tr("Nothing is lent or borrowed")}>${(told) => html`<${Table} label=${tr("Offers")} heads=${[[tr("Symbol")], [tr("Amount"), "n"]]} rows=${told.offers.map((row) => html`<tr key=${row.offer_id}><td>${row.symbol}</td><td class="n">${quantity(row.amount)}</td></tr>`)} />`}<//><//>`;
}

export function component({ query }) {
  const unit = UNITS[query.unit] ? query.unit : "daily";
  const profit = useProfit();
  return html`<div class="grid"><${EquityCard} className="span-7" profit=${profit.data} /><${InShort} of=${profit} /><${Periods} unit=${unit} /><${ClosedPositions} className="span-5" offset=${Number(query.offset) || 0} />
    <${Balances} /><${Endings} /><${MarginCard} /><${LedgerCard} /><${MovementsCard} className="span-7" /><${LoginsCard} className="span-5" /><${TransfersCard} className="span-12" /><${TaxCard} /></div>`;
}
