// Rates and their last minute, from the service's counters. Pure; no DOM.

export const SAMPLES = 60;

/** One counter over time: {packets, bytes, rate, history}; rate is packets a second or null. */
function step(meter, packets, bytes, seconds) {
  if (!meter) return { packets, bytes, rate: null, history: [] };
  // A counter that went down was reset: there is no rate to tell, and no negative one.
  const rate = packets < meter.packets ? null : (packets - meter.packets) / seconds;
  // Most of a long ruleset never moves: it shares its empty minute.
  if (!rate && !meter.history.length) return { packets, bytes, rate, history: meter.history };
  const history = [...meter.history, rate ?? 0];
  if (history.length > SAMPLES) history.shift();
  return { packets, bytes, rate, history };
}

/** The names under which an attachment's totals are kept. */
export const seatKey = (iface, place, part) => `${iface} ${place} ${part}`;

export const EMPTY = { time: null, rules: new Map(), seats: new Map() };

/** The next meters, from the last ones and GET /stats. What is gone is forgotten. */
export function advance(last, stats) {
  const seconds = last.time === null ? 0 : stats.time - last.time;
  // The host's clock went back (a reboot), or the same answer came twice.
  const fresh = seconds <= 0;
  const take = (map, key, { packets, bytes }) =>
    step(fresh ? undefined : map.get(key), packets, bytes, seconds);
  const rules = new Map();
  for (const rule of stats.rules) rules.set(rule.id, take(last.rules, rule.id, rule));
  const seats = new Map();
  for (const { iface, place, totals } of stats.attachments) {
    for (const part of ["seen", "dropped", "policy_dropped"]) {
      const key = seatKey(iface, place, part);
      seats.set(key, take(last.seats, key, totals[part]));
    }
  }
  return { time: stats.time, rules, seats };
}

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
