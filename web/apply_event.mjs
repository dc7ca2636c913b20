// Applies each event of the stream to the page's state.

import { serviceTime } from "./api.mjs";
import { pendingWords, withDeadline } from "./pending_time.mjs";
import { advanceRates, restartRates } from "./rates.mjs";
import { takeServiceRules } from "./remote_changes.mjs";
import { addPackets, forgetPackets } from "./reported_packets.mjs";
import { withRules } from "./rule_order.mjs";
import { setState, state } from "./store.mjs";

const MAX_BEHIND_MS = 3000;

let serviceRules = []; // the rules as the events tell them
let behindSince = 0; // since when events are behind it, in ms of this page's clock; 0: they are not
let ownRevision = 0; // up to which what differs was changed here
let awaitedRevision = 0; // the revision that they must have reached to be shown

/** Show no rules older than this answer to a change: events up to its revision are behind it. */
export function awaitRevision(answer) {
  awaitedRevision = Math.max(awaitedRevision, answer.revision ?? 0);
  return answer;
}

/** The same after a change of many rules: what differs up to its revision is not somebody else's. */
export function awaitOwnRevision(answer) {
  ownRevision = answer.revision;
  return awaitRevision(answer);
}

/** A stream begins, at this revision or before: a snapshot may be some seconds old. */
export function beginStream({ revision }) {
  awaitedRevision = revision;
}

/**
 * Whether the awaited revision was taken back before an event told of it: events are behind the answer to a change,
 * but not for so long.
 */
function isGone(revision) {
  if (revision >= awaitedRevision) behindSince = 0;
  else behindSince ||= performance.now();
  if (!behindSince || performance.now() - behindSince < MAX_BEHIND_MS) return false;
  awaitedRevision = revision;
  behindSince = 0;
  setState({ announcement: "What was changed here is taken back." });
  return true;
}

/** Show what the events told, once they have come as far as we know the service to be. */
function showServiceRules(revision, auditEntries) {
  const gone = isGone(revision);
  if (revision < awaitedRevision) return;
  const takenBack = gone || revision < state.status.revision; // which the line under the head tells
  if (state.loaded && !takenBack && revision > ownRevision && state.rules !== serviceRules) takeServiceRules(serviceRules, auditEntries);
  const enabled = serviceRules.filter((rule) => rule.enabled).length;
  const status = { ...state.status, revision, rules: serviceRules.length, enabled_rules: enabled };
  setState({ status, rules: serviceRules, loaded: true });
}

const clockAt = (time) => time - performance.now() / 1000;

const HANDLERS = {
  snapshot({ status, rules, interfaces, counters }) {
    serviceRules = rules;
    const rates = restartRates(state.rates, rules, counters, serviceTime());
    forgetPackets();
    const pending = withDeadline(status.pending, counters.time);
    setState({ status: { ...status, pending }, interfaces, rates, eventCounts: counters.events, hostClock: clockAt(counters.time) });
    if (pending) setState({ announcement: pendingWords(null, pending) });
    showServiceRules(status.revision);
  },
  counters(counters) {
    const rates = advanceRates(state.rates, counters, serviceRules, serviceTime());
    setState({ rates, eventCounts: counters.events, hostClock: clockAt(counters.time) });
    showServiceRules(counters.revision);
  },
  rules({ revision, removed, rules, by: auditEntries }) {
    const replaced = new Set([...removed, ...rules.map((rule) => rule.id)]);
    serviceRules = withRules(serviceRules.filter((rule) => !replaced.has(rule.id)), rules);
    showServiceRules(revision, auditEntries);
  },
  packets: addPackets,
  attachments({ attachments, interfaces, wanted }) {
    setState({ status: { ...state.status, attachments, wanted }, interfaces });
  },
  policy({ revision, policy }) {
    setState({ status: { ...state.status, revision, policy } });
  },
  switch({ on }) {
    setState({ status: { ...state.status, on } });
  },
  pending({ revision, time, pending: waiting }) {
    const { pending: before } = state.status;
    const pending = withDeadline(waiting, time);
    setState({ status: { ...state.status, pending } });
    const words = before?.revision !== pending?.revision && pendingWords(before, pending, revision);
    if (words) setState({ announcement: words });
    // What was taken back is no longer waited for.
    awaitedRevision = Math.min(awaitedRevision, revision);
    ownRevision = Math.min(ownRevision, revision);
    showServiceRules(revision);
  },
  warnings({ warnings }) {
    setState({ status: { ...state.status, warnings } });
  },
};

/** Apply an event; names of a later version are passed over. */
export const applyEvent = (name, data) => HANDLERS[name]?.(data);
