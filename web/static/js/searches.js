// Searches for parameters, beside backtests: start one, and look at what came of it. A part of the page of backtests.

import { html, useState } from "../vendor/preact-htm.js";
import { date, percent } from "./format.js";
import { Answer, api, Bar, Card, Chip, Command, Facts, Field, Form, link, may, Table, useApi } from "./parts.js";
import { useWords } from "./words.js";

export const SEARCHES = "/api/v2/research/searches";
export const searchWords = {
  "New search": "Ny sökning", "Kind of search": "Sökningens slag", "Search once": "Sök en gång", "Walk forward": "Vandra framåt", "What may vary": "Vad som får variera", "Make large": "Gör stort", "What must hold": "Vad som måste gälla", "Method": "Metod", "Trials": "Försök",
  "nothing found": "inget hittat", "Days to learn": "Dagar att lära", "Days to test": "Dagar att pröva", "Days between": "Dagar emellan", "Search": "Sök", "Searches": "Sökningar", "No search yet": "Ingen sökning ännu", "Best": "Bäst", "More than luck": "Mer än tur", "Overfitted (PBO)": "Överanpassad (PBO)", "Plateau": "Platå", "Failed": "Misslyckade",
  "Against a requirement": "Mot ett krav", "Judged by": "Bedömda av", "the exact runner": "den exakta löparen", "arrays": "vektorer", "Not beaten by any other": "Slås inte av något annat", "Windows": "Fönster", "Learned from": "Lärt från", "Tested to": "Prövat till", "Parameters": "Parametrar",
  "Learned": "Lärt", "Tested": "Prövat", "Efficiency": "Effektivitet", "Each on a line or after a comma, as fast=5:30 or slow=35:120:5": "En per rad eller efter komma, som fast=5:30 eller slow=35:120:5", "As trades>=30": "Som trades>=30", "largest difference": "största skillnad", "traded again": "handlade igen",
};
const ENDED = new Set(["done", "failed", "cancelled"]);
const TONES = { done: "good", failed: "bad", running: "info" };
const FRAMES = ["1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1D"];
const GOALS = ["sharpe", "total_return", "sortino", "calmar", "omega", "profit_factor", "expectancy", "sqn", "winrate"];
const figure = (value) => (value === null || value === undefined ? "–" : Number(value).toPrecision(4).replace(/\.?0+$/, ""));
const shown = (values) => Object.entries(values || {}).map(([name, value]) => `${name} = ${figure(value)}`).join(", ");

export function NewSearch() {
  const tr = useWords();
  const markets = useApi("/api/v2/research/markets");
  const known = useApi("/api/v2/strategies");
  const [asked, setAsked] = useState({ form: "optimize", market: "", kind: "ema_cross", timeframe: "5m", start: "", end: "", vary: "fast=5:30\nslow=35:120:5", goal: "sharpe", require: "", method: "tpe", trials: "30", train: "60", test: "20", purge: "1", title: "" });
  const [fault, setFault] = useState("");
  const set = (name) => (value) => setAsked((now) => ({ ...now, [name]: value }));
  const list = (markets.data && markets.data.markets) || [];
  const market = list.find((one) => one.name === asked.market) || list[0];
  const kinds = ((known.data && known.data.kinds) || []).filter((kind) => !kind.fault);
  const lines = (text) => text.split(/[\n;]|,(?=\s*[a-z_.]+\s*[=<>])/).map((line) => line.trim()).filter(Boolean);
  const start = async () => {
    setFault("");
    const walks = asked.form === "walkforward";
    // A bare name is a parameter of the strategy chosen here; one with a dot is what it says.
    const vary = lines(asked.vary).map((line) => (line.split("=")[0].includes(".") ? line : `s.${line}`));
    const body = {
      market: market ? market.name : undefined, start: asked.start || undefined, end: asked.end || undefined, title: asked.title,
      strategies: [{ name: "s", kind: asked.kind, symbol: (market && market.symbols[0]) || "tBTCUSD", timeframe: asked.timeframe }],
      vary, maximize: [asked.goal], require: lines(asked.require), method: asked.method, trials: Number(asked.trials),
      ...(walks ? { train_days: Number(asked.train), test_days: Number(asked.test), purge_days: Number(asked.purge) } : {}),
    };
    try {
      await api("POST", `/api/v2/research/${asked.form}`, JSON.parse(JSON.stringify(body)));
    } catch (problem) {
      setFault(problem.message);
    }
  };
  return html`<${Card} id="new-search" className="span-3" title=${tr("New search")}><${Form} label=${tr("New search")} onSubmit=${start} buttons=${html`<button type="submit" class="primary" disabled=${!may("trade")}>${tr("Search")}</button>`}>
    <${Field} kind="select" label=${tr("Kind of search")} value=${asked.form} onChange=${set("form")} options=${[["optimize", tr("Search once")], ["walkforward", tr("Walk forward")]]} />
    <${Field} kind="select" label=${tr("Market")} value=${market ? market.name : ""} onChange=${set("market")} options=${list.map((one) => [one.name, `${one.name} · ${date(one.first_ms)} – ${date(one.end_ms)}`])} />
    <div class="pair"><${Field} kind="date" label=${tr("From")} value=${asked.start} onChange=${set("start")} /><${Field} kind="date" label=${tr("To")} value=${asked.end} onChange=${set("end")} /></div>
    <div class="pair"><${Field} kind="select" label=${tr("Strategy")} value=${asked.kind} onChange=${set("kind")} options=${kinds.map((one) => [one.kind, one.kind])} /><${Field} kind="select" label=${tr("Time frame")} value=${asked.timeframe} onChange=${set("timeframe")} options=${FRAMES.map((one) => [one, one])} /></div>
    <${Field} kind="area" label=${tr("What may vary")} hint=${tr("Each on a line or after a comma, as fast=5:30 or slow=35:120:5")} value=${asked.vary} onChange=${set("vary")} rows="3" />
    <div class="pair"><${Field} kind="select" label=${tr("Make large")} value=${asked.goal} onChange=${set("goal")} options=${GOALS.map((one) => [one, one])} /><${Field} label=${tr("What must hold")} title=${tr("As trades>=30")} placeholder="trades>=30" value=${asked.require} onChange=${set("require")} /></div>
    <div class="pair"><${Field} kind="select" label=${tr("Method")} value=${asked.method} onChange=${set("method")} options=${["tpe", "random", "grid"].map((one) => [one, one])} /><${Field} kind="number" label=${tr("Trials")} value=${asked.trials} onChange=${set("trials")} /></div>
    ${asked.form === "walkforward" && html`<div class="pair"><${Field} kind="number" label=${tr("Days to learn")} value=${asked.train} onChange=${set("train")} /><${Field} kind="number" label=${tr("Days to test")} value=${asked.test} onChange=${set("test")} /><${Field} kind="number" label=${tr("Days between")} value=${asked.purge} onChange=${set("purge")} /></div>`}
    <${Field} label=${tr("Name")} value=${asked.title} onChange=${set("title")} maxlength="120" />
    ${fault && html`<p class="down" role="alert">${fault}</p>`}
  <//><//>`;
}

function Row({ job }) {
  const tr = useWords();
  const told = job.summary || {};
  const ended = ENDED.has(job.state);
  return html`<tr>
    <td>${job.state === "done" ? html`<a href=${link("backtests", [job.job_id], { search: "1" })}>${job.title || job.job_id}</a>` : job.title || job.job_id}<br /><span class="muted">${tr(job.kind === "walkforward" ? "Walk forward" : "Search once")}</span></td>
    <td><${Chip} tone=${TONES[job.state] || ""}>${tr(job.state)}<//>${!ended && html`<div class="going"><${Bar} fraction=${job.progress} /><span class="muted">${job.text}</span></div>`}${job.error && html`<p class="down why">${job.error}</p>`}${told.note && html`<p class="why">${told.note}</p>`}</td>
    <td class="n">${told.total_return === undefined || told.total_return === null ? "–" : percent(told.total_return, 2)}</td><td class="n">${figure(told.sharpe)}</td><td class="n">${told.tried ?? told.trials ?? "–"}</td>
    <td>${ended ? html`<${Command} small about=${job.title || job.job_id} label=${tr("Forget")} title=${tr("Forget this backtest?")} text=${tr("Its result is deleted.")} run=${() => api("DELETE", `/api/v2/jobs/${job.job_id}`)} />` : html`<${Command} small about=${job.title || job.job_id} tone="danger" label=${tr("Cancel")} title=${tr("Cancel this backtest?")} text=${tr("Its process is killed.")} run=${() => api("POST", `/api/v2/jobs/${job.job_id}/cancel`)} />`}</td>
  </tr>`;
}

// `live` are the newest jobs of the stream, by id.
export function SearchList({ live }) {
  const tr = useWords();
  const of = useApi(SEARCHES, { every: 3 });
  const rows = ((of.data && of.data.jobs) || []).map((one) => live.get(one.job_id) || one);
  return html`<${Card} id="searches" className="span-9" title=${tr("Searches")} count=${rows.length}><${Answer} of=${of} empty=${() => !rows.length} title=${tr("No search yet")}>${() => html`<${Table} label=${tr("Searches")} heads=${[[tr("Name")], [tr("State")], [tr("Return"), "n"], ["Sharpe", "n"], [tr("Trials"), "n"], [""]]} rows=${rows.map((one) => html`<${Row} key=${one.job_id} job=${one} />`)} />`}<//><//>`;
}

function Heat({ map }) {
  const known = map.means.flat().filter((value) => value !== null);
  const most = Math.max(...known.map(Math.abs), 0);
  const colour = (value) => (value === null || !most ? {} : { background: `color-mix(in srgb, var(--${value >= 0 ? "up" : "down"}) ${Math.round((Math.abs(value) / most) * 65)}%, transparent)` });
  return html`<${Card} id="map-${map.x}-${map.y}" className="span-6" title="${map.y} × ${map.x}"><div class="scroll"><table class="heat"><thead><tr><th></th>${map.x_values.map((value) => html`<th key=${value} scope="col">${figure(value)}</th>`)}</tr></thead>
    <tbody>${map.means.map((row, y) => html`<tr key=${y}><th scope="row">${figure(map.y_values[y])}</th>${row.map((value, x) => html`<td key=${x} style=${colour(value)} title="${map.counts[y][x]}">${value === null ? "" : figure(value)}</td>`)}</tr>`)}</tbody></table></div><//>`;
}

function Study({ report }) {
  const tr = useWords();
  const names = report.objectives.map(([name]) => name);
  const columns = [...new Set([...names, "total_return", "max_drawdown", "trades"])];
  const proof = report.proof && `${report.proof.checked} ${tr("traded again")}, ${tr("largest difference")} ${report.proof.largest_difference.toExponential(1)}`;
  const judged = report.by_arrays ? `${tr("arrays")} ${report.by_arrays}, ${tr("the exact runner")} ${report.trials - report.by_arrays}${proof ? `; ${proof}` : ""}` : tr("the exact runner");
  const facts = [[tr("Best"), report.best ? shown(report.best.values) : "–"], [tr("Trials"), report.trials], [tr("Failed"), report.failed], [tr("Against a requirement"), report.infeasible], [tr("Plateau"), figure(report.plateau)], [tr("More than luck"), report.deflated_sharpe === null ? "–" : percent(report.deflated_sharpe, 1)], [tr("Overfitted (PBO)"), report.overfitting ? percent(report.overfitting.probability, 1) : "–"], [tr("Judged by"), judged]];
  return html`<${Card} id="found" className="span-4" title=${names.join(", ")}><${Facts} rows=${facts} /><//>
    <${Card} id="front" className="span-8" title=${tr("Not beaten by any other")}><${Table} label=${tr("Not beaten by any other")} heads=${[["#", "n"], [tr("Parameters")], ...columns.map((name) => [name, "n"])]} rows=${report.front.slice(0, 50).map((one) => html`<tr key=${one.number}><td class="n">${one.number + 1}</td><td>${shown(one.values)}</td>${columns.map((name) => html`<td key=${name} class="n">${figure(one.figures[name])}</td>`)}</tr>`)} /><//>
    ${report.heatmaps.map((map) => html`<${Heat} key="${map.x}-${map.y}" map=${map} />`)}`;
}

function Walk({ told }) {
  const tr = useWords();
  const { summary, steps } = told;
  return html`<${Card} id="found" className="span-4" title=${tr("Walk forward")}><${Facts} rows=${[[tr("Windows"), summary.windows], [tr("Return"), percent(summary.total_return, 2)], [tr("Drawdown"), percent(summary.max_drawdown_at_most, 2)], [tr("Efficiency"), figure(summary.efficiency)]]} /><//>
    <${Card} id="steps" className="span-8" title=${tr("Windows")}><${Table} label=${tr("Windows")} heads=${[[tr("Learned from")], [tr("Tested to")], [tr("Parameters")], [`${summary.metric}, ${tr("Learned")}`, "n"], [`${summary.metric}, ${tr("Tested")}`, "n"], [tr("Return"), "n"], [tr("Trades"), "n"]]} rows=${steps.map((step, place) => html`<tr key=${place}><td>${date(step.window.train_from)}</td><td>${date(step.window.test_to)}</td><td>${step.values ? shown(step.values) : html`<span class="muted">${tr("nothing found")}: ${step.why || ""}</span>`}${typeof step.tested === "string" && html`<p class="down why">${step.tested}</p>`}</td><td class="n">${figure(step.learned && step.learned[summary.metric])}</td><td class="n">${figure(step.tested && step.tested[summary.metric])}</td><td class="n">${step.tested && step.tested.total_return !== undefined ? percent(step.tested.total_return, 2) : "–"}</td><td class="n">${figure(step.tested && step.tested.trades)}</td></tr>`)} /><//>`;
}

export function OneSearch({ id }) {
  const tr = useWords();
  const of = useApi(`${SEARCHES}/${encodeURIComponent(id)}`);
  const back = html`<p class="back"><a href=${link("backtests")}>← ${tr("All backtests")}</a> · <b>${(of.data && of.data.job.title) || id}</b></p>`;
  return html`${back}<div class="grid"><${Answer} of=${of} empty=${(data) => !data.result} title=${(of.data && tr(of.data.job.state)) || ""} text=${(of.data && of.data.job.error) || ""}>${(data) => (data.result.report ? html`<${Study} report=${data.result.report} />` : html`<${Walk} told=${data.result} />`)}<//></div>`;
}
