// Keeping the page true: the stream of events, and what it means that it ends and comes back.

import { api, hasToken, keepToken, Problem, takeToken } from "./api.mjs";
import { begin, hear } from "./apply_event.mjs";
import { follow } from "./event_stream.mjs";
import { complain, set, state } from "./store.mjs";

const AGAIN_MS = 1000;

let changing = Promise.resolve();
let waiting = 0; // changes that are under way

/**
 * Run a change after those before it. Problems become a notice, unless `wanted` says that the caller
 * shows them: then they are thrown.
 */
export function change(work, wanted = () => false) {
  waiting += 1;
  const run = changing.then(() => attempt(work, wanted)).finally(() => { waiting -= 1; });
  changing = run.catch(() => {});
  return run;
}

async function attempt(work, wanted) {
  try {
    return await work();
  } catch (error) {
    if (wanted(error)) throw error;
    if (!connectionFailed(error)) complain(error);
    return undefined;
  }
}

/** Note why a request failed; true when that was about the connection and not the request. */
export function connectionFailed(error) {
  if (error instanceof Problem) {
    if (error.status !== 401) return false;
    set({ gate: "wrong", said: "The service does not take this token." });
    return true;
  }
  if (!state.lost) {
    set({ lost: { since: Date.now(), why: error.message }, said: "The service does not answer." });
  }
  return true;
}

let stop = new AbortController();
let lastId = null;
let timer = 0;

/** Follow the events until told otherwise; whatever ends the stream, it is followed again. */
async function listen() {
  clearTimeout(timer);
  stop.abort();
  if (state.gate) return;
  stop = new AbortController();
  const { signal } = stop;
  try {
    // What was missed is shown at once when it has all come; a snapshot is whole anyway.
    if (lastId) begin(await api.status());
    for await (const { id, name, data } of follow(lastId, signal)) {
      // What this page is changing is not somebody else's change.
      while (waiting) await changing;
      if (signal.aborted) return;
      hear(name, data);
      lastId = id ?? lastId;
      if (state.lost) set({ lost: null, said: "The service answers again." });
    }
    if (!signal.aborted) connectionFailed(new Error("the service stopped"));
  } catch (error) {
    if (signal.aborted) return;
    // What cannot be followed event by event is read anew.
    if (error instanceof Problem || error instanceof SyntaxError) lastId = null;
    if (!connectionFailed(error)) set({ lost: { since: Date.now(), why: error.message } });
  }
  if (!signal.aborted && !state.gate) timer = setTimeout(listen, AGAIN_MS);
}

/** Take a token typed by hand and go on. */
export function enter(token) {
  keepToken(token);
  set({ gate: null });
  listen();
}

function arrive() {
  const taken = takeToken();
  if (taken || hasToken()) {
    if (taken) set({ gate: null });
  } else {
    set({ gate: "missing" });
  }
  listen();
}

export function start() {
  addEventListener("hashchange", arrive); // an address with a token pasted into an open page
  arrive();
}
