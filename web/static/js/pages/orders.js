// Orders and positions: the ticket, what is held, what works, what was done, and templates for next time.

import { html, useEffect } from "../../vendor/preact-htm.js";
import { dayClock, duration, money, pair, price, quantity, signed, tone } from "../format.js";
import { Answer, api, ApiProblem, Card, Chip, Command, link, may, Pager, Segments, Side, Table, toast, useApi } from "../parts.js";
import { setQuery } from "../router.js";
import { useTopics } from "../store.js";
import { OrdersCard, PositionsCard, TradesCard } from "../tables.js";
import { fillTicket, formOfTemplate, TicketCard } from "../ticket.js";
import { useWords } from "../words.js";

const PAGE = 50;

function Templates() {
  const tr = useWords();
  const of = useApi("/api/v2/order/templates");
  const { templates } = useTopics("templates");
  useEffect(() => {
    if (of.data) of.again();
  }, [templates]);
  return html`<${Card} id="templates" className="span-4" title=${tr("Templates")} count=${of.data && of.data.templates.length} tools=${html`<button type="button" class="small" aria-label="${tr("Templates")}: ${tr("Try again")}" onClick=${of.again}>↻</button>`}>
    <${Answer} of=${of} empty=${(told) => !told.templates.length} title=${tr("No templates yet")} text=${tr("Fill in the ticket and keep it under a name.")}>${(told) => html`<ul class="feed">${told.templates.map(
      (one) => {
        const form = formOfTemplate(one);
        return html`<li key=${one.name}><div class="line"><b>${one.name}</b><${Side} side=${form.side} /><span>${quantity(form.quantity)} ${pair(form.symbol)}</span><span class="muted wide">${tr(form.type.toLowerCase())}${form.price && ` @ ${price(form.price)}`}</span><span class="grow"></span>
          <button type="button" class="small" aria-label="${tr("Use")} ${one.name}" onClick=${() => {
            fillTicket(form);
            toast("good", tr("The ticket is filled"));
          }}>${tr("Use")}</button>
          <${Command} small about=${one.name} label=${tr("Place")} title="${tr("Place")} ${one.name}" text=${[`${tr(form.side)} ${quantity(form.quantity)} ${pair(form.symbol)}`, tr(form.type.toLowerCase()), form.price && `@ ${price(form.price)}`, form.bracket && tr("with stop and target"), tr("The order of the template is placed now.")].filter(Boolean).join(" · ")} run=${() => api("POST", `/api/v2/order/templates/${encodeURIComponent(one.name)}`)} />
          <button type="button" class="small danger" disabled=${!may("trade")} aria-label="${tr("Delete")} ${one.name}" onClick=${async () => {
            try {
              await api("DELETE", `/api/v2/order/templates/${encodeURIComponent(one.name)}`);
            } catch (problem) {
              if (!(problem instanceof ApiProblem)) throw problem;
              toast("bad", problem.message);
            }
            of.again();
          }}>×</button></div></li>`;
      },
    )}</ul>`}<//>
  <//>`;
}

export function ClosedPositions({ className = "span-7", offset = 0 }) {
  const tr = useWords();
  const of = useApi(`/api/v2/positions/history?limit=${PAGE}&offset=${offset}`, { every: 5 });
  const heads = [[tr("Exit")], [tr("Symbol")], [tr("Side"), "wide"], [tr("Quantity"), "n"], [tr("Entry"), "n"], [tr("Exit"), "n"], [tr("Held"), "n wide"], [tr("Ended by"), "wide"], [tr("Fees"), "n roomy"], [tr("Profit"), "n"]];
  return html`<${Card} id="closed" className=${className} title=${tr("Closed positions")} count=${of.data && of.data.total}>
    <${Answer} of=${of} empty=${(told) => !told.total} title=${tr("No position was closed yet")} text=${tr("Each is listed here with its profit after fees.")}>${(told) => html`
      <${Table} label=${tr("Closed positions")} heads=${heads} rows=${told.trades.map((row) => html`<tr key=${`${row.symbol}${row.exit_ms}${row.strategy}`}>
        <td>${dayClock(row.exit_ms)}</td><td><a href=${link("chart", [], { symbol: row.symbol })}>${pair(row.symbol)}</a>${row.shares.map((each) => html`<div class="wide muted">${each.strategy} ${signed(each.pnl)}</div>`)}</td><td class="wide"><${Side} side=${row.side} /></td>
        <td class="n">${quantity(row.quantity)}</td><td class="n">${price(row.entry_price)}</td><td class="n">${price(row.exit_price)}</td>
        <td class="n wide muted">${duration((row.exit_ms - row.entry_ms) / 1000)}</td><td class="wide">${row.exit_reason ? html`<${Chip} tone=${row.exit_reason === "stop" ? "bad" : row.exit_reason === "target" ? "good" : ""}>${tr(row.exit_reason)}<//>` : ""}</td>
        <td class="n muted roomy">${money(row.fees_quote)}</td><td class="n ${tone(row.pnl)}"><b>${signed(row.pnl)}</b></td>
      </tr>`)} />
      <${Pager} offset=${offset} limit=${PAGE} total=${told.total} onOffset=${(next) => setQuery({ offset: next })} />`}<//>
  <//>`;
}

// All trades that there ever were, page by page; the first one is the newest as they come.
function AllTrades({ offset }) {
  const of = useApi(`/api/v2/trades?limit=${PAGE}&offset=${offset}`, { every: 5 });
  const told = of.data;
  return html`<${TradesCard} count=${told && told.total} shown=${PAGE} older=${offset && told ? told : null}>
    ${told && html`<${Pager} offset=${offset} limit=${PAGE} total=${told.total} onOffset=${(next) => setQuery({ offset: next || null })} />`}
  <//>`;
}

export function component({ query }) {
  const tr = useWords();
  const tab = query.tab || "trades";
  return html`<div class="grid orders-page">
    <${TicketCard} className="span-3" />
    <div class="span-9 column">
      <${PositionsCard} /><${OrdersCard} first="open" />
      <div class="tabs"><${Segments} label=${tr("History")} value=${tab} onPick=${(next) => setQuery({ tab: next, offset: null })} options=${[["trades", tr("Trades")], ["closed", tr("Closed positions")], ["templates", tr("Templates")]]} /></div>
      ${tab === "trades" ? html`<${AllTrades} offset=${Number(query.offset) || 0} />` : tab === "closed" ? html`<${ClosedPositions} className="" offset=${Number(query.offset) || 0} />` : html`<${Templates} />`}
    </div>
  </div>`;
}
