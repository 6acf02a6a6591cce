// What the venue keeps about the account: money that came and went, and who signed in.

import { html } from "../vendor/preact-htm.js";
import { date, clock, quantity, signed, tone } from "./format.js";
import { Answer, Card, Chip, Table, useApi } from "./parts.js";
import { addWords, useWords } from "./words.js";

addWords({
  "Deposits and withdrawals": "Insättningar och uttag", "Nothing came or went": "Inget har kommit eller gått", "Where": "Vart",
  "Logins at the venue": "Inloggningar på börsen", "Address": "Adress", "new": "ny",
  "No older login in this list has this address. An address at home changes by itself; one that nobody knows is a reason to change the password.": "Ingen äldre inloggning i listan har den här adressen. En adress hemma byts av sig själv; en som ingen känner är skäl att byta lösenord.",
  "The venue tells none": "Börsen berättar om inga",
});

const moment = (ms) => `${date(ms)} ${clock(ms)}`;
const again = (of, title, tr) => html`<button type="button" class="small" aria-label="${title}: ${tr("Try again")}" onClick=${of.again}>↻</button>`;

export function MovementsCard({ className = "" }) {
  const tr = useWords();
  const of = useApi("/api/v2/movements?limit=100");
  const title = tr("Deposits and withdrawals");
  return html`<${Card} id="movements" className=${className} title=${title} tools=${again(of, title, tr)}><${Answer} of=${of} empty=${(told) => !told.movements.length} title=${tr("Nothing came or went")}>${(told) => html`<${Table} label=${title} heads=${[[tr("Time")], [tr("Amount"), "n"], [tr("Fee"), "n wide"], [tr("State")], [tr("Where"), "wide"]]} rows=${told.movements.map(
    (row) => html`<tr key=${row.movement_id}><td class="muted">${moment(row.updated_ms)}</td><td class="n ${tone(row.amount)}">${signed(row.amount, 4)} ${row.currency}</td><td class="n muted wide">${quantity(row.fees)}</td><td>${row.status}</td><td class="muted meaning wide" title="${row.address} ${row.transaction_id}">${row.method} ${row.address}</td></tr>`,
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
