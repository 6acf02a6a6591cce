// The shell: signs in, listens to the stream, and shows the page that the address names.

import { html, render, useEffect, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { AccountBanner } from "./accountline.js";
import { opened } from "./begin.js";
import { pickNext } from "./chart.js";
import { ClosingBanners } from "./closing.js";
import { duration } from "./format.js";
import { DevBanner, Header, LinkBanner } from "./header.js";
import { Navigation } from "./nav.js";
import { pageOf, PAGES, PageView } from "./pages.js";
import { Empty, firstOfTicket, Question, Toasts } from "./parts.js";
import "./refusals.js";
import { go, usePlace } from "./router.js";
import { onNeighbour, session, signIn } from "./session.js";
import { state, useTopics } from "./store.js";
import { onEnd, start } from "./stream.js";
import { toggleTheme } from "./theme.js";
import { currentLanguage, setLanguage, useWords } from "./words.js";

const MARK = new URL("../favicon.svg", import.meta.url).href;

function SignIn({ problem, onDone }) {
  const tr = useWords();
  const [text, setText] = useState("");
  const [error, setError] = useState(problem || "");
  const go = async (event) => {
    event.preventDefault();
    try {
      await signIn(text);
      onDone();
    } catch (refused) {
      setError(refused.message);
    }
  };
  return html`<main class="signin"><form class="card" onSubmit=${go}>
    <div class="brand"><img src=${MARK} alt="" width="28" height="28" /><h1>Genesis</h1></div>
    <p>${tr("Open the link that the engine printed at its start, or run")} <code>genesis token --link</code> ${tr("for a new one. You can also paste a token or the engine's secret.")}</p>
    <label>${tr("Token or secret")}<input type="password" autocomplete="off" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
    ${error && html`<p class="down" role="alert">${error}</p>`}
    <button type="submit" class="primary" disabled=${!text.trim()}>${tr("Sign in")}</button>
  </form></main>`;
}

function Help({ onClose }) {
  const tr = useWords();
  const dialog = useRef(null);
  useLayoutEffect(() => dialog.current.showModal(), []);
  const keys = [["1 – 9", "Pages"], ["N", "New order"], ["S", "Next symbol"], ["F", "Next time frame"], ["T", "Theme"], ["L", "Language"], ["?", "Help"]];
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="help-title"><h2 id="help-title">${tr("Keyboard")}</h2>
    <dl class="keys">${keys.map(([key, text]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${tr(text)}</dd></div>`)}</dl>
    <form method="dialog" class="row end"><button>${tr("Close")}</button></form></dialog>`;
}

function Foot() {
  const tr = useWords();
  const { status } = useTopics("status");
  return html`<footer class="foot muted">
    ${status && html`<span>Genesis ${status.version}</span><span>${tr("up-time")} ${duration(status.uptime_s)}</span>${status.settings_version > 0 && html`<span>${tr("settings")} ${status.settings_version}</span>`}`}
    <a href="/docs">${tr("API")}</a><a href="/ws">${tr("Console")}</a><a href="https://www.tradingview.com/" rel="noreferrer noopener" target="_blank">Charts by TradingView</a>
  </footer>`;
}

// Without a hash the address itself may say it: /observability/dashboard is a page as well.
const home = () => PAGES.find((page) => location.pathname.startsWith(`/${page.path}/`)) || PAGES[0];

// The ticket's first number, on this page where there is a ticket, else on the page of orders as soon as that is drawn.
function newOrder() {
  const size = firstOfTicket();
  if (size) size.focus();
  else {
    state.ordering = true;
    go("orders");
  }
}

function Page() {
  const tr = useWords();
  const [help, setHelp] = useState(false);
  const main = useRef(null);
  const { path, args, query } = usePlace();
  const page = path === "" ? home() : pageOf(path);
  // Who sees the page can use its keys, and reads its title.
  useLayoutEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
      const actions = {
        n: newOrder, s: () => pickNext("symbol"), f: () => pickNext("timeframe"), t: toggleTheme, "?": () => setHelp(true),
        l: () => setLanguage(currentLanguage() === "sv" ? "en" : "sv"),
      };
      const action = actions[event.key.toLowerCase()] || (PAGES[Number(event.key) - 1] && (() => go(PAGES[Number(event.key) - 1].path)));
      // The key itself is not typed into what it opens.
      if (action) event.preventDefault();
      if (action) action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const opened = useRef(path);
  useLayoutEffect(() => {
    document.title = page ? `${tr(page.title)} · Genesis` : "Genesis";
    if (opened.current === path) return;
    // A new page begins at its top, and a reader's or a keyboard's place is there too.
    opened.current = path;
    scrollTo(0, 0);
    main.current.focus({ preventScroll: true });
  });
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>${tr("Skip to the page")}</a>
    <div class="roof"><${Header} onHelp=${() => setHelp(true)} /><${ClosingBanners} /></div>
    <${DevBanner} /><${LinkBanner} /><${AccountBanner} />
    <div class="house">
      <${Navigation} here=${page && page.path} />
      <main ref=${main} id="main" tabindex="-1" class="page page-${page ? page.path : "none"}">
        ${page ? html`<${PageView} page=${page} args=${args} query=${query} />` : html`<${Empty} title=${tr("Nothing is here")} text=${location.hash} />`}
        <${Foot} />
      </main>
    </div>
    <${Question} /><${Toasts} />
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
  `;
}

function Root() {
  const [phase, setPhase] = useState("opening");
  const [problem, setProblem] = useState("");
  useEffect(() => {
    opened.then(
      // Another tab's token may have come while this was being fetched.
      (signedIn) => setPhase(signedIn || session.token ? "in" : "out"),
      (refused) => {
        setProblem(refused.message);
        setPhase("out");
      },
    );
  }, []);
  useEffect(() => {
    onNeighbour(() => setPhase("in"));
    if (phase !== "in") return;
    onEnd(() => setPhase("out"));
    if (session.token || session.open) start();
  }, [phase]);
  if (phase === "opening") return html`<p class="boot">Genesis</p>`;
  if (phase === "out") return html`<${SignIn} problem=${problem} onDone=${() => setPhase("in")} />`;
  return html`<${Page} />`;
}

const app = document.getElementById("app");
app.replaceChildren();
render(html`<${Root} />`, app);
