// Other parameters for a strategy that runs: the numbers that its author declares, judged by the engine while one types,
// what would change and what becomes of its position, and then one version of the settings like any other.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { pair, price, quantity } from "./format.js";
import { worded } from "./meanings.js";
import { act, Answer, api, ApiProblem, Empty, Facts, Field, Form, may, Modal, useApi } from "./parts.js";
import { useWords } from "./words.js";
import { spoken } from "./reasons.js";

export const pathOf = (name) => `/api/v2/strategies/${encodeURIComponent(name)}`;
export const shown = (number) => String(Number(number.toPrecision(12)));

// What is typed as a number: nothing is the default again (null), what is no number stays text.
function typed(text) {
  const plain = text.trim().replace(",", ".");
  if (plain === "") return null;
  const number = Number(plain);
  return Number.isFinite(number) ? number : text;
}

// What differs from the settings as they were when the form was opened.
export function wanted(fields, texts) {
  const found = {};
  for (const field of fields) {
    const text = texts[field.path];
    if (text === undefined) continue;
    const value = typed(text);
    if (value === null ? field.given : value !== field.value) found[field.path] = value;
  }
  return found;
}

export const rangeOf = (field, tr) => `${field.above ? `${tr("above")} ` : ""}${shown(field.low)} – ${shown(field.high)}`;
const within = (field, value) => value <= field.high && (field.above ? value > field.low : value >= field.low) && !(field.whole && value !== Math.trunc(value));

// What is wrong with one number, in a sentence: what it must be and what it was.
export function faultOf(field, value, told, tr) {
  if (typeof value === "string" || (value !== null && value !== undefined && !within(field, value))) {
    return `${tr("must be")} ${tr(field.whole ? "a whole number" : "a number")} ${rangeOf(field, tr)}, ${tr("was")} ${value}`;
  }
  const fault = told && told.faults.find((each) => each.path === field.path);
  return fault ? `${tr("must be")} ${spoken(fault.must_be)}, ${tr("was")} ${spoken(fault.was)}` : "";
}

// What the engine says to a choice, a moment after the last key was struck; nothing happens there.
export function useJudgement(name, asked) {
  const [told, setTold] = useState(null);
  useEffect(() => {
    setTold(null);
    if (!asked || !may("admin")) return undefined;
    let mine = true;
    const timer = setTimeout(async () => {
      let answer;
      try {
        answer = await api("PATCH", pathOf(name), { parameters: JSON.parse(asked), preview: true });
      } catch (problem) {
        if (!(problem instanceof ApiProblem)) throw problem;
        answer = { problem, faults: [], changes: [] };
      }
      if (mine) setTold(answer);
    }, 250);
    return () => {
      mine = false;
      clearTimeout(timer);
    };
  }, [name, asked]);
  return told;
}

// What a change does, before it is asked for.
function Before({ told, strategy }) {
  const tr = useWords();
  return html`<div class="before" role="status"><h3>${tr("What changes")}</h3>
    ${told && told.changes.length > 0 ? html`<ul>${told.changes.map((each) => html`<li key=${each.path}><code>${each.path}</code> <del>${shown(each.old)}</del> <ins>${shown(each.new)}</ins></li>`)}</ul>
      <p class="muted">${tr("It starts anew with these numbers, warmed by the candles that are there, and speaks from the next candle on.")}${told.needs > 0 && html` ${tr("Candles it needs first")}: ${told.needs}.`} ${told.own_history && tr("They are more than are kept: it waits for its own history, and enters nothing meanwhile.")}</p>`
      : html`<p class="muted">${tr("Nothing would change")}</p>`}
    ${strategy.holds.length > 0 && html`<p class="warn-text">${strategy.holds.map((each) => `${tr("It holds")} ${quantity(each.quantity)} ${pair(each.symbol)}, ${tr("stop")} ${each.stop_price ? price(each.stop_price) : "–"}, ${tr("target")} ${each.target_price ? price(each.target_price) : "–"}.`).join(" ")} ${tr("That position, its stop and its target stay where they are. The new numbers decide when it says sell; if they have not seen the entry, that may be only after their next one.")}</p>`}
  </div>`;
}

function Inside({ strategy, newest, again, onClose }) {
  const tr = useWords();
  const [texts, setTexts] = useState({});
  const [why, setWhy] = useState("");
  const { fields } = strategy;
  const values = wanted(fields, texts);
  const wrong = fields.some((field) => typeof values[field.path] === "string");
  const asked = Object.keys(values).length > 0 && !wrong ? JSON.stringify(values) : "";
  const told = useJudgement(strategy.strategy, asked);
  const overtaken = Math.max(newest || 0, told && told.version ? told.version : 0) > strategy.version;
  const general = told && told.faults.filter((fault) => !fields.some((field) => field.path === fault.path));
  const ready = asked && told && !told.problem && told.faults.length === 0 && !overtaken && !strategy.blocked;
  const submit = async () => {
    if (!ready) return;
    const body = { parameters: values, reason: why.trim() || "asked on the page", expected_version: strategy.version };
    if (await act(() => api("PATCH", pathOf(strategy.strategy), body))) onClose();
  };
  const groups = [...new Set(fields.map((field) => field.member))];
  return html`<${Facts} rows=${[[tr("Kind"), strategy.kind], [tr("Symbol"), pair(strategy.symbol)], [tr("Time frame"), strategy.timeframe], [tr("Version"), strategy.version]]} />
    ${!strategy.enabled && html`<p class="warn-text" role="status">${tr("not enabled")}</p>`}
    ${strategy.blocked && html`<p class="down" role="alert">${strategy.blocked}</p>`}
    ${!may("admin") && html`<p class="warn-text" role="status">${tr("Your token does not allow this")}</p>`}
    ${strategy.faults.map((fault) => html`<p key=${fault} class="down" role="alert">${fault}</p>`)}
    ${overtaken && html`<p class="down" role="alert">${tr("The settings were changed since this was opened. Read them again: what is typed here is then gone.")} <button type="button" class="small" onClick=${again}>${tr("Read again")}</button></p>`}
    ${fields.length === 0 ? html`<${Empty} title=${tr("takes no parameters")} />` : html`<${Form} label="${tr("Edit parameters")} ${strategy.strategy}" className="parameters" onSubmit=${submit} buttons=${html`
        <button type="button" onClick=${onClose}>${tr("Go back")}</button>
        <button type="submit" class="primary" disabled=${!ready} title=${may("admin") ? "" : tr("Your token does not allow this")}>${tr("Change it")}</button>`}>
      ${groups.map((member) => html`<fieldset key=${member === null ? "own" : member}>
        ${member !== null && html`<legend>${tr("Member")} ${member + 1}: ${fields.find((field) => field.member === member).of}</legend>`}
        ${fields.filter((field) => field.member === member).map((field) => html`<${Field} key=${field.path} kind="number" label=${field.name} value=${texts[field.path] ?? shown(field.value)} onChange=${(text) => setTexts((old) => ({ ...old, [field.path]: text }))}
          fault=${faultOf(field, values[field.path], told, tr)} hint="${worded(field.meaning)} · ${rangeOf(field, tr)}${field.whole ? ` · ${tr("whole")}` : ""} · ${tr("Default")} ${shown(field.default)}" />`)}
      </fieldset>`)}
      ${general && general.map((fault) => html`<p key=${fault.path + fault.must_be} class="down" role="alert">${fault.path} ${tr("must be")} ${spoken(fault.must_be)}</p>`)}
      ${told && told.problem && html`<p class="down" role="alert">${told.problem.message}</p>`}
      <${Before} told=${told} strategy=${strategy} />
      <${Field} label=${tr("Why (optional)")} value=${why} onChange=${setWhy} maxlength="200" />
    <//>`}`;
}

function Editor({ name, newest, onClose }) {
  const tr = useWords();
  const of = useApi(pathOf(name));
  return html`<${Modal} title="${tr("Edit parameters")}: ${name}" onClose=${onClose}>
    <${Answer} of=${of} rows=${4}>${(strategy) => html`<${Inside} key=${strategy.version} strategy=${strategy} newest=${newest} again=${of.again} onClose=${onClose} />`}<//>
  <//>`;
}

// `newest` is the version of the settings that is in force, as far as the page knows.
export function EditParameters({ name, newest }) {
  const tr = useWords();
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="small" aria-label="${tr("Edit parameters")} ${name}" onClick=${() => setOpen(true)}>${tr("Edit parameters")}</button>
    ${open && html`<${Editor} name=${name} newest=${newest} onClose=${() => setOpen(false)} />`}`;
}
