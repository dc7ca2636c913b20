// Opens and closes the drawer at the right, and gives the focus back when it closes.

import { revealRow } from "./row_focus.mjs";
import { setState, state } from "./store.mjs";

let focusedBefore = null; // the element that had the focus before the drawer opened

function openDrawer(panel) {
  if (!state.panel) focusedBefore = document.activeElement;
  setState({ panel, question: null });
}

export const openRule = (id) => openDrawer({ kind: "rule", id });
export const openPolicy = () => openDrawer({ kind: "policy" });
export const openHistory = () => openDrawer({ kind: "history" });
export const openBlocks = () => openDrawer({ kind: "blocks" });
export const openCheck = () => openDrawer({ kind: "check" });

/** `question` is {text, frame?, about?} or {rule}; none opens what was asked last. */
export const openExplanation = (question) => openDrawer({ kind: "explain", question, key: `question ${Date.now()}` });

/** A new rule: `text` begins its sentence, `position` is its place (absent: first). */
export const editNewRule = ({ text = "", position = 1, title = "New rule" } = {}) =>
  openDrawer({ kind: "edit", text, position, title, key: `new ${Date.now()}` });

export const editRule = (rule) => openDrawer({ kind: "edit", rule, text: rule.text, key: rule.id });
export const duplicateRule = (rule) =>
  editNewRule({ text: rule.text, position: rule.position + 1, title: `Duplicate of rule ${rule.position}` });
export const insertRule = (rule, below) =>
  editNewRule({
    position: rule.position + (below ? 1 : 0),
    title: `New rule ${below ? "below" : "above"} rule ${rule.position}`,
  });

/** Close; the focus goes back to where it was, or to the row that the drawer was about. */
export function closeDrawer() {
  const { panel } = state;
  if (!panel) return;
  setState({ panel: null });
  const row = panel.id ?? panel.rule?.id;
  if (row) revealRow(row);
  else if (focusedBefore?.isConnected) focusedBefore.focus();
  focusedBefore = null;
}
