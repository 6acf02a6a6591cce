// The pages, in the order of the navigation. To add one, write `pages/NAME.js` and one line in PAGES below (one: two
// people's new lines are then merged by keeping both).
//
// The line:
//   path   NAME: the address is `#/NAME`, the module `pages/NAME.js`
//   title  in English; its Swedish stands in words.js: the navigation shows it when the page is not loaded yet
//   group  trade, think or engine: where it stands in the navigation
//   icon   an SVG path in a box of 16 by 16, drawn as a line of 1.5
//   load   how to get the module. It is fetched when the page is opened first: a page that is broken breaks only itself
//
// The module exports:
//   component  a preact component. It gets `args` (what follows NAME in the address, as a list) and `query` (what follows
//              the question mark, as an object), so that a page's inner views have addresses: `#/backtests/b-17?tab=trades`.
//              Links are `<a href=${link("backtests", ["b-17"])}>`; `setQuery({ tab: "trades" })` changes the address.
//   words      optional: Swedish for the page's own texts, `{ "English": "Svenska" }`. Show every text by `useWords()`.
//   style      optional: true when `pages/NAME.css` belongs to it. Begin every selector there with `.page-NAME`, and take
//              colours from the variables of page.css alone: then it is right in both themes.
//
// A page is drawn inside `<main class="page page-NAME">`. Put cards into `<div class="grid">`; it has twelve columns, a
// card takes six, and `className="span-4"` (3, 4, 5, 7, 8, 9, 12) takes others. Under 1150 px each has the whole width.
//
// What to build with (parts.js has all of it, so one import line is enough):
//   Card, Table, Pager, Segments, Chip, Bar, Side, Facts, Code, Field, Form      looks
//   Loading, Empty, Problem, Answer                                  the four states; every page shows each where it can be
//   api(method, path, body)   a call with the token; throws ApiProblem (status, code, message, detail, id)
//   useApi(path, {every})     GET by path, again each `every` seconds while the page is in front; `useTopics` is for what
//                             the stream tells (store.js), which is cheaper and newer than asking again
//   act(run), ask({...}), Command, toast      do something: with a toast, after a question, as a button with a question
//   LineChart, Sparkline      many points with axes and cursor, a few without
// Numbers and times: format.js. Who may do what: `may("trade")` of session.js; Command asks it itself.

import { html, useEffect, useErrorBoundary, useState } from "../vendor/preact-htm.js";
import { Loading, Problem } from "./parts.js";
import { pageWords } from "./words.js";

export const PAGES = [
  { path: "overview", title: "Overview", group: "trade", load: () => import("./pages/overview.js"), icon: "M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3H9zM9 7.5h4.5v6H9zM2.5 10.5h4.5v3H2.5z" },
  { path: "chart", title: "Chart", group: "trade", load: () => import("./pages/chart.js"), icon: "M4 2.5v11M4 5h-1.5v5H5.5V5H4M11 1.5v13M11 4h-1.5v6.5h3V4H11" },
  { path: "orders", title: "Orders", group: "trade", load: () => import("./pages/orders.js"), icon: "M3 2.5h10v11H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3" },
  { path: "risk", title: "Risk", group: "trade", load: () => import("./pages/risk.js"), icon: "M8 1.8l5.2 2v4c0 3-2.2 5.2-5.2 6.4-3-1.2-5.2-3.4-5.2-6.4v-4zM5.8 8l1.6 1.6 3-3" },
  { path: "account", title: "Account", group: "trade", load: () => import("./pages/account.js"), icon: "M2 4.5h12v8.5H2zM2 7h12M10.5 10h1.5M4 4.5V3h8" },
  { path: "signals", title: "Signals", group: "think", load: () => import("./pages/signals.js"), icon: "M1.5 8h3l2-5 3 10 2-5h3" },
  { path: "decisions", title: "Decisions", group: "think", load: () => import("./pages/decisions.js"), icon: "M8 1.5v3M8 4.5L3 9M8 4.5L13 9M3 9v3M13 9v3M1.5 12h3v2.5h-3zM11.5 12h3v2.5h-3z" },
  { path: "strategies", title: "Strategies", group: "think", load: () => import("./pages/strategies.js"), icon: "M2.5 13.5v-5h3v5zM6.5 13.5v-9h3v9zM10.5 13.5V7h3v6.5zM1.5 13.5h13" },
  { path: "model", title: "Model", group: "think", load: () => import("./pages/model.js"), icon: "M2 14V2M2 14h12M3.5 12.5c3 0 3-9 9.5-9M5 10.5v.1M8 7v.1M11.5 4.2v.1" },
  { path: "observability", title: "Inside", group: "engine", load: () => import("./pages/observability.js"), icon: "M2 13.5V9m4 4.5v-8m4 8V8m4 5.5v-11" },
  { path: "logs", title: "Logs", group: "engine", load: () => import("./pages/logs.js"), icon: "M3 2.5h10v11H3zM5.5 5.5h1M8 5.5h2.5M5.5 8h1M8 8h2.5M5.5 10.5h1M8 10.5h2.5" },
  { path: "configuration", title: "Settings", group: "engine", load: () => import("./pages/configuration.js"), icon: "M2 4.5h6m4 0h2M2 11.5h2m4 0h6M10 2.8v3.4M6 9.8v3.4" },
  { path: "actors", title: "Actors", group: "engine", load: () => import("./pages/actors.js"), icon: "M8 2v3M8 5H3.5v3M8 5h4.5v3M2 8h3v3H2zm9 0h3v3h-3zM6.5 8h3v3h-3zM8 5v3" },
  { path: "proof", title: "Proof", group: "engine", load: () => import("./pages/proof.js"), icon: "M8 1.5l1.8 1.6 2.4-.2.6 2.3 2 1.3-1 2.2.5 2.3-2.3.8-1.2 2.1L8 13l-2.8.9-1.2-2.1-2.3-.8.5-2.3-1-2.2 2-1.3.6-2.3 2.4.2zM5.6 8l1.7 1.7 3.1-3.3" },
  { path: "backtests", title: "Backtests", group: "think", load: () => import("./pages/backtests.js"), icon: "M6 1.5h4M7 1.5v4.5L3 13a1 1 0 0 0 .9 1.5h8.2A1 1 0 0 0 13 13L9 6V1.5M4.8 10h6.4" },
];

export const GROUPS = ["trade", "think", "engine"];
export const pageOf = (path) => PAGES.find((page) => page.path === path);

function fetchStyle(path) {
  const { href } = new URL(`./pages/${path}.css`, import.meta.url);
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((done, failed) => {
    const element = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: done, onerror: failed });
    document.head.append(element);
  });
}

const loaded = new Map();
const NO_WORDS = {};

async function open(page) {
  const module = await page.load();
  if (module.style) await fetchStyle(page.path);
  loaded.set(page.path, module);
  return module;
}

const Shown = ({ children }) => html`<div class="grid"><section class="card span-12">${children}</section></div>`;

// The component of a page. A mistake in it is shown in its place, and the rest goes on.
function Guarded({ module, args, query }) {
  const [problem, again] = useErrorBoundary((error) => console.error(error));
  if (problem) return html`<${Shown}><${Problem} problem=${problem} again=${again} /><//>`;
  return html`<${module.component} args=${args} query=${query} />`;
}

export function PageView({ page, args, query }) {
  const [, drawn] = useState(null);
  const [problem, setProblem] = useState(null);
  const fetchPage = () => {
    setProblem(null);
    open(page).then(drawn, setProblem);
  };
  useEffect(() => {
    if (!loaded.has(page.path)) fetchPage();
    else setProblem(null);
  }, [page.path]);
  const module = loaded.get(page.path);
  if (problem && !module) return html`<${Shown}><${Problem} problem=${problem} again=${fetchPage} /><//>`;
  if (!module) return html`<${Shown}><${Loading} rows=${8} /><//>`;
  pageWords(module.words || NO_WORDS);
  return html`<${Guarded} key=${page.path} module=${module} args=${args} query=${query} />`;
}
