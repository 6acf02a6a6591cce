// Inside the engine: numbers, events, the machine, and old paths that are still used.

import { html, useState } from "../../vendor/preact-htm.js";
import { dayClock, duration, quantity } from "../format.js";
import { about } from "../notices.js";
import { Answer, Bar, Card, Chip, Facts, Segments, Table, useApi } from "../parts.js";
import { spoken } from "../reasons.js";
import { useWords } from "../words.js";

export const words = {
  "The machine": "Maskinen", "Processors": "Processorer", "Memory": "Minne", "This process": "Den här processen", "Load": "Last", "Open files": "Öppna filer", "Threads": "Trådar", "CPU time": "Processortid",
  "Answers": "Svar", "answered": "besvarade", "mean": "medel", "stream clients": "strömklienter", "published": "publicerat",
  "Events": "Händelser", "No events": "Inga händelser", "Counters": "Räknare", "Gauges": "Mätare", "Numbers": "Tal", "Name": "Namn",
  "World outside": "Omvärlden", "Client": "Klient", "Sent": "Skickat", "Received": "Mottaget", "Failures": "Misslyckat", "Budget": "Budget", "Median": "Median",
  "Events by category": "Händelser per slag", "Category": "Slag", "Heard": "Hörda", "In the log": "I loggen", "Left out": "Utelämnade", "Rate": "Andel", "every": "alla",
  "Of frequent events the log tells the share that the setting events.* names.": "Av det som händer ofta säger loggen den andel som inställningen events.* anger.",
  "Old paths": "Gamla adresser", "Use instead": "Använd i stället", "Ends": "Slutar", "Uses": "Användningar", "Old path": "Gammal adress",
};

const TONES = { info: "info", warning: "warn", alarm: "bad" };

function Numbers({ told }) {
  const tr = useWords();
  const [which, setWhich] = useState("counters");
  const [typed, setTyped] = useState("");
  const rows = Object.entries(told[which]).filter(([name]) => name.includes(typed.trim()));
  const tools = html`<input type="search" aria-label=${tr("Search")} placeholder=${tr("Search")} value=${typed} onInput=${(event) => setTyped(event.target.value)} /><${Segments} label=${tr("Numbers")} value=${which} onPick=${setWhich} options=${[["counters", tr("Counters")], ["gauges", tr("Gauges")]]} />`;
  return html`<${Card} id="numbers" className="span-6" title=${tr("Numbers")} count=${rows.length} tools=${tools}>
    <${Table} className="tall" label=${tr("Numbers")} heads=${[[tr("Name")], [tr("Value"), "n"]]} rows=${rows.map(([name, value]) => html`<tr key=${name}><td class="metric">${name}</td><td class="n">${quantity(Number(value.toPrecision(8)))}</td></tr>`)} />
  <//>`;
}

function Machine({ system }) {
  const tr = useWords();
  return html`<${Card} id="machine" className="span-4" title=${tr("The machine")}>
    <ul class="limits">${system.cpu_pct.map((share, i) => html`<li key=${i}><span class="name">CPU ${i}</span><span>${share.toFixed(0)} %</span><${Bar} fraction=${share / 100} tone=${share > 90 ? "bad" : share > 70 ? "warn" : "good"} /></li>`)}
      <li><span class="name">${tr("Memory")}</span><span>${system.ram_pct} %</span><${Bar} fraction=${system.ram_pct / 100} tone=${system.ram_pct > 90 ? "bad" : system.ram_pct > 75 ? "warn" : "good"} /></li></ul>
    <${Facts} rows=${[[tr("This process"), `${system.process_ram_mb} MB`], [tr("CPU time"), duration(system.process_cpu_s)], [tr("Load"), system.load_1m], [tr("Threads"), system.threads], [tr("Open files"), system.open_files]]} />
  <//>`;
}

function Answers({ told }) {
  const tr = useWords();
  const ms = (value) => (value === null ? "–" : `${(value * 1000).toFixed(1)} ms`);
  return html`<${Card} id="answers" className="span-3" title=${tr("Answers")}><${Facts} rows=${[[tr("answered"), told.http.count], [tr("mean"), ms(told.http.mean_s)], ["p50 ≤", ms(told.http.p50_s)], ["p99 ≤", ms(told.http.p99_s)], [tr("stream clients"), told.stream_clients], [tr("published"), told.stream_published]]} /><//>`;
}

function Events({ events }) {
  const tr = useWords();
  return html`<${Card} id="events" className="span-5" title=${tr("Events")} count=${events.length}>${events.length ? html`<ul class="feed scroll" tabindex="0">${events.map((row) => html`<li key=${row.at_ms + row.code + row.text}><div class="line"><${Chip} tone=${TONES[row.level] || ""}>${tr(row.level)}<//><b>${about(row.code)}</b><span class="grow"></span><time class="muted">${dayClock(row.at_ms)}</time></div><p class="why">${spoken(row.text)}</p></li>`)}</ul>` : html`<div class="empty"><p class="muted">${tr("No events")}</p></div>`}<//>`;
}

const bytes = (count) => (count ? (count < 1024 ? `${count} B` : count < 1048576 ? `${(count / 1024).toFixed(1)} kB` : `${(count / 1048576).toFixed(1)} MB`) : "–");

function Outside({ rows }) {
  const tr = useWords();
  const ms = (value) => (value === null ? "–" : `${(value * 1000).toFixed(1)} ms`);
  return html`<${Card} id="io" className="span-12" title=${tr("World outside")}><${Table} label=${tr("World outside")} heads=${[[tr("Client")], [tr("Sent"), "n"], [tr("Received"), "n"], [tr("Failures"), "n"], ["Bytes", "n wide"], [tr("Median"), "n"], ["p99", "n"], [tr("Budget"), "n wide"]]} rows=${rows.map(
    (row) => html`<tr key=${row.client}><td class="metric">${row.client}</td><td class="n">${row.requests}</td><td class="n">${row.answers}</td><td class="n ${row.failures ? "warn-text" : "muted"}">${row.failures}</td><td class="n muted wide">${bytes(row.bytes_out)} / ${bytes(row.bytes_in)}</td><td class="n">${ms(row.p50_s)}</td><td class="n">${ms(row.p99_s)}</td><td class="n muted wide">${row.utilization === null ? "–" : `${(row.utilization * 100).toFixed(0)} %`}</td></tr>`,
  )} /><//>`;
}

function Categories({ rows }) {
  const tr = useWords();
  return html`<${Card} id="categories" className="span-6 low" title=${tr("Events by category")}><p class="why muted">${tr("Of frequent events the log tells the share that the setting events.* names.")}</p><${Table} label=${tr("Events by category")} heads=${[[tr("Category")], [tr("Heard"), "n"], [tr("In the log"), "n"], [tr("Left out"), "n"], [tr("Rate"), "n"]]} rows=${rows.map(
    (row) => html`<tr key=${row.category}><td>${row.category}</td><td class="n">${row.heard}</td><td class="n">${row.told}</td><td class="n muted">${row.heard - row.told}</td><td class="n">${row.rate === null ? tr("every") : row.rate}</td></tr>`,
  )} /><//>`;
}

function OldPaths({ rows }) {
  const tr = useWords();
  return html`<${Card} id="old" className="span-6 low" title=${tr("Old paths")} count=${rows.length}><${Table} label=${tr("Old paths")} heads=${[[tr("Old path")], [tr("Use instead")], [tr("Ends"), "roomy"], [tr("Uses"), "n"]]} rows=${rows.map((row) => html`<tr key=${row.method + row.path}><td class="metric"><b>${row.method}</b> ${row.path}</td><td class="metric">${row.successor}</td><td class="roomy muted">${row.sunset}</td><td class="n ${row.uses ? "warn-text" : "muted"}">${row.uses}</td></tr>`)} /><//>`;
}

export function component() {
  const of = useApi("/api/v2/observability/dashboard", { every: 2 });
  return html`<div class="grid">
    ${of.data ? html`<${Machine} system=${of.data.system} /><${Answers} told=${of.data} /><${Events} events=${of.data.events} /><${Outside} rows=${of.data.io} /><${Numbers} told=${of.data} /><${Categories} rows=${of.data.event_counts} /><${OldPaths} rows=${of.data.deprecations} />` : html`<section class="card span-12"><${Answer} of=${of} rows=${8} /></section>`}
  </div>`;
}
