// The time that a change has yet to be confirmed, and its end in words.

import { state } from "./store.mjs";

/** Seconds until the kernel takes the change back, by the host's clock as the events tell it. */
export function secondsLeft({ deadline, seconds }) {
  // The first is told in whole seconds, rounded up.
  return Math.min(seconds, Math.max(0, deadline - state.hostClock - performance.now() / 1000));
}

/** The state's form of a change that waits: `time` is when the host read the seconds that are left. */
export const withDeadline = (pending, time) => pending && { ...pending, deadline: time + pending.seconds_left };

/** What to say to screen readers when a change begins or ends to wait; `revision` is in force now. */
export function pendingWords(before, pending, revision) {
  if (pending) {
    return `Revision ${pending.revision} waits: it is taken back in ${pending.seconds_left} seconds unless it is confirmed.`;
  }
  if (!before) return "";
  return `Revision ${before.revision} is ${revision < before.revision ? "taken back" : "confirmed"}.`;
}
