// The pages, in the order of the navigation. To add one, write `pages/NAME.js` and one line in PAGES below.
//
// The line:
//   path   NAME: the address is `#/NAME`, the module `pages/NAME.js`
//   title  in English; its Swedish stands in words.js, or in the page's own words (below)
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
import { addWords } from "./words.js";

export const PAGES = [
  {
    path: "overview", title: "Overview", group: "trade", load: () => import("./pages/overview.js"),
    icon: "M2 13.5V9m4 4.5v-8m4 8V8m4 5.5v-11",
  },
];

export const GROUPS = ["trade", "think", "engine"];
export const pageOf = (path) => PAGES.find((page) => page.path === path);

function fetchStyle(path) {
  const href = `/static/js/pages/${path}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((done, failed) => {
    const element = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: done, onerror: failed });
    document.head.append(element);
  });
}

const loaded = new Map();

async function open(page) {
  const module = await page.load();
  if (module.words) addWords(module.words);
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
  return html`<${Guarded} key=${page.path} module=${module} args=${args} query=${query} />`;
}
