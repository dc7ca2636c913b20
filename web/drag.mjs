// Reorders rules by the mouse: a rule is taken by its number and takes the place of the row it is dropped on.

import { moveRule } from "./rule_changes.mjs";
import { ruleOf } from "./store.mjs";

let draggedId = null; // the rule that is under way
let markedRow = null; // the row that shows where it would go

const rowOf = (event) => event.target.closest?.("tr[data-rule]");

function markRow(row, side) {
  if (markedRow) delete markedRow.dataset.over;
  markedRow = row;
  if (row) row.dataset.over = side;
}

function onDragOver(event) {
  const row = rowOf(event);
  const [from, to] = [ruleOf(draggedId), ruleOf(row?.dataset.rule)];
  if (!from || !to) return;
  event.preventDefault(); // it may be dropped here
  markRow(row, to.position < from.position ? "above" : "below");
}

/** What the body of the table listens to; `.position` of a row is draggable. */
export const DRAG_HANDLERS = {
  onDragStart: (event) => {
    draggedId = rowOf(event)?.dataset.rule ?? null;
    event.dataTransfer.setData("text/plain", ruleOf(draggedId)?.text ?? "");
  },
  onDragOver,
  onDrop: (event) => {
    event.preventDefault();
    const to = ruleOf(rowOf(event)?.dataset.rule);
    if (draggedId && to) moveRule(draggedId, to.position);
  },
  onDragEnd: () => {
    draggedId = null;
    markRow(null);
  },
};
