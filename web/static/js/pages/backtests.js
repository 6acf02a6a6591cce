// Backtests: start one, see how far it is, and look at what came of it: equity, drawdown, when it traded, every trade.
// `#/backtests` is the list, `#/backtests/NAME` one result, `#/backtests?compare=a,b` several beside each other.

import { html, useEffect, useState } from "../../vendor/preact-htm.js";
import { date, dayClock, duration, money, pair, percent, price, quantity, signed, tone } from "../format.js";
import { worded } from "../meanings.js";
import { Answer, api, Bar, Card, Chip, Command, Empty, Facts, Field, Form, LineChart, link, may, Pager, Segments, Table, useApi } from "../parts.js";
import { go, setQuery } from "../router.js";
import { NewSearch, OneSearch, SearchList, searchWords } from "../searches.js";
import { newestFirst, useTopics } from "../store.js";
import { useWords } from "../words.js";

export const style = true;

export const words = {
  ...searchWords,
  "Backtests": "Backtester", "New backtest": "Nytt backtest", "Market": "Marknad", "Strategy": "Strategi", "Time frame": "Tidsram", "From": "Från", "To": "Till", "Start": "Starta", "Money at the start": "Pengar vid start",
  "Slippage": "Glidning", "Name": "Namn", "Runs": "Körningar", "No backtest yet": "Inget backtest ännu", "Start one on the left, or with genesis backtest --save.": "Starta ett till vänster, eller med genesis backtest --save.",
  "Return": "Avkastning", "Drawdown": "Nedgång", "Trades": "Affärer", "Made": "Gjort", "Compare": "Jämför", "Forget": "Glöm", "Cancel": "Avbryt", "queued": "väntar", "running": "körs", "done": "klar", "failed": "misslyckat", "cancelled": "avbrutet",
  "Buy and hold": "Köp och behåll", "Figures": "Siffror", "When it traded": "När den handlade", "Mean return": "Medelavkastning", "Win rate": "Vinstandel", "Count": "Antal", "Returns by month": "Avkastning per månad", "Every trade": "Varje affär", "Price": "Pris",
  "Entry": "Ingång", "Exit": "Utgång", "Why": "Varför", "Profit": "Vinst", "Held": "Hållen", "Costs and refusals": "Kostnader och nekanden", "What it was made of": "Vad det gjordes av", "All backtests": "Alla backtester", "Back": "Tillbaka", "As the engine runs now": "Som motorn körs nu",
  "Forget this backtest?": "Glöm detta backtest?", "Its result is deleted.": "Resultatet raderas.", "Cancel this backtest?": "Avbryt detta backtest?", "Its process is killed.": "Processen avslutas.", "Mark two or more to compare them.": "Markera två eller fler för att jämföra.",
  "Final equity": "Slutkapital", "Profit factor": "Vinstfaktor", "Expectancy": "Väntevärde", "Exposure": "Exponering", "Fees": "Avgifter", "Growth a year": "Tillväxt per år", "Time under water": "Tid under vatten", "Longest drawdown": "Längsta nedgång", "Streaks": "Sviter", "Turnover": "Omsättning", "Worse costs": "Sämre kostnader", "Also under worse costs": "Även med sämre kostnader", "stops earning at": "slutar tjäna vid", "times the assumed costs": "gånger de antagna kostnaderna", "won": "vunna", "lost": "förlorade",
};

const PAGE = 50;
const PATH = "/api/v2/strategy/backtest";
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const ENDED = new Set(["done", "failed", "cancelled"]);
const TONES = { done: "good", failed: "bad", running: "info" };
const ratio = (value) => (value === null || value === undefined ? "–" : Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1));
const share = (value, digits = 2) => (value === null || value === undefined ? "–" : percent(value, digits));
const heat = (value, most) => (value === null || !most ? {} : { background: `color-mix(in srgb, var(--${value >= 0 ? "up" : "down"}) ${Math.round(Math.min(1, Math.abs(value) / most) * 65)}%, transparent)` });

// --- the list ---------------------------------------------------------------------------------------------------

function NewRun() {
  const tr = useWords();
  const markets = useApi("/api/v2/research/markets");
  const known = useApi("/api/v2/strategies");
  const [asked, setAsked] = useState({ market: "", kind: "", symbol: "", timeframe: "5m", start: "", end: "", balance: "10000", slippage: "", title: "", stress: false });
  const [numbers, setNumbers] = useState({});
  const [fault, setFault] = useState("");
  const set = (name) => (value) => setAsked((now) => ({ ...now, [name]: value }));
  const list = (markets.data && markets.data.markets) || [];
  const market = list.find((one) => one.name === asked.market) || list[0];
  const kinds = ((known.data && known.data.kinds) || []).filter((kind) => !kind.fault);
  const kind = kinds.find((one) => one.kind === asked.kind);
  const start = async () => {
    setFault("");
    const body = { market: market ? market.name : undefined, balance: asked.balance || undefined, title: asked.title, start: asked.start || undefined, end: asked.end || undefined };
    if (asked.stress) body.stress = true;
    if (asked.slippage) body.costs = { slippage: asked.slippage };
    if (kind) {
      const parameters = Object.fromEntries(Object.entries(numbers).filter(([name, value]) => value !== "" && kind.parameters.some((one) => one.name === name)).map(([name, value]) => [name, Number(value)]));
      body.strategies = [{ kind: kind.kind, symbol: asked.symbol || (market && market.symbols[0]) || "tBTCUSD", timeframe: asked.timeframe, parameters }];
    }
    try {
      await api("POST", PATH, JSON.parse(JSON.stringify(body)));
    } catch (problem) {
      setFault(problem.message);
    }
  };
  return html`<${Card} id="new" className="span-3" title=${tr("New backtest")}><${Form} label=${tr("New backtest")} onSubmit=${start} buttons=${html`<button type="submit" class="primary" disabled=${!may("trade")}>${tr("Start")}</button>`}>
    <${Field} kind="select" label=${tr("Market")} value=${market ? market.name : ""} onChange=${set("market")} options=${list.map((one) => [one.name, `${one.name} · ${date(one.first_ms)} – ${date(one.end_ms)}`])} />
    <div class="pair"><${Field} kind="date" label=${tr("From")} value=${asked.start} onChange=${set("start")} /><${Field} kind="date" label=${tr("To")} value=${asked.end} onChange=${set("end")} /></div>
    <${Field} kind="select" label=${tr("Strategy")} value=${asked.kind} onChange=${set("kind")} options=${[["", tr("As the engine runs now")], ...kinds.map((one) => [one.kind, one.kind])]} />
    ${kind && html`<div class="pair"><${Field} kind="select" label=${tr("Symbol")} value=${asked.symbol || (market && market.symbols[0])} onChange=${set("symbol")} options=${((market && market.symbols) || []).map((one) => [one, pair(one)])} />
      <${Field} kind="select" label=${tr("Time frame")} value=${asked.timeframe} onChange=${set("timeframe")} options=${["1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1D"].map((one) => [one, one])} /></div>
      <div class="pair">${kind.parameters.map((one) => html`<${Field} key=${one.name} kind="number" label=${one.name} title=${worded(one.meaning)} placeholder=${String(one.default)} value=${numbers[one.name] || ""} onChange=${(value) => setNumbers((now) => ({ ...now, [one.name]: value }))} />`)}</div>`}
    <div class="pair"><${Field} kind="number" label=${tr("Money at the start")} value=${asked.balance} onChange=${set("balance")} /><${Field} kind="number" label=${tr("Slippage")} placeholder="0.00005" value=${asked.slippage} onChange=${set("slippage")} /></div>
    <${Field} kind="check" label=${tr("Also under worse costs")} value=${asked.stress} onChange=${set("stress")} />
    <${Field} label=${tr("Name")} value=${asked.title} onChange=${set("title")} maxlength="120" />
    ${fault && html`<p class="down" role="alert">${fault}</p>`}
  <//><//>`;
}

function Row({ job, marked, onMark }) {
  const tr = useWords();
  const told = job.summary || {};
  const ended = ENDED.has(job.state);
  return html`<tr>
    <td><input type="checkbox" aria-label="${tr("Compare")} ${job.title}" disabled=${job.state !== "done"} checked=${marked} onChange=${(event) => onMark(event.target.checked)} /></td>
    <td>${job.state === "done" ? html`<a href=${link("backtests", [job.job_id])}>${job.title || job.job_id}</a>` : job.title || job.job_id}<br /><span class="muted">${told.market || ""}</span></td>
    <td><${Chip} tone=${TONES[job.state] || ""}>${tr(job.state)}<//>${!ended && html`<div class="going"><${Bar} fraction=${job.progress} /><span class="muted">${job.text}</span></div>`}${job.error && html`<p class="down why">${job.error}</p>`}</td>
    <td class="n ${tone(told.total_return)}">${share(told.total_return)}</td><td class="n">${share(told.max_drawdown)}</td><td class="n">${ratio(told.sharpe)}</td><td class="n">${told.trades ?? "–"}</td>
    <td class="muted wide">${dayClock(job.ended_ms || job.created_ms)}</td>
    <td>${ended ? html`<${Command} small about=${job.title || job.job_id} label=${tr("Forget")} title=${tr("Forget this backtest?")} text=${tr("Its result is deleted.")} run=${() => api("DELETE", `${PATH}/${job.job_id}`)} />` : html`<${Command} small about=${job.title || job.job_id} tone="danger" label=${tr("Cancel")} title=${tr("Cancel this backtest?")} text=${tr("Its process is killed.")} run=${() => api("POST", `${PATH}/${job.job_id}/cancel`)} />`}</td>
  </tr>`;
}

function List() {
  const tr = useWords();
  const { job } = useTopics("job");
  const of = useApi(PATH, { every: 3 });
  const [marked, setMarked] = useState([]);
  const live = new Map(newestFirst(job).map((one) => [one.job_id, one]));
  const rows = ((of.data && of.data.jobs) || []).map((one) => live.get(one.job_id) || one);
  for (const one of live.values()) if (one.kind === "backtest" && !ENDED.has(one.state) && !rows.some((row) => row.job_id === one.job_id)) rows.unshift(one);
  const mark = (id) => (on) => setMarked((now) => (on ? [...now, id] : now.filter((one) => one !== id)));
  const tools = html`<button type="button" class="small" title=${tr("Mark two or more to compare them.")} disabled=${marked.length < 2} onClick=${() => go("backtests", [], { compare: marked.join(",") })}>${tr("Compare")} ${marked.length || ""}</button>`;
  return html`<div class="grid"><${NewRun} /><${Card} id="runs" className="span-9" title=${tr("Runs")} count=${rows.length} tools=${tools}>
    <${Answer} of=${of} rows=${6}>${() => (rows.length ? html`<${Table} label=${tr("Runs")} heads=${[[""], [tr("Name")], [tr("State")], [tr("Return"), "n"], [tr("Drawdown"), "n"], ["Sharpe", "n"], [tr("Trades"), "n"], [tr("Made"), "wide"], [""]]} rows=${rows.map((one) => html`<${Row} key=${one.job_id} job=${one} marked=${marked.includes(one.job_id)} onMark=${mark(one.job_id)} />`)} />` : html`<${Empty} title=${tr("No backtest yet")} text=${tr("Start one on the left, or with genesis backtest --save.")} />`)}<//>
  <//><${NewSearch} /><${SearchList} live=${live} /></div>`;
}

// --- one result -------------------------------------------------------------------------------------------------

function held(result, times) {
  const start = Number(result.measures.start_equity);
  const series = result.charts.map((chart) => ({ chart, at: 0, last: 1 }));
  return times.map((time) => {
    for (const one of series) {
      while (one.at < one.chart.candles.length && one.chart.candles[one.at][0] + one.chart.step_ms <= time) {
        one.last = one.chart.candles[one.at][2] / one.chart.candles[0][1];
        one.at += 1;
      }
    }
    return series.length ? (start * series.reduce((sum, one) => sum + one.last, 0)) / series.length : null;
  });
}

// With the decimals that it has: a fall of 1.5 % is not one of 2 %.
const inPercent = (value) => `${Number(value.toFixed(2))} %`;

function falls(values) {
  let peak = -Infinity;
  return values.map((value) => {
    peak = Math.max(peak, value);
    return peak > 0 ? ((value - peak) / peak) * 100 : 0;
  });
}

// The price with a mark for each entry and exit. Its own drawing: thousands of marks need no more than one path each way.
function Prices({ chart, trades, onPick }) {
  const width = 1240, height = 270, left = 62;
  const rows = chart.candles;
  const end = rows[rows.length - 1][0] + chart.step_ms, begin = rows[0][0];
  const levels = rows.flatMap((row) => [row[3], row[4]]);
  const low = levels.reduce((a, b) => Math.min(a, b)), high = levels.reduce((a, b) => Math.max(a, b));
  const x = (at) => left + ((at - begin) / (end - begin || 1)) * (width - left - 8);
  const y = (level) => 8 + ((high - level) / (high - low || 1)) * (height - 28);
  const line = rows.map((row) => `${x(row[0] + chart.step_ms).toFixed(1)} ${y(row[2]).toFixed(1)}`).join("L");
  const mark = (at, level, up) => `M${x(at).toFixed(1)} ${y(Number(level)).toFixed(1)}l-4 ${up ? 7 : -7}h8z`;
  const marks = (chosen, place) => chosen.map((row) => mark(row[`${place}_ms`], row[`${place}_price`], (row.side === "long") === (place === "entry"))).join("");
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => low + (high - low) * part);
  return html`<svg class="prices" viewBox="0 0 ${width} ${height}" role="img" aria-label="${chart.symbol}" onClick=${onPick}>
    ${grid.map((level) => html`<g key=${level}><path class="rule" d="M${left} ${y(level)}H${width - 8}" /><text x=${left - 6} y=${y(level) + 4} text-anchor="end">${price(level)}</text></g>`)}
    ${[0, 0.25, 0.5, 0.75, 1].map((part) => html`<text key=${part} x=${x(begin + (end - begin) * part)} y=${height - 5} text-anchor=${part === 0 ? "start" : part === 1 ? "end" : "middle"}>${date(begin + (end - begin) * part)}</text>`)}
    <path class="close" d="M${line}" /><path class="entry" d=${marks(trades, "entry")} />
    <path class="won" d=${marks(trades.filter((row) => Number(row.pnl) > 0), "exit")} /><path class="lost" d=${marks(trades.filter((row) => Number(row.pnl) <= 0), "exit")} />
  </svg>`;
}

function Heatmap({ measures }) {
  const tr = useWords();
  const [which, setWhich] = useState("return");
  const grid = { return: measures.heatmap_return, winrate: measures.heatmap_winrate, counts: measures.heatmap_counts }[which];
  const most = Math.max(...grid.flat().map((value) => Math.abs(value || 0)), 0);
  const shown = (value) => (value === null || (which === "counts" && !value) ? "" : which === "counts" ? value : (value * 100).toFixed(which === "return" ? 1 : 0));
  const colour = (value) => (which === "winrate" ? heat(value === null ? null : value - 0.5, 0.5) : which === "counts" ? heat(value || null, most) : heat(value, most));
  const tools = html`<${Segments} label=${tr("When it traded")} value=${which} onPick=${setWhich} options=${[["return", tr("Mean return")], ["winrate", tr("Win rate")], ["counts", tr("Count")]]} />`;
  return html`<${Card} id="heatmap" className="span-12" title="${tr("When it traded")} (UTC)" tools=${tools}><div class="scroll"><table class="heat"><thead><tr><th></th>${grid[0].map((_, hour) => html`<th key=${hour} scope="col">${String(hour).padStart(2, "0")}</th>`)}</tr></thead>
    <tbody>${grid.map((row, day) => html`<tr key=${day}><th scope="row">${tr(DAYS[day])}</th>${row.map((value, hour) => html`<td key=${hour} style=${colour(value)} title="${tr(DAYS[day])} ${hour}:00 · ${measures.heatmap_counts[day][hour]} ${tr("Trades")}">${shown(value)}</td>`)}</tr>`)}</tbody></table></div><//>`;
}

function Months({ measures }) {
  const tr = useWords();
  const rows = Object.entries(measures.monthly_returns);
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 0);
  return html`<${Card} id="months" className="span-6" title=${tr("Returns by month")}><div class="tiles months">${rows.map(([month, value]) => html`<div key=${month} style=${heat(value, most)}><span class="muted">${month}</span><b>${share(value)}</b></div>`)}</div><//>`;
}

const FIGURES = (tr, made) => [
  [tr("Return"), share(made.total_return), tone(made.total_return)],
  [tr("Buy and hold"), share(made.buy_and_hold), tone(made.buy_and_hold)],
  [tr("Final equity"), money(made.final_equity)],
  [tr("Growth a year"), share(made.cagr)],
  [tr("Drawdown"), share(made.max_drawdown), "down"],
  ["Sharpe", ratio(made.sharpe)], ["Sortino", ratio(made.sortino)], ["Calmar", ratio(made.calmar)], ["Omega", ratio(made.omega)], ["SQN", ratio(made.sqn)],
  [tr("Trades"), `${made.trades} (${made.wins} ${tr("won")}, ${made.losses} ${tr("lost")})`],
  [tr("Win rate"), share(made.winrate, 1)],
  [tr("Profit factor"), ratio(made.profit_factor)],
  [tr("Expectancy"), made.expectancy === null ? "–" : signed(made.expectancy), tone(made.expectancy)],
  [tr("Streaks"), `${made.longest_win_streak} ${tr("won")}, ${made.longest_loss_streak} ${tr("lost")}`],
  [tr("Held"), made.holding.average_ms === null ? "–" : duration(made.holding.average_ms / 1000)],
  [tr("Exposure"), share(made.exposure, 1)], [tr("Turnover"), ratio(made.turnover)],
  [tr("Time under water"), share(made.time_under_water, 1)], [tr("Longest drawdown"), duration(made.longest_drawdown_ms / 1000)],
  [tr("Fees"), money(made.fees_quote)],
];

function Trades({ result, offset }) {
  const tr = useWords();
  const rows = [...result.trades].reverse();
  return html`<${Card} id="trades" className="span-12" title=${tr("Every trade")} count=${rows.length}><${Table} label=${tr("Every trade")} heads=${[[tr("Symbol")], [tr("Strategy"), "wide"], [tr("Entry")], [tr("Price"), "n"], [tr("Exit")], [tr("Price"), "n"], [tr("Why")], [tr("Quantity"), "n wide"], [tr("Profit"), "n"], [tr("Return"), "n"], [tr("Held"), "n wide"]]}
    rows=${rows.slice(offset, offset + PAGE).map((row, place) => html`<tr key=${offset + place}><td>${pair(row.symbol)} <span class="muted">${row.side}</span></td><td class="wide">${(row.shares || []).map((each) => each.strategy).join(", ") || row.strategy}</td><td class="muted">${date(row.entry_ms)} ${dayClock(row.entry_ms).slice(6)}</td><td class="n">${price(row.entry_price)}</td><td class="muted">${date(row.exit_ms)} ${dayClock(row.exit_ms).slice(6)}</td><td class="n">${price(row.exit_price)}</td><td>${row.exit_reason}</td><td class="n wide">${quantity(row.quantity)}</td><td class="n ${tone(row.pnl)}">${signed(row.pnl)}</td><td class="n ${tone(row.return)}">${share(row.return)}</td><td class="n wide">${duration((row.exit_ms - row.entry_ms) / 1000)}</td></tr>`)} />
    <${Pager} offset=${offset} limit=${PAGE} total=${rows.length} onOffset=${(next) => setQuery({ offset: next || null })} /><//>`;
}

function One({ id, query }) {
  const tr = useWords();
  const of = useApi(`${PATH}/${encodeURIComponent(id)}`);
  const back = html`<a href=${link("backtests")}>← ${tr("All backtests")}</a>`;
  if (!of.data || !of.data.result) return html`<div class="grid"><${Card} id="one" className="span-12" title=${id} tools=${back}><${Answer} of=${of} empty=${() => true} title=${(of.data && tr(of.data.job.state)) || ""} text=${(of.data && of.data.job.error) || ""} /><//></div>`;
  const result = of.data.result;
  const made = result.measures;
  const times = made.equity_curve.map(([at]) => at);
  const values = made.equity_curve.map(([, equity]) => equity);
  const reasons = [...Object.entries(made.orders.refused_by_risk), ...Object.entries(made.orders.refused_by_reason), ...Object.entries(made.orders.cancelled_by_reason), ...Object.entries(made.orders.timed_out_by_reason)];
  return html`<div class="grid">
    <${Card} id="equity" className="span-8" title="${result.title || result.data.market} · ${tr("Equity")}" tools=${back}><${LineChart} height=${310} times=${times} label=${tr("Equity")} lines=${[{ label: tr("Equity"), values, colour: "--accent" }, { label: tr("Buy and hold"), values: held(result, times), colour: "--muted", dashed: true }]} />
      <${LineChart} height=${130} times=${times} label=${tr("Drawdown")} format=${inPercent} lines=${[{ label: tr("Drawdown"), values: falls(values), colour: "--down" }]} /><//>
    <${Card} id="figures" className="span-4" title=${tr("Figures")}><${Facts} rows=${FIGURES(tr, made)} /><p class="muted note">${made.periods} × ${made.return_period_ms === 86_400_000 ? "24 h" : "1 h"} · 365 d</p><//>
    <${Heatmap} measures=${made} />
    ${result.charts.map((chart) => html`<${Card} key=${chart.symbol} id="price-${chart.symbol}" className="span-12" title="${tr("Price")} · ${pair(chart.symbol)}"><${Prices} chart=${chart} trades=${result.trades.filter((row) => row.symbol === chart.symbol)} /><//>`)}
    <${Months} measures=${made} />
    <${Card} id="costs" className="span-6" title=${tr("Costs and refusals")}><${Table} label=${tr("Costs and refusals")} heads=${[["bps"], ["n", "n"], ["Ø", "n"], ["p95", "n"], ["$", "n"]]} rows=${result.executions.by_purpose.map((row) => html`<tr key=${row.name}><td>${row.name}</td><td class="n">${row.orders}</td><td class="n">${row.mean_bps.toFixed(2)}</td><td class="n">${row.p95_bps.toFixed(2)}</td><td class="n">${money(row.cost_quote)}</td></tr>`)} />
      ${reasons.length > 0 && html`<ul class="feed">${reasons.map(([code, count]) => html`<li key=${code}><div class="line"><span>${code.replaceAll("_", " ")}</span><span class="grow"></span><b>${count}</b></div></li>`)}</ul>`}<//>
    ${result.stress && html`<${Card} id="stress" className="span-12" title=${tr("Worse costs")}>${result.stress.break_even !== null && html`<p class="muted note">${tr("stops earning at")} ${result.stress.break_even.toFixed(2)} ${tr("times the assumed costs")}</p>`}<${Table} label=${tr("Worse costs")} heads=${[[""], [tr("Return"), "n"], [tr("Drawdown"), "n"], ["Sharpe", "n"], [tr("Trades"), "n"], [tr("Fees"), "n"]]} rows=${result.stress.rows.map((row) => html`<tr key=${row.worse.name}><td>${row.worse.name}</td><td class="n ${tone(row.total_return)}">${share(row.total_return)}</td><td class="n">${share(row.max_drawdown)}</td><td class="n">${ratio(row.sharpe)}</td><td class="n">${row.trades}</td><td class="n">${money(row.fees_quote)}</td></tr>`)} /><//>`}
    <${Trades} result=${result} offset=${Number(query.offset) || 0} />
    <${Card} id="made" className="span-12 low" title=${tr("What it was made of")}><${Facts} rows=${[[tr("Market"), `${result.data.market} · ${date(result.data.first_ms)} – ${date(result.data.last_ms)}`], ["data sha256", result.data.sha256.slice(0, 16)], ["code", `${result.code.version} ${result.code.sha256.slice(0, 12)}`], ["fills sha256", result.digest.slice(0, 16)], [tr("Slippage"), `${result.request.costs.half_spread} + ${result.request.costs.slippage}`]]} /><//>
  </div>`;
}

// --- several ----------------------------------------------------------------------------------------------------

function Compare({ ids }) {
  const tr = useWords();
  const [told, setTold] = useState([]);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    Promise.all(ids.map((id) => api("GET", `${PATH}/${encodeURIComponent(id)}`))).then((all) => setTold(all.filter((one) => one.result)), setProblem);
  }, [ids.join(",")]);
  const back = html`<a href=${link("backtests")}>← ${tr("All backtests")}</a>`;
  if (!told.length) return html`<div class="grid"><${Card} id="compare" className="span-12" title=${tr("Compare")} tools=${back}><${Answer} of=${{ data: undefined, problem, again: () => {} }} /><//></div>`;
  const times = [...new Set(told.flatMap((one) => one.result.measures.equity_curve.map(([at]) => at)))].sort((a, b) => a - b);
  const lines = told.map((one, place) => {
    const known = new Map(one.result.measures.equity_curve);
    const start = Number(one.result.measures.start_equity);
    return { label: one.job.title || one.job.job_id, colour: ["--accent", "--warn", "--up", "--down", "--muted"][place % 5], values: times.map((at) => (known.has(at) ? (known.get(at) / start - 1) * 100 : null)) };
  });
  const rows = FIGURES(tr, told[0].result.measures).map(([name], place) => [name, ...told.map((one) => FIGURES(tr, one.result.measures)[place])]);
  return html`<div class="grid"><${Card} id="compare" className="span-12" title=${tr("Compare")} tools=${back}><${LineChart} height=${280} times=${times} label=${tr("Compare")} format=${inPercent} lines=${lines} /><//>
    <${Card} id="beside" className="span-12" title=${tr("Figures")}><${Table} label=${tr("Figures")} heads=${[[""], ...told.map((one) => [one.job.title || one.job.job_id, "n"])]} rows=${rows.map(([name, ...cells]) => html`<tr key=${name}><td>${name}</td>${cells.map(([, text, kind], place) => html`<td key=${place} class="n ${kind || ""}">${text}</td>`)}</tr>`)} /><//></div>`;
}

export function component({ args, query }) {
  if (args[0] && query.search) return html`<${OneSearch} key=${args[0]} id=${args[0]} />`;
  if (args[0]) return html`<${One} key=${args[0]} id=${args[0]} query=${query} />`;
  if (query.compare) return html`<${Compare} ids=${query.compare.split(",")} />`;
  return html`<${List} />`;
}
