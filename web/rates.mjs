// Rates and their last minutes, from the service's counters. Pure; no DOM.

const KEPT = 300; // samples a meter keeps for the chart; sparklines show the last minute

const still = (packets, bytes) => ({ packets, bytes, rate: null, byteRate: 0, history: NONE, moved: 0 });
const NONE = Object.freeze([]);

/**
 * One counter over time: {packets, bytes, rate, byteRate, history, moved}; rates are per second, null
 * while unknown; `moved` is when it last grew, in ms, 0 while unknown. A counter that does not move
 * stays the same object, so that its row need not be drawn again.
 */
function step(meter, packets, bytes, seconds, at) {
  if (!meter) return still(packets, bytes);
  // A counter that went down was reset: there is no rate to tell, and no negative one.
  if (packets < meter.packets) return still(packets, bytes);
  const rate = (packets - meter.packets) / seconds;
  // Most of a long ruleset never moves: it shares its empty minute.
  if (!rate && !meter.history.length) return meter;
  // Nor does a minute stay that has passed without a packet.
  if (!rate && at - meter.moved > KEPT * 1000) return still(packets, bytes);
  const history = meter.history.length ? meter.history : [];
  history.push(rate);
  if (history.length > KEPT) history.shift();
  const byteRate = (bytes - meter.bytes) / seconds;
  return { packets, bytes, rate, byteRate, history, moved: rate ? at : meter.moved };
}

/** The names under which an attachment's totals are kept. */
export const seatKey = (iface, place, part) => `${iface} ${place} ${part}`;

/** `time` is the host's monotonic clock in seconds; `at` the wall clock of the same moment in ms. */
export const EMPTY = { time: null, at: 0, rules: new Map(), seats: new Map() };

/**
 * The next meters, from the last ones and a `counters` event: its rules are only those that moved.
 * A rule that has no meter yet is counted from what it was read with.
 */
export function advance(last, counters, known, at) {
  const seconds = counters.time - last.time;
  if (last.time === null || seconds <= 0) return restart(last, known, counters, at);
  const told = new Map(counters.rules.map((rule) => [rule.id, rule]));
  const rules = new Map();
  for (const [id, meter] of last.rules) {
    const { packets, bytes } = told.get(id) ?? meter;
    rules.set(id, step(meter, packets, bytes, seconds, at));
  }
  const fresh = counters.rules.filter(({ id }) => !rules.has(id));
  if (fresh.length) {
    const read = new Map(known.map((rule) => [rule.id, rule]));
    for (const { id, packets, bytes } of fresh) {
      const from = read.get(id);
      if (from) rules.set(id, step(still(from.packets, from.bytes), packets, bytes, seconds, at));
    }
  }
  return { time: counters.time, at, rules, seats: seatsOf(last.seats, counters, seconds, at) };
}

function seatsOf(last, { attachments }, seconds, at) {
  const seats = new Map();
  for (const { iface, place, totals } of attachments) {
    for (const part of ["seen", "dropped", "policy_dropped"]) {
      const key = seatKey(iface, place, part);
      const { packets, bytes } = totals[part];
      // What is attached while the page is open begins at 0.
      const meter = seconds ? last.get(key) ?? still(0, 0) : undefined;
      seats.set(key, step(meter, packets, bytes, seconds, at));
    }
  }
  return seats;
}

/**
 * The meters after a snapshot: `rules` hold their counts. What was counted while nobody answered is
 * one long sample, unless the host's clock began anew (a reboot).
 */
export function restart(last, rules, counters, at) {
  const seconds = last.time === null ? 0 : Math.max(0, counters.time - last.time);
  const next = new Map();
  for (const { id, packets, bytes } of rules) {
    const meter = last.rules.get(id);
    if (meter && seconds) next.set(id, step(meter, packets, bytes, seconds, at));
  }
  return { time: counters.time, at, rules: next, seats: seatsOf(last.seats, counters, seconds, at) };
}

/** When a rule was last hit, in ms; 0 when never, or not known. */
export const hitOf = (rule, meter) => Math.max(meter?.moved ?? 0, (rule.last_hit && Date.parse(rule.last_hit)) || 0);

/** Sum one part over all attachments: {packets, bytes, rate}. */
export function total(meters, part) {
  const sum = { packets: 0, bytes: 0, rate: 0 };
  for (const [key, meter] of meters.seats) {
    if (!key.endsWith(` ${part}`)) continue;
    sum.packets += meter.packets;
    sum.bytes += meter.bytes;
    sum.rate += meter.rate ?? 0;
  }
  return sum;
}
