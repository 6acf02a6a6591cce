// The candles of one symbol and time frame, with our entries and exits, the open position and the working orders.

import {
  CandlestickSeries, ColorType, createChart, createSeriesMarkers, CrosshairMode, HistogramSeries, LineStyle,
} from "../vendor/lightweight-charts.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { pair, percent, price, quantity, tone } from "./format.js";
import { Card, Empty, Segments } from "./parts.js";
import { changed, CLOSED, onCandles, state, useTopics } from "./store.js";
import { watchCandles } from "./stream.js";
import { css } from "./theme.js";
import { t, useWords } from "./words.js";

const ORDER = ["1m", "5m", "15m", "30m", "1h", "3h", "6h", "12h", "1D", "1W", "14D"];
const LENGTH = { m: 60, h: 3600, D: 86400, W: 604800 };
const seconds = (timeframe) => parseInt(timeframe, 10) * LENGTH[timeframe.slice(-1)];

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

function colours() {
  return {
    layout: {
      background: { type: ColorType.Solid, color: css("--surface") },
      textColor: css("--muted"),
      fontFamily: css("--font"),
      fontSize: 11,
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

class Plot {
  constructor(box, onCount) {
    this.box = box;
    this.onCount = onCount;
    this.candles = new Map();
    this.lines = new Map();
    this.fitted = false;
    this.chart = createChart(box, {
      ...colours(),
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { ...colours().timeScale, timeVisible: true, secondsVisible: false, rightOffset: 6 },
      localization: { locale: "en-US" },
    });
    this.series = this.chart.addSeries(CandlestickSeries, candleColours());
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.markers = createSeriesMarkers(this.series, []);
  }

  repaint() {
    this.chart.applyOptions(colours());
    this.series.applyOptions(candleColours());
    this.volume.setData(this.sorted().map(toVolume));
    this.lines.forEach((line) => this.series.removePriceLine(line));
    this.lines.clear();
    this.mark(this.place);
  }

  sorted() {
    return [...this.candles.values()].sort((a, b) => a.open_ms - b.open_ms);
  }

  choose(place) {
    this.place = place;
    this.candles.clear();
    this.fitted = false;
    this.series.setData([]);
    this.volume.setData([]);
    this.mark(place);
    this.onCount(0);
  }

  hear(kind, rows) {
    const mine = rows.filter((row) => row.symbol === this.place.symbol && row.timeframe === this.place.timeframe);
    if (!mine.length) return;
    const newest = Math.max(0, ...this.candles.keys());
    for (const row of mine) this.candles.set(row.open_ms, row);
    if (kind === "snapshot" || mine.some((row) => row.open_ms < newest)) {
      const all = this.sorted();
      this.series.setData(all.map(toBar));
      this.volume.setData(all.map(toVolume));
    } else {
      for (const row of mine) {
        this.series.update(toBar(row));
        this.volume.update(toVolume(row));
      }
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
    this.markers.setMarkers(marks);
    const wanted = new Map();
    for (const held of state.position || []) {
      if (held.symbol === place.symbol && Number(held.quantity) !== 0) {
        wanted.set(`position ${held.average_price}`, { price: Number(held.average_price), color: css("--accent"), title: quantity(held.quantity), lineStyle: LineStyle.Solid });
      }
    }
    for (const order of (state.order || new Map()).values()) {
      if (order.symbol === place.symbol && order.price !== null && !CLOSED.has(order.state)) {
        const color = order.side === "buy" ? css("--up") : css("--down");
        wanted.set(`${order.intent_id} ${order.price}`, { price: Number(order.price), color, title: `${t(order.purpose)} ${quantity(order.quantity)}`, lineStyle: LineStyle.Dashed });
      }
    }
    for (const [key, line] of this.lines) {
      if (!wanted.has(key)) {
        this.series.removePriceLine(line);
        this.lines.delete(key);
      }
    }
    for (const [key, options] of wanted) {
      if (!this.lines.has(key)) this.lines.set(key, this.series.createPriceLine({ ...options, lineWidth: 1, axisLabelVisible: true }));
    }
  }

  close() {
    this.chart.remove();
  }
}

function Quote({ symbol }) {
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

export function ChartCard() {
  const tr = useWords();
  const { status, selection } = useTopics("status", "selection", "trade", "position", "order");
  const box = useRef(null);
  const plot = useRef(null);
  const [count, setCount] = useState(0);
  const symbols = (status && status.symbols) || [];
  const timeframes = ((status && status.timeframes) || []).slice().sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));

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

  useEffect(() => {
    if (!selection.symbol && symbols.length && timeframes.length) pick(symbols[0], timeframes[0]);
  });
  useEffect(() => {
    if (!selection.symbol) return;
    // The plot must know its place before the stream can answer with the snapshot.
    plot.current.choose(selection);
    watchCandles(selection.symbol, selection.timeframe);
  }, [selection.symbol, selection.timeframe]);
  useEffect(() => {
    if (plot.current && selection.symbol) plot.current.mark(selection);
  });

  const tools = html`
    <${Segments} label=${tr("Symbol")} options=${symbols.map((s) => [s, pair(s)])} value=${selection.symbol} onPick=${(s) => pick(s, selection.timeframe)} />
    <${Segments} label=${tr("Time")} options=${timeframes.map((f) => [f, f])} value=${selection.timeframe} onPick=${(f) => pick(selection.symbol, f)} />
  `;
  return html`<${Card} id="chart" className="chart" title=${selection.symbol ? pair(selection.symbol) : "…"} tools=${tools}>
    <${Quote} symbol=${selection.symbol} />
    <div class="plot"><div class="fill" ref=${box}></div></div>
    ${count === 0 && html`<div class="over"><${Empty} title=${tr("No candles yet")} text=${tr("The first ones arrive with the stream.")} /></div>`}
  <//>`;
}
