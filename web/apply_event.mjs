// What each event of the stream changes in the state.

import { serviceTime } from "./api.mjs";
import { advance, restart } from "./rates.mjs";
import { takeRules } from "./remote_changes.mjs";
import { forget, take } from "./reported_packets.mjs";
import { merged } from "./rule_order.mjs";
import { set, state } from "./store.mjs";

let served = []; // the rules as the events tell them
let wanted = 0; // the revision that they must have reached to be shown

/** Take an answer to a change of this page: what the events tell up to its revision is behind it. */
export function ahead(answer) {
  wanted = Math.max(wanted, answer.revision ?? 0);
  return answer;
}

/** A stream begins, at this revision or before: a snapshot may be some seconds old. */
export function begin({ revision }) {
  wanted = revision;
}

/** Show what the events told, once they have come as far as we know the service to be. */
function settle(revision, by) {
  if (revision < wanted) return;
  if (state.loaded && state.rules !== served) takeRules(served, by);
  const enabled = served.filter((rule) => rule.enabled).length;
  const status = { ...state.status, revision, rules: served.length, enabled_rules: enabled };
  set({ status, rules: served, loaded: true });
}

const HEAR = {
  snapshot({ status, rules, interfaces, counters }) {
    served = rules;
    const meters = restart(state.meters, rules, counters, serviceTime());
    forget();
    set({ status, interfaces, meters, reported: counters.events });
    settle(status.revision);
  },
  counters(counters) {
    const meters = advance(state.meters, counters, served, serviceTime());
    set({ meters, reported: counters.events });
    settle(counters.revision);
  },
  rules({ revision, removed, rules, by }) {
    const out = new Set([...removed, ...rules.map((rule) => rule.id)]);
    served = merged(served.filter((rule) => !out.has(rule.id)), rules);
    settle(revision, by);
  },
  packets: take,
  attachments({ attachments, interfaces }) {
    set({ status: { ...state.status, attachments }, interfaces });
  },
  policy({ revision, policy }) {
    set({ status: { ...state.status, revision, policy } });
  },
  switch({ on }) {
    set({ status: { ...state.status, on } });
  },
  warnings({ warnings }) {
    set({ status: { ...state.status, warnings } });
  },
};

/** Names of a later version are passed over. */
export const hear = (name, data) => HEAR[name]?.(data);
