// The configuration: find a key and change it with the engine's own judgement while you type, see what was changed by
// whom and why, go back, try a change on a part of the trading, and see which actor runs which version.

import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { dayClock, duration, numberOf, price, quantity } from "../format.js";
import { worded } from "../meanings.js";
import { act, Answer, api, ApiProblem, Bar, Card, Chip, Code, Command, Empty, Facts, Field, Form, may, Segments, Table, toast, useApi } from "../parts.js";
import { setQuery } from "../router.js";
import { isPaper, ShadowCard } from "../shadow.js";
import { useWords } from "../words.js";
import { spoken } from "../reasons.js";

export const style = true;

export const words = {
  "Configuration": "Inställningar", "Settings": "Inställningar", "History": "Historik", "Rollout": "Utrullning", "Flags": "Flaggor",
  "Find a setting": "Sök inställning", "Every section": "Alla delar", "Only what was changed": "Bara det som ändrats",
  "No setting is called that": "Ingen inställning heter så", "Key": "Nyckel", "From": "Från", "Meaning": "Betydelse",
  "after a restart": "efter omstart", "waits for a restart": "väntar på omstart", "New value": "Nytt värde", "Why?": "Varför?",
  "Set": "Sätt", "It falls back to what it hides.": "Det faller tillbaka på det som döljs.", "hides": "döljer",
  "Would change": "Skulle ändra", "Nothing would change": "Inget skulle ändras", "Pick a setting to change it": "Välj en inställning för att ändra den",
  "Version": "Version", "in force": "gäller", "Who": "Vem", "What": "Vad", "Changed": "Ändrat", "Who runs what": "Vem kör vad",
  "all run it": "alla kör den", "not all run it yet": "alla kör den inte än", "Roll back": "Gå tillbaka", "Snapshot": "Ögonblick",
  "What was set while running is set as it was then. It makes a new version.": "Det som satts under körning sätts som det var då. Det blir en ny version.",
  "Name": "Namn", "Name this version": "Namnge versionen", "Verify": "Verifiera", "The history is whole": "Historiken är hel", "Trades it made": "Avslut den gjorde",
  "Pick a version to see what it changed": "Välj en version för att se vad den ändrade",
  "No rollout since the start": "Ingen utrullning sedan starten", "A change can be tried on a part of the trading first. How those before ended stands in the history.": "En ändring kan först prövas på en del av handeln. Hur tidigare slutade står i historiken.",
  "Promote": "Inför", "Take back": "Ta tillbaka", "The candidate becomes everybody's setting now.": "Kandidaten gäller nu för alla.",
  "Everything is as before again.": "Allt blir som förut.", "Metric": "Mått", "Threshold": "Gräns", "Elsewhere": "Annars", "Samples": "Stickprov",
  "Ends": "Slutar", "Part": "Del", "Shadow": "Skugga", "Begin": "Börja", "Try a change": "Pröva en ändring", "Setting": "Inställning",
  "Symbols": "Symboler", "Strategies": "Strategier", "Percent": "Procent", "Seconds of the venue's time": "Sekunder börstid",
  "Fewest samples": "Minst antal stickprov", "Judge beside, decide nothing": "Bedöm bredvid, avgör inget", "Against the rest": "Mot resten",
  "comma between several, none: all": "komma mellan flera, tomt: alla", "everything": "allt", "No flags": "Inga flaggor",
  "A flag holds named values for all of the trading or for a part of it.": "En flagga håller namngivna värden för hela handeln eller en del.",
  "Remove": "Ta bort", "Its values no longer act.": "Dess värden gäller inte längre.", "Put a flag": "Sätt en flagga",
  "on": "på", "off": "av", "Reason": "Orsak", "Another change came first": "En annan ändring kom före",
};

const CONFIG = "/api/v2/config";
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const list = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
const LAYER_TONE = { runtime: "info", defaults: "" };
const layerTone = (layer) => LAYER_TONE[layer] ?? (layer.startsWith("flag") ? "warn" : "good");

// What a person typed as the JSON value that this key takes; text that is none stays text, for the engine to judge.
function typed(row, text) {
  if (row.type === "true or false") return text === true || text === "true";
  if (row.type === "a list of texts") return list(text);
  if (row.type === "a whole number" || row.type === "a number") return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  return text;
}

// Ask the engine what it thinks of a change, a moment after the last key was struck.
function useJudgement(changes) {
  const [told, setTold] = useState(null);
  const asked = changes && JSON.stringify(changes);
  useEffect(() => {
    setTold(null);
    if (!asked || !may("trade")) return undefined;
    let mine = true;
    const timer = setTimeout(async () => {
      try {
        const answer = await api("POST", `${CONFIG}/validate`, { changes: JSON.parse(asked) });
        if (mine) setTold(answer);
      } catch (problem) {
        if (!(problem instanceof ApiProblem)) throw problem;
        if (mine) setTold({ valid: false, faults: [{ path: "", must_be: problem.message, was: "", hint: "" }], changes: [] });
      }
    }, 250);
    return () => {
      mine = false;
      clearTimeout(timer);
    };
  }, [asked]);
  return told;
}

const faultText = (fault) => (fault.path ? spoken(`${fault.path} must be ${fault.must_be}, was ${fault.was}${fault.hint ? ` (${fault.hint})` : ""}`) : fault.must_be);

function Patch({ patch, old = {} }) {
  const tr = useWords();
  if (!patch.length) return html`<p class="muted pad">${tr("Nothing would change")}</p>`;
  return html`<ul class="patch">${patch.map((op) => {
    const path = op.path.slice(1).replaceAll("/", ".");
    return html`<li key=${path + op.op}><code>${path}</code>
      ${old[path] !== undefined && html`<del>${shown(old[path])}</del>`}
      ${op.value !== undefined ? html`<ins>${shown(op.value)}</ins>` : html`<span class="muted">${op.op}</span>`}
    </li>`;
  })}</ul>`;
}

function Editor({ row, version, done }) {
  const tr = useWords();
  const first = row.type === "a list of texts" ? row.value.join(", ") : row.type === "true or false" ? row.value : shown(row.value);
  const [text, setText] = useState(first);
  const [why, setWhy] = useState("");
  useEffect(() => {
    setText(first);
    setWhy("");
  }, [row.key, version]);
  const value = typed(row, text);
  const same = JSON.stringify(value) === JSON.stringify(row.value);
  const judged = useJudgement(same ? null : { [row.key]: value });
  const fault = judged && !judged.valid ? judged.faults.map(faultText).join("; ") : "";
  const hint = [row.range, worded(row.unit)].filter(Boolean).join(" · ");
  const kind = row.choices.length ? "select" : row.type === "true or false" ? "check" : "text";
  const submit = async () => {
    const body = { value, reason: why || "asked on the page", expected_version: version };
    if (await act(() => api("POST", `${CONFIG}/${row.key}`, body))) done();
    else done(false);
  };
  return html`<${Card} id="edit" className="span-4" title=${row.key} tools=${html`<${Chip} tone=${layerTone(row.layer)}>${row.layer}<//>`}>
    <p class="pad">${worded(row.meaning)}.</p>
    <${Form} label=${row.key} onSubmit=${submit} buttons=${html`
      <button type="submit" class="primary" disabled=${same || !judged?.valid || !may("trade")}>${tr("Set")}</button>
      ${row.layer === "runtime" && html`<${Command} label=${tr("Remove")} text=${tr("It falls back to what it hides.")} run=${async () => {
        const answer = await api("DELETE", `${CONFIG}/${row.key}`);
        done();
        return answer;
      }} />`}`}>
      <${Field} label=${tr("New value")} kind=${kind} value=${text} options=${row.choices.map((choice) => [choice, choice])} onChange=${setText} fault=${fault} hint=${hint} />
      <${Field} label=${tr("Why?")} value=${why} onChange=${setWhy} maxlength="200" />
    <//>
    ${judged?.valid && html`<h3 class="pad">${tr("Would change")}</h3><${Patch} patch=${judged.changes} old=${{ [row.key]: row.value }} />`}
    <${Facts} rows=${[[tr("Version"), version], ["scope", row.scope], [row.applies === "restart" ? tr("after a restart") : "live", row.environment]]} />
  <//>`;
}

function Settings({ told, query }) {
  const tr = useWords();
  const word = (query.find || "").toLowerCase();
  return html`<${Answer} of=${told}>${(data) => {
    const sections = [...new Set(data.keys.map((row) => row.section))];
    const rows = data.keys.filter(
      (row) =>
        (!word || `${row.key} ${row.meaning} ${worded(row.meaning)} ${row.alias || ""}`.toLowerCase().includes(word)) &&
        (!query.section || row.section === query.section) &&
        (!query.changed || row.layer !== "defaults" || row.pending),
    );
    const picked = data.keys.find((row) => row.key === query.key);
    return html`
      <${Card} id="settings" className=${picked ? "span-8" : "span-12"} title=${tr("Settings")} count=${rows.length}>
        <div class="filters">
          <${Field} label=${tr("Find a setting")} kind="search" value=${query.find || ""} onChange=${(find) => setQuery({ find })} />
          <${Field} label=${tr("Part")} kind="select" value=${query.section || ""} options=${[["", tr("Every section")], ...sections.map((name) => [name, name])]} onChange=${(section) => setQuery({ section })} />
          <${Field} label=${tr("Only what was changed")} kind="check" value=${Boolean(query.changed)} onChange=${(on) => setQuery({ changed: on ? "1" : "" })} />
        </div>
        ${rows.length === 0 ? html`<${Empty} title=${tr("No setting is called that")} />` : html`<${Table} label=${tr("Settings")}
          heads=${[[tr("Key")], [tr("Value"), "n"], [tr("From"), "layer"], [tr("Range"), "wide range"], [tr("Meaning"), "wide"]]}
          rows=${rows.map((row) => html`<tr key=${row.key} aria-current=${row.key === query.key || undefined}>
            <td><button type="button" class="plain" onClick=${() => setQuery({ key: row.key })}>${row.key.split(/(?<=[._])/).map((part) => html`${part}<wbr />`)}</button></td>
            <td class="n"><code title=${shown(row.value)}>${shown(row.value)}</code></td>
            <td class=${row.layer === "defaults" && !row.pending ? "layer" : ""}><${Chip} tone=${layerTone(row.layer)}>${row.layer}<//> ${row.pending && html`<${Chip} tone="warn">${tr("waits for a restart")}<//>`}</td>
            <td class="wide range muted">${row.range}</td>
            <td class="wide muted wrap">${worded(row.meaning)}</td>
          </tr>`)} />`}
      <//>
      ${picked && html`<${Editor} key=${picked.key} row=${picked} version=${data.version} done=${told.again} />`}
    `;
  }}<//>`;
}

function OneVersion({ number }) {
  const tr = useWords();
  const told = useApi(`${CONFIG}/history/${number}`);
  return html`<${Card} id="version" className="span-5" title="${tr("Version")} ${number}">
    <${Answer} of=${told}>${({ told: version, trades }) => html`
      <p class="pad">${version.reason}</p>
      <${Facts} rows=${[[tr("Who"), version.author], [tr("Time"), dayClock(version.at_ms)], [tr("Approved"), trades.approved], [tr("Denied"), trades.denied], [tr("Filled"), trades.filled]]} />
      <${Patch} patch=${version.patch} />
      ${trades.trades.length > 0 && html`<h3 class="pad">${tr("Trades it made")}</h3>
        <${Table} label=${tr("Trades it made")} heads=${[[tr("Time")], [tr("Symbol")], [tr("Side")], [tr("Quantity"), "n"], [tr("Price"), "n"], [tr("Strategy"), "wide"]]}
          rows=${trades.trades.slice(0, 50).map((trade) => html`<tr key=${trade.intent_id}><td>${dayClock(trade.decided_ms)}</td><td>${trade.symbol}</td>
            <td class=${trade.side === "buy" ? "up" : "down"}>${tr(trade.side)}</td><td class="n">${quantity(trade.quantity)}</td><td class="n">${price(trade.average_price)}</td><td class="wide">${trade.strategy}</td></tr>`)} />`}
      <${Code} text=${`${version.previous_hash || "–"}\n${version.hash}`} />
    `}<//>
  <//>`;
}

function History({ stats, query }) {
  const tr = useWords();
  const version = stats.data?.version;
  const told = useApi(`${CONFIG}/history?limit=100`);
  const names = useApi(`${CONFIG}/snapshots`);
  const [name, setName] = useState("");
  useEffect(() => {
    told.again();
    names.again();
  }, [version]);
  const verify = async () => {
    try {
      const { whole, report } = await api("GET", `${CONFIG}/verify`);
      toast(whole ? "good" : "bad", whole ? `${tr("The history is whole")}: ${report.versions} · ${report.audit_lines}` : report.faults.join("; "));
    } catch (problem) {
      if (!(problem instanceof ApiProblem)) throw problem;
      toast("bad", problem.message);
    }
  };
  const called = (number) => (names.data?.snapshots || []).filter((each) => each.version === number);
  const tools = html`<button type="button" class="small" onClick=${verify}>${tr("Verify")}</button>`;
  return html`
    <${Card} id="history" className="span-7" title=${tr("History")} tools=${tools}>
      <${Form} label=${tr("Name this version")} onSubmit=${async () => (await act(() => api("POST", `${CONFIG}/snapshots`, { name }))) && (setName(""), names.again())}
        buttons=${html`<button type="submit" disabled=${!name || !may("trade")}>${tr("Snapshot")}</button>`}>
        <${Field} label=${tr("Name this version")} value=${name} onChange=${setName} pattern="[a-z][a-z0-9._\\-]*" maxlength="40" />
      <//>
      <${Answer} of=${told}>${(data) => html`<${Table} label=${tr("History")}
        heads=${[[tr("Version"), "n"], [tr("Time")], [tr("Who")], [tr("What")], [tr("Reason"), "wide"], ["", ""]]}
        rows=${data.versions.map((row) => html`<tr key=${row.version} aria-current=${String(row.version) === query.version || undefined}>
          <td class="n"><button type="button" class="plain" onClick=${() => setQuery({ version: String(row.version) })}>${row.version}</button></td>
          <td>${dayClock(row.at_ms)}</td><td>${row.author}</td>
          <td class="wrap"><${Chip}>${row.action}<//> ${row.changed.join(", ")} ${called(row.version).map((each) => html`<${Chip} key=${each.name} tone="info" title=${each.reason}>${each.name}<//>`)}</td>
          <td class="wide muted wrap">${row.reason}</td>
          <td>${row.version === version ? html`<${Chip} tone="good">${tr("in force")}<//>` : html`<${Command} small about=${row.version} scope="admin" label=${tr("Roll back")} title="${tr("Roll back")}: ${row.version}"
            text=${tr("What was set while running is set as it was then. It makes a new version.")} why run=${(reason) => api("POST", `${CONFIG}/rollback`, { version: row.version, reason })} />`}</td>
        </tr>`)} />`}<//>
    <//>
    ${query.version ? html`<${OneVersion} key=${query.version} number=${query.version} />` : html`<${Card} id="version" className="span-5" title=${tr("Version")}><${Empty} title=${tr("Pick a version to see what it changed")} /><//>`}
  `;
}

const METRICS = ["refusal_rate", "error_rate", "slippage_bps", "drawdown", "loss"];
const aim = (plan, tr) => [plan.symbols.join(", "), plan.strategies.join(", "), plan.percent === 100 ? "" : `${plan.percent} %`].filter(Boolean).join(" · ") || tr("everything");
const figure = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)));

function Running({ told }) {
  const tr = useWords();
  const known = told.data && (told.data.status ? told.data.status.rollout : told.data.rollout);
  if (known && isPaper(known.plan)) return html`<${ShadowCard} of=${told} className="span-7" />`;
  return html`<${Card} id="rollout" className="span-7" title=${tr("Rollout")}>
    <${Answer} of=${told} empty=${(data) => !data.status && !data.rollout} title=${tr("No rollout since the start")} text=${tr("A change can be tried on a part of the trading first. How those before ended stands in the history.")}>${(data) => {
      const status = data.status;
      const plan = (status ? status.rollout : data.rollout).plan;
      const going = data.rollout && (!status || !status.verdict);
      const began = (status ? status.rollout : data.rollout).started_ms;
      const part = status ? (status.now_ms - began) / Math.max(1, status.ends_ms - began) : 0;
      const bad = status && status.value !== null && status.value - (plan.against_control ? status.control || 0 : 0) > plan.threshold;
      return html`
        <div class="row pad">
          <${Chip} tone=${going ? "info" : status?.verdict.startsWith("promoted") ? "good" : "warn"}>${plan.name}<//>
          ${plan.shadow && html`<${Chip}>${tr("Shadow")}<//>`}
          <code class="grow wrap">${Object.entries(plan.changes).map(([path, value]) => `${path} = ${shown(value)}`).join(", ")}</code>
          ${going && html`<${Command} small scope="admin" label=${tr("Promote")} text=${tr("The candidate becomes everybody's setting now.")} run=${() => api("POST", `${CONFIG}/rollout/promote`, { reason: "asked on the page" })} />
            <${Command} small label=${tr("Take back")} text=${tr("Everything is as before again.")} run=${() => api("POST", `${CONFIG}/rollout/revert`, { reason: "asked on the page" })} />`}
        </div>
        <${Facts} rows=${[
          [tr("Part"), aim(plan, tr)], [tr("Metric"), plan.metric],
          [tr("Value"), figure(status?.value), bad ? "down" : ""], [tr("Threshold"), plan.threshold], [tr("Elsewhere"), figure(status?.control)],
          [tr("Samples"), `${status?.samples ?? 0} / ${plan.min_samples}`], [tr("Ends"), status ? dayClock(status.ends_ms) : "–"],
        ]} />
        ${going ? html`<div class="pad"><${Bar} fraction=${part} tone=${bad ? "bad" : "good"} /></div>` : html`<p class="why">${status?.verdict}</p>`}
      `;
    }}<//>
  <//>`;
}

function Target({ form, set }) {
  const tr = useWords();
  const hint = tr("comma between several, none: all");
  return html`<div class="pair">
      <${Field} label=${tr("Symbols")} value=${form.symbols} onChange=${set("symbols")} hint=${hint} />
      <${Field} label=${tr("Strategies")} value=${form.strategies} onChange=${set("strategies")} hint=${hint} />
    </div>
    <${Field} label=${tr("Percent")} kind="number" value=${form.percent} onChange=${set("percent")} />`;
}

const targetOf = (form) => ({ symbols: list(form.symbols), strategies: list(form.strategies), percent: numberOf(form.percent) });

function useForm(first) {
  const [form, setForm] = useState(first);
  return [form, (name) => (value) => setForm((old) => ({ ...old, [name]: value })), () => setForm(first)];
}

function TryIt({ keys, done }) {
  const tr = useWords();
  const [form, set] = useForm({ name: "", key: "risk.position_fraction", value: "", symbols: "", strategies: "", percent: "100", metric: "refusal_rate", threshold: "0.5", duration: "3600", samples: "10", shadow: false, control: false, reason: "" });
  const rows = (keys.data?.keys || []).filter((row) => row.targetable);
  const row = rows.find((each) => each.key === form.key);
  const value = row && form.value !== "" ? typed(row, form.value) : null;
  const judged = useJudgement(value === null ? null : { [form.key]: value });
  const fault = judged && !judged.valid ? judged.faults.map(faultText).join("; ") : "";
  const submit = async () => {
    const body = {
      name: form.name, changes: { [form.key]: value }, ...targetOf(form), shadow: form.shadow, metric: form.metric, threshold: numberOf(form.threshold),
      against_control: form.control, duration_s: numberOf(form.duration), min_samples: numberOf(form.samples), reason: form.reason || "asked on the page",
    };
    if (await act(() => api("POST", `${CONFIG}/rollout`, body))) done();
  };
  return html`<${Card} id="try" className="span-5" title=${tr("Try a change")}>
    <${Form} label=${tr("Try a change")} onSubmit=${submit} buttons=${html`<button type="submit" class="primary" disabled=${!form.name || !judged?.valid || !may("admin")}>${tr("Begin")}</button>`}>
      <div class="pair"><${Field} label=${tr("Name")} value=${form.name} onChange=${set("name")} maxlength="40" />
        <${Field} label=${tr("Setting")} kind="select" value=${form.key} options=${rows.map((each) => [each.key, each.key])} onChange=${set("key")} /></div>
      <${Field} label=${tr("New value")} value=${form.value} onChange=${set("value")} fault=${fault} hint=${row ? `${shown(row.value)} · ${row.range} ${worded(row.unit)}` : ""} />
      <${Target} form=${form} set=${set} />
      <div class="pair"><${Field} label=${tr("Metric")} kind="select" value=${form.metric} options=${METRICS.map((each) => [each, each])} onChange=${set("metric")} />
        <${Field} label=${tr("Threshold")} kind="number" value=${form.threshold} onChange=${set("threshold")} /></div>
      <div class="pair"><${Field} label=${tr("Seconds of the venue's time")} kind="number" value=${form.duration} onChange=${set("duration")} hint=${duration(Number(form.duration))} />
        <${Field} label=${tr("Fewest samples")} kind="number" value=${form.samples} onChange=${set("samples")} /></div>
      <${Field} label=${tr("Judge beside, decide nothing")} kind="check" value=${form.shadow} onChange=${set("shadow")} />
      <${Field} label=${tr("Against the rest")} kind="check" value=${form.control} onChange=${set("control")} />
      <${Field} label=${tr("Why?")} value=${form.reason} onChange=${set("reason")} maxlength="200" />
    <//>
  <//>`;
}

function Flags({ keys }) {
  const tr = useWords();
  const told = useApi(`${CONFIG}/flags`);
  const [form, set, clear] = useForm({ name: "", key: "risk.position_fraction", value: "", symbols: "", strategies: "", percent: "100", meaning: "" });
  const row = (keys.data?.keys || []).find((each) => each.key === form.key);
  const value = row && form.value !== "" ? typed(row, form.value) : null;
  const judged = useJudgement(value === null ? null : { [form.key]: value });
  const fault = judged && !judged.valid ? judged.faults.map(faultText).join("; ") : "";
  const put = async (flag) => (await act(() => api("POST", `${CONFIG}/flags`, flag))) && (clear(), told.again());
  const submit = () => put({ name: form.name, values: { [form.key]: value }, ...targetOf(form), meaning: form.meaning, reason: "asked on the page" });
  return html`
    <${Card} id="flags" className="span-7" title=${tr("Flags")}>
      <${Answer} of=${told} empty=${(data) => !data.flags.length} title=${tr("No flags")} text=${tr("A flag holds named values for all of the trading or for a part of it.")}>${(data) => html`<${Table} label=${tr("Flags")}
        heads=${[[tr("Name")], [tr("Value")], [tr("Part")], ["", ""]]} rows=${data.flags.map((flag) => html`<tr key=${flag.name}>
          <td><${Chip} tone=${flag.enabled ? "good" : ""}>${tr(flag.enabled ? "on" : "off")}<//> ${flag.name} <span class="muted">${flag.meaning}</span></td>
          <td class="wrap"><code>${Object.entries(flag.values).map(([path, each]) => `${path} = ${shown(each)}`).join(", ")}</code></td>
          <td>${aim(flag, tr)}</td>
          <td><button type="button" class="small" disabled=${!may("admin")} aria-label="${tr(flag.enabled ? "Switch off" : "Switch on")} ${flag.name}" onClick=${() => put({ ...flag, enabled: !flag.enabled, reason: "asked on the page" })}>${tr(flag.enabled ? "Switch off" : "Switch on")}</button>
            <${Command} small about=${flag.name} scope="admin" label=${tr("Remove")} text=${tr("Its values no longer act.")} run=${async () => {
              const answer = await api("DELETE", `${CONFIG}/flags/${encodeURIComponent(flag.name)}`);
              told.again();
              return answer;
            }} /></td>
        </tr>`)} />`}<//>
    <//>
    <${Card} id="put-flag" className="span-5" title=${tr("Put a flag")}>
      <${Form} label=${tr("Put a flag")} onSubmit=${submit} buttons=${html`<button type="submit" class="primary" disabled=${!form.name || !judged?.valid || !may("admin")}>${tr("Set")}</button>`}>
        <div class="pair"><${Field} label=${tr("Name")} value=${form.name} onChange=${set("name")} maxlength="40" />
          <${Field} label=${tr("Setting")} kind="select" value=${form.key} options=${(keys.data?.keys || []).map((each) => [each.key, each.key])} onChange=${set("key")} /></div>
        <${Field} label=${tr("New value")} value=${form.value} onChange=${set("value")} fault=${fault} hint=${row ? `${shown(row.value)} · ${row.range} ${worded(row.unit)}` : ""} />
        <${Target} form=${form} set=${set} />
        <${Field} label=${tr("Meaning")} value=${form.meaning} onChange=${set("meaning")} maxlength="200" />
      <//>
    <//>
  `;
}

function Header({ stats, tab }) {
  const tr = useWords();
  const data = stats.data;
  const tabs = [["settings", tr("Settings")], ["history", tr("History")], ["rollout", tr("Rollout")], ["flags", tr("Flags")]];
  return html`<div class="head span-12">
    <${Segments} label=${tr("Configuration")} value=${tab} options=${tabs} onPick=${(next) => setQuery({ tab: next, key: "", version: "" })} />
    ${data && html`<span class="row">
      <${Chip} tone="info" title=${data.reason}>${tr("Version")} ${data.version}<//>
      <${Chip} tone=${data.applied ? "good" : "warn"} title=${Object.entries(data.running).map(([actor, version]) => `${actor}: ${version}`).join("\n")}>${tr(data.applied ? "all run it" : "not all run it yet")}<//>
      ${data.pending.length > 0 && html`<${Chip} tone="warn" title=${data.pending.join(", ")}>${data.pending.length} ${tr("waits for a restart")}<//>`}
      ${data.audit_trouble && html`<${Chip} tone="bad">${data.audit_trouble}<//>`}
    </span>`}
  </div>`;
}

export function component({ query }) {
  const tab = query.tab || "settings";
  const stats = useApi(`${CONFIG}/stats`, { every: 2 });
  const keys = useApi(`${CONFIG}/keys`);
  const rollout = useApi(tab === "rollout" ? `${CONFIG}/rollout` : null, { every: 1 });
  const version = stats.data?.version;
  useEffect(() => {
    if (version) keys.again();
  }, [version]);
  const inside = {
    history: () => html`<${History} stats=${stats} query=${query} />`,
    rollout: () => html`<${Running} told=${rollout} /><${TryIt} keys=${keys} done=${rollout.again} />`,
    flags: () => html`<${Flags} keys=${keys} />`,
  }[tab] || (() => html`<${Settings} told=${keys} query=${query} />`);
  return html`<div class="grid"><${Header} stats=${stats} tab=${tab} />${inside()}</div>`;
}
