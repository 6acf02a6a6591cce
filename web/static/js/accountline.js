// Whether the account's own line is up: what the page shows of orders and balances is no newer than that.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { isBroken } from "./header.js";
import { useTopics } from "./store.js";
import { addWords, useWords } from "./words.js";

const PATIENCE_MS = 3000;
const LINE = "connection_private";
// Idle is by wish: nothing was to be dialled.
const AT_REST = new Set(["up", "idle"]);

export function AccountBanner() {
  const tr = useWords();
  const { connection, link } = useTopics("connection", "link");
  const row = (connection || []).find((one) => one.name === LINE);
  const away = Boolean(row) && !AT_REST.has(row.status);
  // A line that falls and is back at once is nobody's concern.
  const [told, setTold] = useState(false);
  useEffect(() => {
    if (!away) return setTold(false);
    const timer = setTimeout(() => setTold(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [away]);
  if (!away || !told || isBroken(link)) return null;
  if (row.status === "maintenance") {
    return html`<div class="banner warn account" role="status"><b>${tr("The venue is in maintenance")}</b>
      <span>${tr("Nothing leaves until it is over. Stops that rest there stay.")}</span></div>`;
  }
  return html`<div class="banner bad account" role="alert"><b>${tr("The account's line is away")}</b>
    <span>${tr("Stops, closes and cancels leave over REST as long as that answers; entries wait. Orders and balances may be older than they look.")}</span>
    ${row.last_error && html`<small>${row.last_error}</small>`}</div>`;
}

addWords({
  "The venue is in maintenance": "Börsen underhålls",
  "Nothing leaves until it is over. Stops that rest there stay.": "Inget skickas förrän det är över. Stopp som ligger där ligger kvar.",
  "The account's line is away": "Kontots linje är borta",
  "Stops, closes and cancels leave over REST as long as that answers; entries wait. Orders and balances may be older than they look.": "Stopp, stängningar och avbrott går över REST så länge det svarar; ingångar väntar. Ordrar och saldon kan vara äldre än de ser ut.",
});
