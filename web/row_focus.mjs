// Finds and reveals rows of the table of rules, of which only those in the window are drawn.

import { ROW_PX } from "./row_window.mjs";
import { state } from "./store.mjs";

let lastFocusedId = null; // the row that had the focus last: where j and k go on

const drawnRow = (id) => document.querySelector(`tr[data-rule="${CSS.escape(id)}"]`);
const focusedRuleId = () => document.activeElement?.closest?.("tr[data-rule]")?.dataset.rule;

/** The id of the rule that keys act on: the drawer's, the row with the focus; null when none. */
export const currentRuleId = () => state.panel?.id ?? focusedRuleId() ?? null;

/** Bring a rule's row into the window, and give it the focus unless told otherwise. */
export function revealRow(id, { focus = true } = {}) {
  lastFocusedId = id;
  const row = drawnRow(id);
  if (!row) {
    const index = state.rules.findIndex((rule) => rule.id === id);
    const body = document.querySelector(".rules tbody");
    if (index < 0 || !body) return;
    const top = body.getBoundingClientRect().top + scrollY + index * ROW_PX;
    scrollTo({ top: top - innerHeight / 2 });
    requestAnimationFrame(() => setTimeout(() => drawnRow(id) && revealRow(id, { focus })));
    return;
  }
  if (focus) row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** The id of the rule `by` rows away from the current one. */
export function neighbourId(by) {
  const { rules } = state;
  const at = rules.findIndex((rule) => rule.id === (currentRuleId() ?? lastFocusedId));
  const next = at < 0 ? (by > 0 ? 0 : rules.length - 1) : at + by;
  return rules[Math.min(rules.length - 1, Math.max(0, next))]?.id;
}
