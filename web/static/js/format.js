// Numbers and times as a trader reads them. Money arrives as decimal text and is only turned into a number to be shown.

const cache = new Map();

function formatter(minimum, maximum) {
  const key = `${minimum}:${maximum}`;
  if (!cache.has(key)) {
    cache.set(key, new Intl.NumberFormat("en-US", { minimumFractionDigits: minimum, maximumFractionDigits: maximum }));
  }
  return cache.get(key);
}

const missing = (value) => value === null || value === undefined || value === "" || !Number.isFinite(Number(value));

export const MINUS = "\u2212";
const sign = (text) => text.replace("-", MINUS);

export function price(value) {
  if (missing(value)) return "–";
  const number = Number(value);
  const size = Math.abs(number);
  const digits = size >= 1000 ? 1 : size >= 10 ? 2 : size >= 1 ? 4 : 6;
  return sign(formatter(Math.min(digits, 2), digits).format(number));
}

export function quantity(value) {
  if (missing(value)) return "–";
  return sign(formatter(0, 6).format(Number(value)));
}

export function money(value, digits = 2) {
  if (missing(value)) return "–";
  return sign(formatter(digits, digits).format(Number(value)));
}

export function signed(value, digits = 2) {
  if (missing(value)) return "–";
  const number = Number(value);
  return (number > 0 ? "+" : "") + money(number, digits);
}

// What came to a wallet or left it, in its own currency: two decimals would make nothing of a fee in coins.
export function change(value) {
  if (missing(value)) return "–";
  return (Number(value) > 0 ? "+" : "") + quantity(value);
}

export function percent(fraction, digits = 2) {
  if (missing(fraction)) return "–";
  return sign(formatter(digits, digits).format(Number(fraction) * 100)) + "\u00a0%";
}

// A size as it is sent: eight decimals at most, without the dust of reckoning in binary, never with an exponent.
export const sendable = (value) => Number(value).toFixed(8).replace(/\.?0+$/, "");

// What a field for a number says; an empty one says nothing, and no zero in its place: the engine asks for it.
export const numberOf = (text) => (String(text).trim() === "" ? null : Number(text));
export const tone = (value) => (missing(value) || Number(value) === 0 ? "" : Number(value) > 0 ? "up" : "down");

const two = (number) => String(number).padStart(2, "0");

export function clock(ms) {
  if (!ms) return "–";
  const at = new Date(ms);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

export function date(ms) {
  if (!ms) return "–";
  const at = new Date(ms);
  return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
}

export const dayClock = (ms) => (ms ? `${date(ms).slice(5)} ${clock(ms)}` : "–");

export function duration(seconds) {
  if (missing(seconds)) return "–";
  const s = Math.max(0, Number(seconds));
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))}`;
  return `${Math.floor(s / 86400)} d`;
}

export const pair = (symbol) => {
  const name = (symbol || "").replace(/^t/, "");
  return name.includes(":") ? name.replace(":", "/") : `${name.slice(0, -3)}/${name.slice(-3)}`;
};
