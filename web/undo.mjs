// Ten seconds in which a change can be taken back, in its own place and without a dialog.

import { above, indexAfter } from "./rule_order.mjs";
import { set, state } from "./store.mjs";

const UNDO_MS = 10_000;

/**
 * Offer to take a change back. `key` is the rule's id or "policy": one offer each, so that moving a
 * rule five places is undone at once. {key, kind, words, back, rule?, above?}: `rule` and `above`
 * draw a deleted rule in its old place; `back` does the undoing.
 */
export function offer(undo) {
  const earlier = state.undos.find((u) => u.key === undo.key && u.kind === undo.kind);
  const mine = { ...undo, until: Date.now() + UNDO_MS };
  if (earlier && undo.kind === "moved") mine.back = earlier.back;
  withdraw(undo.key);
  set({ undos: [...state.undos, mine] });
  setTimeout(() => set({ undos: state.undos.filter((u) => u !== mine) }), UNDO_MS);
}

/** Forget what was offered for a rule. */
export function withdraw(key) {
  if (undoOf(key)) set({ undos: state.undos.filter((u) => u.key !== key) });
}

export const undoOf = (key) => state.undos.find((u) => u.key === key);

/** Take back one change; the latest when none is named. */
export async function undo(one = state.undos.at(-1)) {
  if (!one) return;
  withdraw(one.key);
  const done = await one.back();
  // Refused, or nobody answered: as long as its time is not over it may be tried again.
  if (!done && one.until > Date.now()) set({ undos: [...state.undos, one] });
}

export const secondsLeft = (one) => Math.max(0, Math.ceil((one.until - Date.now()) / 1000));

/** Everything the table draws: the rules, and those just deleted in their old places. */
export function rowsToDraw({ rules, undos, gone }) {
  const rows = rules.map((rule) => ({ rule }));
  const standing = new Set(rules.map((rule) => rule.id));
  const ghosts = [
    ...undos.filter((u) => u.kind === "deleted").map((u) => ({ rule: u.rule, above: u.above, ghost: "mine" })),
    ...gone.map((g) => ({ ...g, ghost: "theirs" })),
  ];
  for (const ghost of ghosts.filter((g) => !standing.has(g.rule.id))) {
    rows.splice(indexAfter(ghost.above, rows), 0, ghost);
  }
  return rows;
}

/** Where a deleted rule belongs among the rules that stand now, from 1. */
export const placeFor = (ids) => indexAfter(ids, state.rules.map((rule) => ({ rule }))) + 1;

export const idsAbove = (id) => above(state.rules, id);
