// Risk: the state and its switches, every limit with a way to change it, windows, locks, breakers.

import { html, useState } from "../../vendor/preact-htm.js";
import { Controls } from "../header.js";
import { dayClock, pair } from "../format.js";
import { worded } from "../meanings.js";
import { act, Answer, api, Card, Chip, Field, Form, may, Modal, Table, useApi } from "../parts.js";
import { RiskCard } from "../risk.js";
import { useTopics } from "../store.js";
import { useWords } from "../words.js";

export const words = {
  "Limits": "Gränser", "Meaning": "Betydelse", "Default": "Förval", "Change": "Ändra", "Changed": "Ändrad", "New value": "Nytt värde", "Why": "Varför",
  "Days without hours are closed; no hours at all means always open.": "Dagar utan tider är stängda; inga tider alls betyder alltid öppet.", "Time zone": "Tidszon", "Save": "Spara",
  "Lock": "Lås", "Symbol (empty: every)": "Symbol (tomt: alla)", "Strategy (empty: every)": "Strategi (tomt: alla)", "Hours (empty: until removed)": "Timmar (tomt: tills det tas bort)",
  "Trading": "Handel", "stricter": "strängare", "lower": "lägre", "higher": "högre", "an admin says": "en administratör bestämmer", "settings version": "inställningsversion",
  "mon": "mån", "tue": "tis", "wed": "ons", "thu": "tor", "fri": "fre", "sat": "lör", "sun": "sön", "e.g. 08:00-12:00, 13:00-17:00": "t.ex. 08:00-12:00, 13:00-17:00",
};

const UNIFIED = "/api/v2/risk/unified";
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const shown = (value) => (Array.isArray(value) ? value.join(", ") || "–" : String(value));

function ChangeLimit({ limit, version, onClose, onDone }) {
  const tr = useWords();
  const [value, setValue] = useState(shown(limit.value));
  const [reason, setReason] = useState("");
  const meant = typeof limit.value === "boolean" ? value === "true" : Array.isArray(limit.value) ? value.split(",").map((one) => one.trim()).filter(Boolean) : typeof limit.value === "number" ? Number(value) : value;
  const send = async () => {
    const body = { changes: { [limit.name]: meant }, expected_version: version, ...(reason.trim() ? { reason } : {}) };
    if (await act(() => api("POST", `${UNIFIED}/limits`, body))) {
      onDone();
      onClose();
    }
  };
  return html`<${Modal} title=${limit.name.replaceAll("_", " ")} onClose=${onClose}>
    <p class="muted">${worded(limit.meaning)}</p><p class="muted">${tr("Range")} ${limit.range} ${worded(limit.unit)} · ${tr("stricter")}: ${tr(limit.stricter)}</p>
    <${Form} className="bare" onSubmit=${send} label=${limit.name} buttons=${html`<button type="button" onClick=${onClose}>${tr("Go back")}</button><button type="submit" class="primary">${tr("Save")}</button>`}>
      ${typeof limit.value === "boolean" ? html`<${Field} kind="select" label=${tr("New value")} value=${value} onChange=${setValue} options=${[["true", "true"], ["false", "false"]]} />` : html`<${Field} label="${tr("New value")} (${worded(limit.unit)})" value=${value} onChange=${setValue} />`}
      <${Field} label=${tr("Why")} value=${reason} onChange=${setReason} maxlength="200" />
    <//>
  <//>`;
}

function Limits() {
  const tr = useWords();
  const of = useApi(`${UNIFIED}/limits`);
  const [typed, setTyped] = useState("");
  const [changing, setChanging] = useState(null);
  const tools = html`<input type="search" aria-label=${tr("Search")} placeholder=${tr("Search")} value=${typed} onInput=${(event) => setTyped(event.target.value)} />`;
  return html`<${Card} id="limits" className="span-7" title=${tr("Limits")} count=${of.data && of.data.limits.length} tools=${tools}>
    <${Answer} of=${of} rows=${10}>${(told) => html`<${Table} className="whole" label=${tr("Limits")} heads=${[[tr("Limit")], [tr("Value"), "n"], [tr("Default"), "n wide"], ["", "act"]]}
      rows=${told.limits.filter((one) => `${one.name} ${one.meaning}`.toLowerCase().includes(typed.toLowerCase().replaceAll(" ", "_")) || `${one.meaning} ${worded(one.meaning)}`.toLowerCase().includes(typed.toLowerCase())).map((one) => html`<tr key=${one.name}>
        <td>${one.name.replaceAll("_", " ")}<small class="below muted">${worded(one.meaning)}</small></td><td class="n"><b class=${shown(one.value) !== shown(one.default) ? "changed" : ""}>${shown(one.value)}</b> <span class="muted roomy">${worded(one.unit).split(",")[0]}</span></td>
        <td class="n wide muted">${shown(one.default)}</td>
        <td class="act"><button type="button" class="small" disabled=${!may("trade")} aria-label="${tr("Change")} ${one.name}" onClick=${() => setChanging(one)}>${tr("Change")}</button></td></tr>`)} />
      ${changing && html`<${ChangeLimit} limit=${changing} version=${told.version} onClose=${() => setChanging(null)} onDone=${of.again} />`}`}<//>
  <//>`;
}

const hoursText = (rows) => (rows || []).map(([from, to]) => `${from}-${to}`).join(", ");

function WindowsForm({ told, onDone }) {
  const tr = useWords();
  const [zone, setZone] = useState(told.timezone);
  const [days, setDays] = useState(Object.fromEntries(DAYS.map((day) => [day, hoursText(told.windows[day])])));
  const [fault, setFault] = useState({});
  const send = async () => {
    const windows = {};
    const faults = {};
    for (const day of DAYS) {
      const parts = days[day].split(",").map((part) => part.trim()).filter(Boolean);
      const hours = parts.map((part) => part.split("-").map((one) => one.trim()));
      if (hours.some((one) => one.length !== 2)) faults[day] = tr("e.g. 08:00-12:00, 13:00-17:00");
      else if (hours.length) windows[day] = hours;
    }
    setFault(faults);
    if (Object.keys(faults).length) return;
    // Days left empty are closed, unless all of them are: then there are no windows, and it is always open.
    const whole = Object.keys(windows).length ? Object.fromEntries(DAYS.map((day) => [day, windows[day] || []])) : {};
    if (await act(() => api("POST", `${UNIFIED}/windows`, { windows: whole, timezone: zone }))) onDone();
  };
  return html`<${Form} onSubmit=${send} label=${tr("Trading windows")} buttons=${html`<button type="submit" disabled=${!may("trade")}>${tr("Save")}</button>`}>
    <p class="muted">${tr("Days without hours are closed; no hours at all means always open.")}</p>
    <${Field} label=${tr("Time zone")} value=${zone} onChange=${setZone} />
    <div class="days">${DAYS.map((day) => html`<${Field} key=${day} label=${tr(day)} value=${days[day]} placeholder="08:00-17:00" fault=${fault[day]} onChange=${(text) => setDays((old) => ({ ...old, [day]: text }))} />`)}</div>
  <//>`;
}

function WindowsCard() {
  const tr = useWords();
  const of = useApi(`${UNIFIED}/windows`);
  return html`<${Card} id="windows" title=${tr("Trading windows")}><${Answer} of=${of}>${(told) => html`
    <p class="denials"><${Chip} tone=${told.now.open ? "good" : "warn"}>${tr(told.now.open ? "open" : "closed")}<//>${told.now.next_opening_ms && !told.now.open ? html`<span class="muted">${tr("opens")} ${dayClock(told.now.next_opening_ms)} UTC</span>` : ""}${told.now.next_closing_ms && told.now.open ? html`<span class="muted">${tr("closes")} ${dayClock(told.now.next_closing_ms)} UTC</span>` : ""}</p>
    <${WindowsForm} key=${JSON.stringify(told.windows)} told=${told} onDone=${of.again} />`}<//><//>`;
}

function LockForm() {
  const tr = useWords();
  const { status } = useTopics("status");
  const [form, setForm] = useState({ symbol: "", strategy: "", hours: "1", reason: "" });
  const set = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const send = () => act(() => api("POST", `${UNIFIED}/locks`, {
    ...(form.symbol && { symbol: form.symbol }), ...(form.strategy.trim() && { strategy: form.strategy.trim() }),
    ...(Number(form.hours) > 0 && { duration_s: Number(form.hours) * 3600 }), reason: form.reason.trim() || "asked on the page",
  }));
  return html`<${Card} id="lock" title=${tr("Lock")}><${Form} onSubmit=${send} label=${tr("Lock")} buttons=${html`<button type="submit" disabled=${!may("trade")}>${tr("Lock")}</button>`}>
    <div class="pair"><${Field} kind="select" label=${tr("Symbol")} value=${form.symbol} onChange=${set("symbol")} options=${[["", tr("everything")], ...((status && status.symbols) || []).map((one) => [one, pair(one)])]} />
      <${Field} label=${tr("Strategy (empty: every)")} value=${form.strategy} onChange=${set("strategy")} /></div>
    <div class="pair"><${Field} kind="number" label=${tr("Hours (empty: until removed)")} value=${form.hours} onChange=${set("hours")} /><${Field} label=${tr("Why")} value=${form.reason} onChange=${set("reason")} maxlength="200" /></div>
  <//><//>`;
}

export function component() {
  const tr = useWords();
  return html`<div class="grid">
    <div class="span-5 column"><${Card} id="switches" title=${tr("Trading")}><div class="padded"><${Controls} /></div><//><${RiskCard} /><${LockForm} /><${WindowsCard} /></div>
    <${Limits} />
  </div>`;
}
