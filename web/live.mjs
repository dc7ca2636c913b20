// Keeping the page true: reading the service, noticing when it goes away and comes back.

import { api, hasToken, keepToken, Problem, skew, takeToken } from "./api.mjs";
import { advance } from "./meters.mjs";
import { takeRules } from "./others.mjs";
import { complain, set, state } from "./store.mjs";

const BEAT_MS = 1000;
const SLOW_BEATS = 5; // interfaces come and go without a revision; rules expire without one

let sequence = 0;
let beats = 0;
let changing = Promise.resolve();
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
  if (state.loaded) takeRules(list.rules);
  set({ status, rules: list.rules, interfaces: interfaces.interfaces, loaded: true });
}

const seatsOf = (attachments) => attachments.map((a) => `${a.iface} ${a.place}`).join();

function outdated(stats) {
  const { revision, on, seats } = seen;
  return stats.revision !== revision || stats.on !== on || seatsOf(stats.attachments) !== seats;
}

/**
 * Run a change after those before it, then read back. What was read meanwhile is not believed.
 * Problems become a notice, unless `wanted` says that the caller shows them: then they are thrown.
 */
export function change(work, wanted = () => false) {
  const run = changing.then(() => attempt(work, wanted));
  changing = run.catch(() => {});
  return run;
}

async function attempt(work, wanted) {
  try {
    sequence += 1;
    const answer = await work();
    refresh().catch(connectionFailed);
    return answer;
  } catch (error) {
    if (wanted(error)) throw error;
    if (!connectionFailed(error)) complain(error);
    return undefined;
  }
}

async function beat() {
  const back = state.lost !== null;
  if (!back && (!state.loaded || beats++ % SLOW_BEATS === 0)) await refresh();
  const stats = await api.stats();
  if (back) await refresh();
  set({
    meters: advance(state.meters, stats, Date.now() + skew),
    lost: null,
    ...(back && { said: "The service answers again." }),
  });
  if (outdated(stats)) await changing.then(refresh);
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
