// The probability model: what it was worth on data it had not seen, whether it drifts, and a validation on demand.

import { html, useState } from "../../vendor/preact-htm.js";
import { date, dayClock, pair, percent } from "../format.js";
import { Answer, Bar, Card, Chip, Empty, Facts, Table, act, api, may, useApi } from "../parts.js";
import { useWords } from "../words.js";

export const words = {
  "Model": "Modell", "Market": "Marknad", "Out of sample": "På osedda data", "Drift": "Drift", "Reliability": "Tillförlitlighet", "Newest validation": "Senaste validering", "Validate now": "Validera nu", "Validated": "Validerad",
  "There is no model": "Det finns ingen modell", "genesis model train makes one": "genesis model train skapar en", "Skill": "Skicklighet", "Brier": "Brier", "of the base rate": "av grundfrekvensen", "Log loss": "Logförlust", "Calibration error": "Kalibreringsfel", "Base rate": "Grundfrekvens",
  "A trade after costs": "En affär efter kostnader", "said": "sagt", "came": "kom", "Foresees": "Förutser", "candles": "ljus", "Trained on": "Tränad på", "Rows": "Rader", "Calibration": "Kalibrering", "Weights": "Vikter",
  "Size": "Storlek", "Gap": "Gap", "Probability": "Sannolikhet", "No strategy trades by the model": "Ingen strategi handlar efter modellen", "Use the kind probability_gated": "Använd sorten probability_gated", "Nothing was validated yet": "Inget har validerats ännu", "beats the base rate": "slår grundfrekvensen", "cannot be told from the base rate": "kan inte skiljas från grundfrekvensen", "is worse than the base rate": "är sämre än grundfrekvensen",
};

export const style = true;

// What the figures allow to say, as in genesis/research/model.py: two standard errors or nothing.
function worth({ skill, skill_error: error }) {
  if (skill > 0 && skill > 2 * error) return ["good", "beats the base rate"];
  return skill < -2 * error ? ["bad", "is worse than the base rate"] : ["warn", "cannot be told from the base rate"];
}

const bps = (value) => `${value > 0 ? "+" : ""}${value.toFixed(1)} bps`;

function Figures({ figures }) {
  const tr = useWords();
  const [tone, text] = worth(figures);
  const pays = figures.net_bps > 2 * figures.net_error_bps ? "up" : figures.net_bps < -2 * figures.net_error_bps ? "down" : "";
  return html`<p class="line"><${Chip} tone=${tone}>${tr(text)}<//></p><${Facts} rows=${[
    [tr("Skill"), `${percent(figures.skill)} ± ${percent(figures.skill_error)}`],
    [tr("Brier"), `${figures.brier.toFixed(4)} (${figures.brier_base.toFixed(4)} ${tr("of the base rate")})`],
    [tr("Log loss"), `${figures.log_loss.toFixed(4)} (${figures.log_loss_base.toFixed(4)})`],
    [tr("Calibration error"), percent(figures.calibration_error, 1)],
    [tr("Base rate"), percent(figures.base_rate, 1)],
    [tr("Rows"), figures.rows],
    [tr("A trade after costs"), figures.trades ? `${bps(figures.net_bps)} ± ${figures.net_error_bps.toFixed(1)} (${figures.trades})` : "–", pays],
  ]} />`;
}

// Said against came: on the diagonal the model means what it says.
function Reliability({ bins }) {
  const tr = useWords();
  const size = 220;
  const most = Math.max(0.1, ...bins.map((bin) => Math.max(bin.said, bin.came))) * 1.1;
  const at = (x, y) => `${((x / most) * size).toFixed(1)},${(size - (y / most) * size).toFixed(1)}`;
  return html`<figure><svg viewBox="0 0 ${size} ${size}" width=${size} height=${size} role="img" aria-label=${bins.map((bin) => `${tr("said")} ${percent(bin.said, 0)}, ${tr("came")} ${percent(bin.came, 0)}`).join("; ")}>
      <rect x="0" y="0" width=${size} height=${size} fill="none" stroke="var(--grid)" /><polyline points="${at(0, 0)} ${at(most, most)}" fill="none" stroke="var(--muted)" stroke-dasharray="4 4" />
      <polyline points=${bins.map((bin) => at(bin.said, bin.came)).join(" ")} fill="none" stroke="var(--accent)" stroke-width="1.6" />
      ${bins.map((bin) => { const [x, y] = at(bin.said, bin.came).split(","); return html`<circle key=${x} cx=${x} cy=${y} r="3.5" fill="var(--accent)"><title>${tr("said")} ${percent(bin.said, 1)}, ${tr("came")} ${percent(bin.came, 1)}, ${bin.rows} ${tr("Rows")}</title></circle>`; })}
    </svg><figcaption class="muted">x ${tr("said")}, y ${tr("came")}, 0 – ${percent(most, 0)}</figcaption></figure>`;
}

function About({ model }) {
  const tr = useWords();
  const weights = Object.entries(model.weights).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const most = Math.max(1e-9, ...weights.map(([, weight]) => Math.abs(weight)));
  return html`<${Facts} rows=${[
      [tr("Model"), `${model.name}, ${model.kind}`],
      [tr("Market"), `${pair(model.symbol)} ${model.timeframe}`],
      [tr("Foresees"), `${model.label.kind.replaceAll("_", " ")}, ${model.label.horizon} ${tr("candles")}, ${percent(model.label.cost)}`],
      [tr("Trained on"), `${date(model.data_first_ms)} – ${date(model.data_last_ms)} (${model.data_rows})`],
      [tr("Calibration"), model.calibration.kind],
      ["SHA-256", model.data_sha256.slice(0, 16)],
    ]} />
    ${weights.length > 0 && html`<${Table} label=${tr("Weights")} heads=${[[tr("Weights")], ["", ""], ["", "n"]]} rows=${weights.map(([name, weight]) => html`<tr key=${name}><td>${name.replaceAll("_", " ")}</td><td><${Bar} fraction=${Math.abs(weight) / most} tone=${weight > 0 ? "good" : "bad"} /></td><td class="n">${weight.toFixed(3)}</td></tr>`)} />`}`;
}

function Drift({ rows }) {
  const tr = useWords();
  if (!rows.length) return html`<${Empty} title=${tr("No strategy trades by the model")} text=${tr("Use the kind probability_gated")} />`;
  return html`<${Table} label=${tr("Drift")} heads=${[[tr("Strategy")], [tr("Probability"), "n"], [tr("Gap"), "n"], [tr("Size"), "n"]]} rows=${rows.map((row) => html`<tr key=${row.strategy}><td>${row.strategy} <span class="muted">${pair(row.symbol)} ${row.timeframe}</span></td><td class="n">${row.probability === null ? "–" : percent(row.probability, 1)}</td><td class="n">${percent(row.gap, 1)}</td><td class="n ${row.trust < 1 ? "down" : ""}">${percent(row.trust, 0)}</td></tr>`)} />`;
}

function Validate({ again }) {
  const tr = useWords();
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    await act(() => api("POST", "/api/v2/validation/probability", {}), tr("Validated"));
    setBusy(false);
    again();
  };
  return may("trade") && html`<button type="button" class="small" disabled=${busy} aria-busy=${busy} onClick=${go}>${tr("Validate now")}</button>`;
}

export function component() {
  const tr = useWords();
  const of = useApi("/api/v2/model", { every: 10 });
  // Without a model there is one thing to say, and it is said once.
  if (of.data && !of.data.model && !of.data.last) {
    return html`<div class="grid"><${Card} id="about" className="span-12" title=${tr("Model")} tools=${html`<${Validate} again=${of.again} />`}><${Empty} title=${tr("There is no model")} text=${tr("genesis model train makes one")} /><//>
      ${of.data.drift.length > 0 && html`<${Card} id="drift" className="span-12" title=${tr("Drift")}><${Drift} rows=${of.data.drift} /><//>`}</div>`;
  }
  return html`<div class="grid">
    <${Card} id="worth" className="span-8" title=${tr("Out of sample")}><${Answer} of=${of} rows=${6} empty=${(told) => !told.model} title=${tr("There is no model")} text=${tr("genesis model train makes one")}>${(told) => html`<${Figures} figures=${told.model.out_of_sample} />`}<//><//>
    <${Card} id="reliability" className="span-4" title=${tr("Reliability")}><${Answer} of=${of} rows=${6} empty=${(told) => !told.model} title=${tr("There is no model")}>${(told) => html`<${Reliability} bins=${told.model.out_of_sample.reliability} />`}<//><//>
    <${Card} id="validation" className="span-8" title=${tr("Newest validation")} tools=${html`<${Validate} again=${of.again} />`}><${Answer} of=${of} rows=${4} empty=${(told) => !told.last} title=${tr("Nothing was validated yet")}>${(told) => html`<p class="why">${dayClock(told.last.at_ms)} · ${told.last.by} · ${told.last.candles} ${tr("candles")}</p>${told.last.verdict.map((text) => html`<p key=${text} class="why">${text}</p>`)}<${Figures} figures=${told.last.figures} />`}<//><//>
    <${Card} id="drift" className="span-4" title=${tr("Drift")}><${Answer} of=${of} rows=${3}>${(told) => html`<${Drift} rows=${told.drift} />`}<//><//>
    <${Card} id="about" className="span-12" title=${tr("Model")}><${Answer} of=${of} rows=${6} empty=${(told) => !told.model} title=${tr("There is no model")}>${(told) => html`<${About} model=${told.model} />`}<//><//>
  </div>`;
}
