// Proof: what the project measured about this release (other people's clients, worlds with faults, speed), and what this
// run can say of itself. The figures were written by the tools that are named beside them and shipped with the page.

import { html, useState } from "../../vendor/preact-htm.js";
import { duration } from "../format.js";
import { Answer, Card, Chip, Facts, Table, useApi } from "../parts.js";
import { useTopics } from "../store.js";
import { useWords } from "../words.js";

export const words = {
  "Proof": "Bevis", "In short": "I korthet", "This run": "Den här körningen", "Written by": "Skrivet av", "Every row": "Alla rader", "Only what failed": "Bara det som föll", "Show": "Visa", "Nothing failed": "Inget föll",
  "Other people's clients on this exchange": "Andras klienter mot den här börsen", "Each client is as published and was told nothing but the simulator's address.": "Varje klient är som den gavs ut och fick bara veta simulatorns adress.",
  "Worlds with faults": "Världar med fel", "The whole engine and its exchange in simulated worlds, broken by plan, and watched by rules.": "Hela motorn och dess börs i simulerade världar, sönderslagna enligt plan och vaktade av regler.",
  "Deliberate defects": "Avsiktliga fel", "A rule that was never seen to be broken proves nothing: the worlds must find every defect put in.": "En regel som aldrig setts brytas bevisar inget: världarna måste hitta varje fel som lagts in.",
  "Orders and stops": "Ordrar och stopp", "A venue that keeps the truth, a line that loses, delays and repeats, strangers that cancel, and an engine that dies at any step between deciding and acting.": "En börs som vet sanningen, en lina som tappar, dröjer och upprepar, främlingar som avbryter, och en motor som dör i varje steg mellan beslut och handling.",
  "Speed": "Fart", "Clients": "Klienter", "Operations": "Operationer", "The last sweep": "Senaste svepet", "Violations": "Brott", "Rules": "Regler", "States that were reached": "Lägen som nåddes", "Faults": "Fel", "Defects": "Fel som lades in", "Deliberate defects of orders and brackets": "Avsiktliga fel i ordrar och stopp", "Goals": "Mål", "Figures": "Siffror",
  "clients": "klienter", "operations passed": "operationer klarade", "worlds": "världar", "virtual hours": "virtuella timmar", "faults planned": "planerade fel", "looks at rules": "blickar på regler", "worlds with a violation": "världar med brott", "defects caught": "fel funna", "processes killed": "dödade processer", "worlds with any law broken": "världar där en lag bröts", "goals met": "mål nådda",
  "client": "klient", "version": "version", "operations": "operationer", "passed": "klarade", "operation": "operation", "pass": "klarad", "rule": "regel", "what it says": "vad den säger", "looks": "blickar", "never reached": "aldrig nått", "state": "läge", "times": "gånger", "fault": "fel", "seed": "frö", "first violation": "första brottet", "again": "igen", "defect": "fel", "what it breaks": "vad det bryter", "with these words": "med dessa ord", "orders": "ordrar", "brackets": "stopp", "area": "område", "goal": "mål", "measured": "mätt", "median": "median", "spread": "spridning", "unit": "enhet",
  "yes": "ja", "met": "nått", "process kills": "dödade processer", "lives of the engine": "motorns liv", "actor crashes": "kraschade aktörer", "orders sent": "skickade ordrar", "trades booked": "bokade avslut", "virtual hours a CPU second": "virtuella timmar per processorsekund", "processes killed, the disk kept": "dödade processer, disken kvar", "actors killed": "dödade aktörer", "orders at the venue": "ordrar hos börsen", "trades": "avslut", "orders doubled": "dubblerade ordrar", "orders lost or without a fate": "tappade ordrar eller utan öde", "positions without their stop": "positioner utan sitt stopp",
  "Up-time": "Drifttid", "Orders in doubt": "Ordrar i tvivel", "Restarts": "Omstarter", "Messages put aside": "Undanlagda meddelanden", "Reconnects": "Återanslutningar", "Longest without a stop": "Längst utan stopp", "Positions covered": "Täckta positioner",
  "The figures of this release": "Siffrorna för den här utgåvan", "none shipped": "inga följde med",
};

export const style = true;

const SHOWN = 6;
// Cells are the tools' own Markdown: a name in code, a word in bold.
const plain = (cell) => cell.replaceAll("`", "").replaceAll("**", "");
const failed = (row) => row.some((cell) => /^\*\*|^no: |^missed/.test(cell));

function Sheet({ table }) {
  const tr = useWords();
  const [all, setAll] = useState(false);
  const [bad, setBad] = useState(false);
  const wrong = table.rows.filter(failed);
  const found = bad ? wrong : table.rows;
  const rows = all || bad ? found : found.slice(0, SHOWN);
  // A column of numbers stands to the right; the first one names the row.
  const number = table.head.map((_, i) => i > 0 && table.rows.every((row) => /^[\d.,%−-]*( of \d+)?$/.test(row[i])));
  return html`<section class="told">
    <header class="line"><h3>${tr(table.title)}</h3><span class="muted">${table.rows.length}</span><span class="grow"></span>
      ${wrong.length > 0 && wrong.length < table.rows.length && html`<button type="button" class="small" aria-label="${tr("Only what failed")} ${wrong.length}: ${tr(table.title)}" aria-pressed=${bad} onClick=${() => setBad(!bad)}>${tr("Only what failed")} ${wrong.length}</button>`}
      ${!bad && table.rows.length > SHOWN && html`<button type="button" class="small" aria-label="${all ? `${tr("Show")} ${SHOWN}` : tr("Every row")}: ${tr(table.title)}" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? `${tr("Show")} ${SHOWN}` : tr("Every row")}</button>`}</header>
    <${Table} label=${tr(table.title)} heads=${table.head.map((name, i) => [tr(name), number[i] ? "n" : ""])} rows=${rows.map((row) => html`<tr key=${row.join()} class=${failed(row) ? "down" : ""}>${row.map((cell, i) => html`<td class=${number[i] ? "n" : ""} data-head=${tr(table.head[i])}>${i === 0 ? html`<b>${tr(plain(cell))}</b>` : tr(plain(cell))}</td>`)}</tr>`)} />
  </section>`;
}

const Glance = ({ rows }) => html`<dl class="glance">${rows.map(([label, value, good]) => html`<div key=${label}><dt>${label}</dt><dd class=${good === null || good === undefined ? "" : good ? "up" : "down"}>${value}</dd></div>`)}</dl>`;

function ThisRun() {
  const tr = useWords();
  const { status, order, protection, actor, connection } = useTopics("status", "order", "protection", "actor", "connection");
  const letters = useApi("/api/v2/actors/dead-letters", { every: 10 });
  const doubt = [...(order || new Map()).values()].filter((row) => row.state === "UNKNOWN").length;
  const count = (nodes) => (nodes || []).reduce((sum, node) => sum + node.restarts + count(node.children), 0);
  const restarts = actor ? count([].concat(actor)) : null;
  const again = connection ? connection.reduce((sum, one) => sum + one.reconnects, 0) : null;
  const watch = protection && protection.watch;
  return html`<${Card} id="run" className="span-12" title=${tr("This run")}><${Glance} rows=${[
    [tr("Up-time"), status ? duration(status.uptime_s) : "–"],
    [tr("Orders in doubt"), order ? doubt : "–", order ? doubt === 0 : null],
    [tr("Messages put aside"), letters.data ? letters.data.total : "–", letters.data ? letters.data.total === 0 : null],
    [tr("Longest without a stop"), watch ? duration(watch.worst_naked_s) : "–"],
    [tr("Restarts"), restarts === null ? "–" : restarts],
    [tr("Reconnects"), again === null ? "–" : again],
  ]} /><//>`;
}

export function component() {
  const tr = useWords();
  const of = useApi("/api/v2/proof");
  const sheets = (of.data && of.data.sheets) || [];
  return html`<div class="grid"><${ThisRun} />
    ${!sheets.length && html`<${Card} id="sheets" className="span-12" title=${tr("The figures of this release")}><${Answer} of=${of} rows=${6} empty=${(told) => !told.sheets.length} title=${tr("none shipped")}>${() => null}<//><//>`}
    ${sheets.map((sheet) => html`<${Card} key=${sheet.name} id=${`sheet-${sheet.name}`} className="span-12" title=${tr(sheet.title)} tools=${html`<span class="muted command">${tr("Written by")} <code>${sheet.command}</code></span>`}>
      <div lang="en"><p class="why">${tr(sheet.text)}</p>
      <${Glance} rows=${sheet.facts.map((fact) => [tr(fact.label), fact.value, fact.good])} />
      <div class="sheets">${sheet.tables.map((table) => html`<${Sheet} key=${table.title} table=${table} />`)}</div></div>
    <//>`)}
  </div>`;
}
