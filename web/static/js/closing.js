// What came of a close: a button that says that it was begun tells nobody at three in the morning whether he is out.

import { html } from "../vendor/preact-htm.js";
import { pair, quantity } from "./format.js";
import { ApiProblem, call } from "./session.js";
import { changed, useTopics } from "./store.js";
import { addWords, t, useWords } from "./words.js";

const LOOK_S = 5;
const AGAIN_MS = 2000;
const DONE_SHOWN_MS = 30_000;

// Each is {id, symbol, left, problem}: `symbol` is null for everything, `left` what the engine last said of it.
let closings = [];

const put = (id, news) => {
  closings = closings.map((one) => (one.id === id ? { ...one, ...news } : one));
  changed("closings");
};
const forget = (id) => {
  closings = closings.filter((one) => one.id !== id);
  changed("closings");
};
const isOver = ({ left, problem }) => Boolean(problem) || Boolean(left && (left.verified || (left.given_up.length && !left.under_way)));
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function follow(id) {
  const path = `/api/v2/risk/unified/flatten/${encodeURIComponent(id)}?wait_s=${LOOK_S}`;
  while (closings.some((one) => one.id === id && !isOver(one))) {
    try {
      put(id, { left: await call("GET", path) });
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      // An engine that is away comes back and knows its wishes; anything else is its last word.
      if (problem.status === 0 || problem.status === 429 || problem.status === 503) await pause(AGAIN_MS);
      else put(id, { problem: problem.message });
    }
  }
  const ended = closings.find((one) => one.id === id);
  if (ended && ended.left && ended.left.verified) setTimeout(() => forget(id), DONE_SHOWN_MS);
}

// `call(...).then(closing(symbol))`: the answer goes on to whoever asked, and a banner tells what comes of it.
export const closing = (symbol = null) => (answer) => {
  closings = [...closings.filter((one) => !isOver(one)), { id: answer.correlation_id, symbol, left: null, problem: "" }];
  changed("closings");
  follow(answer.correlation_id);
  return answer;
};

const amounts = (held) => Object.entries(held).map(([symbol, amount]) => (Number(amount) ? `${quantity(amount)} ${pair(symbol)}` : `${t("an order in")} ${pair(symbol)}`)).join(", ");

function Closing({ one }) {
  const tr = useWords();
  const { status } = useTopics("status");
  const { id, symbol, left, problem } = one;
  const what = symbol ? pair(symbol) : tr("everything");
  const away = html`<button type="button" class="small" onClick=${() => forget(id)}>${tr("Hide")}</button>`;
  if (problem) {
    return html`<div class="banner bad closing" role="alert"><b>${tr("Nobody can tell what came of closing")} ${what}</b><span>${problem}</span>${away}</div>`;
  }
  if (left && left.verified) {
    const since = amounts(left.opened_since);
    return html`<div class="banner ${since ? "warn" : "good"} closing" role="status"><b>${tr("Closed")}: ${what}</b>
      <span>${since ? `${tr("Trading goes on, and has opened since then")}: ${since}. ${tr("Halt first, and it stays closed.")}` : tr("No order is open and nothing is held of it.")}</span>${away}</div>`;
  }
  const rest = left && html`<span>${tr("Open orders")}: ${left.open_orders} · ${tr("Still held")}: ${amounts(left.held) || tr("nothing")}</span>`;
  if (left && isOver(one)) {
    return html`<div class="banner bad closing" role="alert"><b>${tr("Not closed, given up after three tries")}: ${left.given_up.map(pair).join(", ")}</b>${rest}
      <span>${tr("The page Orders has the reason. Nobody closes it now.")}</span>${away}</div>`;
  }
  return html`<div class="banner warn closing" role="status"><b>${tr("Closing")} ${what} …</b>${rest}
    ${status && status.replay && status.replay.done && html`<span>${tr("The recording is over: nothing trades any more.")}</span>`}${away}</div>`;
}

export function ClosingBanners() {
  useTopics("closings");
  return closings.map((one) => html`<${Closing} key=${one.id} one=${one} />`);
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
