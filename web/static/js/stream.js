// The event stream: one WebSocket, subscribed to what the page shows, dialled again when it falls, never silently old.

import { forget, onRenew, session } from "./session.js";
import { comeBack, hear, setLink, state } from "./store.js";

const TOPICS = [
  "status", "ticker", "wallet", "position", "protection", "order", "trade", "signal", "verdict", "regime", "risk", "equity", "actor",
  "connection", "freshness", "notification", "job",
];
const SILENT_MS = 4000;
const DIAL_MS = [300, 700, 1000, 1500, 2000];

// Topics of what happened: after a break only what was missed of them is told.
const GOES_ON = new Set(["order", "trade", "signal", "verdict", "notification", "regime"]);
const seen = new Map();
let epoch = "";
let socket = null;
let dialTimer = 0;
let place = null;
let onSignedOut = () => {};
let ended = false;

const say = (message) => {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};

const subscribe = (topics, where) => say({ op: "subscribe", topics, ...(where || {}) });

export function watchCandles(symbol, timeframe) {
  if (place && place.symbol === symbol && place.timeframe === timeframe) {
    // Another chart of the same place wants its own beginning.
    subscribe(["candle"], place);
    return;
  }
  if (place) say({ op: "unsubscribe", topics: ["candle"], ...place });
  place = { symbol, timeframe };
  subscribe(["candle"], place);
}

// A start that waits for its venue takes no stream, and says for what it waits: an engine that is gone says nothing.
async function askWaits() {
  let waits = null;
  try {
    const answer = await fetch("/health", { credentials: "omit", cache: "no-store" });
    ({ waits } = await answer.json());
  } catch {
    // Nobody is there.
  }
  if (state.link.phase === "lost") setLink({ waits: waits || null });
}

function dial() {
  clearTimeout(dialTimer);
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v2/stream`;
  const dialled = new WebSocket(address, ["genesis.v2"]);
  socket = dialled;
  dialled.onopen = () => {
    if (session.token) say({ op: "auth", token: session.token });
    // Back after a break, the topics that can go on where they stopped do.
    say({ op: "subscribe", topics: TOPICS, ...(epoch ? { epoch, since: Object.fromEntries(seen) } : {}) });
    if (place) subscribe(["candle"], place);
  };
  dialled.onmessage = (event) => {
    if (dialled !== socket) return;
    const frame = JSON.parse(event.data);
    const now = Date.now();
    if (state.link.phase !== "live") {
      // What was asked for by itself is asked for again as soon as somebody answers.
      if (state.link.frameAt) comeBack();
      setLink({ phase: "live", since: now, attempts: 0, reason: "", waits: null });
    }
    state.link.frameAt = now;
    const again = new Set();
    for (const message of frame.messages) {
      if (message.topic === "session" && message.kind === "direct") {
        session.scope = message.data.scope;
        session.dev = message.data.dev;
        if (message.data.epoch !== epoch) seen.clear();
        epoch = message.data.epoch;
        continue;
      }
      if (message.seq > 0 && GOES_ON.has(message.topic)) seen.set(message.topic, message.seq);
      const missed = hear(message);
      if (missed && missed !== "candle") again.add(missed);
      if (missed === "candle" && place) subscribe(["candle"], place);
    }
    // Something was dropped because we were slow: a fresh snapshot is cheaper than a wrong table.
    if (again.size) subscribe([...again]);
  };
  dialled.onclose = (event) => {
    if (dialled !== socket) return;
    socket = null;
    const since = state.link.phase === "live" ? Date.now() : state.link.since;
    const attempts = state.link.attempts + 1;
    setLink({ phase: "lost", since, attempts, reason: event.reason || "" });
    askWaits();
    if (event.code === 4401) {
      forget();
      ended = true;
      onSignedOut();
      return;
    }
    dialTimer = setTimeout(dial, DIAL_MS[Math.min(attempts - 1, DIAL_MS.length - 1)]);
  };
}

// What to do when the engine no longer knows our token.
export function onEnd(signedOut) {
  onSignedOut = signedOut;
  if (ended) onSignedOut();
}

let started = false;

// Dial, and go on dialling; once.
export function start() {
  ended = false;
  if (started) {
    if (!socket) dial();
    return;
  }
  started = true;
  onRenew((token) => say({ op: "auth", token }));
  setInterval(() => {
    const { link } = state;
    if (link.phase === "live" && Date.now() - link.frameAt > SILENT_MS) {
      // The socket looks open and says nothing: a status comes twice a second, so this is a dead line.
      setLink({ phase: "silent", since: link.frameAt });
    }
    if (link.phase === "silent" && Date.now() - link.frameAt > 3 * SILENT_MS && socket) socket.close();
    if (link.phase !== "live") setLink({});
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !socket) dial();
  });
  dial();
}
