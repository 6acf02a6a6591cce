// The way between pages: a rail at the side where there is room, a bar at the bottom with a sheet for the rest where not.

import { html, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { GROUPS, PAGES } from "./pages.js";
import { link } from "./router.js";
import { useWords } from "./words.js";

const IN_BAR = 4;
const DOT = "M8 7.5v1";

const Icon = ({ path }) =>
  html`<svg class="icon" viewBox="0 0 16 16" width="17" height="17" aria-hidden="true"><path d=${path || DOT} /></svg>`;

function Entry({ page, here, onGo }) {
  const tr = useWords();
  return html`<li><a href=${link(page.path)} aria-current=${page.path === here ? "page" : undefined} onClick=${onGo}>
    <${Icon} path=${page.icon} /><span>${tr(page.title)}</span>
  </a></li>`;
}

const grouped = () => GROUPS.map((group) => PAGES.filter((page) => page.group === group)).filter((pages) => pages.length);

function Rail({ here }) {
  const tr = useWords();
  return html`<nav class="rail" aria-label=${tr("Pages")}>${grouped().map(
    (pages) => html`<ul key=${pages[0].group}>${pages.map((page) => html`<${Entry} key=${page.path} page=${page} here=${here} />`)}</ul>`,
  )}</nav>`;
}

function Sheet({ here, onClose }) {
  const tr = useWords();
  const dialog = useRef(null);
  useLayoutEffect(() => dialog.current.showModal(), []);
  const close = () => dialog.current.close();
  return html`<dialog ref=${dialog} class="sheet" onClose=${onClose} onClick=${(event) => event.target === dialog.current && close()} aria-label=${tr("Pages")}>
    <nav aria-label=${tr("Pages")}>${grouped().map(
      (pages) => html`<ul key=${pages[0].group}>${pages.map((page) => html`<${Entry} key=${page.path} page=${page} here=${here} onGo=${close} />`)}</ul>`,
    )}</nav>
    <div class="row end"><button type="button" onClick=${close}>${tr("Close")}</button></div>
  </dialog>`;
}

function BottomBar({ here }) {
  const tr = useWords();
  const [open, setOpen] = useState(false);
  const shown = PAGES.slice(0, IN_BAR);
  const more = PAGES.length > IN_BAR;
  const elsewhere = more && !shown.some((page) => page.path === here);
  return html`<nav class="bottom" aria-label=${tr("Pages")}><ul>
    ${shown.map((page) => html`<${Entry} key=${page.path} page=${page} here=${here} />`)}
    ${more && html`<li><button type="button" aria-haspopup="dialog" aria-expanded=${open} class=${elsewhere ? "current" : ""} onClick=${() => setOpen(true)}>
      <${Icon} path="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" /><span>${tr("More")}</span>
    </button></li>`}
  </ul>${open && html`<${Sheet} here=${here} onClose=${() => setOpen(false)} />`}</nav>`;
}

// One of the two at a time: what is not shown is not in the document, for keyboards and readers as well.
export function Navigation({ here }) {
  const wide = useRef(matchMedia("(min-width: 1151px)"));
  const [broad, setBroad] = useState(wide.current.matches);
  useLayoutEffect(() => {
    const look = () => setBroad(wide.current.matches);
    wide.current.addEventListener("change", look);
    return () => wide.current.removeEventListener("change", look);
  }, []);
  return broad ? html`<${Rail} here=${here} />` : html`<${BottomBar} here=${here} />`;
}
