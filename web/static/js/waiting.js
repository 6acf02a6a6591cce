// What a start shows that waits: for what, since when, and why. As soon as the engine is there the page itself is loaded.

import { html, render, useEffect, useState } from "../vendor/preact-htm.js";
import { clock, date, duration } from "./format.js";
import { toggleTheme } from "./theme.js";
import { addWords, currentLanguage, setLanguage, useWords } from "./words.js";

const MARK = new URL("../favicon.svg", import.meta.url).href;
const LOOK_MS = 2000;

addWords({
  "The venue does not answer": "Börsen svarar inte", "The engine waits for the market": "Motorn väntar på marknaden",
  "The engine does not answer": "Motorn svarar inte",
  "waits since": "väntar sedan", "reads its records since": "läser sitt arkiv sedan",
  "Nothing is traded, and no stop is looked after, until it answers. What rests at the venue stays there. The start goes on by itself.":
    "Inget handlas, och inget stopp sköts, förrän den svarar. Det som ligger på börsen ligger kvar. Starten fortsätter av sig själv.",
  "Nothing is traded before the public market has come. The start goes on by itself; it ends with the reason when nothing more comes for a minute.":
    "Inget handlas innan den öppna marknaden har kommit. Starten fortsätter av sig själv; den slutar med orsaken om inget mer kommer på en minut.",
  "Nothing is traded before that is done. The start goes on by itself.": "Inget handlas innan det är klart. Starten fortsätter av sig själv.",
  "It was ended, or could not start: its terminal and its log say why.": "Den avslutades eller kunde inte starta: dess terminal och logg säger varför.",
  "Last reason": "Senaste orsak", "This page opens as soon as the engine is there.": "Den här sidan öppnas så snart motorn är igång.",
  "In a terminal": "I en terminal", "Mode": "Läge",
});

const TITLES = { venue: "The venue does not answer", feed: "The engine waits for the market", start: "The engine starts" };
const TEXTS = {
  venue: "Nothing is traded, and no stop is looked after, until it answers. What rests at the venue stays there. The start goes on by itself.",
  feed: "Nothing is traded before the public market has come. The start goes on by itself; it ends with the reason when nothing more comes for a minute.",
  start: "Nothing is traded before that is done. The start goes on by itself.",
};

async function look() {
  try {
    const answer = await fetch("/health", { credentials: "omit", cache: "no-store" });
    const health = await answer.json();
    if (health.status && !health.waits) {
      location.reload();
      return null;
    }
    return health.waits ? health : null;
  } catch {
    return { gone: true };
  }
}

function useHealth() {
  const [health, setHealth] = useState(null);
  useEffect(() => {
    let timer = 0;
    const again = async () => {
      const found = await look();
      if (found) setHealth(found);
      timer = setTimeout(again, LOOK_MS);
    };
    again();
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    const second = setInterval(() => setHealth((known) => known && { ...known }), 1000);
    return () => clearInterval(second);
  }, []);
  return health;
}

function Waits({ waits, mode }) {
  const tr = useWords();
  // A venue that has not failed yet is only being asked.
  const what = waits.what === "venue" && !waits.reason && Date.now() - waits.since_ms < 5000 ? "start" : waits.what;
  const since = waits.what === "start" ? "reads its records since" : "waits since";
  return html`<div class="banner ${what === "venue" ? "bad" : "warn"}" role="alert"><b>${tr(TITLES[what] || TITLES.start)}</b>
      <span>${tr(since)} ${date(waits.since_ms)} ${clock(waits.since_ms)} UTC (${duration((Date.now() - waits.since_ms) / 1000)})</span></div>
    <main class="signin waiting"><div class="card">
      <div class="brand"><img src=${MARK} alt="" width="28" height="28" /><h1>Genesis</h1><span class="mode ${mode}">${mode}</span></div>
      <p>${tr(TEXTS[waits.what] || TEXTS.start)}</p>
      ${waits.reason && html`<p><span class="muted">${tr("Last reason")}</span><br /><code>${waits.reason}</code></p>`}
      <p class="muted">${tr("This page opens as soon as the engine is there.")} ${tr("In a terminal")}: <code class="nowrap">genesis status</code></p>
      <${Switches} />
    </div></main>`;
}

function Switches() {
  const tr = useWords();
  const next = currentLanguage() === "sv" ? "en" : "sv";
  return html`<div class="row end">
    <button type="button" class="quiet" title=${tr("Language")} lang=${next} onClick=${() => setLanguage(next)}>${next.toUpperCase()}</button>
    <button type="button" class="quiet" onClick=${toggleTheme}>${tr("Theme")}</button>
  </div>`;
}

function Waiting() {
  const tr = useWords();
  const health = useHealth();
  useEffect(() => {
    document.title = health && health.waits ? `${tr(TITLES[health.waits.what] || TITLES.start)} · Genesis` : "Genesis";
  });
  if (!health) return html`<p class="boot">Genesis</p>`;
  if (health.gone) {
    return html`<div class="banner bad" role="alert"><b>${tr("The engine does not answer")}</b></div>
      <main class="signin waiting"><div class="card">
        <div class="brand"><img src=${MARK} alt="" width="28" height="28" /><h1>Genesis</h1></div>
        <p>${tr("It was ended, or could not start: its terminal and its log say why.")}</p>
        <${Switches} />
      </div></main>`;
  }
  return html`<${Waits} waits=${health.waits} mode=${health.mode} />`;
}

const place = document.getElementById("waiting");
place.replaceChildren();
render(html`<${Waiting} />`, place);
