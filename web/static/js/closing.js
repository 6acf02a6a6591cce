// What came of a close: a button that says that it was begun tells nobody at three in the morning whether he is out.

import { html, useEffect } from "../vendor/preact-htm.js";
import { pair, quantity } from "./format.js";
import { ApiProblem, call } from "./session.js";
import { changed, useTopics } from "./store.js";
import { addWords, t, useWords } from "./words.js";

const PATH = "/api/v2/risk/unified/flatten";
const KEPT = "genesis.closings";
const LOOK_S = 5;
const AGAIN_MS = 2000;
const DONE_SHOWN_MS = 30_000;
// An order actor that stands still is started again long before. One that has never heard of a wish never will.
const ASKED_IN_VAIN = 30;
// An engine that is away, or a proxy in front of it, comes back and knows its wishes.
const PASSING = new Set([0, 429, 502, 503, 504]);

// Each is {id, symbol, left, problem, follows}: `symbol` is null for everything, `left` what the engine last said of it,
// `follows` is its own each time that it is followed anew.
let closings = [];

function keep(news) {
  closings = news;
  try {
    // For this tab, over a reload: what was given up is no longer under way, and must not be gone with it.
    sessionStorage.setItem(KEPT, JSON.stringify(closings.map(({ id, symbol }) => ({ id, symbol }))));
  } catch {
    // Storage may be refused; then what is under way is found again, and no more.
  }
  changed("closings");
}
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) || [];
  } catch {
    return [];
  }
}
const put = (id, news) => keep(closings.map((one) => (one.id === id ? { ...one, ...news } : one)));
const forget = (id) => keep(closings.filter((one) => one.id !== id));
const isDone = ({ left }) => Boolean(left && left.verified);
const isOver = (one) => isDone(one) || Boolean(one.left && one.left.given_up.length && !one.left.under_way);
const isOf = (one, symbol) => symbol === null || one.symbol === symbol;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function follow(id, follows) {
  const path = `${PATH}/${encodeURIComponent(id)}?wait_s=${LOOK_S}`;
  const mine = () => closings.find((one) => one.id === id && one.follows === follows);
  for (let inVain = 0; mine() && !isOver(mine()) && inVain < ASKED_IN_VAIN; ) {
    try {
      const left = await call("GET", path);
      inVain = 0;
      if (mine()) put(id, { left, problem: "" });
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      if (!PASSING.has(problem.status)) {
        if (mine()) put(id, { problem: problem.message });
        if (problem.status !== 404) return;
        inVain += 1;
      }
      await pause(AGAIN_MS);
    }
  }
  if (mine() && isDone(mine())) setTimeout(() => mine() && forget(id), DONE_SHOWN_MS);
}

function begin(id, symbol) {
  const follows = {};
  // What was not closed is told until somebody hides it, or closes it anew.
  keep([...closings.filter((one) => one.id !== id && !isDone(one) && !((isOver(one) || one.problem) && isOf(one, symbol))), { id, symbol, left: null, problem: "", follows }]);
  follow(id, follows);
}

// What this tab followed before it was loaded anew, and what is under way, whoever began it and wherever.
async function pickUp(tries = ASKED_IN_VAIN) {
  const known = (id) => closings.some((one) => one.id === id && !one.problem);
  for (const { id, symbol } of [...closings, ...kept()]) if (!known(id)) begin(id, symbol);
  for (; tries > 0; tries -= 1) {
    try {
      const { flattens } = await call("GET", PATH);
      for (const left of flattens.reverse()) {
        const id = left.correlation_id;
        if (left.under_way && !known(id)) begin(id, left.symbol);
        // The first look takes its time while nothing comes of it.
        if (closings.some((one) => one.id === id && !one.left)) put(id, { left });
      }
      return;
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      if (!PASSING.has(problem.status)) return;
      await pause(AGAIN_MS);
    }
  }
}

// A promise of an answer, which goes on to whoever asked; a banner tells what comes of it. An answer that was lost on its
// way may be of a close that goes on all the same: it is looked for.
export const closing = (asked, symbol = null) =>
  asked.then(
    (answer) => {
      begin(answer.correlation_id, symbol);
      return answer;
    },
    (problem) => {
      if (PASSING.has(problem.status)) pickUp();
      throw problem;
    },
  );

const amounts = (held) => Object.entries(held).map(([symbol, amount]) => (Number(amount) ? `${quantity(amount)} ${pair(symbol)}` : `${t("an order in")} ${pair(symbol)}`)).join(", ");

function Closing({ one }) {
  const tr = useWords();
  const { id, symbol, left, problem } = one;
  const what = symbol ? pair(symbol) : tr("everything");
  const away = html`<button type="button" class="small" onClick=${() => forget(id)}>${tr("Hide")}</button>`;
  if (problem) {
    return html`<div class="banner bad closing" role="alert"><b>${tr("Nobody can tell what came of closing")} ${what}</b><span>${problem}</span>${away}</div>`;
  }
  if (isDone(one)) {
    const since = amounts(left.opened_since);
    return html`<div class="banner ${since ? "warn" : "good"} closing" role="status"><b>${tr("Closed")}: ${what}</b>
      <span>${since ? `${tr("Trading goes on, and has opened since then")}: ${since}. ${tr("Halt first, and it stays closed.")}` : tr("No order is open and nothing is held of it.")}</span>${away}</div>`;
  }
  const rest = left && html`<span>${tr("Open orders")}: ${left.open_orders} · ${tr("Still held")}: ${amounts(left.held) || tr("nothing")}</span>`;
  if (isOver(one)) {
    return html`<div class="banner bad closing" role="alert"><b>${tr("Not closed, given up after three tries")}: ${left.given_up.map(pair).join(", ")}</b>${rest}
      <span>${tr("The page Orders has the reason. Nobody closes it now.")}</span>${away}</div>`;
  }
  return html`<div class="banner warn closing" role="status"><b>${tr("Closing")} ${what} …</b>${rest}
    ${left && left.recording_over && html`<span>${tr("The recording is over: nothing trades any more.")}</span>`}${away}</div>`;
}

export function ClosingBanners() {
  useTopics("closings");
  useEffect(() => {
    pickUp();
  }, []);
  return html`<div class="closings">${closings.map((one) => html`<${Closing} key=${one.id} one=${one} />`)}</div>`;
}

addWords({
  "Closing": "Stänger", "Closed": "Stängt", "Hide": "Dölj", "nothing": "inget", "Still held": "Hålls ännu", "an order in": "en order i", "Open orders": "Öppna ordrar",
  "The recording is over: nothing trades any more.": "Inspelningen är slut: inget handlas längre.",
  "No order is open and nothing is held of it.": "Ingen order är öppen och inget av det hålls.",
  "Trading goes on, and has opened since then": "Handeln går vidare och har öppnat sedan dess",
  "Halt first, and it stays closed.": "Stoppa handeln först, så förblir det stängt.",
  "Not closed, given up after three tries": "Inte stängt, uppgivet efter tre försök",
  "The page Orders has the reason. Nobody closes it now.": "Sidan Ordrar har orsaken. Ingen stänger det nu.",
  "Nobody can tell what came of closing": "Ingen vet vad det blev av att stänga",
});
