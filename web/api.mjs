// Requests to the service by fetch: the bearer token, JSON, problem details, and no answer at all.

export const BASE = "/api/v1";
const TOKEN_KEY = "xdpwall-token";
const TIMEOUT_MS = 8000;

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
export function takeTokenFromAddress() {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return false;
  storeToken(match[1]);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
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

async function request(method, path, body, etag) {
  const headers = { ...authHeader(), ...(etag && { "If-Match": etag }) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, text;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
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
const attachmentPath = (iface, place) => `/interfaces/${encoded(iface)}/attachments/${place}`;

export const api = {
  status: () => request("GET", "/status"),
  parse: (text) => request("POST", "/rules/parse", { text, partial: true }),
  add: (rule) => request("POST", "/rules", rule),
  edit: (id, changes, etag) => request("PATCH", `/rules/${encoded(id)}`, changes, etag),
  move: (id, position) => request("POST", `/rules/${encoded(id)}/move`, { position }),
  reset: (id) => request("POST", `/rules/${encoded(id)}/reset-counters`),
  /** {answer, etag}: the etag makes a later edit fail when somebody else was faster. */
  rule: (id) => request("GET", `/rules/${encoded(id)}`, undefined, null),
  remove: (id) => request("DELETE", `/rules/${encoded(id)}`),
  confirm: (revision) => request("POST", "/ruleset/confirm", { revision }),
  cancel: (revision) => request("POST", "/ruleset/rollback", { revision }),
  setPolicy: (changes) => request("PUT", "/policy", changes),
  setSwitch: (on) => request("PUT", "/switch", { on }),
  eventSettings: () => request("GET", "/events/settings"),
  setEventSettings: (changes) => request("PUT", "/events/settings", changes),
  attach: (iface, place, options) => request("PUT", attachmentPath(iface, place), options),
  detach: (iface, place) => request("DELETE", attachmentPath(iface, place)),
};
