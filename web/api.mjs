// Requests to the service by fetch: the bearer token, JSON, problem details, and no answer at all.

export const BASE = "/api/v1";
const TOKEN_KEY = "xdpwall-token";
const TIMEOUT_MS = 8000;
const LONG_TIMEOUT_MS = 120_000; // of a question about all of 16,384 rules

/** The service answered, and said no. Fields as in problem details (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the service answered ${status}`);
    Object.assign(this, { status, code: body.code, hint: body.hint, field: body.field });
    this.span = Array.isArray(body.span) ? body.span : null;
    this.lockOut = body.lock_out; // whom it would cut off: LockOutFields of the OpenAPI document
  }
}

/** Nobody answered, or something that is not our service did. */
export class Unreachable extends Error {}

/** Take a secret (#code=..., #token=...) out of the address bar, so that it is neither seen nor shared. */
export function takeFromAddress() {
  const [, kind, secret] = /^#(code|token)=(.+)$/.exec(location.hash) ?? [];
  if (kind) history.replaceState(null, "", location.pathname + location.search);
  return kind ? { [kind]: secret } : {};
}

/** What is not a token's alphabet is encoded: a header takes no more, and the service says 401. */
export const storeToken = (token) => sessionStorage.setItem(TOKEN_KEY, encodeURIComponent(token.trim()));
export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN_KEY));

/** How far the service's clock is ahead of the browser's, in ms: "12 s ago" is told by its clock. */
let clockSkew = 0;

/** Now, by the service's clock, in ms. */
export const serviceTime = () => Date.now() + clockSkew;

export function noteServiceClock(response) {
  clockSkew = (Date.parse(response.headers.get("date")) || Date.now()) - Date.now();
}

export const authHeader = () => ({ Authorization: `Bearer ${sessionStorage.getItem(TOKEN_KEY) ?? ""}` });

async function request(method, path, body, { etag, timeout = TIMEOUT_MS } = {}) {
  const headers = { ...authHeader(), ...(etag && { "If-Match": etag }) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, text;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(timeout),
    });
    text = await response.text();
  } catch (error) {
    throw new Unreachable(error.name === "TimeoutError" ? "no answer in time" : "no answer");
  }
  const answer = parseJson(text);
  noteServiceClock(response);
  if (response.ok && etag === null) return { answer, etag: response.headers.get("etag") };
  if (response.ok && answer !== undefined) return answer;
  if (response.ok || answer === undefined) throw new Unreachable(`answered ${response.status}`);
  throw new Problem(response.status, answer);
}

/** Why a stream was refused: a Problem, or Unreachable when that was not our service. */
export async function problemFrom(response) {
  const body = parseJson(await response.text());
  return body ? new Problem(response.status, body) : new Unreachable(`answered ${response.status}`);
}

function parseJson(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const encoded = encodeURIComponent;
/** "?confirm=60": what is absent is left out. */
function withQuery(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

const attachmentPath = (iface, place) => `/interfaces/${encoded(iface)}/attachments/${place}`;

/** `how` a change is made: {confirm: seconds}, {force: true}, or nothing of it. */
export const api = {
  openSession: (code) => request("POST", "/session", { code }),
  session: () => request("GET", "/session"),
  status: () => request("GET", "/status"),
  parse: (text) => request("POST", "/rules/parse", { text, partial: true }),
  add: (rule, how) => request("POST", withQuery("/rules", how), rule),
  edit: (id, changes, how, etag) => request("PATCH", withQuery(`/rules/${encoded(id)}`, how), changes, { etag }),
  move: (id, position, how) => request("POST", withQuery(`/rules/${encoded(id)}/move`, how), { position }),
  reset: (id) => request("POST", `/rules/${encoded(id)}/reset-counters`),
  /** {answer, etag}: the etag makes a later edit fail when somebody else was faster. */
  rule: (id) => request("GET", `/rules/${encoded(id)}`, undefined, { etag: null }),
  remove: (id, how) => request("DELETE", withQuery(`/rules/${encoded(id)}`, how)),
  confirm: (revision) => request("POST", "/ruleset/confirm", { revision }),
  rollback: (body, how) => request("POST", withQuery("/ruleset/rollback", how), body),
  history: (parameters) => request("GET", withQuery("/ruleset/history", parameters)),
  audit: (parameters) => request("GET", withQuery("/audit", parameters)),
  explain: (question) => request("POST", "/explain", question, { timeout: LONG_TIMEOUT_MS }),
  check: () => request("POST", "/check", undefined, { timeout: LONG_TIMEOUT_MS }),
  blocks: () => request("GET", "/block"),
  block: (block, how) => request("POST", withQuery("/block", how), block),
  unblock: (block) => request("DELETE", withQuery("/block", block)),
  flows: (filter) => request("GET", withQuery("/flows", filter)),
  flushFlows: (filter) => request("DELETE", withQuery("/flows", filter)),
  setPolicy: (changes, how) => request("PUT", withQuery("/policy", how), changes),
  setSwitch: (on, how) => request("PUT", withQuery("/switch", how), { on }),
  eventSettings: () => request("GET", "/events/settings"),
  setEventSettings: (changes) => request("PUT", "/events/settings", changes),
  attach: (iface, place, options, how) => request("PUT", withQuery(attachmentPath(iface, place), how), options),
  detach: (iface, place) => request("DELETE", attachmentPath(iface, place)),
};
