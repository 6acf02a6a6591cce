// Decisions: every verdict of the journal, found by any name of it, with what each rule said.

import { html, useState } from "../../vendor/preact-htm.js";
import { date, clock, pair, quantity } from "../format.js";
import { Answer, Card, Chip, Field, link, Pager, Segments, Side, useApi } from "../parts.js";
import { spoken } from "../reasons.js";
import { setQuery } from "../router.js";
import { useTopics } from "../store.js";
import { idle, numbers, said } from "../tables.js";
import { useWords } from "../words.js";

export const words = {
  "Any id: signal, order, correlation": "Valfritt id: signal, order, korrelation", "From": "Från", "To": "Till", "all symbols": "alla symboler", "all strategies": "alla strategier", "all codes": "alla koder",
  "Clear": "Rensa", "Nothing fits": "Inget passar", "searched": "genomsökta", "settings version": "inställningsversion", "What risk refused": "Vad risk nekade", "What the rules mean": "Vad reglerna betyder",
};

const PAGE = 50;
const LOOK_S = 4;
const UNIFIED = "/api/v2/risk/unified";

function Verdict({ row: { verdict, reasons, not_sent }, tips }) {
  const tr = useWords();
  const [open, setOpen] = useState(false);
  const refused = verdict.trace.filter((result) => !result.passed);
  return html`<li>
    <button type="button" class="line plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      ${verdict.approved ? html`<${Chip} tone="good">${tr("approved")}<//>` : idle(refused) ? html`<${Chip}>${tr("nothing to do")}<//>` : html`<${Chip} tone="bad">${tr("denied")}<//>`}
      <b>${pair(verdict.symbol)}</b>${verdict.side && html`<${Side} side=${verdict.side} />`}
      ${verdict.intent && html`<span>${quantity(verdict.intent.quantity)} ${tr(verdict.intent.purpose)}</span>`}
      <span class="grow"></span><span class="muted wide">${verdict.strategy}</span><time class="muted"><span class="wide">${date(verdict.decided_ms).slice(5)} </span>${clock(verdict.decided_ms)}</time>
    </button>
    ${reasons.map((reason) => html`<p class="why ${idle(refused) ? "muted" : "down"}">${spoken(reason)}</p>`)}
    ${not_sent && html`<p class="why down">${spoken(not_sent)}</p>`}
    ${open && html`<div class="trace"><ol>${verdict.trace.map((result) => html`<li key=${result.rule} class=${result.passed ? "" : "down"}><span>${result.passed ? "✓" : "✗"}</span> <b>${result.rule.replaceAll("_", " ")}</b> <span class="muted">${numbers(result)}</span></li>`)}</ol>
      ${refused.map((result) => tips[result.code] && html`<p class="why" key=${result.code}><b>${said(result)}</b>: ${spoken(tips[result.code])}</p>`)}
      <p class="muted ids">${verdict.verdict_id} · <a href=${link("configuration", [], { tab: "history", version: verdict.settings_version })}>${tr("settings version")} ${verdict.settings_version}</a>${verdict.signal_id ? html` · <a href=${link("decisions", [], { about: verdict.correlation_id })}>${verdict.correlation_id}</a>` : ""}</p></div>`}
  </li>`;
}

const toMs = (text) => (text ? Date.parse(`${text}Z`) : NaN);

export function component({ query }) {
  const tr = useWords();
  const { status, risk } = useTopics("status", "risk");
  const [typed, setTyped] = useState(query.about || "");
  const codes = useApi(`${UNIFIED}/codes`).data;
  const running = useApi("/api/v2/strategies").data;
  const tips = Object.fromEntries(((codes && codes.codes) || []).map((one) => [one.code, one.advice]));
  const offset = Number(query.offset) || 0;
  const asked = new URLSearchParams({ verdict: query.verdict || "all", limit: PAGE, offset });
  for (const name of ["symbol", "strategy", "code", "about"]) if (query[name]) asked.set(name, query[name]);
  for (const [name, to] of [["from", "from_ms"], ["to", "to_ms"]]) if (Number.isFinite(toMs(query[name]))) asked.set(to, toMs(query[name]));
  const of = useApi(`${UNIFIED}/decisions?${asked}`, { every: offset ? 0 : LOOK_S });
  const set = (name) => (value) => setQuery({ [name]: value || null, offset: null });
  const seen = risk ? Object.entries(risk.denials_by_code).sort((a, b) => b[1] - a[1]) : [];
  const clear = () => {
    setTyped("");
    setQuery({ about: null, symbol: null, strategy: null, code: null, verdict: null, from: null, to: null, offset: null });
  };
  const tools = html`<${Segments} label=${tr("Decisions")} value=${query.verdict || "all"} onPick=${(which) => set("verdict")(which === "all" ? null : which)} options=${[["all", tr("All")], ["denied", tr("Denied")], ["approved", tr("Approved")]]} />`;
  return html`<div class="grid"><${Card} id="decisions" className="span-9" title=${tr("Decisions")} count=${of.data && of.data.total} tools=${tools}>
    <form class="filters" onSubmit=${(event) => {
      event.preventDefault();
      set("about")(typed.trim());
    }}>
      <${Field} label=${tr("Any id: signal, order, correlation")} value=${typed} onChange=${setTyped} maxlength="200" />
      <${Field} kind="select" label=${tr("Symbol")} value=${query.symbol || ""} onChange=${set("symbol")} options=${[["", tr("all symbols")], ...((status && status.symbols) || []).map((one) => [one, pair(one)])]} />
      <${Field} kind="select" label=${tr("Strategy")} value=${query.strategy || ""} onChange=${set("strategy")} options=${[["", tr("all strategies")], ...((running && running.running) || []).map((one) => [one.strategy, one.strategy])]} />
      <${Field} kind="select" label=${tr("Code")} value=${query.code || ""} onChange=${set("code")} options=${[["", tr("all codes")], ...Object.keys(tips).sort().map((one) => [one, one.replaceAll("_", " ")])]} />
      <${Field} kind="datetime-local" label="${tr("From")} (UTC)" value=${query.from || ""} onChange=${set("from")} />
      <${Field} kind="datetime-local" label="${tr("To")} (UTC)" value=${query.to || ""} onChange=${set("to")} />
      <div class="row"><button type="submit">${tr("Search")}</button><button type="button" class="quiet" onClick=${clear}>${tr("Clear")}</button></div>
    </form>
    <${Answer} of=${of} rows=${8} empty=${(told) => !told.decisions.length} title=${tr("Nothing fits")} text=${tr("No decision of the journal fits the filters.")}>${(told) => html`
      <ul class="feed">${told.decisions.map((row) => html`<${Verdict} key=${row.verdict.verdict_id} row=${row} tips=${tips} />`)}</ul>
      <${Pager} offset=${offset} limit=${PAGE} total=${told.total} onOffset=${(next) => setQuery({ offset: next || null })} />
      <p class="muted note">${told.searched} ${tr("searched")}</p>`}<//>
  <//>
  <${Card} id="refusals" className="span-3 low" title=${tr("What risk refused")}>
    ${seen.length ? html`<ul class="feed">${seen.map(([code, count]) => html`<li key=${code}><div class="line"><button type="button" class="plain" onClick=${() => setQuery({ code, verdict: "denied", offset: null })}><b>${code.replaceAll("_", " ")}</b><span class="grow"></span><span>${count}</span></button></div>${tips[code] && html`<p class="muted why">${tips[code]}</p>`}</li>`)}</ul>` : html`<div class="empty"><p class="muted">${tr("none")}</p></div>`}
  <//></div>`;
}
