// The parts that every page is made of: cards, tables, forms, the states of an answer, buttons that ask, lines.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { ApiProblem, call, may } from "./session.js";
import { changed, useTopics } from "./store.js";
import { t, useWords } from "./words.js";

export { LineChart, Sparkline } from "./plots.js";
export { link } from "./router.js";

// A call of the API with the page's token: `await api("POST", "/api/v2/order", body)`. Throws ApiProblem.
export { ApiProblem, call as api, may } from "./session.js";

export function Card({ title, count, tools, children, className = "", id }) {
  return html`<section class="card ${className}" aria-labelledby=${id}>
    <header class="card-head">
      <h2 id=${id}>${title}</h2>
      ${count !== undefined && html`<span class="count">${count}</span>`}
      <div class="tools">${tools}</div>
    </header>
    ${children}
  </section>`;
}

export const Empty = ({ title, text }) =>
  html`<div class="empty"><p>${title}</p>${text && html`<p class="muted">${text}</p>`}</div>`;

export const Loading = ({ rows = 4 }) =>
  html`<div class="loading" role="status" aria-label=${t("Loading")}>
    ${Array.from({ length: rows }, (_, i) => html`<span class="bone" key=${i}></span>`)}
  </div>`;

// A refusal or a fault, in the engine's own words, with its code and the id that stands in the log.
export function Problem({ problem, again }) {
  const tr = useWords();
  const told = [problem.status || "", problem.code, problem.id].filter(Boolean).join(" · ");
  return html`<div class="empty" role="alert"><p class="down">${problem.message || String(problem)}</p>
    ${told && html`<p class="muted">${told}</p>`}
    ${again && html`<p><button type="button" class="small" onClick=${again}>${tr("Try again")}</button></p>`}
  </div>`;
}

// What an answer looks like while it is under way, refused, empty, and there:
// `<${Answer} of=${useApi("/api/v2/x")} empty=${(data) => !data.rows.length} title="Nothing yet">${(data) => ...}<//>`
export function Answer({ of, empty, title, text, rows = 4, children }) {
  const tr = useWords();
  if (of.data === undefined) return of.problem ? html`<${Problem} problem=${of.problem} again=${of.again} />` : html`<${Loading} rows=${rows} />`;
  const stale = of.problem && html`<p class="why warn-text" role="alert">${of.problem.message}</p>`;
  if (empty && empty(of.data)) return html`${stale}<${Empty} title=${title || tr("Nothing is here")} text=${text} />`;
  return html`${stale}${children(of.data)}`;
}

// GET a path, again when it changes and each `every` seconds while the page is in front. `path` null asks nothing.
// Gives {data, problem, busy, again}: `data` stays while a newer answer is under way or refused.
export function useApi(path, { every = 0 } = {}) {
  const [told, setTold] = useState({ data: undefined, problem: null, busy: true });
  const { backs } = useTopics("backs");
  const asked = useRef(0);
  const look = async () => {
    const number = ++asked.current;
    if (path === null) return;
    setTold((old) => ({ ...old, busy: true }));
    let next;
    try {
      next = { data: await call("GET", path), problem: null, busy: false };
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      next = { problem, busy: false };
    }
    // An answer that was overtaken by a newer question, or whose page is closed, is nobody's.
    if (number === asked.current) setTold((old) => ({ ...old, ...next }));
  };
  useEffect(() => {
    setTold((old) => ({ ...old, data: undefined, problem: null }));
    look();
    const timer = every && setInterval(() => document.hidden || look(), every * 1000);
    return () => {
      asked.current += 1;
      clearInterval(timer);
    };
  }, [path, every]);
  useEffect(() => {
    if (backs) look();
  }, [backs]);
  return { ...told, again: look };
}

// `heads` are [text, class]; `n` is a number, `wide` is left out on a telephone, `widest` on anything but a wall.
export function Table({ heads, rows, className = "", label }) {
  return html`<div class="scroll ${className}" tabindex="0" role="group" aria-label=${label || t("Table")}><table>
    <thead><tr>${heads.map(([text, kind]) => (text ? html`<th class=${kind || ""} scope="col">${text}</th>` : html`<td class=${kind || ""}></td>`))}</tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}

// Older and newer pages of a list that knows its total.
export function Pager({ offset, limit, total, onOffset }) {
  const tr = useWords();
  if (total <= limit && offset === 0) return null;
  return html`<p class="pager">
    <button type="button" class="small" disabled=${offset === 0} onClick=${() => onOffset(Math.max(0, offset - limit))}>${tr("Newer")}</button>
    <span class="muted">${Math.min(total, offset + 1)} ${tr("to")} ${Math.min(total, offset + limit)} ${tr("of")} ${total}</span>
    <button type="button" class="small" disabled=${offset + limit >= total} onClick=${() => onOffset(offset + limit)}>${tr("Older")}</button>
  </p>`;
}

// A few named values: `rows` are [name, value, tone].
export const Facts = ({ rows, className = "" }) =>
  html`<dl class="facts ${className}">${rows.map(([name, value, tone = ""]) => html`<div key=${name}><dt>${name}</dt><dd class=${tone}>${value}</dd></div>`)}</dl>`;

export const Code = ({ text, className = "" }) => html`<pre class="code ${className}" tabindex="0">${text}</pre>`;

// --- forms ------------------------------------------------------------------------------------------------------

// One labelled input. `kind` is text, number, select (with `options` as [value, text]), check, or area.
// `fault` is the sentence about it, `hint` what it means; `onChange` gets the text, or true and false for a check.
export function Field({ label, value, onChange, kind = "text", options = [], fault, hint, ...more }) {
  const [id] = useState(() => `field-${++fieldNumber}`);
  const told = fault || hint;
  const props = { id, "aria-invalid": fault ? "true" : undefined, "aria-describedby": told ? `${id}-told` : undefined, ...more };
  const text = (event) => onChange(event.target.value);
  const input = {
    select: () => html`<select ...${props} value=${value} onChange=${text}>${options.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value}>${words}</option>`)}</select>`,
    check: () => html`<input type="checkbox" ...${props} checked=${value} onChange=${(event) => onChange(event.target.checked)} />`,
    area: () => html`<textarea ...${props} value=${value} onInput=${text} spellcheck="false"></textarea>`,
    number: () => html`<input inputmode="decimal" autocomplete="off" ...${props} value=${value} onInput=${text} />`,
  }[kind] || (() => html`<input type=${kind} autocomplete="off" spellcheck="false" ...${props} value=${value} onInput=${text} />`);
  return html`<div class="field ${kind} ${fault ? "faulty" : ""}"><label for=${id}>${label}</label>${input()}
    ${told && html`<p id="${id}-told" class=${fault ? "down" : "muted"}>${told}</p>`}</div>`;
}
let fieldNumber = 0;

export const firstOfTicket = () => document.querySelector("#main .ticket .field.number input");

// Fields with their buttons in a row under them; `onSubmit` may be async, and the form is busy until it ends.
export function Form({ onSubmit, children, buttons, className = "", label }) {
  const [busy, setBusy] = useState(false);
  const go = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      await onSubmit(event);
    } finally {
      setBusy(false);
    }
  };
  return html`<form class="form ${className}" onSubmit=${go} aria-label=${label} aria-busy=${busy}>${children}<div class="row">${buttons}</div></form>`;
}

export const Chip = ({ tone = "", children, title }) =>
  html`<span class="chip ${tone}" title=${title}>${children}</span>`;

export function Bar({ fraction, tone = "" }) {
  const width = `${Math.max(0, Math.min(1, fraction || 0)) * 100}%`;
  return html`<span class="bar ${tone}"><span style=${{ width }}></span></span>`;
}

export const Side = ({ side }) =>
  html`<span class=${side === "buy" ? "up" : side === "sell" ? "down" : "muted"}>${t(side || "–")}</span>`;

export function Segments({ options, value, onPick, label }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(
      ([key, text]) =>
        html`<button key=${key} type="button" aria-pressed=${key === value} onClick=${() => onPick(key)}>${text}</button>`,
    )}
  </div>`;
}

// The same choice of few or of hundreds: beyond eight a row of buttons hides what is behind its end.
const IN_A_ROW = 8;
export function Choice({ options, value, onPick, label }) {
  if (options.length <= IN_A_ROW) return html`<${Segments} options=${options} value=${value} onPick=${onPick} label=${label} />`;
  return html`<select class="choice" aria-label=${label} value=${value} onChange=${(event) => onPick(event.target.value)}>${options.map(([key, text]) => html`<option key=${key} value=${key} selected=${key === value}>${text}</option>`)}</select>`;
}

// A dialog for a form of its own: `<${Modal} title=... onClose=...>...<//>` is open while it is drawn.
export function Modal({ title, onClose, children }) {
  const dialog = useRef(null);
  const [id] = useState(() => `modal-${++fieldNumber}`);
  useLayoutEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby=${id}><h2 id=${id}>${title}</h2>${children}</dialog>`;
}

// --- toasts -----------------------------------------------------------------------------------------------------

let toasts = [];
let number = 0;

export function toast(tone, text) {
  const id = ++number;
  toasts = [...toasts.slice(-3), { id, tone, text }];
  changed("toasts");
  setTimeout(() => {
    toasts = toasts.filter((one) => one.id !== id);
    changed("toasts");
  }, tone === "bad" ? 9000 : 4000);
}

export function Toasts() {
  useTopics("toasts");
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.map(({ id, tone, text }) => html`<p key=${id} class="toast ${tone}">${text}</p>`)}
  </div>`;
}

// `about` is what was done, where the engine has no sentence of its own for it.
export async function act(what, about = "") {
  try {
    const answer = await what();
    toast("good", [`${t("Sent")}: ${ApiProblem.speak(answer.message) || about || "ok"}`, ...(answer.notices || []).map(ApiProblem.speak)].join(" · "));
    return true;
  } catch (problem) {
    if (!(problem instanceof ApiProblem)) throw problem;
    toast("bad", `${t("Refused")}: ${problem.message}`);
    return false;
  }
}

// --- questions --------------------------------------------------------------------------------------------------

let question = null;

// Ask before something is done. `word` has to be typed for what cannot be undone; with `why` a reason may be given, and
// `run` gets it.
export function ask({ title, text, yes, tone = "danger", word, why, run }) {
  question = { title, text, yes, tone, word, why, run, number: ++number };
  changed("question");
}

// A key that is still held down from the form before answers no question.
const calm = (event) => event.key === "Enter" && event.repeat && event.preventDefault();

export function Question() {
  useTopics("question");
  const tr = useWords();
  const dialog = useRef(null);
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => {
    if (question && dialog.current && !dialog.current.open) {
      setTyped("");
      setReason("");
      dialog.current.showModal();
    }
  });
  if (!question) return null;
  const mine = question;
  const { title, text, yes, tone, word, why, run } = mine;
  // The browser tells late that a dialog was closed, when another question may stand: each has a dialog of its own.
  const done = () => {
    if (question !== mine) return;
    question = null;
    changed("question");
  };
  const back = () => {
    done();
    dialog.current.close();
  };
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    await act(() => run(reason.trim() || "asked on the page"), title);
    setBusy(false);
    done();
  };
  return html`<dialog key=${mine.number} ref=${dialog} onClose=${done} class="question" aria-labelledby="question-title">
    <form onSubmit=${go} onKeyDown=${calm}>
      <h2 id="question-title">${title}</h2>
      <p>${text}</p>
      ${word &&
      html`<label><span>${tr("Write")} <b>${word}</b> ${tr("to confirm")}</span>
        <input value=${typed} onInput=${(e) => setTyped(e.target.value)} autocomplete="off" spellcheck="false" />
      </label>`}
      ${why &&
      html`<label><span>${tr("Why (optional)")}</span>
        <input value=${reason} onInput=${(e) => setReason(e.target.value)} maxlength="200" autocomplete="off" />
      </label>`}
      <div class="row end">
        <button type="button" onClick=${back}>${tr("Go back")}</button>
        <button type="submit" class=${tone} autofocus=${!word && !why} disabled=${busy || (word && typed.trim() !== word)}>${yes}</button>
      </div>
    </form>
  </dialog>`;
}

// `about` names what a button of a list is for, to those who do not see the row that it stands in.
export function Command({ scope = "trade", tone = "", label, title, text, word, why, run, small, about }) {
  const allowed = may(scope);
  return html`<button
    type="button"
    class="${tone} ${small ? "small" : ""}"
    disabled=${!allowed}
    title=${allowed ? text : t("Your token does not allow this")}
    aria-label=${about && `${label} ${about}`}
    onClick=${() => ask({ title: title || label, text, yes: label, tone: tone || "primary", word, why, run })}
  >
    ${label}
  </button>`;
}
