// The console at /ws: every step of the API by hand. Get a token, connect, look, order, cancel; simple or advanced.

import { html, render, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { dayClock, pair, quantity } from "./format.js";
import { Card, Chip, Field, Form } from "./parts.js";
import { bodyOf } from "./ticket.js";
import { ApiProblem, call } from "./session.js";
import "./theme.js";
import { addWords, useWords } from "./words.js";

const MARK = new URL("../favicon.svg", import.meta.url).href;

addWords({
  "Console": "Konsol", "The page": "Sidan", "Show advanced": "Visa avancerat", "Get JWT": "Hämta JWT", "Connect WS": "Anslut WS", "Disconnect": "Koppla ifrån",
  "Get Wallets": "Hämta plånböcker", "Get Positions": "Hämta positioner", "Get Orders": "Hämta ordrar", "Market Buy": "Köp till marknad", "Cancel All": "Avbryt alla", "Risk status": "Riskstatus",
  "User": "Användare", "Scope": "Rättighet", "Hours": "Timmar", "Proof (secret or admin token)": "Bevis (hemlighet eller admin-nyckel)", "Token": "Nyckel", "Quick": "Snabbt", "Bracket": "Bracket", "Templates": "Mallar",
  "Save template (from bracket)": "Spara mall (från bracket)", "Show templates": "Visa mallar", "Use": "Använd", "Place bracket": "Lägg bracket", "Side": "Sida", "Entry type": "Ingångstyp", "Entry price": "Ingångspris",
  "Stop price": "Stoppris", "Target price": "Målpris", "Symbol": "Symbol", "Post only": "Bara maker", "Reduce only": "Bara minska", "Answers and events": "Svar och händelser", "Clear": "Rensa",
  "Nothing yet": "Inget ännu", "Any request": "Vilket anrop som helst", "Path": "Adress", "Body (JSON)": "Kropp (JSON)", "Send": "Skicka", "Topics": "Ämnen", "Subscribe": "Prenumerera",
  "paused": "pausad", "breaker closed": "säkring sluten", "breaker open": "säkring öppen", "connected": "ansluten", "not connected": "ej ansluten", "next opening": "nästa öppning",
  "open": "öppet", "closed": "stängt", "Template name": "Mallens namn", "No templates": "Inga mallar", "Delete": "Ta bort", "buy": "köp", "sell": "sälj",
  "Dev mode: tokens are given without proof. Simulated money only.": "Utvecklarläge: nycklar ges utan bevis. Endast låtsaspengar.",
});

const ADVANCED = "genesis.console.advanced";
const LINES = 300;
const TOPICS = ["wallet", "position", "order", "trade", "verdict", "notification", "risk"];
const MORE_TOPICS = ["ticker", "signal", "protection", "status", "actor", "connection", "freshness"];
const BRACKET = { symbol: "tBTCUSD", side: "buy", type: "MARKET", margin: false, quantity: "0.001", price: "", stop_price: "", target_price: "", post_only: false, reduce_only: false, hidden: false };
const V2 = "/api/v2";

function useLog() {
  const [lines, setLines] = useState([]);
  const number = useRef(0);
  const add = (tone, title, value) => setLines((old) => [{ id: ++number.current, at: Date.now(), tone, title, value }, ...old].slice(0, LINES));
  return { lines, add, clear: () => setLines([]) };
}

// The seed's four lights: open or paused with the next opening, the breaker, the WebSocket.
function StatusRow({ risk, linked, dev, open: unlocked, mode, advanced, onAdvanced }) {
  const tr = useWords();
  const windows = risk && risk.windows;
  const stopped = risk && (risk.paused || risk.state !== "ACTIVE");
  const open = !stopped && (!windows || windows.open);
  const breaker = risk && (risk.breakers || []).some((one) => one.state !== "closed");
  return html`<header class="status-row">
    <div class="brand"><img src=${MARK} alt="" width="22" height="22" /><h1>Genesis ${tr("Console")}</h1>${mode && html`<span class="mode ${mode}">${mode}</span>`}</div>
    <span id="state" class="pill ${!risk ? "" : open ? "good" : "warn"}">${!risk ? "…" : stopped ? (risk.paused ? tr("paused") : risk.state) : tr(open ? "open" : "closed")}</span>
    ${windows && windows.next_opening_ms && !windows.open && html`<span class="pill">${tr("next opening")} ${dayClock(windows.next_opening_ms)} UTC</span>`}
    <span class="pill ${!risk ? "" : breaker ? "bad" : "good"}">${!risk ? "…" : tr(breaker ? "breaker open" : "breaker closed")}</span>
    <span id="linked" class="pill ${linked ? "good" : "bad"}">WS ${tr(linked ? "connected" : "not connected")}</span>
    <span class="grow"></span>
    <label class="switch"><input type="checkbox" checked=${advanced} onChange=${(event) => onAdvanced(event.target.checked)} /> ${tr("Show advanced")}</label>
    <a href="/">${tr("The page")}</a><a href="/docs">API</a>
  </header>${unlocked ? html`<aside class="banner warn" aria-label="dev">${tr("No token is asked for (AUTH_REQUIRED=False). Simulated money only.")}</aside>` : dev && html`<aside class="banner warn" aria-label="dev">${tr("Dev mode: tokens are given without proof. Simulated money only.")}</aside>`}`;
}

function Console() {
  const tr = useWords();
  const log = useLog();
  const [token, setToken] = useState("");
  const [mint, setMint] = useState({ user_id: "frontend_user", scope: "trade", expiry_hours: "1", proof: "" });
  const [health, setHealth] = useState({});
  const [risk, setRisk] = useState(null);
  const [linked, setLinked] = useState(false);
  const [advanced, setAdvanced] = useState(localStorage.getItem(ADVANCED) === "1");
  const [bracket, setBracket] = useState(BRACKET);
  const [name, setName] = useState("");
  const [templates, setTemplates] = useState(null);
  const [free, setFree] = useState({ method: "GET", path: `${V2}/risk/unified/status`, body: "" });
  const [more, setMore] = useState("ticker");
  const socket = useRef(null);
  useEffect(() => {
    call("GET", "/health", undefined, null).then(setHealth, () => {});
    return () => socket.current && socket.current.close();
  }, []);
  const flip = (on) => {
    setAdvanced(on);
    localStorage.setItem(ADVANCED, on ? "1" : "0");
  };
  // Every request and its answer stand in the log, refusals with their code and id.
  const asked = async (method, path, body, bearer = token) => {
    try {
      const answer = await call(method, path, body, bearer || null);
      log.add("good", `${method} ${path}`, answer);
      return answer;
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      log.add("bad", `${method} ${path} → ${problem.status || "—"} ${problem.message}`, { code: problem.code, detail: problem.detail, id: problem.id });
      return null;
    }
  };
  const look = async (bearer) => {
    const told = await call("GET", `${V2}/risk/unified/status`, undefined, bearer).catch(() => null);
    if (told) setRisk(told.risk);
  };
  const getToken = async () => {
    const { proof, expiry_hours: hours, ...wish } = mint;
    const answer = await asked("POST", `${V2}/auth/ws-token`, { ...wish, expiry_hours: Number(hours) || 1 }, proof.trim());
    if (!answer) return;
    setToken(answer.token);
    look(answer.token);
  };
  const connect = () => {
    if (socket.current) socket.current.close();
    const dialled = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${V2}/stream`, ["genesis.v2"]);
    socket.current = dialled;
    dialled.onopen = () => {
      dialled.send(JSON.stringify({ op: "auth", token }));
      dialled.send(JSON.stringify({ op: "subscribe", topics: TOPICS }));
      setLinked(true);
      log.add("good", "WS connected", { topics: TOPICS });
    };
    dialled.onmessage = (event) => {
      for (const message of JSON.parse(event.data).messages) {
        if (message.topic === "risk" && message.data) setRisk(message.data);
        // Risk speaks with every candle; its state is in the row above.
        if (message.topic !== "risk" || message.kind === "snapshot") log.add("", `${message.topic} ${message.kind} ${message.seq || ""}`, message.data);
      }
    };
    dialled.onclose = (event) => {
      if (socket.current !== dialled) return;
      socket.current = null;
      setLinked(false);
      log.add(event.code === 1000 ? "" : "bad", `WS closed ${event.code} ${event.reason}`, null);
    };
  };
  const set = (change) => setBracket((old) => ({ ...old, ...change }));
  const bracketBody = () => {
    const levels = Object.fromEntries(["stop_price", "target_price"].filter((level) => bracket[level]).map((level) => [level, bracket[level]]));
    return { ...bodyOf({ ...bracket, price_oco_stop: "" }), ...levels };
  };
  const showTemplates = async () => {
    const told = await asked("GET", `${V2}/order/templates`);
    if (told) setTemplates(told.templates);
  };
  const use = (template) => {
    const text = (value) => (value === null || value === undefined ? "" : String(value));
    setBracket({ ...BRACKET, symbol: template.symbol, side: template.side, type: template.type.replace("EXCHANGE ", ""), margin: !template.type.startsWith("EXCHANGE "), quantity: text(template.quantity), price: text(template.price), stop_price: text(template.stop_price), target_price: text(template.target_price), post_only: template.post_only, reduce_only: template.reduce_only });
  };
  const sendFree = async () => {
    let body;
    try {
      body = free.body.trim() ? JSON.parse(free.body) : undefined;
    } catch (error) {
      log.add("bad", String(error), null);
      return;
    }
    await asked(free.method, free.path, free.method === "GET" ? undefined : body);
  };
  return html`<${StatusRow} risk=${risk} linked=${linked} dev=${health.dev} open=${health.auth_required === false} mode=${health.mode} advanced=${advanced} onAdvanced=${flip} />
  <main class="console"><div class="column">
    <${Card} id="token" title=${tr("Token")} tools=${token && html`<${Chip} tone="good">${token.slice(0, 8)}…<//>`}>
      <${Form} onSubmit=${getToken} label=${tr("Token")} buttons=${html`<button type="submit" class="primary">${tr("Get JWT")}</button><button type="button" disabled=${!token} onClick=${linked ? () => socket.current && socket.current.close(1000) : connect}>${tr(linked ? "Disconnect" : "Connect WS")}</button>`}>
        ${advanced && html`<div class="pair"><${Field} label=${tr("User")} value=${mint.user_id} onChange=${(user_id) => setMint({ ...mint, user_id })} /><${Field} kind="select" label=${tr("Scope")} value=${mint.scope} onChange=${(scope) => setMint({ ...mint, scope })} options=${["read", "trade", "admin"].map((one) => [one, one])} /></div>`}
        <div class="pair">${(advanced || !health.dev) && html`<${Field} kind="password" label=${tr("Proof (secret or admin token)")} value=${mint.proof} onChange=${(proof) => setMint({ ...mint, proof })} />`}${advanced && html`<${Field} kind="number" label=${tr("Hours")} value=${mint.expiry_hours} onChange=${(expiry_hours) => setMint({ ...mint, expiry_hours })} />`}</div>
      <//>
      ${advanced && token && html`<p class="token muted">${token}</p>`}
    <//>
    <${Card} id="quick" title=${tr("Quick")}><div class="buttons">
      <button type="button" disabled=${!token} onClick=${() => asked("GET", `${V2}/wallets`)}>${tr("Get Wallets")}</button>
      <button type="button" class="buy" disabled=${!token} onClick=${() => asked("POST", `${V2}/order`, { symbol: bracket.symbol, side: "buy", quantity: "0.0001", type: "EXCHANGE MARKET" })}>${tr("Market Buy")}</button>
      <button type="button" class="danger" disabled=${!token} onClick=${() => asked("POST", `${V2}/orders/cancel/all`)}>${tr("Cancel All")}</button>
      ${advanced && html`<button type="button" disabled=${!token} onClick=${() => asked("GET", `${V2}/positions`)}>${tr("Get Positions")}</button><button type="button" disabled=${!token} onClick=${() => asked("GET", `${V2}/orders?state=open`)}>${tr("Get Orders")}</button><button type="button" disabled=${!token} onClick=${async () => {
        const told = await asked("GET", `${V2}/risk/unified/status`);
        if (told) setRisk(told.risk);
      }}>${tr("Risk status")}</button>`}
    </div><//>
    <${Card} id="bracket" title=${tr("Bracket")}><${Form} label=${tr("Bracket")} onSubmit=${() => asked("POST", `${V2}/order/bracket`, bracketBody())} buttons=${html`<button type="submit" class="buy" disabled=${!token}>${tr("Place bracket")}</button>`}>
      <div class="pair"><${Field} label=${tr("Symbol")} value=${bracket.symbol} onChange=${(symbol) => set({ symbol })} /><${Field} kind="number" label=${tr("Quantity")} value=${bracket.quantity} onChange=${(quantity) => set({ quantity })} /></div>
      <div class="pair"><${Field} kind="select" label=${tr("Side")} value=${bracket.side} onChange=${(side) => set({ side })} options=${[["buy", tr("buy")], ["sell", tr("sell")]]} /><${Field} kind="select" label=${tr("Entry type")} value=${bracket.type} onChange=${(type) => set({ type })} options=${["MARKET", "LIMIT", "STOP"].map((one) => [one, `EXCHANGE ${one}`])} /></div>
      ${bracket.type !== "MARKET" && html`<${Field} kind="number" label=${tr("Entry price")} value=${bracket.price} onChange=${(cost) => set({ price: cost })} />`}
      <div class="pair"><${Field} kind="number" label=${tr("Stop price")} value=${bracket.stop_price} onChange=${(stop_price) => set({ stop_price })} /><${Field} kind="number" label=${tr("Target price")} value=${bracket.target_price} onChange=${(target_price) => set({ target_price })} /></div>
      ${advanced && html`<div class="pair"><${Field} kind="check" label=${tr("Post only")} value=${bracket.post_only} onChange=${(post_only) => set({ post_only })} /><${Field} kind="check" label=${tr("Reduce only")} value=${bracket.reduce_only} onChange=${(reduce_only) => set({ reduce_only })} /></div>`}
    <//>
    <div class="keep"><input aria-label=${tr("Template name")} placeholder=${tr("Template name")} maxlength="64" value=${name} onInput=${(event) => setName(event.target.value)} />
      <button type="button" disabled=${!token || !name.trim()} onClick=${async () => {
        if (await asked("POST", `${V2}/order/templates`, { ...bracketBody(), name: name.trim() })) showTemplates();
      }}>${tr("Save template (from bracket)")}</button>
      <button type="button" disabled=${!token} onClick=${showTemplates}>${tr("Show templates")}</button></div>
    ${templates && html`<ul class="feed" id="template-list">${templates.length ? templates.map((one) => html`<li key=${one.name}><div class="line"><b>${one.name}</b><span>${one.side} ${quantity(one.quantity)} ${pair(one.symbol)}</span><span class="grow"></span><button type="button" class="small" aria-label="${tr("Use")} ${one.name}" onClick=${() => use(one)}>${tr("Use")}</button>
      ${advanced && html`<button type="button" class="small danger" aria-label="${tr("Delete")} ${one.name}" onClick=${async () => {
        await asked("DELETE", `${V2}/order/templates/${encodeURIComponent(one.name)}`);
        showTemplates();
      }}>${tr("Delete")}</button>`}</div></li>`) : html`<li class="muted">${tr("No templates")}</li>`}</ul>`}<//>
    ${advanced && html`<${Card} id="free" title=${tr("Any request")}><${Form} label=${tr("Any request")} onSubmit=${sendFree} buttons=${html`<button type="submit">${tr("Send")}</button>`}>
      <div class="pair"><${Field} kind="select" label="HTTP" value=${free.method} onChange=${(method) => setFree({ ...free, method })} options=${["GET", "POST", "PATCH", "DELETE"].map((one) => [one, one])} /><${Field} label=${tr("Path")} value=${free.path} onChange=${(path) => setFree({ ...free, path })} /></div>
      ${free.method !== "GET" && html`<${Field} kind="area" label=${tr("Body (JSON)")} value=${free.body} onChange=${(body) => setFree({ ...free, body })} />`}
    <//><${Form} label=${tr("Topics")} onSubmit=${() => socket.current && socket.current.send(JSON.stringify({ op: "subscribe", topics: [more] }))} buttons=${html`<button type="submit" disabled=${!linked}>${tr("Subscribe")}</button>`}><${Field} kind="select" label=${tr("Topics")} value=${more} onChange=${setMore} options=${MORE_TOPICS.map((one) => [one, one])} /><//><//>`}
  </div>
  <${Card} id="log" title=${tr("Answers and events")} count=${log.lines.length} tools=${html`<button type="button" class="small" onClick=${log.clear}>${tr("Clear")}</button>`}>
    ${log.lines.length ? html`<ul class="log" tabindex="0">${log.lines.map((line) => html`<li key=${line.id} class=${line.tone === "bad" ? "down" : line.tone === "good" ? "up" : ""}>${line.value === null ? line.title : html`<details><summary>${new Date(line.at).toISOString().slice(11, 19)} ${line.title}</summary><pre>${JSON.stringify(line.value, null, 2)}</pre></details>`}</li>`)}</ul>` : html`<div class="empty"><p class="muted">${tr("Nothing yet")}</p></div>`}
  <//></main>`;
}

const root = document.getElementById("console");
root.replaceChildren();
render(html`<${Console} />`, root);
