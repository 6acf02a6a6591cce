// The page's token: bought with the link's ticket (or a pasted secret), kept for this tab only, renewed before it ends.
// A new tab asks those that are open: one that is signed in hands it a token, which never touches the disk.

const KEY = "genesis.session";
const NEIGHBOURS_MS = 200;

export const session = { token: null, scope: "read", expiresMs: 0, dev: false, user: "" };
const rank = { read: 1, trade: 2, admin: 3 };
export const may = (scope) => (rank[session.scope] || 0) >= rank[scope];

// What it says is shown in the page's language: refusals.js knows how, and is not waited for at the beginning.
export class ApiProblem extends Error {
  static speak = (text) => text;

  constructor(status, error) {
    super();
    this.said = error.message || `status ${status}`;
    this.status = status;
    this.code = error.code || "";
    this.detail = error.detail || {};
    this.id = error.id || "";
  }

  get message() {
    return ApiProblem.speak(this.said);
  }
}

export async function call(method, path, body, bearer = session.token) {
  const headers = {};
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    });
  } catch {
    throw new ApiProblem(0, { code: "unreachable", message: "the engine does not answer" });
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    if (answer.status === 401 && bearer === session.token) forget();
    throw new ApiProblem(answer.status, value.error || {});
  }
  return value;
}

function keep(answer) {
  session.token = answer.token;
  session.scope = answer.scope;
  session.user = answer.user_id;
  session.expiresMs = answer.expires_ms;
  answered = nobody;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(session));
  } catch {
    // Storage may be refused; the page then asks again after a reload.
  }
  schedule();
}

export function forget() {
  session.token = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

const neighbours = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(KEY);
const nobody = () => {};
let answered = nobody;
let onLent = nobody;
if (neighbours) {
  neighbours.onmessage = ({ data }) => {
    if (data.ask && session.token) neighbours.postMessage({ token: session.token });
    if (data.token) answered(data.token);
    if (data.out && session.token) signOut(false);
  };
}

// The token of another tab of this browser, or null when none is signed in, or none has answered yet.
function neighboursToken() {
  if (!neighbours) return Promise.resolve(null);
  return new Promise((done) => {
    const late = setTimeout(() => {
      answered = takeLate;
      done(null);
    }, NEIGHBOURS_MS);
    answered = (token) => {
      clearTimeout(late);
      answered = nobody;
      done(token);
    };
    neighbours.postMessage({ ask: true });
  });
}

// One of its own: signing out here leaves the other tab alone. Gives false when the other's has ended meanwhile.
async function renewLent(lent) {
  try {
    keep(await call("POST", "/api/v2/auth/renew", undefined, lent));
    return true;
  } catch {
    return false;
  }
}

// A tab that is busy answers when the sign-in form stands already: whoever has not signed in by hand meanwhile is now.
async function takeLate(lent) {
  answered = nobody;
  if (!session.token && (await renewLent(lent))) onLent();
}

// What to do when another tab's token came late.
export const onNeighbour = (listener) => {
  onLent = listener;
};

let timer = 0;
const waiting = new Set();
export const onRenew = (listener) => waiting.add(listener);

function schedule() {
  clearTimeout(timer);
  const left = session.expiresMs - Date.now();
  timer = setTimeout(renew, Math.max(5000, Math.min(left * 0.6, 2 ** 31 - 1)));
}

async function renew() {
  if (!session.token) return;
  try {
    keep(await call("POST", "/api/v2/auth/renew"));
    for (const listener of waiting) listener(session.token);
  } catch (problem) {
    if (problem.status === 0) timer = setTimeout(renew, 5000);
  }
}

// Gives true when the page has a token. A ticket is taken out of the address at once: it must not stay in the history.
export async function open() {
  const address = new URL(location.href);
  const ticket = address.searchParams.get("ticket");
  if (ticket) {
    address.searchParams.delete("ticket");
    history.replaceState(null, "", address);
  }
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
    if (kept && kept.token && kept.expiresMs > Date.now() + 5000) {
      Object.assign(session, kept);
      schedule();
    }
  } catch {
    // nothing kept, or not readable: sign in
  }
  if (ticket) {
    try {
      keep(await call("POST", "/api/v2/auth/ticket", { ticket }, null));
      return true;
    } catch (problem) {
      if (!session.token) throw problem;
    }
  }
  if (session.token) return true;
  const [lent, health] = await Promise.all([neighboursToken(), call("GET", "/health", undefined, null).catch(() => ({}))]);
  if (lent && (await renewLent(lent))) return true;
  if (health.auth_required === false) {
    // Nobody is asked for a token here; the header of every page says so.
    Object.assign(session, { token: null, scope: "admin", user: "anonymous", open: true });
    return true;
  }
  if (health.dev) {
    keep(await call("POST", "/api/v2/auth/ws-token", { user_id: "page", scope: "admin", expiry_hours: 1 }, null));
    return true;
  }
  return false;
}

// A pasted text is either a token or the bootstrap secret.
export async function signIn(text) {
  const given = text.trim();
  if (given.split(".").length === 3) {
    const told = await call("POST", "/api/v2/auth/renew", undefined, given);
    keep(told);
    return;
  }
  keep(await call("POST", "/api/v2/auth/ws-token", { user_id: "page", scope: "admin", expiry_hours: 1 }, given));
}

// In every tab: who leaves the machine does not count them.
export async function signOut(everywhere = true) {
  const { token } = session;
  forget();
  if (everywhere && neighbours) neighbours.postMessage({ out: true });
  await call("POST", "/api/v2/auth/sign-out", undefined, token).catch(() => {});
  location.assign("/");
}
