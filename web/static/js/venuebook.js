// What the venue keeps about the account: money that came and went, and who signed in.

import { html, useState } from "../vendor/preact-htm.js";
import { change, clock, date, quantity, tone } from "./format.js";
import { Answer, api, ask, Card, Chip, Field, Form, Table, useApi } from "./parts.js";
import { may } from "./session.js";
import { addWords, useWords } from "./words.js";

addWords({
  "Deposits and withdrawals": "Insättningar och uttag", "Nothing came or went": "Inget har kommit eller gått", "Where": "Vart",
  "Logins at the venue": "Inloggningar på börsen", "Address": "Adress", "new": "ny",
  "No older login in this list has this address. An address at home changes by itself; one that nobody knows is a reason to change the password.": "Ingen äldre inloggning i listan har den här adressen. En adress hemma byts av sig själv; en som ingen känner är skäl att byta lösenord.",
  "The venue tells none": "Börsen berättar om inga",
  "Between wallets": "Mellan plånböcker", "From": "Från", "To": "Till", "Move money": "Flytta pengar", "Nothing was moved here": "Inget har flyttats härifrån", "By": "Av",
  "What the engine trades with changes at once. Coins that positions are made of are not moved.": "Det som motorn handlar med ändras genast. Mynt som positioner består av flyttas inte.",
  "moved": "flyttat", "in doubt": "ovisst", "not moved": "inte flyttat", "not in the ledger": "inte i kontoutdraget",
  "from": "från", "What came of it": "Vad det blev",
});

const moment = (ms) => `${date(ms)} ${clock(ms)}`;
const again = (of, title, tr) => html`<button type="button" class="small" aria-label="${title}: ${tr("Try again")}" onClick=${of.again}>↻</button>`;

export function MovementsCard({ className = "" }) {
  const tr = useWords();
  const of = useApi("/api/v2/movements?limit=100");
  const title = tr("Deposits and withdrawals");
  return html`<${Card} id="movements" className=${className} title=${title} tools=${again(of, title, tr)}><${Answer} of=${of} empty=${(told) => !told.movements.length} title=${tr("Nothing came or went")}>${(told) => html`<${Table} label=${title} heads=${[[tr("Time")], [tr("Amount"), "n"], [tr("Fee"), "n wide"], [tr("State")], [tr("Where"), "wide"]]} rows=${told.movements.map(
    (row) => html`<tr key=${row.movement_id}><td class="muted">${moment(row.updated_ms)}</td><td class="n ${tone(row.amount)}">${change(row.amount)} ${row.currency}</td><td class="n muted wide">${quantity(row.fees)}</td><td>${row.status}</td><td class="muted meaning wide" title="${row.address} ${row.transaction_id}">${row.method} ${row.address}</td></tr>`,
  )} />`}<//><//>`;
}

export function LoginsCard({ className = "" }) {
  const tr = useWords();
  const of = useApi("/api/v2/logins?limit=50");
  const title = tr("Logins at the venue");
  const told = tr("No older login in this list has this address. An address at home changes by itself; one that nobody knows is a reason to change the password.");
  return html`<${Card} id="logins" className=${className} title=${title} tools=${again(of, title, tr)}><${Answer} of=${of} empty=${(found) => !found.logins.length} title=${tr("The venue tells none")}>${(found) => html`<${Table} label=${title} heads=${[[tr("Time")], [tr("Address")]]} rows=${found.logins.map(
    (row) => html`<tr key=${row.login_id}><td class="muted">${moment(row.time_ms)}</td><td>${row.address} ${row.first && html`<${Chip} tone="info" title=${told}>${tr("new")}<//>`}</td></tr>`,
  )} />`}<//><//>`;
}

const WALLETS = ["exchange", "margin", "funding"];
const STATES = { done: ["moved", "good"], asked: ["in doubt", "warn"], refused: ["not moved", "bad"], absent: ["not in the ledger", "bad"] };

export function TransfersCard({ className = "" }) {
  const tr = useWords();
  const of = useApi("/api/v2/transfers", { every: 20 });
  const [wish, setWish] = useState({ from_wallet: "exchange", to_wallet: "margin", currency: "USD", amount: "" });
  const set = (name) => (value) => setWish((old) => ({ ...old, [name]: value }));
  const amount = wish.amount.trim().replace(",", ".");
  const currency = wish.currency.trim().toUpperCase();
  const title = tr("Between wallets");
  // The name is made when the form is sent: whoever confirms twice moves it once.
  const send = () => {
    const body = { ...wish, amount, currency, confirm: "transfer", transfer_id: `page:${crypto.getRandomValues(new Uint32Array(3)).join("-")}` };
    ask({
      title: tr("Move money"), text: `${amount} ${currency} ${tr("from")} ${wish.from_wallet} ${tr("to")} ${wish.to_wallet}. ${tr("What the engine trades with changes at once. Coins that positions are made of are not moved.")}`,
      yes: tr("Move money"), word: "transfer", why: true,
      run: async (reason) => {
        const told = await api("POST", "/api/v2/transfers", { ...body, reason });
        setWish((old) => ({ ...old, amount: "" }));
        of.again();
        return told;
      },
    });
  };
  const pick = (name, words) => html`<${Field} kind="select" label=${tr(words)} value=${wish[name]} onChange=${set(name)} options=${WALLETS.map((each) => [each, each])} />`;
  return html`<${Card} id="transfers" className=${className} title=${title}>
    <${Form} label=${title} onSubmit=${send} buttons=${html`<button type="submit" class="danger" disabled=${!may("admin") || !amount || !currency || wish.from_wallet === wish.to_wallet}>${tr("Move money")}</button>`}>
      <div class="wish">${pick("from_wallet", "From")}${pick("to_wallet", "To")}<${Field} label=${tr("Currency")} value=${wish.currency} onChange=${set("currency")} /><${Field} kind="number" label=${tr("Amount")} value=${wish.amount} onChange=${set("amount")} /></div><//>
    <${Answer} of=${of} rows=${1} empty=${(told) => !told.transfers.length} title=${tr("Nothing was moved here")}>${(told) => html`<${Table} label=${title} heads=${[[tr("Time")], [tr("Amount"), "n"], [tr("From")], [tr("To")], [tr("What came of it")], [tr("By"), "wide"]]} rows=${told.transfers.map(
      (row) => html`<tr key=${row.wish.transfer_id}><td class="muted">${moment(row.asked_ms)}</td><td class="n">${quantity(row.wish.amount)} ${row.wish.currency}</td><td>${row.wish.from_wallet}</td><td>${row.wish.to_wallet}</td><td><${Chip} tone=${STATES[row.state][1]} title=${row.text}>${tr(STATES[row.state][0])}<//></td><td class="wide muted">${row.wish.actor}</td></tr>`,
    )} />`}<//>
  <//>`;
}
