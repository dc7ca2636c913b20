// Rates and their last minutes, from the service's counters. Pure; no DOM.
//
// A meter is one counter over time: {packets, bytes, rate, byteRate, history, grewAt}. Rates are per
// second, null while unknown; `grewAt` is when the counter last grew, in ms, 0 while unknown.

const MAX_SAMPLES = 300; // samples a meter keeps for the chart; sparklines show the last minute

const idleMeter = (packets, bytes) => ({ packets, bytes, rate: null, byteRate: 0, history: NO_HISTORY, grewAt: 0 });
const NO_HISTORY = Object.freeze([]);

/**
 * The meter after `seconds` more. One whose counter does not move stays the same object, so that its
 * row need not be drawn again.
 */
function advanceMeter(meter, packets, bytes, seconds, at) {
  if (!meter) return idleMeter(packets, bytes);
  // A counter that went down was reset: there is no rate to tell, and no negative one.
  if (packets < meter.packets) return idleMeter(packets, bytes);
  const rate = (packets - meter.packets) / seconds;
  // Most of a long ruleset never moves: it shares its empty minute.
  if (!rate && !meter.history.length) return meter;
  // Nor does a minute stay that has passed without a packet.
  if (!rate && at - meter.grewAt > MAX_SAMPLES * 1000) return idleMeter(packets, bytes);
  const history = meter.history.length ? meter.history : [];
  history.push(rate);
  if (history.length > MAX_SAMPLES) history.shift();
  const byteRate = (bytes - meter.bytes) / seconds;
  return { packets, bytes, rate, byteRate, history, grewAt: rate ? at : meter.grewAt };
}

/** The meter of a rule with a rate has, besides, how many packets that kept from matching; that of one with cookie, SYNs answered. */
const withMore = (meter, { limited, answered }) =>
  (meter.limited === limited && meter.answered === answered ? meter : { ...meter, limited, answered });

/** The key of one of an attachment's meters: `part` is seen, dropped or policy_dropped. */
export const attachmentKey = (iface, place, part) => `${iface} ${place} ${part}`;

/**
 * Rates before the first snapshot. `time` is the host's monotonic clock in seconds, `at` the wall clock
 * of the same moment in ms; `rules` has a meter by rule id, `attachments` by attachmentKey.
 */
export const NO_RATES = { time: null, at: 0, rules: new Map(), attachments: new Map() };

/**
 * The next rates, from the last ones and a `counters` event: its rules are only those that moved.
 * A rule that has no meter yet is counted from what it was read with.
 */
export function advanceRates(last, counters, knownRules, at) {
  const seconds = counters.time - last.time;
  if (last.time === null || seconds <= 0) return restartRates(last, knownRules, counters, at);
  const reported = new Map(counters.rules.map((rule) => [rule.id, rule]));
  const rules = new Map();
  for (const [id, meter] of last.rules) {
    const now = reported.get(id) ?? meter;
    rules.set(id, withMore(advanceMeter(meter, now.packets, now.bytes, seconds, at), now));
  }
  const unmetered = counters.rules.filter(({ id }) => !rules.has(id));
  if (unmetered.length) {
    const knownById = new Map(knownRules.map((rule) => [rule.id, rule]));
    for (const now of unmetered) {
      const start = knownById.get(now.id);
      if (!start) continue;
      const meter = advanceMeter(idleMeter(start.packets, start.bytes), now.packets, now.bytes, seconds, at);
      rules.set(now.id, withMore(meter, now));
    }
  }
  return { time: counters.time, at, rules, attachments: attachmentMeters(last.attachments, counters, seconds, at) };
}

function attachmentMeters(last, { attachments }, seconds, at) {
  const meters = new Map();
  for (const { iface, place, totals } of attachments) {
    for (const part of ["seen", "dropped", "policy_dropped"]) {
      const key = attachmentKey(iface, place, part);
      const { packets, bytes } = totals[part];
      // What is attached while the page is open begins at 0.
      const meter = seconds ? last.get(key) ?? idleMeter(0, 0) : undefined;
      meters.set(key, advanceMeter(meter, packets, bytes, seconds, at));
    }
  }
  return meters;
}

/**
 * The rates after a snapshot: `rules` hold their counts. What was counted while nobody answered is
 * one long sample, unless the host's clock began anew (a reboot).
 */
export function restartRates(last, rules, counters, at) {
  const seconds = last.time === null ? 0 : Math.max(0, counters.time - last.time);
  const next = new Map();
  for (const { id, packets, bytes } of rules) {
    const meter = last.rules.get(id);
    if (meter && seconds) next.set(id, advanceMeter(meter, packets, bytes, seconds, at));
  }
  return { time: counters.time, at, rules: next, attachments: attachmentMeters(last.attachments, counters, seconds, at) };
}

/** When a rule was last hit, in ms; 0 when never, or not known. */
export const lastHit = (rule, meter) => Math.max(meter?.grewAt ?? 0, (rule.last_hit && Date.parse(rule.last_hit)) || 0);

/** Sum one part over all attachments: {packets, bytes, rate}. */
export function total(rates, part) {
  const sum = { packets: 0, bytes: 0, rate: 0 };
  for (const [key, meter] of rates.attachments) {
    if (!key.endsWith(` ${part}`)) continue;
    sum.packets += meter.packets;
    sum.bytes += meter.bytes;
    sum.rate += meter.rate ?? 0;
  }
  return sum;
}
