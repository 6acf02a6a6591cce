// The audit: every verdict of the journal, found by symbol, strategy, code and outcome, with its reasons in words.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { clock, dayClock, pair } from "./format.js";
import { Card, Chip, Empty, Loading, Segments, Side } from "./parts.js";
import { spoken } from "./reasons.js";
import { ApiProblem, call } from "./session.js";
import { useTopics } from "./store.js";
import { useWords } from "./words.js";

const SHOWN = 60;
const UNIFIED = "/api/v2/risk/unified";

function Pick({ label, value, options, onPick }) {
  return html`<select aria-label=${label} value=${value} onChange=${(event) => onPick(event.target.value)}>
    <option value="">${label}</option>
    ${options.map((option) => html`<option key=${option} value=${option}>${option.replaceAll("_", " ")}</option>`)}
  </select>`;
}

export function AuditCard() {
  const tr = useWords();
  const { status, risk } = useTopics("status", "risk");
  const [outcome, setOutcome] = useState("denied");
  const [symbol, setSymbol] = useState("");
  const [code, setCode] = useState("");
  const [found, setFound] = useState(undefined);
  const [problem, setProblem] = useState("");
  const look = async () => {
    const query = new URLSearchParams({ verdict: outcome, limit: String(SHOWN) });
    if (symbol) query.set("symbol", symbol);
    if (code) query.set("code", code);
    try {
      setFound(await call("GET", `${UNIFIED}/decisions?${query}`));
      setProblem("");
    } catch (refused) {
      if (!(refused instanceof ApiProblem)) throw refused;
      setProblem(refused.message);
    }
  };
  useEffect(() => {
    look();
  }, [outcome, symbol, code]);
  const codes = risk ? Object.keys(risk.denials_by_code).sort() : [];
  const tools = html`
    <${Pick} label=${tr("Symbol")} value=${symbol} options=${status ? status.symbols : []} onPick=${setSymbol} />
    <${Pick} label=${tr("Code")} value=${code} options=${codes} onPick=${setCode} />
    <${Segments} label=${tr("Audit")} value=${outcome} onPick=${setOutcome} options=${[["all", tr("All")], ["denied", tr("Denied")], ["approved", tr("approved")]]} />
    <button type="button" class="small" onClick=${look}>${tr("Search")}</button>
  `;
  const body = () => {
    if (problem) return html`<${Empty} title=${tr("Refused")} text=${problem} />`;
    if (found === undefined) return html`<${Loading} rows=${3} />`;
    if (!found.decisions.length) return html`<${Empty} title=${tr("Nothing found")} text=${tr("No decision of the journal fits the filters.")} />`;
    return html`<ul class="feed scroll" tabindex="0">${found.decisions.map(
      ({ verdict, reasons }) => html`<li key=${verdict.verdict_id}>
        <div class="line">
          <${Chip} tone=${verdict.approved ? "good" : "bad"}>${tr(verdict.approved ? "approved" : "denied")}<//>
          <b>${pair(verdict.symbol)}</b>${verdict.side && html`<${Side} side=${verdict.side} />`}
          <span class="grow"></span><span class="muted wide">${verdict.strategy}</span>
          <time class="muted" title=${dayClock(verdict.decided_ms)}>${clock(verdict.decided_ms)}</time>
        </div>
        ${reasons.map((reason) => html`<p class="why down">${spoken(reason)}</p>`)}
      </li>`,
    )}</ul>`;
  };
  return html`<${Card} id="audit" title=${tr("Audit")} count=${found && found.total} tools=${tools}>${body()}<//>`;
}
