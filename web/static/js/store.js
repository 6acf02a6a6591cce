// What the page knows, by topic. Components ask for topics and are drawn again when one of them changed: what somebody did
// at once, what the stream says ten times a second at most, however fast the market is.

import { useLayoutEffect, useReducer } from "../vendor/preact-htm.js";

const ROWS = 500;
const DRAW_MS = 100;

export const state = {
  link: { phase: "connecting", since: Date.now(), frameAt: 0, attempts: 0, reason: "", waits: null },
  status: null,
  ticker: new Map(),
  wallet: undefined,
  position: undefined,
  protection: undefined,
  order: undefined,
  trade: undefined,
  signal: undefined,
  verdict: undefined,
  regime: undefined,
  risk: undefined,
  equity: undefined,
  actor: undefined,
  connection: undefined,
  freshness: undefined,
  notification: undefined,
  job: undefined,
  missed: 0,
  backs: 0,
  selection: { symbol: "", timeframe: "" },
  // A new order was asked for: the next ticket that is drawn takes the keys.
  ordering: false,
};

const drawers = new Map();
const dirty = new Set();
let drawing = 0;
let drawsAt = 0;
let drawnAt = -DRAW_MS;

function draw() {
  drawing = 0;
  drawnAt = performance.now();
  const wanted = new Set();
  for (const topic of dirty) for (const drawer of drawers.get(topic) || []) wanted.add(drawer);
  dirty.clear();
  for (const drawer of wanted) drawer();
}

function drawAt(at) {
  if (drawing && drawsAt <= at) return;
  clearTimeout(drawing);
  drawsAt = at;
  drawing = setTimeout(draw, Math.max(0, at - performance.now()));
}

// Something of the page's own changed: nobody waits for an answer to a click.
export function changed(topic) {
  dirty.add(topic);
  drawAt(performance.now());
}

function heard(topic) {
  dirty.add(topic);
  // After a pause, as at the beginning, the first word is shown at once.
  drawAt(Math.max(performance.now(), drawnAt + DRAW_MS));
}

export function useTopics(...topics) {
  const [, again] = useReducer((n) => n + 1, 0);
  // In the frame that drew it: what is told between drawing and listening would be shown with the next news alone.
  useLayoutEffect(() => {
    for (const topic of topics) {
      if (!drawers.has(topic)) drawers.set(topic, new Set());
      drawers.get(topic).add(again);
    }
    return () => topics.forEach((topic) => drawers.get(topic).delete(again));
  }, topics);
  return state;
}

const candleListeners = new Set();
export const onCandles = (listener) => {
  candleListeners.add(listener);
  return () => candleListeners.delete(listener);
};

const keyOf = {
  order: (row) => row.intent_id || `venue:${row.venue_id}`,
  trade: (row) => row.trade_id,
  signal: (row) => row.signal_id,
  verdict: (row) => row.verdict_id,
  notification: (row) => `${row.at_ms}:${row.code}:${row.text}`,
  job: (row) => row.job_id,
};

function trim(map) {
  while (map.size > ROWS) map.delete(map.keys().next().value);
}

function take({ topic, kind, data }) {
  switch (topic) {
    case "ticker":
      for (const row of kind === "snapshot" ? data : [data]) state.ticker.set(row.symbol, row);
      break;
    case "candle":
      for (const listener of candleListeners) listener(kind, kind === "snapshot" ? data : [data]);
      return;
    case "order":
    case "trade":
    case "signal":
    case "verdict":
    case "notification":
    case "job": {
      if (kind === "snapshot" || !state[topic]) state[topic] = new Map();
      const map = state[topic];
      for (const row of kind === "snapshot" ? data : [data]) {
        const key = keyOf[topic](row);
        // A newer state of an order keeps its place in the list.
        map.set(key, row);
      }
      trim(map);
      break;
    }
    case "regime": {
      // A snapshot says what is; an update is a change, and what was before it stays for the chart's shading.
      const known = state.regime || [];
      const news = (kind === "snapshot" ? data : [data]).filter((row) => !known.some((old) => old.symbol === row.symbol && old.timeframe === row.timeframe && old.since_ms === row.since_ms));
      state.regime = [...known, ...news].slice(-ROWS);
      break;
    }
    case "equity":
      if (kind === "snapshot") state.equity = data;
      else if (state.equity) {
        const last = state.equity[state.equity.length - 1];
        if (!last || data.at_ms > last.at_ms) state.equity.push(data);
        if (state.equity.length > 4000) state.equity = state.equity.filter((_, i) => i % 2 === 0 || i > 2000);
      } else state.equity = [data];
      break;
    default:
      state[topic] = data;
  }
  heard(topic);
}

export function hear(message) {
  if (message.kind === "missed") {
    state.missed += message.data;
    changed("missed");
    return message.topic;
  }
  if (message.kind === "snapshot" || message.kind === "update") take(message);
  return null;
}

export function setLink(change) {
  Object.assign(state.link, change);
  changed("link");
}

// The stream is back after it was lost.
export function comeBack() {
  state.backs += 1;
  changed("backs");
}

export const newestFirst = (map) => (map ? [...map.values()].reverse() : []);
export const CLOSED = new Set(["FILLED", "CANCELED", "REJECTED", "EXPIRED", "DEAD"]);
