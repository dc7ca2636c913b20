// The service, over fetch: the bearer token, JSON, problem details, and "nobody answers".

export const BASE = "/api/v1";
const KEY = "xdpwall-token";
const PATIENCE_MS = 8000;

/** The service answered, and said no. Fields as in problem details (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the service answered ${status}`);
    Object.assign(this, { status, code: body.code, hint: body.hint, field: body.field });
    this.span = Array.isArray(body.span) ? body.span : null;
  }
}

/** Nobody answered, or something that is not our service did. */
export class Unreachable extends Error {}

/** Take the token out of the address bar (#token=...), so that it is neither seen nor shared. */
export function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return false;
  keepToken(found[1]);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

/** What is not a token's alphabet is encoded: a header takes no more, and the service says 401. */
export const keepToken = (token) => sessionStorage.setItem(KEY, encodeURIComponent(token.trim()));
export const hasToken = () => Boolean(sessionStorage.getItem(KEY));

/** How far the service's clock is ahead of the browser's, in ms: "12 s ago" is told by its clock. */
let skew = 0;

/** Now, by the service's clock, in ms. */
export const serviceTime = () => Date.now() + skew;

export function noteClock(response) {
  skew = (Date.parse(response.headers.get("date")) || Date.now()) - Date.now();
}

export const bearer = () => ({ Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` });

async function request(method, path, body, etag) {
  const headers = { ...bearer(), ...(etag && { "If-Match": etag }) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, text;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new Unreachable(error.name === "TimeoutError" ? "no answer in time" : "no answer");
  }
  const answer = parsed(text);
  noteClock(response);
  if (response.ok && etag === null) return { answer, etag: response.headers.get("etag") };
  if (response.ok && answer !== undefined) return answer;
  if (response.ok || answer === undefined) throw new Unreachable(`answered ${response.status}`);
  throw new Problem(response.status, answer);
}

/** Why a stream was refused: a Problem, or Unreachable when that was not our service. */
export async function problemOf(response) {
  const body = parsed(await response.text());
  return body ? new Problem(response.status, body) : new Unreachable(`answered ${response.status}`);
}

function parsed(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const name = encodeURIComponent;
const seat = (iface, place) => `/interfaces/${name(iface)}/attachments/${place}`;

export const api = {
  status: () => request("GET", "/status"),
  parse: (text) => request("POST", "/rules/parse", { text, partial: true }),
  add: (rule) => request("POST", "/rules", rule),
  edit: (id, changes, etag) => request("PATCH", `/rules/${name(id)}`, changes, etag),
  move: (id, position) => request("POST", `/rules/${name(id)}/move`, { position }),
  reset: (id) => request("POST", `/rules/${name(id)}/reset-counters`),
  /** {answer, etag}: the etag makes a later edit fail when somebody else was faster. */
  rule: (id) => request("GET", `/rules/${name(id)}`, undefined, null),
  remove: (id) => request("DELETE", `/rules/${name(id)}`),
  policy: (changes) => request("PUT", "/policy", changes),
  turn: (on) => request("PUT", "/switch", { on }),
  events: () => request("GET", "/events/settings"),
  setEvents: (changes) => request("PUT", "/events/settings", changes),
  attach: (iface, place, options) => request("PUT", seat(iface, place), options),
  detach: (iface, place) => request("DELETE", seat(iface, place)),
};
