// Signals: what every strategy says now, and what it said before, with its reasons and its numbers.

import { html, useState } from "../../vendor/preact-htm.js";
import { clock, date, dayClock, pair, percent, price, quantity } from "../format.js";
import { Answer, Bar, Card, Chip, link, Pager, Segments, useApi } from "../parts.js";
import { FromHistory } from "../tables.js";
import { spoken } from "../reasons.js";
import { setQuery } from "../router.js";
import { useTopics } from "../store.js";
import { isWarm, WarmUp } from "../warmup.js";
import { useWords } from "../words.js";

export const words = {
  "What strategies say now": "Vad strategierna säger nu", "Every signal": "Alla signaler", "No strategy is on": "Ingen strategi är på",
  "newest word": "senaste ord", "last acted": "handlade senast", "not acted since the start": "har inte handlat sedan starten", "Nothing yet": "Inget ännu", "No signal fits the filters": "Ingen signal passar filtren",
  "At least": "Minst", "Probability": "Sannolikhet", "Features": "Egenskaper", "any confidence": "all visshet", "all strategies": "alla strategier", "all symbols": "alla symboler",
  "Buy or sell": "Köp eller sälj", "With hold": "Med vänta",
};

const TONE = { buy: "good", sell: "bad", hold: "" };
const PAGE = 50;
const LOOK_S = 3;
const WARM_S = 10;

const Numbers = ({ features }) =>
  html`<dl class="numbers">${Object.entries(features).map(([name, value]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd>${quantity(Number(value).toPrecision(6))}</dd></div>`)}</dl>`;

function Score({ score, opened = false }) {
  const tr = useWords();
  const [open, setOpen] = useState(opened);
  return html`<li><button type="button" class="line plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <${Chip} tone=${TONE[score.recommendation]}>${tr(score.recommendation)}<//><b>${pair(score.symbol)}</b><small class="muted">${score.timeframe}</small><span class="of">${price(score.price)}</span><${FromHistory} score=${score} />
      <span class="grow"></span><span class="muted wide">${score.strategy}</span>
      <span class="conf" title=${tr("Confidence")}><${Bar} fraction=${score.confidence} tone=${TONE[score.recommendation]} /> ${percent(score.confidence, 0)}</span>
      <time class="muted"><span class="wide">${date(score.decided_ms).slice(5)} </span>${clock(score.decided_ms)}</time>
    </button>
    ${score.reasons.length > 0 && html`<p class="why">${score.reasons.map(spoken).join(" · ")}</p>`}
    ${open && html`<div class="trace"><p class="muted">${score.strategy} · ${score.source} · ${tr("Probability")} ${percent(score.probability, 1)} · <a href=${link("decisions", [], { about: score.signal_id })}>${tr("Decisions")}</a> · <a href=${link("chart", [], { symbol: score.symbol })}>${tr("Chart")}</a></p><${Numbers} features=${score.features} /></div>`}
  </li>`;
}

function Latest() {
  const tr = useWords();
  const of = useApi("/api/v2/signals/latest", { every: LOOK_S });
  const running = (useApi("/api/v2/strategies", { every: WARM_S }).data || { running: [] }).running;
  const cold = (name) => running.find((one) => one.strategy === name && !one.fault && !isWarm(one));
  return html`<${Card} id="latest" className="span-12" title=${tr("What strategies say now")}>
    <${Answer} of=${of} rows=${3} empty=${(told) => !told.strategies.length} title=${tr("No strategy is on")}>${(told) => html`<div class="strategies">${told.strategies.map(({ strategy, timeframe, newest, acted }) => html`<article key=${strategy}>
      <p class="line"><b>${strategy}</b><span class="muted">${newest ? pair(newest.symbol) : ""} ${timeframe}</span><span class="grow"></span>${newest ? html`<${Chip} tone=${TONE[newest.recommendation]}>${tr(newest.recommendation)}<//>` : html`<span class="muted">${tr("Nothing yet")}</span>`}</p>
      ${newest && html`<p class="conf"><${Bar} fraction=${newest.confidence} tone=${TONE[newest.recommendation]} /> ${percent(newest.confidence, 0)}</p><p class="why">${newest.reasons.map(spoken).join(" · ")}</p>`}
      ${cold(strategy) && html`<p><${Chip} tone="info">${tr("warming up")}<//> <${WarmUp} one=${cold(strategy)} /></p>`}
      <p class="muted">${acted ? html`${tr("last acted")}: ${tr(acted.recommendation)} @ ${price(acted.price)} · ${dayClock(acted.decided_ms)}` : tr("not acted since the start")}</p>
    </article>`)}</div>`}<//>
  <//>`;
}

function Pick({ label, value, options, onPick }) {
  return html`<select aria-label=${label} value=${value} onChange=${(event) => onPick(event.target.value)}>${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}</select>`;
}

function History({ query }) {
  const tr = useWords();
  const { status } = useTopics("status");
  const names = (useApi("/api/v2/signals/latest").data || { strategies: [] }).strategies.map((one) => one.strategy);
  const offset = Number(query.offset) || 0;
  const asked = new URLSearchParams({ limit: PAGE, offset });
  for (const name of ["symbol", "strategy", "recommendation", "confidence_from"]) if (query[name]) asked.set(name, query[name]);
  if (query.hold) asked.set("hold", "true");
  const of = useApi(`/api/v2/signals/history?${asked}`, { every: offset ? 0 : LOOK_S });
  const set = (name) => (value) => setQuery({ [name]: value, offset: null });
  const tools = html`
    <${Pick} label=${tr("Symbol")} value=${query.symbol || ""} onPick=${set("symbol")} options=${[["", tr("all symbols")], ...((status && status.symbols) || []).map((one) => [one, pair(one)])]} />
    <${Pick} label=${tr("Strategy")} value=${query.strategy || ""} onPick=${set("strategy")} options=${[["", tr("all strategies")], ...[...new Set(names)].map((one) => [one, one])]} />
    <${Pick} label=${tr("Confidence")} value=${query.confidence_from || ""} onPick=${set("confidence_from")} options=${[["", tr("any confidence")], ...["0.25", "0.5", "0.75"].map((one) => [one, `${tr("At least")} ${percent(one, 0)}`])]} />
    <${Segments} label=${tr("Signals")} value=${query.hold ? "hold" : "acted"} onPick=${(which) => set("hold")(which === "hold" ? "1" : null)} options=${[["acted", tr("Buy or sell")], ["hold", tr("With hold")]]} />`;
  return html`<${Card} id="signals" className="span-12" title=${tr("Every signal")} count=${of.data && of.data.total} tools=${tools}>
    <${Answer} of=${of} rows=${8} empty=${(told) => !told.signals.length} title=${tr("No signal fits the filters")} text=${tr("Strategies speak when a candle closes.")}>${(told) => html`
      <ul class="feed">${told.signals.map((score) => html`<${Score} key=${score.signal_id} score=${score} />`)}</ul>
      <${Pager} offset=${offset} limit=${PAGE} total=${told.total} onOffset=${(next) => setQuery({ offset: next || null })} />`}<//>
  <//>`;
}

export function component({ query }) {
  return html`<div class="grid"><${Latest} /><${History} query=${query} /></div>`;
}
