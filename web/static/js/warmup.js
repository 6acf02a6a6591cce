// How far a strategy's warm-up is: how many candles it has seen of those it needs, and how long the rest will take.

import { html } from "../vendor/preact-htm.js";
import { duration } from "./format.js";
import { Bar } from "./parts.js";
import { useWords } from "./words.js";

const LENGTH_S = { m: 60, h: 3600, D: 86400, W: 604800, M: 2_592_000 };

// One that waits for candles of before its first has not begun to count.
export const isWarm = (one) => !one.waits && one.seen >= one.needs;

export function WarmUp({ one }) {
  const tr = useWords();
  if (one.waits || isWarm(one)) return null;
  const left = one.needs - one.seen;
  const long = left * parseInt(one.timeframe, 10) * LENGTH_S[one.timeframe.slice(-1)];
  return html`<span class="warm" title=${tr("It enters nothing before it has seen enough candles.")}><${Bar} fraction=${one.seen / one.needs} tone="warn" />
    <span class="muted">${one.seen} / ${one.needs} ${tr("candles")} · ${tr("about")} ${duration(long)} ${tr("left")}</span></span>`;
}
