// Small parts that every panel is made of: the card, its empty and loading states, chips, bars, buttons that confirm.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { ApiProblem, may } from "./session.js";
import { changed, useTopics } from "./store.js";
import { t, useWords } from "./words.js";

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

export async function act(what) {
  try {
    const answer = await what();
    toast("good", `${t("Sent")}: ${answer.message || answer.intent_id || "ok"}`);
    return true;
  } catch (problem) {
    if (!(problem instanceof ApiProblem)) throw problem;
    toast("bad", `${t("Refused")}: ${problem.message}`);
    return false;
  }
}

// --- questions --------------------------------------------------------------------------------------------------

let question = null;

// Ask before something is done. `word` has to be typed for what cannot be undone.
export function ask({ title, text, yes, tone = "danger", word, run }) {
  question = { title, text, yes, tone, word, run };
  changed("question");
}

export function Question() {
  useTopics("question");
  const tr = useWords();
  const dialog = useRef(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (question && dialog.current && !dialog.current.open) {
      setTyped("");
      dialog.current.showModal();
    }
  });
  if (!question) return null;
  const { title, text, yes, tone, word, run } = question;
  const done = () => {
    question = null;
    changed("question");
  };
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    await act(run);
    setBusy(false);
    done();
  };
  return html`<dialog ref=${dialog} onClose=${done} class="question" aria-labelledby="question-title">
    <form onSubmit=${go}>
      <h2 id="question-title">${title}</h2>
      <p>${text}</p>
      ${word &&
      html`<label><span>${tr("Write")} <b>${word}</b> ${tr("to confirm")}</span>
        <input value=${typed} onInput=${(e) => setTyped(e.target.value)} autocomplete="off" spellcheck="false" />
      </label>`}
      <div class="row end">
        <button type="button" onClick=${() => dialog.current.close()}>${tr("Go back")}</button>
        <button type="submit" class=${tone} disabled=${busy || (word && typed.trim() !== word)}>${yes}</button>
      </div>
    </form>
  </dialog>`;
}

export function Command({ scope = "trade", tone = "", label, title, text, word, run, small }) {
  const allowed = may(scope);
  return html`<button
    type="button"
    class="${tone} ${small ? "small" : ""}"
    disabled=${!allowed}
    title=${allowed ? text : t("Your token does not allow this")}
    onClick=${() => ask({ title: title || label, text, yes: label, tone: tone || "primary", word, run })}
  >
    ${label}
  </button>`;
}
