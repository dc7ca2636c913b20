// Keeps the page's state that of the service: follows its events, again when they ended, and runs
// changes one after the other.

import { api, hasToken, Problem, storeToken, takeFromAddress } from "./api.mjs";
import { applyEvent, beginStream } from "./apply_event.mjs";
import { streamEvents } from "./event_stream.mjs";
import { setState, showError, state } from "./store.mjs";

const RETRY_MS = 1000;

let lastChange = Promise.resolve();
let pendingChanges = 0; // changes that are under way

/**
 * Run a change after those before it. Problems become a notice, unless `callerHandles(error)`:
 * then they are thrown.
 */
export function runChange(work, callerHandles = () => false) {
  pendingChanges += 1;
  const run = lastChange.then(() => runOrShowError(work, callerHandles)).finally(() => { pendingChanges -= 1; });
  lastChange = run.catch(() => {});
  return run;
}

async function runOrShowError(work, callerHandles) {
  try {
    return await work();
  } catch (error) {
    if (callerHandles(error)) throw error;
    if (!connectionFailed(error)) showError(error);
    return undefined;
  }
}

/** Note why a request failed; true when that was about the connection and not the request. */
export function connectionFailed(error) {
  if (error instanceof Problem) {
    if (error.status !== 401) return false;
    setState({ tokenProblem: "wrong", announcement: "The service does not take this token." });
    return true;
  }
  if (!state.lost) {
    setState({ lost: { since: Date.now(), why: error.message }, announcement: "The service does not answer." });
  }
  return true;
}

let streamAbort = new AbortController();
let lastEventId = null;
let retryTimer = 0;

/** Follow the events until told otherwise; whatever ends the stream, it is followed again. */
async function followEvents() {
  clearTimeout(retryTimer);
  streamAbort.abort();
  if (state.tokenProblem) return;
  streamAbort = new AbortController();
  const { signal } = streamAbort;
  let asked = false;
  try {
    // What was missed is shown at once when it has all come; a snapshot is whole anyway.
    if (lastEventId) beginStream(await api.status());
    for await (const { id, name, data } of streamEvents(lastEventId, signal)) {
      // What this page is changing is not somebody else's change.
      while (pendingChanges) await lastChange;
      if (signal.aborted) return;
      if (!asked) askWhoWeAre(); // once we are let in
      asked = true;
      applyEvent(name, data);
      lastEventId = id ?? lastEventId;
      if (state.lost) setState({ lost: null, announcement: "The service answers again." });
    }
    if (!signal.aborted) connectionFailed(new Error("the service stopped"));
  } catch (error) {
    if (signal.aborted) return;
    // What cannot be followed event by event is read anew.
    if (error instanceof Problem || error instanceof SyntaxError) lastEventId = null;
    if (!connectionFailed(error)) setState({ lost: { since: Date.now(), why: error.message } });
  }
  if (!signal.aborted && !state.tokenProblem) retryTimer = setTimeout(followEvents, RETRY_MS);
}

/** Take a token typed by hand and go on. */
export function enterToken(token) {
  storeToken(token);
  setState({ tokenProblem: null });
  followEvents();
}

/** The role may be another one since the last time. Whoever cannot be told what he may not sees it refused. */
const askWhoWeAre = () => api.session().then((session) => setState({ session }), () => {});

/** Begin with the code or the token of the address or the token stored, or ask for one. */
async function openPage() {
  const { code, token } = takeFromAddress();
  if (token) storeToken(token);
  if (code) await exchangeCode(code);
  else if (token) setState({ tokenProblem: null });
  else if (!hasToken()) setState({ tokenProblem: "missing" });
  followEvents();
}

/** A code that is over leaves a session of before as it is. */
async function exchangeCode(code) {
  try {
    storeToken((await api.openSession(code)).secret);
    setState({ tokenProblem: null });
  } catch (error) {
    if (!hasToken()) setState({ tokenProblem: error instanceof Problem ? "code" : "missing" });
  }
}

export function connect() {
  addEventListener("hashchange", openPage); // an address with a token pasted into an open page
  openPage();
}
