// The candles of one symbol and time frame, with indicators, our entries and exits, the open position, and the working
// orders as lines: a line of an order can be dragged, and the order is amended when it is let go.

import {
  CandlestickSeries, ColorType, createChart, createSeriesMarkers, CrosshairMode, HistogramSeries, LineSeries, LineStyle,
} from "../vendor/lightweight-charts.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { pair, percent, price, quantity, signed, tone } from "./format.js";
import { INDICATORS } from "./indicators.js";
import { ask, Card, Choice, Empty, Segments } from "./parts.js";
import { api, may } from "./parts.js";
import { spoken } from "./reasons.js";
import { changed, CLOSED, onCandles, state, useTopics } from "./store.js";
import { watchCandles } from "./stream.js";
import { css } from "./theme.js";
import { t, useWords } from "./words.js";

export const TIMEFRAMES = ["1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1D", "1W", "14D", "1M"];
const LENGTH = { m: 60, h: 3600, D: 86400, W: 604800, M: 2_592_000 };
// Where trades stand close together only arrows are told apart: a text is left out where it would lie on the one before.
const TEXT_PX = 100;
function withRoom(marks, step, spacing_px) {
  const until = {};
  return marks.map((mark) => {
    const at = (mark.time / step) * spacing_px;
    if (at < (until[mark.position] ?? -Infinity)) return { ...mark, text: "" };
    until[mark.position] = at + TEXT_PX;
    return mark;
  });
}

const seconds = (timeframe) => parseInt(timeframe, 10) * LENGTH[timeframe.slice(-1)];
const GRIP = 6;
const FINGER = 16;
const LINE_REACH = 1.5;
const KEPT = "genesis.indicators";
const ASK_MS = 5000;
const PERIOD = 500;
const REGIME = {
  trend_up: "--good-bg", trend_down: "--bad-bg", high_volatility: "--warn-bg", crash: "--down-soft",
};

export function pick(symbol, timeframe) {
  state.selection = { symbol, timeframe };
  changed("selection");
}

export function pickNext(what) {
  const { status, selection } = state;
  if (!status) return;
  const list = what === "symbol" ? status.symbols : status.timeframes;
  const next = list[(list.indexOf(selection[what]) + 1) % list.length];
  if (next) pick(what === "symbol" ? next : selection.symbol, what === "timeframe" ? next : selection.timeframe);
}

// What a new page shows first: the first symbol, on the first time frame that streams.
export function pickFirst() {
  const { status, selection } = state;
  if (selection.symbol || !status || !status.symbols.length || !status.timeframes.length) return;
  const streamed = TIMEFRAMES.filter((frame) => status.timeframes.includes(frame));
  pick(status.symbols[0], streamed[0] || status.timeframes[0]);
}

function colours() {
  return {
    layout: {
      background: { type: ColorType.Solid, color: css("--surface") },
      textColor: css("--muted"),
      fontFamily: css("--font"),
      fontSize: 11,
      panes: { separatorColor: css("--line"), separatorHoverColor: css("--accent-soft") },
    },
    grid: { vertLines: { color: css("--grid") }, horzLines: { color: css("--grid") } },
    rightPriceScale: { borderColor: css("--line") },
    timeScale: { borderColor: css("--line") },
  };
}

const candleColours = () => ({
  upColor: css("--up"), downColor: css("--down"), wickUpColor: css("--up"), wickDownColor: css("--down"), borderVisible: false,
});

const toBar = (candle) => ({
  time: candle.open_ms / 1000, open: candle.open, high: candle.high, low: candle.low, close: candle.close,
});
const toVolume = (candle) => ({
  time: candle.open_ms / 1000, value: candle.volume, color: candle.close >= candle.open ? css("--up-soft") : css("--down-soft"),
});

// The orders' lines of one symbol: [key, {price, ...}, {order, field, name} when that price of it can be moved].
function linesOf(symbol) {
  const lines = [];
  for (const held of state.position || []) {
    if (held.symbol === symbol && Number(held.quantity) !== 0) {
      lines.push([`position ${held.average_price} ${held.quantity}`, { price: Number(held.average_price), color: css("--accent"), title: quantity(held.quantity), lineStyle: LineStyle.Solid }, null]);
    }
  }
  for (const order of (state.order || new Map()).values()) {
    if (order.symbol !== symbol || CLOSED.has(order.state)) continue;
    const id = order.intent_id || order.venue_id;
    const mine = !order.foreign && may("trade");
    const guards = order.purpose === "stop" || order.purpose === "target";
    // An order with a stop of its own beside its price is both halves of an OCO; each is a line, and each can be moved.
    const both = order.stop_price !== null && order.stop_price !== order.price;
    // "manual" says who wished it, which whoever wished it knows.
    const role = both && guards ? "target" : order.purpose === "manual" ? order.side : order.purpose;
    const color = role === "stop" ? css("--down") : role === "target" || order.side === "buy" ? css("--up") : css("--down");
    const line = (field, name, tint, movable) => lines.push([
      `${id} ${field} ${order[field]} ${order.quantity} ${t(name)}`,
      { price: Number(order[field]), color: tint, title: `${movable ? "↕ " : ""}${t(name)} ${quantity(order.quantity)}`, lineStyle: LineStyle.Dashed },
      movable ? { order, field, name } : null,
    ]);
    if (order.price !== null) line("price", role, color, mine);
    if (both) line("stop_price", "stop", css("--down"), mine && guards);
  }
  return lines;
}

class Plot {
  constructor(box, onCount) {
    this.box = box;
    this.onCount = onCount;
    this.candles = new Map();
    this.lines = new Map();
    this.drawn = [];
    this.chosen = [];
    this.regimes = [];
    this.fitted = false;
    this.held = null;
    this.chart = createChart(box, {
      ...colours(),
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { ...colours().timeScale, timeVisible: true, secondsVisible: false, rightOffset: 6 },
      localization: { locale: "en-US" },
    });
    this.series = this.chart.addSeries(CandlestickSeries, { ...candleColours(), autoscaleInfoProvider: (usual) => this.scale(usual()) });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.shade = new Shade(this.chart);
    this.series.attachPrimitive(this.shade);
    this.series.attachPrimitive(new Strips(this));
    this.markers = createSeriesMarkers(this.series, []);
    this.grips();
  }

  // Dragging: the chart itself stands still while a line is held. The market goes on under a pointer that rests: what the
  // cursor promised when it last moved is taken, and a finger takes the line whose strip it touched (see Strips).
  grips() {
    const yOf = (event) => event.clientY - this.box.getBoundingClientRect().top;
    const taken = (key) => (this.lines.has(key) ? { key, ...this.lines.get(key) } : null);
    let promised = null;
    const near = (event, reach = event.pointerType === "touch" ? FINGER : GRIP) => {
      const strip = event.target instanceof Element && event.target.closest(".grip");
      if (strip) return taken(strip.dataset.key);
      const y = yOf(event);
      let best = null;
      for (const [key, { grip, line }] of this.lines) {
        if (!grip) continue;
        const at = this.series.priceToCoordinate(line.options().price);
        if (at !== null && Math.abs(at - y) <= reach && (!best || Math.abs(at - y) < best.away)) best = { key, grip, line, away: Math.abs(at - y) };
      }
      return best;
    };
    const still = (on) => this.chart.applyOptions({ handleScroll: !on, handleScale: !on });
    this.box.addEventListener("pointerdown", (event) => {
      const kept = promised && promised.x === event.clientX && promised.y === event.clientY && taken(promised.key);
      const found = event.button === 0 && (near(event) || kept);
      if (!found) return;
      event.stopPropagation();
      event.preventDefault();
      const from = found.line.options().price;
      // It moves by as much as the pointer does, wherever beside it that came down.
      this.held = { ...found, from, beside: this.series.priceToCoordinate(from) - yOf(event), range: this.range };
      this.box.setPointerCapture(event.pointerId);
      still(true);
    }, true);
    this.box.addEventListener("pointermove", (event) => {
      if (!this.held) {
        const found = near(event);
        promised = found && { key: found.key, x: event.clientX, y: event.clientY };
        this.box.style.cursor = found ? "ns-resize" : "";
        return;
      }
      const moved = this.series.coordinateToPrice(yOf(event) + this.held.beside);
      if (moved > 0) this.held.line.applyOptions({ price: rounded(moved) });
    }, true);
    // A finger on a line moves it, and not the page.
    this.box.addEventListener("touchstart", (event) => {
      if (event.touches.length === 1 && (this.held || near(event.touches[0], FINGER))) event.preventDefault();
    }, { capture: true, passive: false });
    const drop = (event) => {
      if (!this.held) return;
      const { key, grip, line, from } = this.held;
      this.held = null;
      still(false);
      const to = line.options().price;
      // The line goes back to where the order is; the engine's answer moves it.
      this.series.removePriceLine(line);
      this.lines.delete(key);
      this.mark(this.place);
      if (to === from || event.type === "pointercancel") return;
      askToMove(grip, to);
    };
    this.box.addEventListener("pointerup", drop, true);
    this.box.addEventListener("pointercancel", drop, true);
  }

  // The scale leaves room for lines that are not too far away: a stop that cannot be seen cannot be dragged.
  scale(usual) {
    if (!usual || !usual.priceRange) return usual;
    // The line under the pointer would stretch the scale that its price is read from.
    if (this.held && this.held.range) return { ...usual, priceRange: this.held.range };
    const { minValue, maxValue } = usual.priceRange;
    const reach = (maxValue - minValue) * LINE_REACH;
    const near = [...this.lines.values()].map(({ line }) => line.options().price).filter((at) => at > minValue - reach && at < maxValue + reach);
    this.range = { minValue: Math.min(minValue, ...near), maxValue: Math.max(maxValue, ...near) };
    return { ...usual, priceRange: this.range };
  }

  repaint() {
    this.chart.applyOptions(colours());
    this.series.applyOptions(candleColours());
    this.lines.forEach(({ line }) => this.series.removePriceLine(line));
    this.lines.clear();
    this.redraw();
    this.mark(this.place);
  }

  sorted() {
    return [...this.candles.values()].sort((a, b) => a.open_ms - b.open_ms);
  }

  choose(place) {
    this.place = place;
    this.candles.clear();
    this.fitted = false;
    this.redraw();
    this.mark(place);
    this.onCount(0);
  }

  redraw() {
    const all = this.sorted();
    this.series.setData(all.map(toBar));
    this.volume.setData(all.map(toVolume));
    this.indicate(all);
    this.colour(all);
  }

  show(chosen) {
    this.chosen = chosen;
    this.indicate(this.sorted());
  }

  // Indicators are made anew for every change: a few thousand candles take a millisecond.
  indicate(all) {
    const wanted = this.chosen.flatMap((name) => INDICATORS[name].draw(all).map((line) => ({ ...line, pane: INDICATORS[name].pane })));
    const shape = wanted.map((line) => `${line.pane}${line.title}${line.colour}`).join("|");
    if (shape !== this.shape) {
      for (const series of this.drawn) this.chart.removeSeries(series);
      const panes = [...new Set(wanted.map((line) => line.pane))].sort();
      this.drawn = wanted.map((line) => this.chart.addSeries(LineSeries, {
        color: css(line.colour), lineWidth: line.thin ? 1 : 1.5, title: line.pane ? line.title : "", lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false,
      }, line.pane === 0 ? 0 : panes.filter((pane) => pane > 0).indexOf(line.pane) + 1));
      this.chart.panes().forEach((pane, i) => pane.setStretchFactor(i === 0 ? 4 : 1));
      this.shape = shape;
    }
    wanted.forEach((line, i) => {
      this.drawn[i].applyOptions({ color: css(line.colour) });
      this.drawn[i].setData(all.map((candle, j) => (line.values[j] === null ? { time: candle.open_ms / 1000 } : { time: candle.open_ms / 1000, value: line.values[j] })));
    });
  }

  // The regimes that are known, as a shade behind the candles that they began and ended with.
  colour(all) {
    const near = (ms) => all.find((candle) => candle.open_ms >= ms);
    this.shade.show(all.length ? this.regimes.flatMap((span, i) => {
      const first = near(span.since_ms);
      const next = this.regimes[i + 1];
      const last = next ? near(next.since_ms) : all[all.length - 1];
      return first && REGIME[span.regime] ? [{ from: first.open_ms / 1000, to: (last || all[all.length - 1]).open_ms / 1000, open: !next, colour: css(REGIME[span.regime]) }] : [];
    }) : []);
  }

  shadeBy(spans) {
    this.regimes = spans;
    this.colour(this.sorted());
  }

  hear(kind, rows) {
    const mine = rows.filter((row) => row.symbol === this.place.symbol && row.timeframe === this.place.timeframe);
    if (!mine.length) return;
    const newest = Math.max(0, ...this.candles.keys());
    for (const row of mine) this.candles.set(row.open_ms, row);
    if (kind === "snapshot" || mine.some((row) => row.open_ms < newest)) this.redraw();
    else {
      for (const row of mine) {
        this.series.update(toBar(row));
        this.volume.update(toVolume(row));
      }
      this.indicate(this.sorted());
      this.colour(this.sorted());
    }
    if (!this.fitted && kind === "snapshot" && this.candles.size) {
      this.fitted = true;
      const bars = Math.max(60, Math.round(this.box.clientWidth / 7));
      this.chart.timeScale().setVisibleLogicalRange({ from: this.candles.size - bars, to: this.candles.size + 5 });
      this.mark(this.place);
    }
    this.onCount(this.candles.size);
  }

  mark(place) {
    if (!place || !place.symbol) return;
    const step = seconds(place.timeframe);
    const first = this.candles.size ? Math.min(...this.candles.keys()) / 1000 : Infinity;
    const marks = [];
    for (const fill of (state.trade || new Map()).values()) {
      const time = Math.floor(fill.time_ms / 1000 / step) * step;
      if (fill.symbol !== place.symbol || time < first) continue;
      const buy = fill.side === "buy";
      marks.push({
        time,
        position: buy ? "belowBar" : "aboveBar",
        shape: buy ? "arrowUp" : "arrowDown",
        color: buy ? css("--up") : css("--down"),
        text: `${t(fill.purpose)} ${quantity(fill.quantity)}`,
      });
    }
    marks.sort((a, b) => a.time - b.time);
    this.markers.setMarkers(withRoom(marks, step, this.chart.timeScale().options().barSpacing));
    const wanted = new Map(linesOf(place.symbol).map(([key, options, grip]) => [key, { options, grip }]));
    for (const [key, { line }] of this.lines) {
      if (!wanted.has(key) && !(this.held && this.held.key === key)) {
        this.series.removePriceLine(line);
        this.lines.delete(key);
      }
    }
    for (const [key, { options, grip }] of wanted) {
      if (!this.lines.has(key)) this.lines.set(key, { grip, line: this.series.createPriceLine({ ...options, lineWidth: 1, axisLabelVisible: true }) });
    }
  }

  close() {
    this.chart.remove();
  }
}

// Coloured spans of time behind everything else; the library draws it with each frame of its own.
class Shade {
  constructor(chart) {
    this.chart = chart;
    this.spans = [];
  }

  attached({ requestUpdate }) {
    this.again = requestUpdate;
  }

  show(spans) {
    this.spans = spans;
    if (this.again) this.again();
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => target.useBitmapCoordinateSpace((space) => this.draw(space)) }) }];
  }

  draw({ context, bitmapSize, horizontalPixelRatio }) {
    const scale = this.chart.timeScale();
    const half = scale.options().barSpacing / 2;
    for (const { from, to, open, colour } of this.spans) {
      const left = scale.timeToCoordinate(from);
      const right = scale.timeToCoordinate(to);
      if (left === null || right === null) continue;
      context.fillStyle = colour;
      const begin = Math.round((left - half) * horizontalPixelRatio);
      context.fillRect(begin, 0, Math.round((right + (open ? half : -half)) * horizontalPixelRatio) - begin, bitmapSize.height);
    }
  }
}

// A strip over each line that a finger can take, where the line was painted: the browser knows of it before any script
// runs, and scrolls nothing there, however busy the page is. For a mouse there are none (see the style sheet).
class Strips {
  constructor(plot) {
    this.plot = plot;
    this.strips = new Map();
  }

  // Where each line is painted in this very frame.
  paneViews() {
    return [{ renderer: () => ({ draw: () => this.place() }) }];
  }

  place() {
    const { box, lines, series } = this.plot;
    for (const [key, strip] of this.strips) {
      if (lines.has(key) && lines.get(key).grip) continue;
      strip.remove();
      this.strips.delete(key);
    }
    for (const [key, { grip, line }] of lines) {
      if (!grip) continue;
      const at = series.priceToCoordinate(line.options().price);
      let strip = this.strips.get(key);
      if (!strip) {
        strip = Object.assign(document.createElement("div"), { className: "grip" });
        strip.dataset.key = key;
        box.append(strip);
        this.strips.set(key, strip);
      }
      strip.hidden = at === null || at < 0 || at > box.clientHeight;
      if (!strip.hidden) strip.style.transform = `translateY(${Math.round(at - FINGER)}px)`;
    }
  }
}

// A price with the venue's five significant digits, as the engine wants it.
export function rounded(value) {
  return Number(Number(value).toPrecision(5));
}

// What the move means, before it is asked for: a stop beyond the market is a sale at once, and a stop has its price.
function meaning({ order, field, name }, to) {
  const moved = `${price(order[field])} → ${price(to)} · ${quantity(order.quantity)}`;
  if (name !== "stop") return moved;
  const ticker = state.ticker.get(order.symbol);
  const held = (state.position || []).find((row) => row.symbol === order.symbol && Number(row.quantity) !== 0);
  const sells = order.side === "sell";
  const beyond = ticker && (sells ? to >= ticker.bid : to <= ticker.ask);
  const result = held ? (to - Number(held.average_price)) * Number(order.quantity) * (sells ? 1 : -1) : null;
  return [moved, result === null ? "" : `${t("At the stop, before fees")}: ${signed(result)}`, beyond ? t("The market is there already: it would trade at once.") : ""].filter(Boolean).join(" · ");
}

function askToMove(grip, to) {
  const { order, field, name } = grip;
  ask({
    title: `${t("Move")} ${t(name)} ${pair(order.symbol)}`,
    text: meaning(grip, to),
    yes: t("Move"),
    tone: "primary",
    run: () => api("PATCH", `/api/v2/order/${encodeURIComponent(order.intent_id)}`, { [field]: String(to) }),
  });
}

export function Quote({ symbol }) {
  const tr = useWords();
  const { ticker } = useTopics("ticker", "selection");
  const row = ticker.get(symbol);
  if (!row) return null;
  return html`<dl class="quote">
    <div class="last ${tone(row.daily_change)}"><dd>${price(row.last)}</dd><dd>${percent(row.daily_change_relative)}</dd></div>
    <div><dt>${tr("Bid")}</dt><dd>${price(row.bid)}</dd></div>
    <div><dt>${tr("Ask")}</dt><dd>${price(row.ask)}</dd></div>
    <div><dt>${tr("High")}</dt><dd>${price(row.high)}</dd></div>
    <div><dt>${tr("Low")}</dt><dd>${price(row.low)}</dd></div>
    <div><dt>${tr("Volume")}</dt><dd>${quantity(Math.round(row.volume * 10) / 10)}</dd></div>
  </dl>`;
}

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) || '["ema9", "ema21"]');
    return found.filter((name) => INDICATORS[name]);
  } catch {
    return ["ema9", "ema21"];
  }
}

function Indicators({ chosen, onChoose }) {
  const tr = useWords();
  const flip = (name) => onChoose(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return html`<details class="menu"><summary>${tr("Indicators")} ${chosen.length || ""}</summary><div class="menu-list">
    ${Object.entries(INDICATORS).map(([name, { label }]) => html`<label key=${name}><input type="checkbox" checked=${chosen.includes(name)} onChange=${() => flip(name)} /> ${label} <i class="swatch" style=${{ background: `var(${INDICATORS[name].colour})` }}></i></label>`)}
  </div></details>`;
}

// Regimes as spans: what the API says now, and every change that was heard since.
function useRegimes({ symbol, timeframe }) {
  const { regime } = useTopics("regime");
  return (regime || []).filter((span) => span.symbol === symbol && span.timeframe === timeframe).sort((a, b) => a.since_ms - b.since_ms);
}

// `full` has every time frame and the indicators; without it, a look for the overview.
export function ChartCard({ full = false, className = "chart" }) {
  const tr = useWords();
  const { status, selection } = useTopics("status", "selection", "trade", "position", "order");
  const box = useRef(null);
  const plot = useRef(null);
  const [count, setCount] = useState(0);
  const [problem, setProblem] = useState("");
  const [chosen, setChosen] = useState(full ? kept : []);
  const spans = useRegimes(selection);
  const symbols = (status && status.symbols) || [];
  const streamed = (status && status.timeframes) || [];
  const timeframes = full ? TIMEFRAMES : TIMEFRAMES.filter((frame) => streamed.includes(frame));

  useEffect(() => {
    const made = new Plot(box.current, (n) => setCount((old) => ((old === 0) === (n === 0) ? old : n)));
    plot.current = made;
    const off = onCandles((kind, rows) => made.place && made.hear(kind, rows));
    const repaint = () => made.repaint();
    addEventListener("genesis-theme", repaint);
    return () => {
      removeEventListener("genesis-theme", repaint);
      off();
      made.close();
    };
  }, []);

  useEffect(pickFirst);
  useEffect(() => {
    if (!selection.symbol) return undefined;
    setProblem("");
    // The plot must know its place before the stream can answer with the snapshot.
    plot.current.choose(selection);
    if (streamed.includes(selection.timeframe)) {
      watchCandles(selection.symbol, selection.timeframe);
      return undefined;
    }
    // A time frame that the engine does not hear is asked for, again and again while it is looked at.
    let gone = false;
    const look = async () => {
      try {
        const told = await api("GET", `/api/v2/market/fresh?${new URLSearchParams({ symbol: selection.symbol, timeframe: selection.timeframe, limit: PERIOD })}`);
        if (!gone) plot.current.hear("snapshot", told.candles);
        if (!gone) setProblem("");
      } catch (refused) {
        if (!gone) setProblem(refused.message);
      }
    };
    look();
    const timer = setInterval(() => document.hidden || look(), ASK_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [selection.symbol, selection.timeframe, streamed.join()]);
  useEffect(() => {
    if (plot.current && selection.symbol) plot.current.mark(selection);
  });
  useEffect(() => plot.current.show(chosen), [chosen.join()]);
  useEffect(() => plot.current.shadeBy(full ? spans : []), [spans.map((span) => `${span.since_ms}${span.regime}`).join(), selection.symbol, selection.timeframe]);
  const choose = (next) => {
    setChosen(next);
    localStorage.setItem(KEPT, JSON.stringify(next));
  };

  const now = spans[spans.length - 1];
  const tools = html`
    ${full && now && html`<span class="chip" title=${spoken(now.reason)}><i class="swatch regime ${now.regime}"></i>${tr(now.regime.replaceAll("_", " "))}</span>`}
    ${full && html`<${Indicators} chosen=${chosen} onChoose=${choose} />`}
    <${Choice} label=${tr("Symbol")} options=${symbols.map((s) => [s, pair(s)])} value=${selection.symbol} onPick=${(s) => pick(s, selection.timeframe)} />
    <${Segments} label=${tr("Time frame")} options=${timeframes.map((f) => [f, f])} value=${selection.timeframe} onPick=${(f) => pick(selection.symbol, f)} />
  `;
  return html`<${Card} id="chart" className=${className} title=${selection.symbol ? pair(selection.symbol) : "…"} tools=${tools}>
    <${Quote} symbol=${selection.symbol} />
    <div class="plot"><div class="fill" ref=${box}></div></div>
    ${count === 0 && html`<div class="over"><${Empty} title=${problem || tr("No candles yet")} text=${problem ? "" : tr("The first ones arrive with the stream.")} /></div>`}
  <//>`;
}
