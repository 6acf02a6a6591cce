// The line on top: what runs, what time it is there, whether we trade, and whether what you see is true.

import { html, useEffect, useLayoutEffect, useState } from "../vendor/preact-htm.js";
import { closing } from "./closing.js";
import { clock, date, duration, money, signed, tone } from "./format.js";
import { Command } from "./parts.js";
import { call, session, signOut } from "./session.js";
import { useTopics } from "./store.js";
import { toggleTheme } from "./theme.js";
import { currentLanguage, setLanguage, useWords } from "./words.js";

const MARK = new URL("../favicon.svg", import.meta.url).href;

const WAITS = { venue: "The engine starts and waits for the venue", feed: "The engine starts and waits for the market", start: "The engine starts" };

const RISK_TONE = { ACTIVE: "good", REDUCING: "warn", HALTED: "bad" };
const post = (path, body = {}) => (reason) => call("POST", `/api/v2/${path}`, { ...body, reason });

function useSecond() {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
}

const ICONS = {
  theme: "M8 1.5a6.5 6.5 0 1 0 0 13zM8 1.5a6.5 6.5 0 0 1 0 13",
  out: "M6 2.5H3v11h3M10.5 5l3 3-3 3M13 8H6.5",
};

const Icon = ({ name }) =>
  html`<svg class="icon ${name}" viewBox="0 0 16 16" width="15" height="15" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

function Link() {
  useSecond();
  const tr = useWords();
  const { link } = useTopics("link");
  const text = { live: "Live", connecting: "Connecting", lost: "Lost", silent: "Silent" }[link.phase];
  const kind = { live: "good", connecting: "warn", lost: "bad", silent: "bad" }[link.phase];
  const age = link.phase === "live" || !link.frameAt ? "" : ` ${duration((Date.now() - link.frameAt) / 1000)}`;
  return html`<span class="pill link ${kind}" title=${link.reason}><i class="dot"></i>${tr(text)}${age}</span>`;
}

export const isBroken = (link) => link.phase === "lost" || link.phase === "silent";

export function LinkBanner() {
  useSecond();
  const tr = useWords();
  const { link } = useTopics("link");
  const broken = isBroken(link);
  // In one frame with the banner: nobody sees that the line is lost beside data that look new.
  useLayoutEffect(() => document.body.classList.toggle("old", broken), [broken]);
  if (!broken) return null;
  const age = link.frameAt ? duration((Date.now() - link.frameAt) / 1000) : "";
  if (link.waits) {
    return html`<div class="banner bad" role="alert"><b>${tr(WAITS[link.waits.what] || WAITS.start)}</b>
      <span>${tr("for")} ${duration((Date.now() - link.waits.since_ms) / 1000)}</span>
      <span>${tr("Nothing is traded until it runs.")} ${link.frameAt ? tr("What you see is old.") : ""}</span></div>`;
  }
  return html`<div class="banner bad" role="alert">
    <b>${tr(link.phase === "lost" ? "Connection lost" : "No word from the engine")}</b>
    ${age && html`<span>${tr("for")} ${age}</span>`}
    <span>${link.frameAt ? tr("What you see is old.") : ""} ${tr("Trying again")} …</span>
  </div>`;
}

function Fresh() {
  const tr = useWords();
  const { freshness, link } = useTopics("freshness", "link");
  if (isBroken(link)) return html`<span class="pill">${tr("Old data")}</span>`;
  if (freshness === undefined) return html`<span class="pill">…</span>`;
  const stale = freshness.filter((row) => row.stale);
  if (!freshness.length) return html`<span class="pill">${tr("No streams")}</span>`;
  const names = stale.map((row) => `${row.stream} ${row.symbol} ${row.timeframe}`).join(", ");
  return stale.length
    ? html`<span class="pill bad" title=${names}><i class="dot"></i>${stale.length} ${tr("stale")}</span>`
    : html`<span class="pill good"><i class="dot"></i>${tr("Fresh data")}</span>`;
}

function Trading() {
  const tr = useWords();
  const { risk } = useTopics("risk");
  if (!risk) return html`<span class="pill">…</span>`;
  const paused = risk.paused && risk.state === "ACTIVE";
  return html`<span class="pill strong ${paused ? "warn" : RISK_TONE[risk.state]}" title=${risk.reason}>
    ${tr(paused ? "PAUSED" : risk.state)}
  </span>`;
}

function Replay({ status }) {
  const tr = useWords();
  if (!status.replay) return status.speed ? html`<span class="muted">${status.speed}×</span>` : null;
  const { fraction, done, recording } = status.replay;
  const speed = status.speed === "max" ? "max" : `${status.speed}×`;
  return html`<span class="replay" title=${recording}>
    <progress max="1" value=${fraction} aria-label=${tr("Replay")}></progress>
    <span>${done ? tr("done") : `${Math.round(fraction * 100)} %`} · ${speed}</span>
  </span>`;
}

function Worth() {
  const tr = useWords();
  const { wallet } = useTopics("wallet");
  if (!wallet || !wallet.known) return null;
  const today = Number(wallet.day_start_equity) > 0 ? Number(wallet.equity) - Number(wallet.day_start_equity) : null;
  return html`<span class="worth">
    <b>${money(wallet.equity)}</b> <span class="muted unit">${wallet.quote_currency}</span>
    ${today !== null && html`<span class=${tone(today)} title=${tr("Today")}>${signed(today)}</span>`}
  </span>`;
}

export function Controls() {
  const tr = useWords();
  const { risk } = useTopics("risk", "link");
  const halted = risk && risk.state !== "ACTIVE";
  return html`<div class="controls">
    ${risk && risk.paused
      ? html`<${Command} label=${tr("Resume")} text=${tr("Strategies may enter again.")} why run=${post("risk/unified/resume")} />`
      : html`<${Command} label=${tr("Pause")} text=${tr("New entries stop; exits and stops go on.")} why run=${post("risk/unified/pause")} />`}
    ${halted
      ? html`<${Command} scope="admin" label=${tr("Release")} text="${tr("Trading becomes ACTIVE again.")} ${tr("Drawdown is measured from here on.")}" why run=${post("risk/unified/resume-trading")} />`
      : html`<${Command} tone="danger" label=${tr("Halt")} text=${tr("Nothing is traded until somebody releases it, also after a restart.")} why run=${post("risk/unified/halt")} />`}
    <${Command}
      tone="danger"
      label=${tr("Flatten")}
      text=${tr("Every order is cancelled and everything held is sold at market.")}
      word="flatten"
      why
      run=${(reason) => closing(post("risk/unified/flatten", { confirm: "flatten" })(reason))}
    />
  </div>`;
}

export function Header({ onHelp }) {
  const tr = useWords();
  const { status } = useTopics("status");
  const next = currentLanguage() === "sv" ? "en" : "sv";
  return html`<header class="top">
    <div class="brand"><img src=${MARK} alt="" width="22" height="22" /><h1>Genesis</h1>
      ${status && html`<span class="mode ${status.mode}">${status.mode}</span>`}
    </div>
    <div class="when">
      ${status && status.venue_ms
        ? html`<time title=${tr("Venue time")}><span class="muted day">${date(status.venue_ms)}</span> ${clock(status.venue_ms)} <small class="muted">UTC</small></time>`
        : html`<span class="muted">…</span>`}
      ${status && html`<${Replay} status=${status} />`}
    </div>
    <${Worth} />
    <div class="pills"><${Trading} /><${Link} /><${Fresh} /></div>
    <${Controls} />
    <div class="switches">
      <button type="button" class="quiet" title=${tr("Language")} lang=${next} onClick=${() => setLanguage(next)}>${next.toUpperCase()}</button>
      <button type="button" class="quiet" title=${tr("Theme")} aria-label=${tr("Theme")} onClick=${toggleTheme}><${Icon} name="theme" /></button>
      <button type="button" class="quiet" title=${tr("Help")} aria-label=${tr("Help")} onClick=${onHelp}>?</button>
      <button type="button" class="quiet" title="${tr("Sign out")} (${session.user} · ${session.scope})" aria-label=${tr("Sign out")} onClick=${() => signOut()}><${Icon} name="out" /></button>
    </div>
  </header>`;
}

export function DevBanner() {
  const tr = useWords();
  const { status } = useTopics("status");
  if (session.open || (status && status.auth_required === false)) return html`<aside class="banner warn" aria-label="dev">${tr("No token is asked for (AUTH_REQUIRED=False). Simulated money only.")}</aside>`;
  if (!((status && status.dev) || session.dev)) return null;
  return html`<aside class="banner warn" aria-label="dev">${tr("Dev mode: tokens are given without proof. Simulated money only.")}</aside>`;
}
