// Which page is open: the address' hash, `#/PATH/ARGUMENT...?name=value`. A page's link is a plain <a href="#/path">.

import { useLayoutEffect, useReducer } from "../vendor/preact-htm.js";

const listeners = new Set();

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export function place() {
  const [way, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [path, ...args] = way.split("/").map(decoded);
  return { path, args, query: Object.fromEntries(new URLSearchParams(query)) };
}

// `link("backtests", ["b-17"], { tab: "trades" })` gives `#/backtests/b-17?tab=trades`.
export function link(path, args = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const asked = new URLSearchParams(given).toString();
  return `#/${[path, ...args].map(encodeURIComponent).join("/")}${asked ? `?${asked}` : ""}`;
}

export const go = (path, args, query) => location.assign(link(path, args, query));

// Change the query of the page that is open, without a new entry in the history.
export function setQuery(change) {
  const { path, args, query } = place();
  history.replaceState(null, "", link(path, args, { ...query, ...change }));
  for (const listener of listeners) listener();
}

export function usePlace() {
  const [, again] = useReducer((n) => n + 1, 0);
  useLayoutEffect(() => {
    listeners.add(again);
    addEventListener("hashchange", again);
    return () => {
      listeners.delete(again);
      removeEventListener("hashchange", again);
    };
  }, []);
  return place();
}
