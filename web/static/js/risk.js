// Where the guards stand: the state, and for every limit how much of it is used.

import { html } from "../vendor/preact-htm.js";
import { dayClock, money, pair, percent, quantity } from "./format.js";
import { Bar, Card, Chip, Command, Empty, Loading } from "./parts.js";
import { call } from "./session.js";
import { useTopics } from "./store.js";
import { t, useWords } from "./words.js";

const short = (text) => (text === "" || Number.isNaN(Number(text)) ? text : quantity(Math.abs(Number(text)) >= 100 ? Math.round(Number(text)) : Number(Number(text).toPrecision(4))));

// Limits that are shares of the equity; all others are counts or amounts.
const SHARES = new Set(["daily_loss", "weekly_loss", "drawdown", "strategy_drawdown"]);
const UNIFIED = "/api/v2/risk/unified";
const BREAKER_TONE = { closed: "good", half_open: "warn", open: "bad" };

function Limit({ name, used, allowed }) {
  const shown = SHARES.has(name) ? percent : short;
  const top = Number(allowed);
  const fraction = top > 0 ? Number(used) / top : 0;
  const tone = fraction >= 0.95 ? "bad" : fraction >= 0.7 ? "warn" : "good";
  return html`<li>
    <span class="name">${t(name.replaceAll("_", " "))}</span>
    <span class="amount">${shown(used)} <span class="muted">/ ${shown(allowed)}</span></span>
    <${Bar} fraction=${fraction} tone=${tone} />
  </li>`;
}

// When entries are allowed, and from or until when.
function Windows({ windows }) {
  const tr = useWords();
  if (!windows || !windows.windows.length) return null;
  const change = windows.open ? windows.next_closing_ms : windows.next_opening_ms;
  return html`<p class="denials"><span class="muted">${tr("Trading windows")}</span>
    <${Chip} tone=${windows.open ? "good" : "warn"} title="${windows.windows.join(", ")} ${windows.timezone}">${tr(windows.open ? "open" : "closed")}<//>
    ${change && html`<span class="muted">${tr(windows.open ? "closes" : "opens")} ${dayClock(change)} UTC</span>`}
  </p>`;
}

function Locks({ locks }) {
  const tr = useWords();
  return html`<ul class="feed">${locks.map(
    (lock) => html`<li key=${lock.lock_id}><div class="line">
      <${Chip} tone="warn">${tr(lock.source.replaceAll("_", " "))}<//>
      <b>${lock.symbol ? pair(lock.symbol) : lock.strategy || tr("everything")}</b>
      <span class="grow wrap">${lock.reason}</span>
      <span class="muted">${lock.until_ms ? dayClock(lock.until_ms) : tr("until removed")}</span>
      <${Command} small about="${lock.symbol ? pair(lock.symbol) : lock.strategy || tr("everything")} ${lock.reason}" label=${tr("Unlock")} text=${tr("Entries are allowed there again.")} run=${() => call("DELETE", `${UNIFIED}/locks/${encodeURIComponent(lock.lock_id)}`)} />
    </div></li>`,
  )}</ul>`;
}

function Breakers({ breakers }) {
  const tr = useWords();
  return html`<ul class="feed">${breakers.filter((breaker) => breaker.state !== "closed").map(
    (breaker) => html`<li key=${breaker.scope}><div class="line">
      <${Chip} tone=${BREAKER_TONE[breaker.state]}>${tr("breaker")} ${breaker.state.replace("_", " ")}<//>
      <b>${breaker.scope ? pair(breaker.scope) : tr("everything")}</b>
      <span class="grow wrap">${breaker.cause}</span>
      <${Command} small about=${breaker.scope ? pair(breaker.scope) : tr("everything")} label=${tr("Reset")} text=${tr("The breaker closes now; it opens again if the cause comes back.")} run=${() => call("POST", `${UNIFIED}/breaker/reset`, { scope: breaker.scope || "all" })} />
    </div></li>`,
  )}</ul>`;
}

export function RiskCard({ className = "" }) {
  const tr = useWords();
  const { risk } = useTopics("risk");
  const body = () => {
    if (risk === undefined) return html`<${Loading} />`;
    if (risk === null) return html`<${Empty} title=${tr("Risk has not spoken yet")} />`;
    const denials = Object.entries(risk.denials_by_code).sort((a, b) => b[1] - a[1]);
    const limits = Object.entries(risk.headroom);
    return html`
      ${risk.reason && (risk.state !== "ACTIVE" || risk.paused) && html`<p class="why"><span class="muted">${tr("Why")}:</span> ${risk.reason}</p>`}
      <dl class="tiles">
        <div><dt>${tr("Entries today")}</dt><dd>${risk.trades_today}</dd></div>
        <div><dt>${tr("Day start")}</dt><dd>${money(risk.day_start_equity)}</dd></div>
        <div><dt>${tr("Peak")}</dt><dd>${money(risk.peak_equity)}</dd></div>
      </dl>
      <ul class="limits">${limits.map(([name, [used, allowed]]) => html`<${Limit} key=${name} name=${name} used=${used} allowed=${allowed} />`)}</ul>
      <${Windows} windows=${risk.windows} />
      <${Breakers} breakers=${risk.breakers || []} />
      <${Locks} locks=${risk.locks || []} />
      <div class="denials"><span class="muted">${tr("Denials")}</span>
        ${denials.length ? denials.map(([code, count]) => html`<${Chip} key=${code}>${code.replaceAll("_", " ")} <b>${count}</b><//>`) : html`<span class="muted">${tr("none")}</span>`}
      </div>
    `;
  };
  const tools = html`
    <${Command} small label=${tr("Lock all")} text=${tr("No entries for an hour; exits and stops go on.")} why run=${(reason) => call("POST", `${UNIFIED}/locks`, { duration_s: 3600, reason })} />
    <${Command} small scope="admin" label=${tr("Reset peaks")} text=${tr("Drawdown is measured from here on.")} why run=${(reason) => call("POST", `${UNIFIED}/peaks/reset`, { reason })} />
  `;
  return html`<${Card} id="risk" className=${className} title=${tr("Risk")} tools=${tools}>${body()}<//>`;
}
