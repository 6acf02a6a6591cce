// Strategies: what runs and why something does not, what there is to choose from, and what kind of market each symbol is in.

import { html } from "../../vendor/preact-htm.js";
import { dayClock, duration, money, pair, percent, price, quantity, signed, tone } from "../format.js";
import { worded } from "../meanings.js";
import { Answer, Card, Chip, Command, Empty, Facts, Table, api, link, useApi } from "../parts.js";
import { Leftovers } from "../leftovers.js";
import { EditParameters } from "../parameters.js";
import { spoken } from "../reasons.js";
import { ShadowCard } from "../shadow.js";
import { TryShadow } from "../tryshadow.js";
import { useTopics } from "../store.js";
import { isWarm, WarmUp } from "../warmup.js";
import { realizedWords, useWords } from "../words.js";

export const words = {
  "Left behind": "Kvarlämnat", "Give": "Ge", "Give to": "Ge till", "A person": "En människa", "These strategies do not run, or trade something else: only their stops sell this.": "De här strategierna körs inte, eller handlar något annat: bara deras stopp säljer det här.", "Coins, levels and the stop at the venue go over as they are; nothing is cancelled or placed.": "Mynt, nivåer och stoppet på börsen går över som de är; inget avbryts eller läggs.",
  "Enable": "Aktivera", "Disable": "Avaktivera", "not enabled": "inte aktiverad", "It starts, warmed by the candles that are there, and may enter from the next candle on.": "Den startar, värmd av ljusen som finns, och får gå in från nästa ljus.", "It ends and says nothing more. What it holds is sold by its stop alone, until you give it to another or enable it again.": "Den slutar och säger inget mer. Det den håller säljs bara av sitt stopp, tills du ger det till en annan eller aktiverar den igen.",
  "Edit parameters": "Ändra parametrar", "Version": "Version", "What changes": "Vad som ändras", "Change it": "Ändra", "Nothing would change": "Inget skulle ändras", "Read again": "Läs igen", "Member": "Medlem", "whole": "heltal", "must be": "måste vara", "was": "var", "a whole number": "ett heltal", "a number": "ett tal", "above": "över", "Candles it needs first": "Ljus den först behöver", "It holds": "Den håller",
  "It starts anew with these numbers, warmed by the candles that are there, and speaks from the next candle on.": "Den börjar om med de här talen, värms upp av ljusen som finns och talar från nästa ljus.", "They are more than are kept: it waits for its own history, and enters nothing meanwhile.": "De är fler än som sparas: den väntar på sin egen historik och går inte in under tiden.",
  "That position, its stop and its target stay where they are. The new numbers decide when it says sell; if they have not seen the entry, that may be only after their next one.": "Positionen, dess stopp och dess mål ligger kvar. De nya talen avgör när den säger sälj; om de inte har sett ingången kan det dröja till efter deras nästa.", "The settings were changed since this was opened. Read them again: what is typed here is then gone.": "Inställningarna har ändrats sedan det här öppnades. Läs dem igen: det som skrivits här är då borta.",
  "waits for its candles": "väntar på sina ljus", "waits for a hole in its candles to be filled": "väntar på att en lucka i ljusen fylls", "Asked": "Frågat", "times": "gånger",
  "Regimes so far": "Regimer hittills", "The last 400 candles of each market, the newest to the right": "De senaste 400 ljusen på varje marknad, det nyaste till höger", "Before": "Dessförinnan",
  "Running": "Körs", "Regimes": "Regimer", "Watchlist": "Bevakning", "Books": "Böcker", "Holds": "Håller", "Average price": "Snittpris", "Realized": "Realiserat", "Unrealized": "Orealiserat", "Won / closing fills": "Vunna / stängande avslut",
  "Fills that made the position smaller; a closed trade is a position from its opening until nothing is left": "Avslut som minskade positionen; en stängd affär är en position från att den öppnas tills inget är kvar", "Nothing was traded yet": "Inget har handlats ännu", "To choose from": "Att välja bland", "Off": "Av", "On": "På", "yours": "din egen", "shipped": "medföljer",
  "Since": "Sedan", "Why": "Varför", "Bars": "Staplar", "Imbalance": "Obalans", "Flow": "Flöde", "Signal": "Signal", "Kind": "Sort", "Scores": "Omdömen", "Market": "Marknad",
  "It goes on speaking and enters nothing; its exits and stops go on.": "Den fortsätter tala men går inte in; dess utgångar och stopp fortsätter.", "It may enter again.": "Den får gå in igen.", "No strategy is on": "Ingen strategi är på", "Name one in config/strategies.json": "Namnge en i config/strategies.json", "takes no parameters": "har inga parametrar", "Meaning": "Betydelse", "Default": "Förval", "Parameter": "Parameter",
  "No market is watched yet": "Ingen marknad bevakas ännu", "A strategy of your own: genesis strategies new NAME": "En egen strategi: genesis strategies new NAMN", "Work by the clock": "Arbete efter klockan", "Next": "Nästa", "Took": "Tog", "Skipped": "Överhoppade", "Runs": "Körningar", "Nothing is scheduled": "Inget är schemalagt",
};

export const style = true;

const TONE = { trend_up: "good", trend_down: "warn", high_volatility: "warn", crash: "bad", range: "", unknown: "" };
const SIGNAL = { buy: "good", sell: "bad", hold: "" };

function Regime({ view }) {
  const tr = useWords();
  return html`<${Chip} tone=${TONE[view.regime]} title=${spoken(view.reason)}>${tr(view.regime.replaceAll("_", " "))}<//>`;
}

function Watchlist() {
  const tr = useWords();
  const of = useApi("/api/v2/watchlist", { every: 3 });
  const heads = [[tr("Symbol")], [tr("Price"), "n"], ["24 h", "n"], [tr("Spread"), "n wide"], [tr("Imbalance"), "n wide"], [tr("Flow"), "n wide"], [tr("Regime")], [tr("Signal")]];
  return html`<${Card} id="watchlist" className="span-12" title=${tr("Watchlist")}>
    <${Answer} of=${of} rows=${3} empty=${(told) => !told.symbols.length} title=${tr("No market is watched yet")}>${(told) => html`<${Table} label=${tr("Watchlist")} heads=${heads} rows=${told.symbols.map((one) => html`<tr key=${one.symbol}>
      <td><a href=${link("chart", [], { symbol: one.symbol })}>${pair(one.symbol)}</a>${one.stale.length > 0 && html` <${Chip} tone="bad" title=${one.stale.join(", ")}>${tr("stale")}<//>`}</td>
      <td class="n">${price(one.last)}</td><td class="n ${one.daily_change > 0 ? "up" : one.daily_change < 0 ? "down" : ""}">${one.daily_change === null ? "–" : percent(one.daily_change)}</td>
      <td class="n wide">${one.spread_bps === null ? "–" : `${one.spread_bps.toFixed(1)} bps`}</td><td class="n wide">${one.imbalance === null ? "–" : one.imbalance.toFixed(2)}</td><td class="n wide">${one.flow === null ? "–" : one.flow.toFixed(2)}</td>
      <td>${one.regime ? html`<${Regime} view=${one.regime} /> <span class="muted">${one.regime.timeframe}</span>` : "–"}</td>
      <td>${one.strategies.map(({ strategy, newest }) => html`<span key=${strategy} title=${newest ? newest.reasons.map(spoken).join(" · ") : ""}><${Chip} tone=${newest ? SIGNAL[newest.recommendation] : ""}>${strategy}: ${newest ? tr(newest.recommendation) : "–"}<//> </span>`)}</td>
    </tr>`)} />`}<//>
  <//>`;
}

// What each strategy holds and made, apart from the others on the same symbol.
function Books({ of }) {
  const tr = useWords();
  const heads = [[tr("Strategy")], [tr("Symbol")], [tr("Holds"), "n"], [tr("Average price"), "n wide"], [tr("Realized"), "n"], [tr("Unrealized"), "n"], [tr("Fees"), "n wide"], [tr("Won / closing fills"), "n wide"]];
  return html`<${Card} id="books" className="span-12" title=${tr("Books")}>
    <p class="why">${realizedWords()}</p>
    <${Answer} of=${of} rows=${3} empty=${(told) => !told.books.length} title=${tr("Nothing was traded yet")}>${(told) => html`<${Table} label=${tr("Books")} heads=${heads} rows=${told.books.map((one) => html`<tr key=${one.strategy + one.symbol}>
      <td><b>${one.strategy}</b></td><td>${pair(one.symbol)}</td><td class="n">${quantity(one.quantity)}</td><td class="n wide" title=${tr("What one coin cost, with its fee")}>${Number(one.quantity) ? price(one.average_price) : "–"}</td>
      <td class="n ${tone(one.realized_pnl)}">${signed(one.realized_pnl)}</td><td class="n ${tone(one.unrealized_pnl)}">${signed(one.unrealized_pnl)}</td><td class="n wide">${money(one.fees)}</td><td class="n wide" title=${tr("Fills that made the position smaller; a closed trade is a position from its opening until nothing is left")}>${one.won} / ${one.exits}</td>
    </tr>`)} />`}<//>
  <//>`;
}

// The last stretches of a market as one line, each as wide as it lasted; below it the newest of them in words.
const SHOWN_BARS = 400;

function Stretches({ spells }) {
  const tr = useWords();
  let left = SHOWN_BARS;
  const parts = [];
  for (const spell of spells) {
    if (left <= 0) break;
    const bars = Math.min(left, spell.bars);
    left -= bars;
    parts.push({ ...spell, x: left, bars });
  }
  return html`<svg class="stretches" viewBox="0 0 ${SHOWN_BARS} 10" preserveAspectRatio="none" role="img" aria-label=${parts.map((each) => `${tr(each.regime.replaceAll("_", " "))} ${each.bars}`).join(", ")}>
    ${parts.map((each) => html`<rect key=${each.since_ms} class="stretch-${each.regime}" x=${each.x} y="0" width=${each.bars} height="10"><title>${tr(each.regime.replaceAll("_", " "))}: ${dayClock(each.since_ms)}, ${each.bars} ${tr("Bars").toLowerCase()}, ${percent(each.move)}</title></rect>`)}
  </svg>`;
}

function RegimeHistory() {
  const tr = useWords();
  const of = useApi("/api/v2/regime/history?limit=1000", { every: 30 });
  return html`<${Card} id="regime-history" className="span-12" title=${tr("Regimes so far")}>
    <p class="why muted">${tr("The last 400 candles of each market, the newest to the right")}</p>
    <${Answer} of=${of} rows=${4} empty=${(told) => !told.spells.length} title=${tr("No market is watched yet")}>${(told) => {
      const markets = Map.groupBy ? Map.groupBy(told.spells, (each) => `${each.symbol} ${each.timeframe}`) : told.spells.reduce((found, each) => found.set(`${each.symbol} ${each.timeframe}`, [...(found.get(`${each.symbol} ${each.timeframe}`) || []), each]), new Map());
      return html`<p class="line">${["range", "trend_up", "trend_down", "high_volatility", "crash"].map((name) => html`<span key=${name} class="stretch-key"><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="stretch-${name}" width="10" height="10" /></svg> ${tr(name.replaceAll("_", " "))}</span>`)}</p>
      <${Table} label=${tr("Regimes so far")} heads=${[[tr("Symbol")], [tr("Regimes so far")], [tr("Before"), "wide"]]} rows=${[...markets].sort(([one], [other]) => one.localeCompare(other)).map(([name, spells]) => html`<tr key=${name}><td>${pair(spells[0].symbol)} <span class="muted">${spells[0].timeframe}</span></td><td class="stretch-cell"><${Stretches} spells=${spells} /></td><td class="wide muted">${spells.length > 1 ? `${tr(spells[1].regime.replaceAll("_", " "))}: ${spells[1].bars} ${tr("Bars").toLowerCase()}, ${percent(spells[1].move)}` : "–"}</td></tr>`)} />`;
    }}<//>
  <//>`;
}

function Regimes() {
  const tr = useWords();
  const { regime } = useTopics("regime");
  // The stream tells changes; the numbers move with every candle.
  const of = useApi("/api/v2/regime", { every: regime ? 5 : 3 });
  const heads = [[tr("Symbol")], [tr("Regime")], [tr("Why")], [tr("Since"), "wide"], [tr("Bars"), "n wide"]];
  return html`<${Card} id="regimes" className="span-12" title=${tr("Regimes")}>
    <${Answer} of=${of} rows=${4} empty=${(told) => !told.regimes.length} title=${tr("No market is watched yet")}>${(told) => html`<${Table} label=${tr("Regimes")} heads=${heads} rows=${told.regimes.map((view) => html`<tr key=${view.symbol + view.timeframe}>
      <td>${pair(view.symbol)} <span class="muted">${view.timeframe}</span></td><td><${Regime} view=${view} /></td><td class="muted wrap">${spoken(view.reason)}</td><td class="wide">${dayClock(view.since_ms)}</td><td class="n wide">${view.bars}</td>
    </tr>`)} />`}<//>
  <//>`;
}

const LOCKS = "/api/v2/risk/unified/locks";

// Off is a lock of risk on this strategy alone: it outlives a restart, and what the strategy holds is still looked after.
function Switch({ one, locks }) {
  const tr = useWords();
  const lock = locks.find((each) => each.strategy === one.strategy && !each.symbol && !each.until_ms);
  return html`<${Chip} tone=${one.fault ? "bad" : lock ? "warn" : isWarm(one) ? "good" : "info"} title=${lock ? lock.reason : ""}>${tr(one.fault || lock ? "Off" : isWarm(one) ? "On" : "warming up")}<//> ${lock
    ? html`<${Command} small about=${one.strategy} label=${tr("Switch on")} title="${tr("Switch on")} ${one.strategy}" text=${tr("It may enter again.")} run=${() => api("DELETE", `${LOCKS}/${encodeURIComponent(lock.lock_id)}`)} />`
    : html`<${Command} small about=${one.strategy} label=${tr("Switch off")} title="${tr("Switch off")} ${one.strategy}" text=${tr("It goes on speaking and enters nothing; its exits and stops go on.")} why run=${(reason) => api("POST", LOCKS, { strategy: one.strategy, reason })} />`}`;
}

// Whether a strategy is there at all is a matter of the settings: a version of them, like any other change.
function Enable({ name, on }) {
  const tr = useWords();
  const label = tr(on ? "Enable" : "Disable");
  const text = on ? "It starts, warmed by the candles that are there, and may enter from the next candle on." : "It ends and says nothing more. What it holds is sold by its stop alone, until you give it to another or enable it again.";
  return html`<${Command} small scope="admin" about=${name} label=${label} title="${label} ${name}" text=${tr(text)} why run=${(reason) => api("PATCH", `/api/v2/strategies/${encodeURIComponent(name)}`, { enabled: on, reason: reason || "asked on the page" })} />`;
}

// What keeps a strategy: candles of before its first, or a hole in them; with the venue's last refusal.
function Waiting({ one }) {
  const tr = useWords();
  const wait = one.history;
  if (one.fault || !(one.waits || wait)) return null;
  const text = wait && !wait.wanted ? tr("waits for a hole in its candles to be filled") : `${tr("waits for its candles")}${wait ? `: ${wait.have} / ${wait.wanted}` : ""}`;
  return html`<p class="why waits" role="status">${text}${wait && wait.trouble && html`<br />${tr("Asked")} ${wait.tries} ${tr("times")}: ${wait.trouble.slice(0, 140)}`}</p>`;
}

function Running({ of, begun }) {
  const tr = useWords();
  const { risk } = useTopics("risk");
  const locks = (risk && risk.locks) || [];
  const version = of.data && of.data.settings_version;
  return html`<${Card} id="running" className="span-12" title=${tr("Running")} count=${of.data && of.data.running.length}>
    <${Answer} of=${of} rows=${3} empty=${(told) => !told.running.length && !told.off.length} title=${tr("No strategy is on")} text=${tr("Name one in config/strategies.json")}>${(told) => html`<${Table} label=${tr("Running")} heads=${[[tr("Strategy")], [tr("Kind")], [tr("Market"), "wide"], ["", "act"], [tr("Scores"), "n wide"]]} rows=${told.running.map((one) => html`<tr key=${one.strategy}>
      <td><b>${one.strategy}</b><p class="why narrow">${pair(one.symbol)} <span class="muted">${one.timeframe}</span></p>${!one.fault && html`<${WarmUp} one=${one} />`}${one.fault && html`<p class="why down" role="alert">${one.fault}</p>`}<${Waiting} one=${one} /></td>
      <td>${one.kind} <span class="muted">${one.own ? tr("yours") : ""}</span><p class="why">${Object.entries(one.parameters).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(" · ")}</p>${one.members.length > 0 && html`<p class="why">${one.members.map((each) => `${Number(each.weight.toPrecision(4))} × ${each.kind}`).join(" + ")}</p>`}</td>
      <td class="wide">${pair(one.symbol)} <span class="muted">${one.timeframe}</span></td>
      <td class="act"><${Switch} one=${one} locks=${locks} /> <${EditParameters} name=${one.strategy} newest=${version} /> <${TryShadow} name=${one.strategy} kinds=${told.kinds} done=${begun} /> <${Enable} name=${one.strategy} on=${false} /></td><td class="n wide">${one.scores}</td>
    </tr>`).concat(told.off.map((one) => html`<tr key=${`off ${one.strategy}`} class="muted">
      <td><b>${one.strategy}</b><p class="why narrow">${pair(one.symbol)} <span class="muted">${one.timeframe}</span></p></td>
      <td>${one.kind}<p class="why">${Object.entries(one.parameters).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(" · ")}</p></td>
      <td class="wide">${pair(one.symbol)} <span class="muted">${one.timeframe}</span></td>
      <td class="act"><${Chip}>${tr("not enabled")}<//> <${EditParameters} name=${one.strategy} newest=${version} /> <${TryShadow} name=${one.strategy} kinds=${told.kinds} done=${begun} /> <${Enable} name=${one.strategy} on=${true} /></td><td class="n wide">–</td>
    </tr>`))} />`}<//>
  <//>`;
}

function Kinds({ of }) {
  const tr = useWords();
  return html`<${Card} id="kinds" className="span-12" title=${tr("To choose from")} count=${of.data && of.data.kinds.length}>
    <p class="why muted">${tr("A strategy of your own: genesis strategies new NAME")}</p>
    <${Answer} of=${of} rows=${4}>${(told) => told.kinds.map((kind) => html`<details key=${kind.kind}><summary><b>${kind.kind}</b> <${Chip} tone=${kind.fault ? "bad" : kind.own ? "good" : ""}>${kind.fault ? tr("Off") : tr(kind.own ? "yours" : "shipped")}<//> <span class="muted">${kind.fault || spoken(kind.text)}</span></summary>
      ${kind.parameters.length ? html`<${Table} label=${kind.kind} heads=${[[tr("Parameter")], [tr("Default"), "n"], [tr("Range"), "n"], [tr("Meaning")]]} rows=${kind.parameters.map((each) => html`<tr key=${each.name}><td>${each.name}</td><td class="n">${Number(each.default.toPrecision(4))}</td><td class="n">${each.low} – ${each.high}</td><td class="muted">${worded(each.meaning)}</td></tr>`)} />` : html`<${Empty} title=${kind.fault || tr("takes no parameters")} />`}
    </details>`)}<//>
  <//>`;
}

function Clockwork() {
  const tr = useWords();
  const of = useApi("/api/v2/schedule", { every: 10 });
  return html`<${Card} id="clockwork" className="span-12" title=${tr("Work by the clock")}>
    <${Answer} of=${of} rows=${1} empty=${(told) => !told.works.length} title=${tr("Nothing is scheduled")}>${(told) => told.works.map((one) => html`<div key=${one.name}><p class="line"><b>${one.name.replaceAll("_", " ")}</b> <${Chip} tone=${one.last_error ? "bad" : one.enabled ? "good" : ""}>${tr(one.enabled ? "On" : "Off")}<//></p>
      <${Facts} rows=${[[tr("Next"), duration(one.next_in_s)], [tr("Runs"), one.runs], [tr("Skipped"), one.skipped], [tr("Took"), one.runs ? `${one.last_took_s.toFixed(1)} s` : "–"]]} />${one.last_error && html`<p class="why down" role="alert">${one.last_error}</p>`}</div>`)}<//>
  <//>`;
}

export function component() {
  const of = useApi("/api/v2/strategies", { every: 3 });
  const rollout = useApi("/api/v2/config/rollout", { every: 3 });
  return html`<div class="grid"><${Watchlist} /><${Running} of=${of} begun=${rollout.again} /><${ShadowCard} of=${rollout} /><${Leftovers} running=${of.data && of.data.running} /><${Books} of=${of} /><${Regimes} /><${RegimeHistory} /><${Kinds} of=${of} /><${Clockwork} /></div>`;
}
