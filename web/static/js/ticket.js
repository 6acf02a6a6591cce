// The order ticket: what is typed is checked while it is typed, risk is asked dry what it would say, and only then sent.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { money, pair, price, quantity, sendable } from "./format.js";
import { api, ApiProblem, ask, Card, Chip, Field, firstOfTicket, Form, may, Segments, toast } from "./parts.js";
import { spoken } from "./reasons.js";
import { changed, state, useTopics } from "./store.js";
import { addWords, t, useWords } from "./words.js";

addWords({
  "Order": "Order", "Buy": "Köp", "Sell": "Sälj", "Trigger price": "Utlösande pris", "Distance": "Avstånd", "at market": "till marknadspris",
  "Limit price": "Limitpris", "OCO stop (optional)": "OCO-stopp (valfritt)", "Stop and target": "Stopp och mål", "Reduce only": "Bara minska", "Post only": "Bara maker",
  "Hidden": "Dold", "Margin": "Marginal", "Stop price": "Stoppris", "or distance": "eller avstånd", "Target price": "Målpris", "The stop trails": "Stoppet följer med", "From this price on (optional)": "Från detta pris (valfritt)",
  "Template name": "Mallens namn", "Keep as template": "Spara som mall", "Template kept": "Mallen sparad", "Asking risk": "Frågar risk",
  "risk would say yes": "risk skulle säga ja", "risk would say no": "risk skulle säga nej", "with stop and target": "med stopp och mål", "held": "innehav",
  "is needed": "behövs", "must be of at most 8 decimals": "får ha högst 8 decimaler", "must be a number above 0": "måste vara ett tal över 0", "must be empty when a price is given": "måste vara tomt när ett pris är givet",
  "is needed for a trailing stop": "behövs för ett följande stopp", "market": "marknad", "limit": "limit", "stop limit": "stopp-limit", "trailing stop": "följande stopp",
  "fok": "fok", "ioc": "ioc", "Templates": "Mallar", "No templates yet": "Inga mallar ännu", "Fill in the ticket and keep it under a name.": "Fyll i ordern och spara den under ett namn.",
  "Use": "Använd", "Place": "Lägg", "Delete": "Ta bort", "The order of the template is placed now.": "Mallens order läggs nu.", "The template is forgotten.": "Mallen glöms.",
  "Closed positions": "Stängda positioner", "No position was closed yet": "Ingen position har stängts ännu", "Each is listed here with its profit after fees.": "Varje listas här med sin vinst efter avgifter.",
  "Entry": "Ingång", "Exit": "Utgång", "Profit": "Vinst", "Held": "Hållen", "Ended by": "Slutade genom", "The ticket is filled": "Ordern är ifylld",
  "History": "Historik", "of it are coins of": "av det är mynt som tillhör", "its stop grows smaller by as much, and what they bring stands in its book": "dess stopp krymper lika mycket, och vad de ger står i dess bok",
});

const RISK = "/api/v2/risk/unified/evaluate";
const WAIT_MS = 450;
const AGAIN_MS = 3000;
const NUMBER = /^\d*\.?\d+$/;
const TYPES = ["MARKET", "LIMIT", "STOP", "STOP LIMIT", "TRAILING STOP", "FOK", "IOC"];
const PRICED = new Set(["LIMIT", "STOP", "STOP LIMIT", "FOK", "IOC"]);
const EMPTY = {
  symbol: "", side: "buy", type: "MARKET", margin: false, quantity: "", price: "", price_aux_limit: "", price_trailing: "", price_oco_stop: "",
  post_only: false, reduce_only: false, hidden: false,
  bracket: false, stop_price: "", stop_distance: "", target_price: "", target_distance: "", trailing: false, activation_price: "",
};

const freshId = () => `page-${crypto.getRandomValues(new Uint32Array(3)).join("-")}`;

// Fill the ticket from elsewhere: a template, a level of the book, a symbol.
export function fillTicket(values) {
  state.ticket = { ...values, stamp: Date.now() };
  changed("ticket");
}

// What the fields mean to the API. Fields that the type has no use for are left out, whatever stands in them.
export function bodyOf(form) {
  const body = {
    symbol: form.symbol, side: form.side, quantity: form.quantity, type: `${form.margin ? "" : "EXCHANGE "}${form.type}`,
    reduce_only: form.reduce_only, hidden: form.hidden,
  };
  if (PRICED.has(form.type)) body.price = form.price;
  if (form.type === "STOP LIMIT") body.price_aux_limit = form.price_aux_limit;
  if (form.type === "TRAILING STOP") body.price_trailing = form.price_trailing;
  if (form.type === "LIMIT") {
    body.post_only = form.post_only;
    if (form.price_oco_stop) body.price_oco_stop = form.price_oco_stop;
  }
  return body;
}

function bracketOf(form) {
  const names = ["stop_price", "stop_distance", "target_price", "target_distance"];
  const given = Object.fromEntries(names.filter((name) => form[name]).map((name) => [name, form[name]]));
  if (!form.trailing) return given;
  return { ...given, trailing: true, ...(form.activation_price && { activation_price: form.activation_price }) };
}

// The sentence about each field that no order can have; the engine has the last word.
export function faultsOf(form) {
  const faults = {};
  const positive = (name, needed) => {
    const text = form[name];
    if (text === "" ? needed : !NUMBER.test(text) || !(Number(text) > 0)) faults[name] = text === "" ? "is needed" : "must be a number above 0";
  };
  positive("quantity", true);
  if (!faults.quantity && (form.quantity.split(".")[1] || "").length > 8) faults.quantity = "must be of at most 8 decimals";
  positive("price", PRICED.has(form.type));
  if (form.type === "STOP LIMIT") positive("price_aux_limit", true);
  if (form.type === "TRAILING STOP") positive("price_trailing", true);
  if (form.type === "LIMIT") positive("price_oco_stop", false);
  if (form.bracket) {
    for (const name of ["stop_price", "stop_distance", "target_price", "target_distance"]) positive(name, false);
    if (form.stop_price && form.stop_distance) faults.stop_distance = "must be empty when a price is given";
    if (form.target_price && form.target_distance) faults.target_distance = "must be empty when a price is given";
    if (form.trailing && !form.stop_distance) faults.stop_distance = "is needed for a trailing stop";
    if (form.trailing) positive("activation_price", false);
  }
  return faults;
}

// Whose coins a sale takes: the account has one position in a symbol, and strategies have their parts of it.
const takesOf = (answer) =>
  ((answer && answer.takes) || []).map((each) => `${quantity(each.quantity)} ${t("of it are coins of")} ${each.strategy}: ${t("its stop grows smaller by as much, and what they bring stands in its book")}.`);

function Verdict({ told }) {
  const tr = useWords();
  if (!told) return null;
  if (told.busy) return html`<p class="verdict muted" role="status">${tr("Asking risk")} …</p>`;
  if (told.problem) return html`<p class="verdict down" role="status">${told.problem}</p>`;
  const { approved, reasons, advice, verdict } = told;
  const size = verdict && verdict.intent && verdict.intent.quantity;
  return html`<div class="verdict" role="status">
    <p><${Chip} tone=${approved ? "good" : "bad"}>${approved ? tr("risk would say yes") : tr("risk would say no")}<//>${approved && size ? html` <span class="muted">${quantity(size)}</span>` : ""}</p>
    ${reasons.map((reason) => html`<p class="down">${spoken(reason)}</p>`)}
    ${advice.map((words) => html`<p class="muted">${spoken(words)}</p>`)}
    ${takesOf(told).map((words) => html`<p class="warn-text">${words}</p>`)}
  </div>`;
}

// Ask risk what it would say, a moment after the last change, of the order or of risk's own state; an answer that was
// overtaken is dropped. A no is asked after again: what was in the way may pass by itself, as a candle that is late.
function useRiskAnswer(body, ready) {
  const [told, setTold] = useState(null);
  const { risk } = useTopics("risk");
  const text = ready ? JSON.stringify(body) : "";
  const turned = risk ? `${risk.state} ${risk.paused} ${risk.reason} ${(risk.locks || []).map((lock) => lock.lock_id)}` : "";
  useEffect(() => {
    if (!text || !may("trade")) {
      setTold(null);
      return undefined;
    }
    let gone = false;
    setTold({ busy: true });
    const look = async () => {
      let answer;
      try {
        answer = await api("POST", RISK, JSON.parse(text));
      } catch (problem) {
        if (!(problem instanceof ApiProblem)) throw problem;
        answer = { problem: problem.message, detail: problem.detail, approved: problem.status === 503 ? false : undefined };
      }
      if (gone) return;
      setTold(answer);
      if (answer.approved === false) timer = setTimeout(look, AGAIN_MS);
    };
    let timer = setTimeout(look, WAIT_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [text, turned]);
  return told;
}

const serverFaults = (detail) =>
  Object.fromEntries(Object.entries(detail || {}).filter(([, said]) => said && said.must_be).map(([name, said]) => [name, spoken(`must be ${said.must_be}`)]));

function Sizes({ form, onSize }) {
  const tr = useWords();
  const { wallet, position, ticker } = useTopics("wallet", "position", "ticker");
  const row = ticker.get(form.symbol);
  const worth = form.price && PRICED.has(form.type) ? Number(form.price) : row ? (form.side === "buy" ? row.ask : row.bid) : 0;
  const held = (position || []).find((one) => one.symbol === form.symbol);
  const most = form.side === "sell" ? Math.max(0, Number(held ? held.quantity : 0)) : wallet && worth ? Number(wallet.cash) / worth : 0;
  const notional = Number(form.quantity) * worth;
  // All of what is held is all of it; a purchase leaves room for the fee and for a price that moves.
  const part = (share) => onSize(form.side === "sell" && share === 1 ? String(held.quantity) : sendable(Math.floor(most * share * 1e8 * 0.999) / 1e8));
  return html`<div class="sizes">
    ${[0.1, 0.25, 0.5, 1].map((share) => html`<button key=${share} type="button" class="small" disabled=${!(most > 0)} onClick=${() => part(share)}>${share * 100} %</button>`)}
    <span class="muted">${notional > 0 ? `≈ ${money(notional)} ${wallet ? wallet.quote_currency : ""}` : form.side === "sell" ? `${tr("held")} ${quantity(held ? held.quantity : 0)}` : ""}</span>
  </div>`;
}

export function TicketCard({ className = "span-4", symbol }) {
  const tr = useWords();
  const { status, ticket, selection } = useTopics("status", "ticket", "selection");
  const symbols = (status && status.symbols) || [];
  const [form, setForm] = useState(EMPTY);
  const [tried, setTried] = useState(false);
  const [name, setName] = useState("");
  const stamp = useRef(0);
  const set = (field) => (value) => setForm((old) => ({ ...old, [field]: value }));
  useEffect(() => {
    const wanted = symbol || selection.symbol || symbols[0] || "";
    if (wanted && (!form.symbol || symbol)) set("symbol")(wanted);
  }, [symbol, selection.symbol, symbols.join()]);
  useEffect(() => {
    if (state.ordering) firstOfTicket().focus();
    state.ordering = false;
  }, []);
  useEffect(() => {
    if (!ticket || ticket.stamp === stamp.current) return;
    stamp.current = ticket.stamp;
    const { stamp: _, ...values } = ticket;
    setForm((old) => ({ ...old, ...values }));
  });
  const faults = faultsOf(form);
  const clean = !Object.keys(faults).length && Boolean(form.symbol);
  const body = () => (form.bracket ? { ...bodyOf(form), ...bracketOf(form) } : bodyOf(form));
  const answer = useRiskAnswer(body(), clean);
  const said = { ...serverFaults(answer && answer.detail), ...(tried ? faults : Object.fromEntries(Object.entries(faults).filter(([field]) => form[field] !== ""))) };
  const fault = (field) => said[field] && tr(said[field]);
  const send = () => {
    setTried(true);
    if (!clean) return;
    const intent = freshId();
    const verb = tr(form.side === "buy" ? "Buy" : "Sell");
    ask({
      title: `${verb} ${form.quantity} ${pair(form.symbol)}`,
      text: [tr(form.type.toLowerCase()), body().price && `@ ${price(body().price)}`, form.bracket && tr("with stop and target"), answer && answer.approved === false && `${tr("risk would say no")}: ${answer.reasons.map(spoken).join("; ")}`, ...takesOf(answer)].filter(Boolean).join(" · "),
      yes: verb,
      tone: form.side === "buy" ? "buy" : "danger",
      run: () => api("POST", form.bracket ? "/api/v2/order/bracket" : "/api/v2/order", { ...body(), intent_id: intent }),
    });
  };
  const keep = async () => {
    setTried(true);
    if (!clean) return;
    try {
      await api("POST", "/api/v2/order/templates", { ...body(), name });
      toast("good", `${t("Template kept")}: ${name}`);
      setName("");
      // A number that rises: who lists templates looks again.
      state.templates = (state.templates || 0) + 1;
      changed("templates");
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      toast("bad", problem.message);
    }
  };
  const allowed = may("trade");
  const buy = form.side === "buy";
  return html`<${Card} id="ticket" className="ticket low ${className}" title=${tr("Order")}>
    <${Form} onSubmit=${send} label=${tr("Order")} buttons=${html`<button type="submit" class="wide-button ${buy ? "buy" : "sell"}" disabled=${!allowed} title=${allowed ? "" : tr("Your token does not allow this")}>${tr(buy ? "Buy" : "Sell")} ${form.symbol ? pair(form.symbol) : ""}</button>`}>
      <${Segments} label=${tr("Side")} value=${form.side} onPick=${set("side")} options=${[["buy", tr("Buy")], ["sell", tr("Sell")]]} />
      <div class="pair">
        <${Field} kind="select" label=${tr("Symbol")} value=${form.symbol} onChange=${set("symbol")} options=${symbols.map((one) => [one, pair(one)])} />
        <${Field} kind="select" label=${tr("Type")} value=${form.type} onChange=${set("type")} options=${TYPES.map((one) => [one, tr(one.toLowerCase())])} />
      </div>
      <div class="pair">
        <${Field} kind="number" label=${tr("Quantity")} value=${form.quantity} onChange=${set("quantity")} fault=${fault("quantity")} />
        ${PRICED.has(form.type)
          ? html`<${Field} kind="number" label=${tr(form.type.startsWith("STOP") ? "Trigger price" : "Price")} value=${form.price} onChange=${set("price")} fault=${fault("price")} />`
          : form.type === "TRAILING STOP" ? html`<${Field} kind="number" label=${tr("Distance")} value=${form.price_trailing} onChange=${set("price_trailing")} fault=${fault("price_trailing")} />`
          : html`<div class="field"><span class="label">${tr("Price")}</span><p class="muted at-market">${tr("at market")}</p></div>`}
      </div>
      <${Sizes} form=${form} onSize=${set("quantity")} />
      ${form.type === "STOP LIMIT" && html`<${Field} kind="number" label=${tr("Limit price")} value=${form.price_aux_limit} onChange=${set("price_aux_limit")} fault=${fault("price_aux_limit")} />`}
      ${form.type === "LIMIT" && html`<${Field} kind="number" label=${tr("OCO stop (optional)")} value=${form.price_oco_stop} onChange=${set("price_oco_stop")} fault=${fault("price_oco_stop")} />`}
      <div class="checks">
        <${Field} kind="check" label=${tr("Stop and target")} value=${form.bracket} onChange=${set("bracket")} />
        <${Field} kind="check" label=${tr("Reduce only")} value=${form.reduce_only} onChange=${set("reduce_only")} />
        ${form.type === "LIMIT" && html`<${Field} kind="check" label=${tr("Post only")} value=${form.post_only} onChange=${set("post_only")} />`}
        <${Field} kind="check" label=${tr("Hidden")} value=${form.hidden} onChange=${set("hidden")} />
        <${Field} kind="check" label=${tr("Margin")} value=${form.margin} onChange=${set("margin")} />
      </div>
      ${form.bracket && html`<div class="bracket">
        <div class="pair"><${Field} kind="number" label=${tr("Stop price")} value=${form.stop_price} onChange=${set("stop_price")} fault=${fault("stop_price")} />
          <${Field} kind="number" label=${tr("or distance")} value=${form.stop_distance} onChange=${set("stop_distance")} fault=${fault("stop_distance")} /></div>
        <div class="pair"><${Field} kind="number" label=${tr("Target price")} value=${form.target_price} onChange=${set("target_price")} fault=${fault("target_price")} />
          <${Field} kind="number" label=${tr("or distance")} value=${form.target_distance} onChange=${set("target_distance")} fault=${fault("target_distance")} /></div>
        <${Field} kind="check" label=${tr("The stop trails")} value=${form.trailing} onChange=${set("trailing")} />
        ${form.trailing && html`<${Field} kind="number" label=${tr("From this price on (optional)")} value=${form.activation_price} onChange=${set("activation_price")} fault=${fault("activation_price")} />`}
      </div>`}
      <${Verdict} told=${answer} />
    <//>
    <div class="keep"><input aria-label=${tr("Template name")} placeholder=${tr("Template name")} value=${name} maxlength="64" onInput=${(event) => setName(event.target.value)} />
      <button type="button" class="small" disabled=${!allowed || !name.trim()} onClick=${keep}>${tr("Keep as template")}</button></div>
  <//>`;
}

// A template's fields in the ticket's shape.
export function formOfTemplate(template) {
  const text = (value) => (value === null || value === undefined ? "" : String(value));
  const levels = ["stop_price", "stop_distance", "target_price", "target_distance"];
  const margin = !template.type.startsWith("EXCHANGE ");
  return {
    symbol: template.symbol,
    side: template.side,
    quantity: text(template.quantity),
    type: template.type.replace("EXCHANGE ", ""),
    margin,
    ...Object.fromEntries(["price", "price_aux_limit", "price_trailing", "price_oco_stop", "activation_price", ...levels].map((name) => [name, text(template[name])])),
    post_only: template.post_only, reduce_only: template.reduce_only, hidden: template.hidden,
    trailing: template.trailing, bracket: template.trailing || levels.some((name) => text(template[name]) !== ""),
  };
}
