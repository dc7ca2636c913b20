// What the drawer at the right shows, and where the focus goes when it closes.

import { reveal } from "./row_focus.mjs";
import { set, state } from "./store.mjs";

let back = null; // the element that had the focus before the drawer opened

function open(panel) {
  if (!state.panel) back = document.activeElement;
  set({ panel, question: null });
}

export const openRule = (id) => open({ kind: "rule", id });
export const openPolicy = () => open({ kind: "policy" });

/** A new rule: `text` begins its sentence, `position` is its place (absent: first). */
export const editNew = ({ text = "", position = 1, title = "New rule" } = {}) =>
  open({ kind: "edit", text, position, title, key: `new ${Date.now()}` });

export const editRule = (rule) => open({ kind: "edit", rule, text: rule.text, key: rule.id });
export const duplicate = (rule) =>
  editNew({ text: rule.text, position: rule.position + 1, title: `Duplicate of rule ${rule.position}` });
export const insert = (rule, below) =>
  editNew({
    position: rule.position + (below ? 1 : 0),
    title: `New rule ${below ? "below" : "above"} rule ${rule.position}`,
  });

/** Close; the focus goes back to where it was, or to the row that the drawer was about. */
export function close() {
  const { panel } = state;
  if (!panel) return;
  set({ panel: null });
  const row = panel.id ?? panel.rule?.id;
  if (row) reveal(row);
  else if (back?.isConnected) back.focus();
  back = null;
}
