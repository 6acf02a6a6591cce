// The actors: the supervision tree with its budgets and mailboxes, what was put aside, and, in sim mode, trouble on demand.

import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { ConnectionsCard, FreshnessCard } from "../actors.js";
import { clock, duration } from "../format.js";
import { Answer, Bar, Card, Chip, Code, Command, Empty, Facts, Field, Loading, Segments, Table, act, api, may, useApi } from "../parts.js";
import { setQuery } from "../router.js";
import { useTopics } from "../store.js";
import { useWords } from "../words.js";

export const style = true;

const TONE = { running: "good", starting: "warn", "backing off": "warn", stopping: "warn", stopped: "", zombie: "bad" };

function flat(node, depth, path, out) {
  const here = path ? `${path}/${node.name}` : node.name;
  out.push({ node, depth, path: here });
  for (const child of node.children) flat(child, depth + 1, here, out);
  return out;
}

const worker = (node) => node.kind !== "supervisor";
const waiting = (node) => node.channels.reduce((sum, c) => sum + c.depth + c.leased, 0);
const lag = (node) => Math.max(0, ...node.channels.map((c) => c.oldest_age_s));
const dead = (node) => node.channels.reduce((sum, c) => sum + c.dead, 0);

// When each mailbox last took a message, as this page has seen it: counters that stand still are older than the page.
const arrivals = new Map();
function arrived(path, node, now) {
  const put = node.channels.reduce((sum, c) => sum + c.put, 0);
  const seen = arrivals.get(path);
  if (!seen || seen.put !== put) arrivals.set(path, { put, at: seen ? now : null, since: now });
  return arrivals.get(path);
}

const ENDLESS = 1_000_000;

function Budget({ budget }) {
  const tr = useWords();
  const told = `${budget.spent} ${tr("of")} ${budget.intensity} ${tr("in")} ${budget.period_s} s; ${tr("in a row at most")} ${budget.max_consecutive}`;
  // A branch that may restart as often as it must has a budget that nothing can spend.
  if (budget.intensity >= ENDLESS) return html`<span class="mail muted" title=${tr("It restarts as often as it must")}>${budget.spent}</span>`;
  const fraction = budget.spent / budget.intensity;
  return html`<span class="mail" title=${told}>${budget.spent}/${budget.intensity}<${Bar} fraction=${fraction} tone=${fraction > 0.7 ? "bad" : fraction > 0.3 ? "warn" : "good"} /></span>`;
}

function Tree({ picked }) {
  const tr = useWords();
  const { actor } = useTopics("actor");
  const now = Date.now() / 1000;
  if (actor === undefined) return html`<${Loading} rows=${10} />`;
  if (actor === null) return html`<${Empty} title=${tr("The tree is not known yet")} />`;
  const heads = [[tr("Actor")], [tr("Status")], [tr("Restarts"), "n"], [tr("Budget"), "n"], [tr("Waiting"), "n"], [tr("Oldest"), "n"], [tr("Last message"), "n wide"], [tr("Last error"), "wide"]];
  return html`<${Table} className="tree-page" label=${tr("Actors")} heads=${heads} rows=${flat(actor, 0, "", []).map(({ node, depth, path }) => {
    const last = worker(node) && node.channels.length ? arrived(path, node, now) : null;
    const age = last && (last.at === null ? `> ${duration(now - last.since)}` : duration(now - last.at));
    const open = () => setQuery({ actor: picked === path ? undefined : path });
    return html`<tr key=${path} class="${worker(node) ? "" : "branch"} ${picked === path ? "picked" : ""}">
      <td><button type="button" class="plain" style=${{ paddingLeft: `${depth * 14}px` }} aria-pressed=${picked === path} onClick=${open}><i class="dot ${TONE[node.status] || ""}"></i> ${node.name}</button>${node.strategy && html` <small class="muted">${tr(node.strategy.toLowerCase().replaceAll("_", " "))}</small>`}</td>
      <td class="muted" title="${tr("Since")} ${duration(node.since_s)}">${tr(node.status)}${node.last_progress_s > 1 && html` <${Chip} tone="warn" title=${tr("Work waits and nothing moves")}>${duration(node.last_progress_s)}<//>`}</td>
      <td class="n ${node.restarts ? "warn-text" : "muted"}">${node.restarts}</td>
      <td class="n">${node.budget && html`<${Budget} budget=${node.budget} />`}</td>
      <td class="n">${worker(node) ? waiting(node) : ""}${dead(node) > 0 && html` <${Chip} tone="bad">${dead(node)} ${tr("dead")}<//>`}</td>
      <td class="n ${lag(node) > 1 ? "warn-text" : "muted"}">${lag(node) > 0 ? duration(lag(node)) : ""}</td>
      <td class="n wide muted">${age || ""}</td>
      <td class="wide error" title=${node.last_error || ""}>${node.last_error || ""}</td>
    </tr>`;
  })} />`;
}

function Picked({ path, sim }) {
  const tr = useWords();
  const { actor } = useTopics("actor");
  if (!actor) return null;
  const found = flat(actor, 0, "", []).find((one) => one.path === path);
  if (!found) return html`<${Empty} title=${tr("This actor is not in the tree any more")} />`;
  const { node } = found;
  const hurt = (fault, label, text) => html`<${Command} small scope="admin" tone="danger" label=${label} title="${label}: ${path}" text=${text}
    run=${() => api("POST", "/api/v2/chaos", fault === "kill" ? { kill: path } : { fault, actor: path })} />`;
  return html`<${Facts} rows=${[
    [tr("Status"), tr(node.status)], [tr("Since"), duration(node.since_s)], [tr("Generation"), node.generation], [tr("Restarts"), node.restarts],
    [tr("Failures in a row"), node.failures], [tr("Restart"), node.restart],
    ...(node.budget ? [[tr("Budget"), `${node.budget.spent} ${tr("of")} ${node.budget.intensity} ${tr("in")} ${node.budget.period_s} s`]] : []),
  ]} />
  ${node.last_error && html`<p class="why down">${node.last_error}</p>`}
  ${node.channels.length > 0 && html`<${Table} label=${tr("Channels")} heads=${[[tr("Channel")], [tr("Policy")], [tr("Waiting"), "n"], [tr("Room"), "n"], [tr("Handled"), "n"], [tr("Again"), "n"], [tr("Lost"), "n"], [tr("dead"), "n"]]}
    rows=${node.channels.map((c) => html`<tr key=${c.name}><td>${c.name}</td><td class="muted">${c.overflow}</td><td class="n">${c.depth + c.leased}</td><td class="n muted">${c.capacity || "∞"}</td>
      <td class="n">${c.acked}</td><td class="n ${c.redelivered ? "warn-text" : "muted"}">${c.redelivered}</td><td class="n muted" title="${c.conflated} ${tr("replaced by newer")}, ${c.dropped} ${tr("dropped")}, ${c.refused} ${tr("refused")}">${c.conflated + c.dropped + c.refused}</td><td class="n ${c.dead ? "down" : "muted"}">${c.dead}</td></tr>`)} />`}
  ${sim && worker(node) && html`<div class="row">
    ${hurt("kill", tr("Kill"), tr("The actor crashes now; its supervisor restarts it and no order is lost or doubled."))}
    ${hurt("hang", tr("Hang"), tr("It takes its next messages and is never heard of again, until its watchdog restarts it."))}
    ${hurt("livelock", tr("Spin"), tr("It takes its next messages and turns in place, until its watchdog restarts it."))}
  </div>`}`;
}

function Letters({ number }) {
  const tr = useWords();
  const of = useApi("/api/v2/actors/dead-letters", { every: 5 });
  return html`<${Answer} of=${of} empty=${(data) => !data.letters.length} title=${tr("No message was put aside")}
    text=${tr("A message that crashes its actor three times is put aside and shown here. One about money halts trading.")}>${(data) => {
      const one = data.letters.find((letter) => String(letter.number) === number);
      return html`<${Table} label=${tr("Dead letters")} heads=${[["#", "n"], [tr("Time")], [tr("Mailbox")], [tr("Channel")], [tr("Message")], [tr("Tries"), "n"], [tr("Error"), "wide"]]}
        rows=${data.letters.map((letter) => html`<tr key=${letter.number} class=${String(letter.number) === number ? "picked" : ""}>
          <td class="n"><button type="button" class="plain" aria-pressed=${String(letter.number) === number} onClick=${() => setQuery({ letter: String(letter.number) === number ? undefined : letter.number })}>${letter.number}</button></td>
          <td>${clock(letter.at_ms)}</td><td>${letter.mailbox}</td><td>${letter.channel}${letter.money && html` <${Chip} tone="bad">${tr("money")}<//>`}</td>
          <td>${letter.kind}</td><td class="n">${letter.attempts}</td><td class="wide error" title=${letter.error}>${letter.error}</td></tr>`)} />
        ${one && html`<p class="why down">${one.error}</p><${Code} text=${JSON.stringify(one.message, null, 2)} />`}`;
    }}<//>`;
}

function Trouble() {
  const tr = useWords();
  const of = useApi("/api/v2/chaos", { every: 2 });
  const [fault, setFault] = useState("drop");
  const [sockets, setSockets] = useState("all");
  const [seconds, setSeconds] = useState("");
  const [times, setTimes] = useState("");
  const number = (text) => (text.trim() === "" ? undefined : Number(text.replace(",", ".")));
  return html`<${Answer} of=${of}>${(data) => {
    const kinds = data.kinds.filter((kind) => kind.target !== "actor");
    const kind = kinds.find((one) => one.fault === fault) || kinds[0];
    const body = () => ({
      fault: kind.fault,
      ...(kind.target === "sockets" ? { sockets } : {}),
      ...(kind.takes.includes("seconds") ? { seconds: number(seconds) } : {}),
      ...(kind.takes.includes("times") ? { times: number(times) } : {}),
    });
    return html`<form class="trouble" onSubmit=${(event) => { event.preventDefault(); act(() => api("POST", "/api/v2/chaos", body())).then(of.again); }}>
      <${Field} label=${tr("Trouble")} kind="select" value=${kind.fault} onChange=${setFault} options=${kinds.map((one) => [one.fault, one.fault.replaceAll("_", " ")])} hint=${tr(kind.text)} />
      ${kind.target === "sockets" && html`<${Segments} label=${tr("Sockets")} value=${sockets} onPick=${setSockets} options=${[["all", tr("All")], ["public", tr("public")], ["private", tr("private")]]} />`}
      ${kind.takes.includes("seconds") && html`<${Field} label=${tr("Seconds")} kind="number" value=${seconds} onChange=${setSeconds} />`}
      ${kind.takes.includes("times") && html`<${Field} label=${tr("Times")} kind="number" value=${times} onChange=${setTimes} />`}
      <div class="row"><button class="danger" disabled=${!may("admin")} title=${may("admin") ? "" : tr("Your token does not allow this")}>${tr("Break it")}</button>
        <button type="button" disabled=${!may("admin") || !data.active.length} onClick=${() => act(() => api("DELETE", "/api/v2/chaos")).then(of.again)}>${tr("Mend all")}</button></div>
    </form>
    ${data.active.length > 0 && html`<ul class="feed">${data.active.map((one, index) => html`<li key=${index}><div class="line"><i class="dot bad"></i><b>${one.fault.replaceAll("_", " ")}</b><span class="muted">${one.text}</span><span class="grow"></span>
      <span class="muted">${one.happened} ${tr("times")}${one.ends_in_s !== null && `, ${tr("ends in")} ${duration(one.ends_in_s)}`}</span></div></li>`)}</ul>`}`;
  }}<//>`;
}

export function component({ query }) {
  const tr = useWords();
  const { status } = useTopics("status");
  const sim = status && status.mode === "sim";
  useEffect(() => () => arrivals.clear(), []);
  return html`<div class="grid">
    <${Card} id="tree" className=${query.actor ? "span-8" : "span-12"} title=${tr("Actors")}><${Tree} picked=${query.actor} /><//>
    ${query.actor && html`<${Card} id="picked" className="span-4" title=${query.actor}><${Picked} path=${query.actor} sim=${sim} /><//>`}
    <${Card} id="letters" className=${sim ? "span-8" : "span-12"} title=${tr("Dead letters")}><${Letters} number=${query.letter} /><//>
    ${sim && html`<${Card} id="trouble" className="span-4" title=${tr("Trouble on demand")}><${Trouble} /><//>`}
    <${ConnectionsCard} /><${FreshnessCard} />
  </div>`;
}

export const words = {
  "It restarts as often as it must": "Den startar om så ofta den måste",
  "Budget": "Budget", "Waiting": "Väntar", "Oldest": "Äldst", "Last message": "Senaste meddelande", "in": "på", "in a row at most": "i rad högst",
  "Work waits and nothing moves": "Arbete väntar och inget rör sig", "This actor is not in the tree any more": "Aktören finns inte längre i trädet",
  "Generation": "Generation", "Failures in a row": "Fel i rad", "Restart": "Omstart", "Channels": "Kanaler", "Channel": "Kanal", "Policy": "Policy",
  "Room": "Plats", "Handled": "Hanterade", "Again": "Igen", "dead": "döda", "replaced by newer": "ersatta av nyare", "dropped": "kastade",
  "refused": "nekade", "Hang": "Häng", "Spin": "Snurra",
  "It takes its next messages and is never heard of again, until its watchdog restarts it.": "Den tar sina nästa meddelanden och hörs inte av mer, tills dess vakt startar om den.",
  "It takes its next messages and turns in place, until its watchdog restarts it.": "Den tar sina nästa meddelanden och snurrar på stället, tills dess vakt startar om den.",
  "Dead letters": "Döda brev", "No message was put aside": "Inget meddelande har lagts åt sidan", "Message": "Meddelande", "Tries": "Försök", "Error": "Fel", "money": "pengar",
  "A message that crashes its actor three times is put aside and shown here. One about money halts trading.": "Ett meddelande som fäller sin aktör tre gånger läggs åt sidan och visas här. Gäller det pengar stoppas handeln.",
  "Trouble on demand": "Fel på beställning", "Trouble": "Fel", "Sockets": "Uttag", "public": "publika", "private": "privata", "Seconds": "Sekunder", "Times": "Gånger", "times": "gånger",
  "The actor crashes now.": "Aktören kraschar nu.",
  "It takes its next messages and is never heard of again.": "Den tar sina nästa meddelanden och hörs inte av mer.",
  "It takes its next messages and turns in place.": "Den tar sina nästa meddelanden och snurrar på stället.",
  "Sockets are cut without a goodbye.": "Uttag bryts utan avsked.",
  "The account's socket alone is away: no login is answered. REST answers.": "Bara kontots uttag är borta: ingen inloggning besvaras. REST svarar.",
  "The venue says 20051 and closes every socket.": "Börsen säger 20051 och stänger alla uttag.",
  "20060, and 20061 when it is over.": "20060, och 20061 när det är över.",
  "A socket stays open and says nothing more.": "Ett uttag står öppet och säger inget mer.",
  "Frames are lost.": "Ramar går förlorade.", "Frames come twice.": "Ramar kommer två gånger.", "Two frames change places.": "Två ramar byter plats.",
  "Frames come late, by `seconds`.": "Ramar kommer så många sekunder för sent.", "The line breaks within a frame.": "Linjen bryts mitt i en ram.",
  "A book's checksum is wrong.": "En orderboks kontrollsumma är fel.", "A request is done and not answered.": "En begäran utförs men besvaras inte.",
  "An order is carried out `seconds` late.": "En order utförs så många sekunder för sent.", "A signed request hears `nonce: small`.": "En signerad begäran får svaret `nonce: small`.",
  "REST answers 429.": "REST svarar 429.", "REST answers 503.": "REST svarar 503.", "New sockets are refused with 429.": "Nya uttag nekas med 429.",
  "Break it": "Förstör", "Mend all": "Laga allt", "ends in": "slutar om",
};
