// Indicators of what is on the chart, for the eye: the engine's own are in its signals. Each gives one value a candle,
// null until it has enough of them, by the same definitions as genesis/domain/indicators.

export function ema(values, period) {
  const out = new Array(values.length).fill(null);
  if (values.length < period) return out;
  let last = values.slice(0, period).reduce((sum, value) => sum + value, 0) / period;
  out[period - 1] = last;
  const weight = 2 / (period + 1);
  for (let i = period; i < values.length; i++) out[i] = last += (values[i] - last) * weight;
  return out;
}

export function sma(values, period) {
  const out = new Array(values.length).fill(null);
  let sum = 0;
  values.forEach((value, i) => {
    sum += value - (i >= period ? values[i - period] : 0);
    if (i >= period - 1) out[i] = sum / period;
  });
  return out;
}

export function bollinger(values, period = 20, width = 2) {
  const middle = sma(values, period);
  const spread = values.map((_, i) => {
    if (middle[i] === null) return null;
    const part = values.slice(i - period + 1, i + 1);
    return width * Math.sqrt(part.reduce((sum, value) => sum + (value - middle[i]) ** 2, 0) / period);
  });
  const at = (sign) => middle.map((value, i) => (value === null ? null : value + sign * spread[i]));
  return { upper: at(1), middle, lower: at(-1) };
}

// Wilder's smoothing: the first mean is a plain one.
function wilder(values, period) {
  const out = new Array(values.length).fill(null);
  if (values.length < period) return out;
  let last = values.slice(0, period).reduce((sum, value) => sum + value, 0) / period;
  out[period - 1] = last;
  for (let i = period; i < values.length; i++) out[i] = last += (values[i] - last) / period;
  return out;
}

export function rsi(values, period = 14) {
  const moves = values.slice(1).map((value, i) => value - values[i]);
  const rises = wilder(moves.map((move) => Math.max(0, move)), period);
  const falls = wilder(moves.map((move) => Math.max(0, -move)), period);
  return values.map((_, i) => {
    const rise = i > 0 ? rises[i - 1] : null;
    if (rise === null) return null;
    const whole = rise + falls[i - 1];
    return whole === 0 ? 50 : (100 * rise) / whole;
  });
}

export function macd(values, fast = 12, slow = 26, smooth = 9) {
  const quick = ema(values, fast);
  const calm = ema(values, slow);
  const line = values.map((_, i) => (calm[i] === null ? null : quick[i] - calm[i]));
  const begin = line.findIndex((value) => value !== null);
  const signal = begin < 0 ? line : [...line.slice(0, begin), ...ema(line.slice(begin), smooth)];
  return { line, signal };
}

// Volume-weighted price since midnight UTC.
export function vwap(candles) {
  let day = -1;
  let money = 0;
  let volume = 0;
  return candles.map((candle) => {
    const now = Math.floor(candle.open_ms / 86_400_000);
    if (now !== day) [day, money, volume] = [now, 0, 0];
    money += ((candle.high + candle.low + candle.close) / 3) * candle.volume;
    volume += candle.volume;
    return volume > 0 ? money / volume : null;
  });
}

const closes = (candles) => candles.map((candle) => candle.close);
const simple = (title, colour, values) => [{ title, colour, values }];

// What can be drawn: `pane` 0 is over the candles, others stand below them.
export const INDICATORS = {
  ema9: { colour: "--line-1", label: "EMA 9", pane: 0, draw: (candles) => simple("EMA 9", "--line-1", ema(closes(candles), 9)) },
  ema21: { colour: "--line-2", label: "EMA 21", pane: 0, draw: (candles) => simple("EMA 21", "--line-2", ema(closes(candles), 21)) },
  sma50: { colour: "--line-3", label: "SMA 50", pane: 0, draw: (candles) => simple("SMA 50", "--line-3", sma(closes(candles), 50)) },
  bollinger: {
    colour: "--line-4", label: "Bollinger 20, 2", pane: 0,
    draw: (candles) => {
      const bands = bollinger(closes(candles));
      return ["upper", "middle", "lower"].map((name) => ({ title: "", colour: "--line-4", values: bands[name], thin: true }));
    },
  },
  vwap: { colour: "--line-5", label: "VWAP", pane: 0, draw: (candles) => simple("VWAP", "--line-5", vwap(candles)) },
  rsi: { colour: "--line-2", label: "RSI 14", pane: 1, draw: (candles) => simple("RSI 14", "--line-2", rsi(closes(candles))) },
  macd: {
    colour: "--line-1", label: "MACD", pane: 2,
    draw: (candles) => {
      const both = macd(closes(candles));
      return [{ title: "MACD", colour: "--line-1", values: both.line }, { title: "", colour: "--line-3", values: both.signal }];
    },
  },
};
