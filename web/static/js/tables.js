// The trader's tables: positions, orders, trades, signals and decisions.

import { html, useState } from "../vendor/preact-htm.js";
import { closing } from "./closing.js";
import { clock, dayClock, money, pair, price, quantity, sendable, signed, tone } from "./format.js";
import { about } from "./notices.js";
import { ApiProblem, Bar, Card, Chip, Command, Empty, Field, Form, link, Loading, Modal, Segments, Side, Table, toast } from "./parts.js";
import { spoken } from "./reasons.js";
import { call, may } from "./session.js";
import { CLOSED, newestFirst, useTopics } from "./store.js";
import { currentLanguage, realizedWords, t, useWords } from "./words.js";

const SHOWN = 80;
const STATE_TONE = {
  FILLED: "good", PARTIAL: "good", ACKED: "info", SENT: "info", INTENT: "info", UNKNOWN: "bad", REJECTED: "bad", DEAD: "bad",
};

// Where the position's stop rests at the venue, or since when there is none.
function Stop({ symbol, protection }) {
  const tr = useWords();
  if (!protection) return html`<span class="muted">…</span>`;
  // On margin and in the exchange wallet it may be held at once: what is wrong for the longest time is told.
  const seen = protection.watch.positions.filter((row) => row.symbol === symbol && row.fault).sort((a, b) => b.naked_s - a.naked_s)[0];
  const books = protection.brackets.filter((row) => row.symbol === symbol && Number(row.held) !== 0 && Number(row.stopped));
  if (seen && seen.fault === "waits") return html`<${Chip} tone="warn" title=${tr("An exit closes this and has not left yet: it waits for coins that a stop holds, or for the venue")}>${tr("exit waits")} ${seen.naked_s.toFixed(1)} s<//>`;
  if (seen) return html`<${Chip} tone="bad" title=${`${quantity(seen.stopped)} / ${quantity(seen.held)}`}>${tr(seen.fault)}${seen.naked_s < 1 ? "" : ` ${seen.naked_s.toFixed(1)} s`}<//>`;
  if (!books.length) return html`<span class="muted">–</span>`;
  // Strategies and brackets by hand have a stop each; where each belongs is told on hovering.
  const lots = books.flatMap((book) => (book.lots.length ? book.lots : [book])).filter((lot) => Number(lot.stopped));
  const level = (lot) => (lot.trailing_distance && !lot.stop_price ? `↕ ${price(lot.trailing_distance)}` : price(lot.stop_price));
  const told = (lot) => `${lot.lot || tr("Rest")}: ${quantity(lot.stopped)} ${tr("Stop")} ${level(lot)}${lot.target_price ? `, ${tr("Target")} ${price(lot.target_price)}` : ""}`;
  return html`<span title=${lots.map(told).join("\n")}>${lots.map(level).join(" · ")}</span>`;
}

export function PositionsCard({ className = "" }) {
  const tr = useWords();
  const { position, protection, wallet } = useTopics("position", "protection", "wallet");
  const held = (position || []).filter((row) => Number(row.quantity) !== 0);
  const body = () => {
    if (position === undefined) return html`<${Loading} rows=${2} />`;
    if (!held.length) {
      return html`<${Empty} title=${tr("No open positions")} text=${tr("Nothing is held. A position appears here with the first fill.")} />`;
    }
    const heads = [[tr("Symbol")], [tr("Quantity"), "n"], [tr("Average"), "n wide"], [tr("Mark"), "n widest"], [tr("Value"), "n roomy"], [tr("Stop"), "n"], [tr("Unrealized"), "n"], [tr("Realized"), "n widest"], ["", "act"]];
    return html`<${Table} label=${tr("Positions")} heads=${heads} rows=${held.map(
      (row) => html`<tr key=${row.symbol}>
        <td><a href=${link("chart", [], { symbol: row.symbol })}><b>${pair(row.symbol)}</b></a></td>
        <td class="n ${tone(row.quantity)}">${quantity(row.quantity)}</td>
        <td class="n wide" title=${tr("What one coin cost, with its fee")}>${price(row.average_price)}</td>
        <td class="n widest">${price(row.mark_price)}</td>
        <td class="n roomy">${money(row.notional)}</td>
        <td class="n"><${Stop} symbol=${row.symbol} protection=${protection} /></td>
        <td class="n ${tone(row.unrealized_pnl)}">${signed(row.unrealized_pnl)}</td>
        <td class="n widest ${tone(row.realized_pnl)}" title=${realizedWords()}>${signed(row.realized_pnl)}</td>
        <td class="act"><${Command} small about=${pair(row.symbol)} label=${tr("Close")} title="${tr("Close")} ${pair(row.symbol)}" tone="danger"
          text=${tr("Orders in this symbol are cancelled and the position is closed at market.")}
          run=${() => closing(call("POST", `/api/v2/positions/${encodeURIComponent(row.symbol)}/close`, {}), row.symbol)} /></td>
      </tr>`,
    )} />`;
  };
  const count = position === undefined ? undefined : held.length;
  return html`<${Card} id="positions" className=${className} title=${tr("Positions")} count=${wallet && wallet.known ? count : undefined}>${body()}${protection && html`<p class="muted note" title=${tr("Longest time that a position had no stop at the venue")}>${tr("Without a stop, p99")} ${protection.watch.naked_p99_s.toFixed(1)} s · ${tr("worst")} ${protection.watch.worst_naked_s.toFixed(1)} s</p>`}<//>`;
}

// An order with a stop beside its price is both halves of an OCO.
const isBoth = (row) => row.stop_price !== null && row.price !== null && row.stop_price !== row.price;

// Change price and remaining quantity of a resting order in place.
function Amend({ row, onClose }) {
  const tr = useWords();
  const [cost, setCost] = useState(row.price === null ? "" : String(row.price));
  const both = row.stop_price !== null && row.stop_price !== row.price && (row.purpose === "stop" || row.purpose === "target");
  const [stop, setStop] = useState(both ? String(row.stop_price) : "");
  const remains = sendable(Number(row.quantity) - Number(row.filled_quantity));
  const [left, setLeft] = useState(remains);
  const change = { ...(cost !== String(row.price ?? "") ? { price: cost } : {}), ...(both && stop !== String(row.stop_price) ? { stop_price: stop } : {}), ...(Number(left) !== Number(remains) ? { quantity: left } : {}) };
  const [problem, setProblem] = useState(null);
  const fault = (field) => problem && problem.detail[field] && problem.detail[field].must_be && `${tr("must be")} ${spoken(problem.detail[field].must_be)}`;
  // A refusal is told where the dialog stands: a toast would lie behind it.
  const send = async () => {
    setProblem(null);
    try {
      const answer = await call("PATCH", `/api/v2/order/${encodeURIComponent(row.intent_id)}`, change);
      toast("good", `${tr("Sent")}: ${answer.message}`);
      onClose();
    } catch (refused) {
      if (!(refused instanceof ApiProblem)) throw refused;
      setProblem(refused);
    }
  };
  return html`<${Modal} title="${tr("Amend")} ${tr(row.purpose)} ${pair(row.symbol)}" onClose=${onClose}>
    <${Form} onSubmit=${send} className="bare" label=${tr("Amend")} buttons=${html`<button type="button" onClick=${onClose}>${tr("Go back")}</button><button type="submit" class="primary" disabled=${!Object.keys(change).length}>${tr("Amend")}</button>`}>
      ${row.price !== null && html`<${Field} kind="number" label=${tr(both ? "Target price" : "Price")} value=${cost} onChange=${setCost} fault=${fault("price")} />`}
      ${both && html`<${Field} kind="number" label=${tr("Stop price")} value=${stop} onChange=${setStop} fault=${fault("stop_price")} />`}
      <${Field} kind="number" label=${tr("Quantity that remains")} value=${left} onChange=${setLeft} fault=${fault("quantity")} />
      ${problem && html`<p class="down" role="alert">${problem.message}</p>`}
    <//>
  <//>`;
}

function OrderActions({ row, onAmend }) {
  const tr = useWords();
  // What is on its way out can be neither changed nor taken back again.
  if (CLOSED.has(row.state) || row.foreign || row.state === "PENDING_CANCEL") return null;
  const protects = row.purpose === "stop" || row.purpose === "target";
  const about = `${tr(row.side)} ${quantity(row.quantity)} ${pair(row.symbol)} ${tr(row.purpose)}${row.price === null ? "" : ` @ ${price(row.price)}`}`;
  return html`<button type="button" class="small" disabled=${!may("trade")} aria-label="${tr("Amend")} ${about}" onClick=${() => onAmend(row)}>${tr("Amend")}</button> ${!protects && html`<${Command} small about=${about} label=${tr("Cancel")} text=${tr("The order is taken back.")} run=${() => call("DELETE", `/api/v2/order/${encodeURIComponent(row.intent_id)}`)} />`}`;
}

export function OrdersCard({ symbol, className = "", first = "all" }) {
  const tr = useWords();
  const { order } = useTopics("order");
  const [which, setWhich] = useState(first);
  const [amended, setAmended] = useState(null);
  const all = newestFirst(order).filter((row) => !symbol || row.symbol === symbol);
  const open = all.filter((row) => !CLOSED.has(row.state));
  const rows = (which === "open" ? open : all).slice(0, SHOWN);
  const tools = html`
    <${Segments} label=${tr("Orders")} value=${which} onPick=${setWhich} options=${[["all", tr("All")], ["open", `${tr("Open")} ${open.length || ""}`]]} />
    ${open.length > 0 && html`<${Command} small tone="danger" label=${tr("Cancel all")} text=${tr("Every open order of the engine is taken back.")} run=${() => call("POST", "/api/v2/orders/cancel/all")} />`}
  `;
  const body = () => {
    if (order === undefined) return html`<${Loading} />`;
    if (!rows.length) {
      return html`<${Empty} title=${which === "open" ? tr("No open orders") : tr("No orders")} text=${tr("Orders appear when risk approves a signal.")} />`;
    }
    // On a phone what an open order says is worth more than since when it is there: its price would lie beneath its buttons.
    const late = which === "open" ? "wide" : "";
    const heads = [[tr("Time"), late], [tr("Symbol"), symbol ? "wide" : ""], [tr("Side")], [tr("Type"), "wide"], [tr("Quantity"), "n"], [tr("Price"), "n"], [tr("State")], [tr("Purpose"), "wide"], [tr("Strategy"), "wide roomy"], ["", "act"]];
    return html`<${Table} label=${tr("Orders")} heads=${heads} rows=${rows.map((row) => {
      const shown = Number(row.average_fill_price) ? row.average_fill_price : row.price;
      const done = Number(row.quantity) ? Number(row.filled_quantity) / Number(row.quantity) : 0;
      return html`<tr key=${row.intent_id || row.venue_id} class=${CLOSED.has(row.state) ? "closed" : ""}>
        <td class=${late} title=${dayClock(row.created_ms)}>${clock(row.created_ms)}</td>
        <td class=${symbol ? "wide" : ""}><a href=${link("chart", [], { symbol: row.symbol })}>${pair(row.symbol)}</a></td>
        <td><${Side} side=${row.side} /></td>
        <td class="wide">${row.order_type.toLowerCase()}</td>
        <td class="n" title="${tr("Filled")} ${quantity(row.filled_quantity)}">${quantity(row.quantity)}${done > 0 && done < 1 && html`<${Bar} fraction=${done} tone="thin" />`}</td>
        <td class="n">${price(shown)}${isBoth(row) ? html` <small class="down" title=${tr("Stop")}>${price(row.stop_price)}</small>` : ""}</td>
        <td><${Chip} tone=${STATE_TONE[row.state] || ""} title=${spoken(row.reason)}>${row.state.toLowerCase().replace("_", " ")}<//></td>
        <td class="wide">${tr(row.purpose)}${row.purpose === "stop" && isBoth(row) ? ` + ${tr("target")}` : ""}</td>
        <td class="wide roomy muted">${row.foreign ? html`<${Chip} title=${tr("Foreign orders are shown and left alone")}>${tr("foreign")}<//>` : row.strategy}</td>
        <td class="act"><${OrderActions} row=${row} onAmend=${setAmended} /></td>
      </tr>`;
    })} />`;
  };
  return html`<${Card} id="orders" className=${className} title=${tr("Orders")} count=${order && all.length} tools=${tools}>${body()}${amended && html`<${Amend} row=${amended} onClose=${() => setAmended(null)} />`}<//>`;
}

// The newest trades as they come. With `older` (a page of those before, and where it begins) that page is shown instead.
export function TradesCard({ className = "", count, shown = SHOWN, older = null, children }) {
  const tr = useWords();
  const { trade } = useTopics("trade");
  const rows = older ? older.trades : newestFirst(trade).slice(0, shown);
  const body = () => {
    if (trade === undefined) return html`<${Loading} />`;
    if (!rows.length) return html`<${Empty} title=${tr("No trades yet")} text=${tr("Every fill is listed here with its fee.")} />`;
    const heads = [[tr("Time")], [tr("Symbol")], [tr("Side")], [tr("Quantity"), "n"], [tr("Price"), "n"], [tr("Fee"), "n wide"], [tr("Purpose"), "wide"], ["", "wide"]];
    return html`<${Table} label=${tr("Trades")} heads=${heads} rows=${rows.map(
      (row) => html`<tr key=${row.trade_id}>
        <td title=${dayClock(row.time_ms)}>${older ? dayClock(row.time_ms) : clock(row.time_ms)}</td>
        <td>${pair(row.symbol)}</td>
        <td><${Side} side=${row.side} /></td>
        <td class="n">${quantity(row.quantity)}</td>
        <td class="n">${price(row.price)}</td>
        <td class="n muted wide">${quantity(Number(Math.abs(Number(row.fee)).toPrecision(4)))} ${row.fee_currency}</td>
        <td class="wide">${tr(row.purpose)}${Number(row.no_basis || 0) > 0 && html` <${Chip} title=${`${quantity(row.no_basis)} ${tr("were there before the engine: what they brought is no profit")}`}>${tr("from before")}<//>`}</td>
        <td class="wide muted">${row.maker ? "maker" : "taker"}</td>
      </tr>`,
    )} />`;
  };
  return html`<${Card} id="trades" className=${className} title=${tr("Trades")} count=${count ?? (trade && trade.size)}>${body()}${children}<//>`;
}

const RECOMMENDATION = { buy: "good", sell: "bad", hold: "" };

// What was said while a strategy was shown candles that were over already: at a start, or behind a hole.
export function FromHistory({ score }) {
  const tr = useWords();
  return score.catch_up && html`<${Chip} title=${tr("Said of a candle that was over long ago: nothing is traded by it")}>${tr("from history")}<//>`;
}

export function SignalsCard({ className = "" }) {
  const tr = useWords();
  const { signal } = useTopics("signal");
  const [hold, setHold] = useState("with");
  const rows = newestFirst(signal).filter((row) => hold === "with" || row.recommendation !== "hold").slice(0, SHOWN);
  const tools = html`<${Segments} label=${tr("Signals")} value=${hold} onPick=${setHold} options=${[["with", tr("All")], ["without", tr("Without hold")]]} />`;
  const body = () => {
    if (signal === undefined) return html`<${Loading} />`;
    if (!rows.length) return html`<${Empty} title=${tr("No signals yet")} text=${tr("Strategies speak when a candle closes.")} />`;
    return html`<ul class="feed scroll" tabindex="0">${rows.map(
      (row) => html`<li key=${row.signal_id}>
        <div class="line">
          <${Chip} tone=${RECOMMENDATION[row.recommendation]}>${tr(row.recommendation)}<//>
          <b>${pair(row.symbol)}</b><span class="muted">${row.timeframe}</span>
          <span>${price(row.price)}</span><${FromHistory} score=${row} />
          <span class="grow"></span>
          <span class="muted conf" title=${tr("Confidence")}><${Bar} fraction=${row.confidence} /> ${Math.round(row.confidence * 100)} %</span>
          <time class="muted" title=${dayClock(row.decided_ms)}>${clock(row.decided_ms)}</time>
        </div>
        ${row.reasons.length > 0 && html`<p class="why">${row.reasons.map(spoken).join(" · ")}</p>`}
        <p class="features muted">${row.strategy} · ${row.source}${Object.entries(row.features).slice(0, 5).map(([name, value]) => html` · ${name} ${quantity(Number(value).toPrecision(6))}`)}</p>
      </li>`,
    )}</ul>`;
  };
  return html`<${Card} id="signals" className=${className} title=${tr("Signals")} tools=${tools}>${body()}<//>`;
}

export const numbers = (result) => Object.entries(result.numbers).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
export const said = (result) => (result.code || result.rule).replaceAll("_", " ");
// A strategy that says sell while nothing is held speaks of the market: nobody was refused anything.
export const idle = (refused) => refused.length === 1 && refused[0].code === "nothing_to_reduce";

export function Outcome({ row, refused }) {
  const tr = useWords();
  if (row.approved) return html`<${Chip} tone="good">${tr("approved")}<//>`;
  return idle(refused) ? html`<${Chip}>${tr("nothing to do")}<//>` : html`<${Chip} tone="bad">${tr("denied")}<//>`;
}

export function DecisionsCard({ className = "" }) {
  const tr = useWords();
  const { verdict } = useTopics("verdict");
  const [which, setWhich] = useState("all");
  const [opened, setOpened] = useState("");
  const rows = newestFirst(verdict).filter((row) => which === "all" || (!row.approved && !idle(row.trace.filter((result) => !result.passed)))).slice(0, SHOWN);
  const tools = html`<${Segments} label=${tr("Decisions")} value=${which} onPick=${setWhich} options=${[["all", tr("All")], ["denied", tr("Denied")]]} />`;
  const body = () => {
    if (verdict === undefined) return html`<${Loading} />`;
    if (!rows.length) return html`<${Empty} title=${tr("No decisions since the start")} text=${html`${tr("Risk judges every intent; refusals come with their numbers.")} <a href=${link("decisions")}>${tr("Older ones are on the page Decisions.")}</a>`} />`;
    return html`<ul class="feed scroll" tabindex="0">${rows.map((row) => {
      const refused = row.trace.filter((result) => !result.passed);
      const open = opened === row.verdict_id;
      return html`<li key=${row.verdict_id}>
        <button type="button" class="line plain" aria-expanded=${open} onClick=${() => setOpened(open ? "" : row.verdict_id)}>
          <${Outcome} row=${row} refused=${refused} />
          <b>${pair(row.symbol)}</b>${row.side && html`<${Side} side=${row.side} />`}
          ${row.intent && html`<span>${quantity(row.intent.quantity)} ${tr(row.intent.purpose)}</span>`}
          <span class="grow"></span>
          <span class="muted wide">${row.strategy}</span>
          <time class="muted" title=${dayClock(row.decided_ms)}>${clock(row.decided_ms)}</time>
        </button>
        ${idle(refused)
          ? html`<p class="why muted">${tr(row.side === "sell" ? "Nothing held, nothing to sell" : "Nothing held, nothing to close")}</p>`
          : refused.map((result) => html`<p class="why down"><b>${said(result)}</b> ${numbers(result)}</p>`)}
        ${open &&
        html`<ol class="trace">${row.trace.map(
          (result) => html`<li class=${result.passed ? "" : "down"}><span>${result.passed ? "✓" : "✗"}</span> <b>${result.rule.replaceAll("_", " ")}</b> <span class="muted">${numbers(result)}</span></li>`,
        )}</ol>`}
      </li>`;
    })}</ul>`;
  };
  return html`<${Card} id="decisions" className=${className} title=${tr("Decisions")} tools=${tools}>${body()}<//>`;
}

// What a person must know of a notice besides the engine's own words, by its code.
const ADVICE = Object.fromEntries(["foreign_order", "foreign_trade"].map((code) => [code, "Placed on this account, but not by this engine: by hand, or with another key. If it was not you, delete the account's API keys."]));

export function NoticesCard({ className = "" }) {
  const tr = useWords();
  const { notification } = useTopics("notification");
  const rows = newestFirst(notification).slice(0, 40);
  const tones = { info: "info", warning: "warn", alarm: "bad" };
  const body = () => {
    if (notification === undefined) return html`<${Loading} rows=${2} />`;
    if (!rows.length) return html`<${Empty} title=${tr("No notices")} text=${tr("All quiet.")} />`;
    return html`<ul class="feed scroll" tabindex="0">${rows.map(
      (row) => html`<li key=${`${row.at_ms}${row.code}${row.text}`}><div class="line"><${Chip} tone=${tones[row.level] || ""}>${t(row.level)}<//><span class="grow wrap">${(ADVICE[row.code] || currentLanguage() === "sv") && html`<b>${about(row.code)}</b> `}${spoken(row.text)}</span><time class="muted" title=${t("Time")}>${clock(row.at_ms)}</time></div>${ADVICE[row.code] && html`<p class="why">${tr(ADVICE[row.code])}</p>`}</li>`,
    )}</ul>`;
  };
  return html`<${Card} id="notices" className=${className} title=${tr("Notices")}>${body()}<//>`;
}
