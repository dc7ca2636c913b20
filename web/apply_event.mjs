// Applies each event of the stream to the page's state.

import { serviceTime } from "./api.mjs";
import { advanceRates, restartRates } from "./rates.mjs";
import { takeServiceRules } from "./remote_changes.mjs";
import { addPackets, forgetPackets } from "./reported_packets.mjs";
import { withRules } from "./rule_order.mjs";
import { setState, state } from "./store.mjs";

let serviceRules = []; // the rules as the events tell them
let awaitedRevision = 0; // the revision that they must have reached to be shown

/** Show no rules older than this answer to a change: events up to its revision are behind it. */
export function awaitRevision(answer) {
  awaitedRevision = Math.max(awaitedRevision, answer.revision ?? 0);
  return answer;
}

/** A stream begins, at this revision or before: a snapshot may be some seconds old. */
export function beginStream({ revision }) {
  awaitedRevision = revision;
}

/** Show what the events told, once they have come as far as we know the service to be. */
function showServiceRules(revision, auditEntries) {
  if (revision < awaitedRevision) return;
  if (state.loaded && state.rules !== serviceRules) takeServiceRules(serviceRules, auditEntries);
  const enabled = serviceRules.filter((rule) => rule.enabled).length;
  const status = { ...state.status, revision, rules: serviceRules.length, enabled_rules: enabled };
  setState({ status, rules: serviceRules, loaded: true });
}

const HANDLERS = {
  snapshot({ status, rules, interfaces, counters }) {
    serviceRules = rules;
    const rates = restartRates(state.rates, rules, counters, serviceTime());
    forgetPackets();
    setState({ status, interfaces, rates, eventCounts: counters.events });
    showServiceRules(status.revision);
  },
  counters(counters) {
    const rates = advanceRates(state.rates, counters, serviceRules, serviceTime());
    setState({ rates, eventCounts: counters.events });
    showServiceRules(counters.revision);
  },
  rules({ revision, removed, rules, by: auditEntries }) {
    const replaced = new Set([...removed, ...rules.map((rule) => rule.id)]);
    serviceRules = withRules(serviceRules.filter((rule) => !replaced.has(rule.id)), rules);
    showServiceRules(revision, auditEntries);
  },
  packets: addPackets,
  attachments({ attachments, interfaces }) {
    setState({ status: { ...state.status, attachments }, interfaces });
  },
  policy({ revision, policy }) {
    setState({ status: { ...state.status, revision, policy } });
  },
  switch({ on }) {
    setState({ status: { ...state.status, on } });
  },
  warnings({ warnings }) {
    setState({ status: { ...state.status, warnings } });
  },
};

/** Apply an event; names of a later version are passed over. */
export const applyEvent = (name, data) => HANDLERS[name]?.(data);
