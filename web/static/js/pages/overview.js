// The overview: everything that a trader looks at first, on one page.

import { html } from "../../vendor/preact-htm.js";
import { ActorsCard, ConnectionsCard, FreshnessCard } from "../actors.js";
import { AuditCard } from "../audit.js";
import { ChartCard } from "../chart.js";
import { EquityCard } from "../equity.js";
import { RiskCard } from "../risk.js";
import { DecisionsCard, NoticesCard, OrdersCard, PositionsCard, SignalsCard, TradesCard } from "../tables.js";

export function component() {
  return html`<div class="grid">
    <${ChartCard} />
    <div class="side"><${EquityCard} /><${PositionsCard} /><${RiskCard} /><${NoticesCard} /></div>
    <${OrdersCard} /><${TradesCard} />
    <${SignalsCard} /><${DecisionsCard} />
    <${AuditCard} />
    <${ActorsCard} />
    <div class="inside"><${FreshnessCard} /><${ConnectionsCard} /></div>
  </div>`;
}
