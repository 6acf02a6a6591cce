// A strategy on paper with other numbers: what the engine thinks of them while one types, by what the shadow is judged, and when it has proven itself.

import { html, useState } from "../vendor/preact-htm.js";
import { duration, numberOf } from "./format.js";
import { worded } from "./meanings.js";
import { act, Answer, api, Empty, Field, Form, may, Modal, useApi } from "./parts.js";
import { faultOf, pathOf, rangeOf, shown, useJudgement, wanted } from "./parameters.js";
import { addWords, useWords } from "./words.js";
import { spoken } from "./reasons.js";

addWords({
  "Try on paper": "Pröva på papper", "Start the shadow": "Starta skuggan", "It runs beside the live one on the same market, with a paper account of its own. No order of it is ever sent.": "Den körs bredvid den skarpa på samma marknad, med ett eget papperskonto. Ingen av dess ordrar skickas någonsin.",
  "Metric": "Mått", "At most": "Högst", "Days of the venue's time": "Dygn börstid", "Or after so many closed trades": "Eller efter så många stängda affärer", "0: only time counts": "0: bara tiden räknas",
  "Fewest closed trades": "Minst antal stängda affärer", "Compare with the live side": "Jämför med den skarpa sidan", "Promote it by itself when proven": "Inför den av sig själv när den är prövad",
  "Cash to begin with": "Kassa att börja med", "empty: as much as the account is worth": "tomt: lika mycket som kontot är värt", "on paper": "på papper", "Another kind": "En annan sort", "as the live one": "som den skarpa",
  "With another kind its own defaults count.": "Med en annan sort gäller dess egna förval.",
});

const METRICS = ["loss", "drawdown", "losing_trades", "refusal_rate"];
const DAY_S = 86_400;

function Inside({ strategy, kinds, onClose, done }) {
  const tr = useWords();
  const [texts, setTexts] = useState({});
  const [form, setForm] = useState({ kind: "", metric: "loss", threshold: "0.05", days: "7", trades: "0", fewest: "10", against: false, automatic: false, cash: "", why: "" });
  const set = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const { fields } = strategy;
  const other = form.kind !== "" && form.kind !== strategy.kind;
  const values = other ? {} : wanted(fields, texts);
  const wrong = Object.values(values).some((value) => typeof value === "string");
  const asked = Object.keys(values).length > 0 && !wrong ? JSON.stringify(values) : "";
  const told = useJudgement(strategy.strategy, asked);
  const judged = other || (asked && told && !told.problem && told.faults.length === 0);
  const general = told ? told.faults.filter((fault) => !fields.some((field) => field.path === fault.path)) : [];
  const submit = async () => {
    const body = {
      parameters: values, metric: form.metric, threshold: numberOf(form.threshold), against_live: form.against, duration_s: form.days === "" ? null : Number(form.days) * DAY_S, trades: numberOf(form.trades),
      min_trades: numberOf(form.fewest), automatic: form.automatic, reason: form.why.trim() || "asked on the page", expected_version: strategy.version,
      ...(other ? { kind: form.kind } : {}), ...(form.cash.trim() ? { cash: form.cash.trim() } : {}),
    };
    if (await act(() => api("POST", `${pathOf(strategy.strategy)}/shadow`, body))) {
      done();
      onClose();
    }
  };
  const options = [["", tr("as the live one")], ...kinds.filter((kind) => !kind.fault && kind.kind !== strategy.kind && kind.kind !== "ensemble").map((kind) => [kind.kind, kind.kind])];
  return html`<p class="muted">${tr("It runs beside the live one on the same market, with a paper account of its own. No order of it is ever sent.")}</p>
    ${strategy.blocked && html`<p class="down" role="alert">${strategy.blocked}</p>`}
    <${Form} label="${tr("Try on paper")} ${strategy.strategy}" className="parameters" onSubmit=${submit} buttons=${html`<button type="button" onClick=${onClose}>${tr("Go back")}</button>
        <button type="submit" class="primary" disabled=${!judged || strategy.blocked || !may("admin")} title=${may("admin") ? "" : tr("Your token does not allow this")}>${tr("Start the shadow")}</button>`}>
      <${Field} label=${tr("Another kind")} kind="select" value=${form.kind} options=${options} onChange=${set("kind")} hint=${other ? tr("With another kind its own defaults count.") : ""} />
      ${!other && (fields.length === 0 ? html`<${Empty} title=${tr("takes no parameters")} />` : html`<fieldset>${fields.map((field) => html`<${Field} key=${field.path} kind="number" label=${field.member === null ? field.name : field.path} value=${texts[field.path] ?? shown(field.value)}
        onChange=${(text) => setTexts((old) => ({ ...old, [field.path]: text }))} fault=${faultOf(field, values[field.path], told, tr)} hint="${worded(field.meaning)} · ${rangeOf(field, tr)}" />`)}</fieldset>`)}
      ${general.map((fault) => html`<p key=${fault.path + fault.must_be} class="down" role="alert">${fault.path} ${tr("must be")} ${spoken(fault.must_be)}</p>`)}
      ${told && told.problem && html`<p class="down" role="alert">${told.problem.message}</p>`}
      <div class="pair"><${Field} label=${tr("Metric")} kind="select" value=${form.metric} options=${METRICS.map((each) => [each, each])} onChange=${set("metric")} />
        <${Field} label=${tr("At most")} kind="number" value=${form.threshold} onChange=${set("threshold")} /></div>
      <div class="pair"><${Field} label=${tr("Days of the venue's time")} kind="number" value=${form.days} onChange=${set("days")} hint=${duration(Number(form.days) * DAY_S)} />
        <${Field} label=${tr("Or after so many closed trades")} kind="number" value=${form.trades} onChange=${set("trades")} hint=${tr("0: only time counts")} /></div>
      <div class="pair"><${Field} label=${tr("Fewest closed trades")} kind="number" value=${form.fewest} onChange=${set("fewest")} />
        <${Field} label=${tr("Cash to begin with")} kind="number" value=${form.cash} onChange=${set("cash")} hint=${tr("empty: as much as the account is worth")} /></div>
      <${Field} label=${tr("Compare with the live side")} kind="check" value=${form.against} onChange=${set("against")} />
      <${Field} label=${tr("Promote it by itself when proven")} kind="check" value=${form.automatic} onChange=${set("automatic")} />
      <${Field} label=${tr("Why (optional)")} value=${form.why} onChange=${set("why")} maxlength="200" />
    <//>`;
}

function Editor({ name, kinds, onClose, done }) {
  const tr = useWords();
  const of = useApi(pathOf(name));
  return html`<${Modal} title="${tr("Try on paper")}: ${name}" onClose=${onClose}>
    <${Answer} of=${of} rows=${4}>${(strategy) => html`<${Inside} key=${strategy.version} strategy=${strategy} kinds=${kinds} onClose=${onClose} done=${done} />`}<//>
  <//>`;
}

// `kinds` are those that there are to choose from; `done` is called when a shadow has begun.
export function TryShadow({ name, kinds, done }) {
  const tr = useWords();
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="small" aria-label="${tr("Try on paper")} ${name}" onClick=${() => setOpen(true)}>${tr("Try on paper")}</button>
    ${open && html`<${Editor} name=${name} kinds=${kinds} onClose=${() => setOpen(false)} done=${done} />`}`;
}
