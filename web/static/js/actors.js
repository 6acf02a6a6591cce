// The engine's inside: the supervision tree, its connections, and how old every stream is.

import { html } from "../vendor/preact-htm.js";
import { duration, pair } from "./format.js";
import { Bar, Card, Chip, Command, Empty, Loading } from "./parts.js";
import { call } from "./session.js";
import { useTopics } from "./store.js";
import { useWords } from "./words.js";

const TONE = { running: "good", starting: "warn", "backing off": "warn", stopping: "warn", stopped: "", zombie: "bad" };

function rows(node, depth, path, out) {
  const here = path ? `${path}/${node.name}` : node.name;
  out.push({ node, depth, path: here });
  for (const child of node.children) rows(child, depth + 1, here, out);
  return out;
}

function Mail({ channels }) {
  const tr = useWords();
  if (!channels.length) return null;
  const waiting = channels.reduce((sum, c) => sum + c.depth + c.leased, 0);
  const full = Math.max(...channels.map((c) => (c.capacity ? c.depth / c.capacity : 0)));
  const lost = channels.reduce((sum, c) => sum + c.dropped + c.dead, 0);
  const told = channels.map((c) => `${c.name} (${c.overflow}): ${c.depth} ${tr("waiting")}, ${c.leased} ${tr("leased")}, ${c.acked} acked, ${c.conflated} conflated, ${c.dropped} dropped, ${c.dead} dead, ${c.redelivered} redelivered`).join("\n");
  return html`<span class="mail" title=${told}>${waiting}<${Bar} fraction=${full} tone=${full > 0.8 ? "bad" : full > 0.4 ? "warn" : "good"} />${lost > 0 && html`<${Chip} tone="warn">−${lost}<//>`}</span>`;
}

export function ActorsCard({ className = "" }) {
  const tr = useWords();
  const { actor, status } = useTopics("actor", "status");
  const sim = status && status.mode === "sim";
  const body = () => {
    if (actor === undefined) return html`<${Loading} rows=${8} />`;
    if (actor === null) return html`<${Empty} title=${tr("The tree is not known yet")} />`;
    return html`<div class="scroll tall" tabindex="0"><table class="tree">
      <thead><tr><th scope="col">${tr("Actor")}</th><th scope="col">${tr("Status")}</th><th scope="col" class="n">${tr("Restarts")}</th><th scope="col" class="n">${tr("Mailbox")}</th><th scope="col" class="wide">${tr("Last error")}</th><td></td></tr></thead>
      <tbody>${rows(actor, 0, "", []).map(({ node, depth, path }) => {
        const leaf = !node.children.length && node.kind !== "supervisor";
        return html`<tr key=${path} class=${leaf ? "" : "branch"}>
          <td><span style=${{ paddingLeft: `${depth * 14}px` }}><i class="dot ${TONE[node.status] || ""}"></i> ${node.name}</span>${!leaf && node.strategy && html` <small class="muted">${tr(node.strategy.toLowerCase().replaceAll("_", " "))}</small>`}</td>
          <td class="muted" title="${tr("Since")} ${duration(node.since_s)}">${tr(node.status)}</td>
          <td class="n ${node.restarts ? "warn-text" : "muted"}">${node.restarts}</td>
          <td class="n"><${Mail} channels=${node.channels} /></td>
          <td class="wide error" title=${node.last_error || ""}>${node.last_error || ""}</td>
          <td class="act">${sim && leaf && html`<${Command} small about=${node.name} scope="admin" tone="danger" label=${tr("Kill")} title="${tr("Kill")} ${node.name}"
            text=${tr("The actor crashes now; its supervisor restarts it and no order is lost or doubled.")}
            run=${() => call("POST", "/api/v2/chaos", { kill: path })} />`}</td>
        </tr>`;
      })}</tbody>
    </table></div>`;
  };
  return html`<${Card} id="actors" className=${className} title=${tr("Actors")}>${body()}<//>`;
}

export function ConnectionsCard({ className = "" }) {
  const tr = useWords();
  const { connection } = useTopics("connection");
  const body = () => {
    if (connection === undefined) return html`<${Loading} rows=${2} />`;
    if (!connection.length) return html`<${Empty} title=${tr("No streams")} />`;
    return html`<ul class="feed">${connection.map((row) => {
      const works = row.status === "up" || row.status === "idle";
      return html`<li key=${row.name}><div class="line"><i class="dot ${works ? "good" : ["down", "closed", "failed"].includes(row.status) ? "bad" : "warn"}"></i><b>${row.name}</b><span class="muted">${row.status}</span><span class="grow"></span>
        <span class="muted">${row.subscriptions} ch · ${row.frames} fr · ${row.reconnects} ${tr("Reconnects").toLowerCase()}</span></div>
        ${row.last_error && html`<p class="why ${works ? "muted" : "down"}">${works ? `${tr("before")}: ` : ""}${row.last_error}</p>`}</li>`;
    })}</ul>`;
  };
  return html`<${Card} id="connections" className=${className} title=${tr("Connections")}>${body()}<//>`;
}

// What a person reads, and a browser draws ten times a second: the nearest to their limits, of however many there are.
const STREAMS = 60;
const share = (row) => (row.limit_ms ? row.age_ms / row.limit_ms : 0);
const nearest = (rows) => (rows.length <= STREAMS ? rows : [...rows].sort((a, b) => b.stale - a.stale || share(b) - share(a)).slice(0, STREAMS));

export function FreshnessCard({ className = "" }) {
  const tr = useWords();
  const { freshness } = useTopics("freshness");
  const body = () => {
    if (freshness === undefined) return html`<${Loading} />`;
    if (!freshness.length) return html`<${Empty} title=${tr("No streams")} />`;
    return html`<div class="scroll" tabindex="0"><table>
      <thead><tr><th scope="col">${tr("Stream")}</th><th scope="col">${tr("Symbol")}</th><th scope="col" class="n">${tr("Age")}</th><th scope="col" class="n">${tr("Limit")}</th><td class="meter"></td></tr></thead>
      <tbody>${nearest(freshness).map((row) => {
        const fraction = share(row);
        return html`<tr key=${`${row.stream}${row.symbol}${row.timeframe}`}>
          <td>${row.stream} <span class="muted">${row.timeframe}</span></td><td>${pair(row.symbol)}</td>
          <td class="n ${row.stale ? "down" : ""}">${duration(row.age_ms / 1000)}</td><td class="n muted">${duration(row.limit_ms / 1000)}</td>
          <td class="meter"><${Bar} fraction=${fraction} tone=${row.stale ? "bad" : fraction > 0.6 ? "warn" : "good"} /></td>
        </tr>`;
      })}</tbody>
    </table></div>`;
  };
  const count = freshness && freshness.length > STREAMS ? `${STREAMS} ${tr("of")} ${freshness.length}` : undefined;
  return html`<${Card} id="freshness" className=${className} title=${tr("Data freshness")} count=${count}>${body()}<//>`;
}
