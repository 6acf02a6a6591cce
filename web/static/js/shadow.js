// A paper shadow beside the live side: what each made since the comparison began, what the shadow holds, and its end.

import { html } from "../vendor/preact-htm.js";
import { dayClock, money, pair, percent, price, quantity, signed, tone } from "./format.js";
import { Answer, api, Bar, Card, Chip, Command, Facts, Table } from "./parts.js";
import { addWords, useWords } from "./words.js";

addWords({
  "Shadow on paper": "Skugga på papper", "On paper": "På papper", "Live side": "Skarpa sidan", "Figure": "Mått", "Closed trades": "Stängda affärer", "Win rate": "Träffprocent",
  "Profit after fees": "Resultat efter avgifter", "Of closed trades": "Av stängda affärer", "Deepest fall": "Djupaste fall", "Open positions": "Öppna positioner",
  "Entries judged": "Bedömda ingångar", "Entries refused": "Nekade ingångar", "Paper account": "Papperskonto", "Counts since": "Räknas sedan", "It had to begin anew": "Den fick börja om",
  "Nothing is sent to the venue": "Inget skickas till börsen", "It is behind the market": "Den ligger efter marknaden", "It may be promoted": "Den får införas",
  "It waits for the account": "Den väntar på kontot", "Promote the shadow": "Inför skuggan", "End the shadow": "Avsluta skuggan", "Judged by": "Bedöms efter", "at most": "högst",
  "The strategies run with real orders as they did on paper; a version of the settings that can be rolled back.": "Strategierna körs med riktiga ordrar som de gjorde på papper; en version av inställningarna som går att ta tillbaka.",
  "Its figures stay in the journal; the live side is as it was.": "Dess siffror stannar i journalen; den skarpa sidan är som den var.", "less the live side": "minus skarpa sidan",
  "seconds": "sekunder", "Trade by trade": "Affär för affär", "by itself": "av sig själv", "by a person": "av en person", "Promoted": "Införs", "It ends": "Den slutar",
});

const ROLLOUT = "/api/v2/config/rollout";
const LATE_MS = 60_000;
const rate = (side) => (side.trades ? percent(side.won / side.trades) : "–");
const figures = [
  ["Closed trades", (side) => side.trades], ["Win rate", rate],
  ["Profit after fees", (side) => signed(side.pnl), (side) => tone(side.pnl)], ["Of closed trades", (side) => signed(side.closed_pnl), (side) => tone(side.closed_pnl)],
  ["Fees", (side) => money(side.fees)], ["Deepest fall", (side) => money(side.drawdown)], ["Open positions", (side) => side.open],
  ["Entries judged", (side) => side.decisions], ["Entries refused", (side) => side.refusals],
];

export const isPaper = (plan) => Boolean(plan.shadow && plan.changes.strategies);
const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)));

// What the shadow runs, in words: each strategy with its kind and its numbers.
function Runs({ book }) {
  const tr = useWords();
  return html`${book.strategies.map((one) => html`<div class="shadow-row" key=${one.strategy}><b>${one.strategy}</b> ${one.kind} <span class="muted">${pair(one.symbol)} ${one.timeframe}</span>
    <span class="muted">${Object.entries(one.parameters).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(" · ")}</span>${one.fault && html`<p class="why down" role="alert">${one.fault}</p>`}</div>`)}
    ${book.lag_ms > LATE_MS && html`<p class="shadow-row warn-text" role="status">${tr("It is behind the market")}: ${Math.round(book.lag_ms / 1000)} ${tr("seconds")}</p>`}
    ${book.trouble && html`<p class="shadow-row down" role="alert">${book.trouble}</p>`}`;
}

function Fills({ book }) {
  const tr = useWords();
  const fills = [...book.fills].reverse().slice(0, 10);
  if (!fills.length) return null;
  return html`<details><summary>${tr("Trade by trade")}</summary><${Table} label=${tr("Trade by trade")} heads=${[[tr("Time")], [tr("Strategy")], [tr("Side")], [tr("Quantity"), "n"], [tr("Price"), "n"]]}
    rows=${fills.map((fill) => html`<tr key=${`${fill.trade_id} ${fill.venue_order_id}`}><td>${dayClock(fill.time_ms)}</td><td>${fill.strategy}</td><td>${tr(fill.side)}</td><td class="n">${quantity(fill.quantity)}</td><td class="n">${price(fill.price)}</td></tr>`)} /></details>`;
}

function Inside({ data, again }) {
  const tr = useWords();
  const { status, rollout, shadow: book } = data;
  const plan = (status ? status.rollout : rollout).plan;
  const paper = status && status.paper;
  const going = rollout && (!status || !status.verdict);
  const end = (what) => async (why) => {
    const answer = await api("POST", `${ROLLOUT}/${what}`, { reason: why || "asked on the page" });
    again();
    return answer;
  };
  const share = paper && going ? (status.now_ms - paper.since_ms) / Math.max(1, status.ends_ms - paper.since_ms) : 0;
  return html`<div class="shadow-row"><${Chip} tone=${going ? "info" : status && status.verdict.startsWith("promoted") ? "good" : "warn"}>${plan.name}<//><${Chip}>${tr("On paper")}<//>
      <span class="grow muted">${tr("Nothing is sent to the venue")}</span>
      ${going && html`<${Command} small scope="admin" label=${tr("Promote the shadow")} text=${tr("The strategies run with real orders as they did on paper; a version of the settings that can be rolled back.")} why run=${end("promote")} />
        <${Command} small label=${tr("End the shadow")} text=${tr("Its figures stay in the journal; the live side is as it was.")} why run=${end("revert")} />`}</div>
    ${book && html`<${Runs} book=${book} />`}
    ${status && status.proven && going && html`<p class="shadow-row" role="status"><${Chip} tone="good">${tr("It may be promoted")}<//> ${status.proven}</p>`}
    ${paper && paper.again && html`<p class="shadow-row warn-text" role="status">${tr("It had to begin anew")}: ${paper.again}</p>`}
    ${going && !paper && html`<p class="shadow-row muted" role="status">${tr("It waits for the account")}</p>`}
    ${paper && html`<${Table} label=${tr("Shadow on paper")} heads=${[[tr("Figure")], [tr("On paper"), "n"], [tr("Live side"), "n"]]} rows=${figures.map(([name, show, colour]) => html`<tr key=${name}>
      <td>${tr(name)}</td><td class="n ${colour ? colour(paper.shadow) : ""}">${show(paper.shadow)}</td><td class="n ${colour ? colour(paper.live) : ""}">${show(paper.live)}</td></tr>`)} />
      <${Facts} rows=${[
        [tr("Paper account"), book && !book.trouble ? `${money(book.equity)} / ${money(paper.cash)}` : money(paper.cash)],
        [tr("Judged by"), `${plan.metric} ${number(status.value)}, ${tr("at most")} ${plan.threshold}${plan.against_control ? ` ${tr("less the live side")} (${number(status.control)})` : ""}`],
        [tr("Promoted"), tr(plan.paper && plan.paper.automatic ? "by itself" : "by a person")],
        [tr("Counts since"), dayClock(paper.since_ms)], [tr("It ends"), dayClock(status.ends_ms)],
        ...(book ? book.holdings.map((one) => [pair(one.symbol), `${quantity(one.quantity)} @ ${price(one.average_price)}, ${signed(one.unrealized_pnl)}`]) : []),
      ]} />`}
    ${going ? html`<div class="shadow-row"><${Bar} fraction=${share} tone="good" /></div>` : html`<p class="why">${status.verdict}</p>`}
    ${book && html`<${Fills} book=${book} />`}`;
}

// The card of the shadow that runs, or of the last one of this process; `of` is the answer of `ROLLOUT`. Nothing where there is none.
export function ShadowCard({ of, className = "span-12" }) {
  const tr = useWords();
  const data = of.data;
  const told = data && (data.status ? data.status.rollout : data.rollout);
  if (!told || !isPaper(told.plan)) return null;
  return html`<${Card} id="shadow" className=${className} title=${tr("Shadow on paper")}>
    <${Answer} of=${of}>${(answer) => html`<${Inside} data=${answer} again=${of.again} />`}<//>
  <//>`;
}
