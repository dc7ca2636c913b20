// What the page knows, who is told when it changes, and the beat that keeps it current.

import { api, hasToken, keepToken, Problem, takeToken } from "./api.mjs";
import { advance, EMPTY } from "./meters.mjs";

const BEAT_MS = 1000;
const SLOW_BEATS = 5; // interfaces come and go without a revision; rules expire without one

export const state = {
  gate: null, // "missing" or "wrong": no token that the service takes
  loaded: false,
  status: null,
  rules: [],
  interfaces: [],
  meters: EMPTY,
  lost: null, // {since, why} while nobody answers
  ghosts: [], // deleted rules that can still be put back
  notice: null, // {kind: "error" | "done" | "warning", text, hint}
  question: null, // {title, text, yes, act}: what must be confirmed first
  said: "", // the last change of state, for screen readers
};

const listeners = new Set();

/** Call `listener` after every change; returns the way to stop it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function set(changes) {
  Object.assign(state, changes);
  for (const listener of listeners) listener();
}

/** Whether actions make sense now. */
export const connected = () => state.loaded && !state.lost;

let sequence = 0;
let beats = 0;
let seen = { revision: null, on: null, seats: "" };

/** Read everything but the counters. A slower, older answer never overwrites a newer one. */
export async function refresh() {
  const mine = ++sequence;
  const [status, list, interfaces] = await Promise.all([
    api.status(),
    api.rules(),
    api.interfaces(),
  ]);
  if (mine !== sequence) return;
  seen = { revision: list.revision, on: status.on, seats: seatsOf(status.attachments) };
  set({ status, rules: list.rules, interfaces: interfaces.interfaces, loaded: true });
}

const seatsOf = (attachments) => attachments.map((a) => `${a.iface} ${a.place}`).join();

function outdated(stats) {
  const { revision, on, seats } = seen;
  return stats.revision !== revision || stats.on !== on || seatsOf(stats.attachments) !== seats;
}

async function beat() {
  const back = state.lost !== null;
  if (!back && (!state.loaded || beats++ % SLOW_BEATS === 0)) await refresh();
  const stats = await api.stats();
  if (back) await refresh();
  set({
    meters: advance(state.meters, stats),
    lost: null,
    ...(back && { said: "The service answers again." }),
  });
  if (outdated(stats)) await refresh();
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

let timer = 0;
let beating = false;

async function loop() {
  clearTimeout(timer);
  if (beating || state.gate || document.hidden) return;
  beating = true;
  const started = performance.now();
  try {
    await beat();
  } catch (error) {
    if (!connectionFailed(error)) set({ lost: { since: Date.now(), why: error.message } });
  }
  beating = false;
  const left = BEAT_MS - (performance.now() - started);
  timer = setTimeout(loop, Math.max(left, BEAT_MS / 4));
}

/** Take a token typed by hand and go on. */
export function enter(token) {
  keepToken(token);
  set({ gate: null });
  loop();
}

function arrive() {
  const taken = takeToken();
  if (taken || hasToken()) {
    if (taken) set({ gate: null });
  } else {
    set({ gate: "missing" });
  }
  loop();
}

export function start() {
  addEventListener("hashchange", arrive); // an address with a token pasted into an open page
  document.addEventListener("visibilitychange", loop);
  arrive();
}
