// Where the guards stand: the state, and for every limit how much of it is used.

import { html } from "../vendor/preact-htm.js";
import { money, percent, quantity } from "./format.js";
import { Bar, Card, Chip, Empty, Loading } from "./parts.js";
import { useTopics } from "./store.js";
import { useWords } from "./words.js";

const short = (text) => (text === "" || Number.isNaN(Number(text)) ? text : quantity(Math.abs(Number(text)) >= 100 ? Math.round(Number(text)) : Number(Number(text).toPrecision(4))));

// Limits that are shares of the equity; all others are counts or amounts.
const SHARES = new Set(["daily_loss", "drawdown"]);

function Limit({ name, used, allowed }) {
  const shown = SHARES.has(name) ? percent : short;
  const top = Number(allowed);
  const fraction = top > 0 ? Number(used) / top : 0;
  const tone = fraction >= 0.95 ? "bad" : fraction >= 0.7 ? "warn" : "good";
  return html`<li>
    <span class="name">${name.replaceAll("_", " ")}</span>
    <span class="amount">${shown(used)} <span class="muted">/ ${shown(allowed)}</span></span>
    <${Bar} fraction=${fraction} tone=${tone} />
  </li>`;
}

export function RiskCard() {
  const tr = useWords();
  const { risk } = useTopics("risk");
  const body = () => {
    if (risk === undefined) return html`<${Loading} />`;
    if (risk === null) return html`<${Empty} title=${tr("Risk has not spoken yet")} />`;
    const denials = Object.entries(risk.denials_by_code).sort((a, b) => b[1] - a[1]);
    const limits = Object.entries(risk.headroom);
    return html`
      ${risk.reason && (risk.state !== "ACTIVE" || risk.paused) && html`<p class="why">${risk.reason}</p>`}
      <dl class="tiles">
        <div><dt>${tr("Entries today")}</dt><dd>${risk.trades_today}</dd></div>
        <div><dt>${tr("Day start")}</dt><dd>${money(risk.day_start_equity)}</dd></div>
        <div><dt>${tr("Peak")}</dt><dd>${money(risk.peak_equity)}</dd></div>
      </dl>
      <ul class="limits">${limits.map(([name, [used, allowed]]) => html`<${Limit} key=${name} name=${name} used=${used} allowed=${allowed} />`)}</ul>
      <div class="denials"><span class="muted">${tr("Denials")}</span>
        ${denials.length ? denials.map(([code, count]) => html`<${Chip} key=${code}>${code.replaceAll("_", " ")} <b>${count}</b><//>`) : html`<span class="muted">${tr("none")}</span>`}
      </div>
    `;
  };
  return html`<${Card} id="risk" title=${tr("Risk")}>${body()}<//>`;
}
