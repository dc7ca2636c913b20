// Undo for ten seconds, in the place of the change and without a dialog.

import { idsAbove, indexAfter } from "./rule_order.mjs";
import { setState, state } from "./store.mjs";

const UNDO_MS = 10_000;

/**
 * Offer to take a change back. `key` is the rule's id or "policy": one offer each, so that moving a
 * rule five places is undone at once. {key, kind, words, revert, rule?, idsAbove?}: `rule` and `idsAbove`
 * draw a deleted rule in its old place; `revert` does the undoing.
 */
export function offerUndo(undo) {
  const earlier = state.undos.find((u) => u.key === undo.key && u.kind === undo.kind);
  const offer = { ...undo, until: Date.now() + UNDO_MS };
  if (earlier && undo.kind === "moved") offer.revert = earlier.revert;
  withdrawUndo(undo.key);
  setState({ undos: [...state.undos, offer] });
  setTimeout(() => setState({ undos: state.undos.filter((u) => u !== offer) }), UNDO_MS);
}

/** Forget what was offered for a rule. */
export function withdrawUndo(key) {
  if (undoOf(key)) setState({ undos: state.undos.filter((u) => u.key !== key) });
}

export const undoOf = (key) => state.undos.find((u) => u.key === key);

/** Take back one change; the latest when none is named. */
export async function undo(offer = state.undos.at(-1)) {
  if (!offer) return;
  withdrawUndo(offer.key);
  const done = await offer.revert();
  // Refused, or nobody answered: as long as its time is not over it may be tried again.
  if (!done && offer.until > Date.now()) setState({ undos: [...state.undos, offer] });
}

export const secondsLeft = (offer) => Math.max(0, Math.ceil((offer.until - Date.now()) / 1000));

/** Everything the table draws: the rules, and those just deleted in their old places. */
export function rowsToDraw({ rules, undos, deletedRemotely }) {
  const rows = rules.map((rule) => ({ rule }));
  const presentIds = new Set(rules.map((rule) => rule.id));
  const ghosts = [
    ...undos.filter((u) => u.kind === "deleted").map((u) => ({ rule: u.rule, idsAbove: u.idsAbove, ghost: "mine" })),
    ...deletedRemotely.map((g) => ({ ...g, ghost: "theirs" })),
  ];
  for (const ghost of ghosts.filter((g) => !presentIds.has(g.rule.id))) {
    rows.splice(indexAfter(ghost.idsAbove, rows), 0, ghost);
  }
  return rows;
}

/** Where a deleted rule belongs among the rules that stand now, from 1. */
export const restoredPosition = (ids) => indexAfter(ids, state.rules.map((rule) => ({ rule }))) + 1;

/** The ids of the rules that stand above this one now, nearest last. */
export const currentIdsAbove = (id) => idsAbove(state.rules, id);
