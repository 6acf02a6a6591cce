// What a strategy left behind that does not run any more, or trades something else: only its stop sells that, until somebody takes it over.

import { html, useState } from "../vendor/preact-htm.js";
import { pair, price, quantity } from "./format.js";
import { Card, Command, Table } from "./parts.js";
import { call } from "./session.js";
import { useTopics } from "./store.js";
import { useWords } from "./words.js";

function Leftover({ symbol, lot, heirs }) {
  const tr = useWords();
  const [heir, setHeir] = useState("manual");
  const options = [["manual", tr("A person")], ...heirs.map((name) => [name, name])];
  return html`<tr>
    <td><b>${lot.strategy}</b></td>
    <td>${pair(symbol)}</td>
    <td class="n">${quantity(lot.quantity)}</td>
    <td class="n">${lot.stop_price ? price(lot.stop_price) : "–"}</td>
    <td><select aria-label=${tr("Give to")} value=${heir} onChange=${(event) => setHeir(event.target.value)}>
      ${options.map(([name, words]) => html`<option key=${name} value=${name} selected=${name === heir}>${words}</option>`)}
    </select></td>
    <td class="act"><${Command} small label=${tr("Give")} title="${lot.strategy} → ${heir}" text=${tr("Coins, levels and the stop at the venue go over as they are; nothing is cancelled or placed.")}
        run=${() => call("POST", "/api/v2/positions/adopt", { owner: lot.strategy, heir, symbol })} /></td>
  </tr>`;
}

// `running` are the strategies that run, as /api/v2/strategies tells them; undefined while nobody knows.
export function Leftovers({ running }) {
  const tr = useWords();
  const { protection } = useTopics("protection");
  if (!running || !protection) return null;
  const speaking = new Set(running.map((one) => `${one.strategy} ${one.symbol}`));
  const spoken = (symbol, { strategy }) => ["manual", "protection"].includes(strategy) || speaking.has(`${strategy} ${symbol}`);
  const rows = protection.brackets.flatMap(({ symbol, lots }) =>
    lots.filter((lot) => lot.lot && Number(lot.quantity) > 0 && !spoken(symbol, lot)).map((lot) => ({ symbol, lot })),
  );
  if (!rows.length) return null;
  const heads = [[tr("Strategy")], [tr("Symbol")], [tr("Quantity"), "n"], [tr("Stop"), "n"], [tr("Give to")], ["", "act"]];
  return html`<${Card} id="leftovers" className="span-12" title=${tr("Left behind")} count=${rows.length}>
    <p class="why">${tr("These strategies do not run, or trade something else: only their stops sell this.")}</p>
    <${Table} label=${tr("Left behind")} heads=${heads} rows=${rows.map(({ symbol, lot }) => {
      const heirs = running.filter((one) => one.symbol === symbol).map((one) => one.strategy);
      return html`<${Leftover} key=${`${symbol} ${lot.lot}`} symbol=${symbol} lot=${lot} heirs=${heirs} />`;
    })} />
  <//>`;
}
