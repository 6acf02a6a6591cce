// Logs: the newest lines of the engine, by level and text. The disk has all of them; `genesis logs` reads those.

import { html, useState } from "../../vendor/preact-htm.js";
import { Answer, Card, Chip, Field, Segments, useApi } from "../parts.js";
import { setQuery } from "../router.js";
import { useWords } from "../words.js";

export const words = {
  "Logs": "Logg", "Text of the line": "Text i raden", "All levels": "Alla nivåer", "Warnings": "Varningar", "Errors": "Fel", "Nothing was said": "Inget har sagts",
  "No line of this level has this text.": "Ingen rad på denna nivå har den texten.", "The newest thousand lines of this process; `genesis logs` reads all of the disk.": "De senaste tusen raderna i denna process; `genesis logs` läser allt på disken.",
};

const LOOK_S = 2;
const TONES = { warning: "warn", error: "bad", critical: "bad" };
const LEVELS = [["debug", "All levels"], ["warning", "Warnings"], ["error", "Errors"]];
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export function component({ query }) {
  const tr = useWords();
  const [typed, setTyped] = useState(query.text || "");
  const asked = new URLSearchParams({ limit: 300, level: query.level || "debug", text: query.text || "" });
  const of = useApi(`/api/v2/logs?${asked}`, { every: LOOK_S });
  const tools = html`<${Segments} label=${tr("Logs")} value=${query.level || "debug"} onPick=${(level) => setQuery({ level: level === "debug" ? null : level })} options=${LEVELS.map(([level, name]) => [level, tr(name)])} />`;
  return html`<div class="grid"><${Card} id="logs" className="span-12" title=${tr("Logs")} count=${of.data && of.data.log_count} tools=${tools}>
    <form class="filters" onSubmit=${(event) => {
      event.preventDefault();
      setQuery({ text: typed.trim() || null });
    }}>
      <${Field} label=${tr("Text of the line")} value=${typed} onChange=${setTyped} maxlength="200" />
      <div class="row"><button type="submit">${tr("Search")}</button></div>
    </form>
    <${Answer} of=${of} rows=${12} empty=${(told) => !told.lines.length} title=${tr("Nothing was said")} text=${tr("No line of this level has this text.")}>${(told) => html`
      <ul class="feed">${told.lines.map((line) => html`<li key=${`${line.at}${line.event}${JSON.stringify(line.values)}`}>
        <div class="line"><time class="muted">${line.at.slice(11, 23)}</time><${Chip} tone=${TONES[line.level]}>${line.level}<//><b>${line.event.replaceAll("_", " ")}</b><span class="grow"></span><span class="muted wide">${line.logger}</span></div>
        <p class="why muted">${Object.entries(line.values).map(([name, value]) => html`<span key=${name}>${name} <b>${shown(value)}</b> </span>`)}</p>
      </li>`)}</ul>
      <p class="muted note">${tr("The newest thousand lines of this process; `genesis logs` reads all of the disk.")}</p>`}<//>
  <//></div>`;
}
