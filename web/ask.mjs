// Asks before something that may hurt, and offers to do it with a countdown.

import { askFirst, state } from "./store.mjs";

/** How a change is made that the kernel takes back unless it is confirmed within so many seconds. */
export const ON_TRIAL = { confirm: 60 };
export const TRIAL_LABEL = `With a countdown of ${ON_TRIAL.confirm} s`;
const TRIAL_WORDS = `With a countdown it is taken back after ${ON_TRIAL.confirm} s, unless you confirm it.`;

/**
 * Ask {title, text, label, lines?}: what happens, the button that does it, and what it is about one by one;
 * `option`: {label, how}, a box that is ticked and adds to how it is done. Promises how it is to be done: `atOnce`, ON_TRIAL where `trial` allows it, or null for not at all.
 */
export function askHow({ title, text, lines = [], option, label, atOnce = {}, trial = true }) {
  const offered = trial && !state.status.pending;
  return new Promise((answer) => askFirst({
    title,
    lines,
    option,
    answer,
    text,
    note: offered ? TRIAL_WORDS : "",
    choices: [
      { label, tone: "danger", how: atOnce },
      ...(offered ? [{ label: TRIAL_LABEL, tone: "primary", how: ON_TRIAL }] : []),
    ],
  }));
}
