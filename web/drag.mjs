// Reordering by the mouse: a rule is taken by its number and takes the place of the row it is dropped on.

import { moveRule } from "./rule_changes.mjs";
import { ruleOf } from "./store.mjs";

let taken = null; // the rule that is under way
let over = null; // the row that shows where it would go

const rowOf = (event) => event.target.closest?.("tr[data-rule]");

function show(row, side) {
  if (over) delete over.dataset.over;
  over = row;
  if (row) row.dataset.over = side;
}

function point(event) {
  const row = rowOf(event);
  const [from, to] = [ruleOf(taken), ruleOf(row?.dataset.rule)];
  if (!from || !to) return;
  event.preventDefault(); // it may be dropped here
  show(row, to.position < from.position ? "above" : "below");
}

/** What the body of the table listens to; `.at` of a row is draggable. */
export const DRAG = {
  onDragStart: (event) => {
    taken = rowOf(event)?.dataset.rule ?? null;
    event.dataTransfer.setData("text/plain", ruleOf(taken)?.text ?? "");
  },
  onDragOver: point,
  onDrop: (event) => {
    event.preventDefault();
    const to = ruleOf(rowOf(event)?.dataset.rule);
    if (taken && to) moveRule(taken, to.position);
  },
  onDragEnd: () => {
    taken = null;
    show(null);
  },
};
