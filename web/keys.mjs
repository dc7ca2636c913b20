// One key for what is done often. Nothing happens while typing, and everything is a button too.

import { deleteRule, undoDelete } from "./actions.mjs";
import { connected, state } from "./state.mjs";

const TYPING = "input, textarea, select, dialog";

const focused = () => document.activeElement?.closest?.("tr[data-rule]");

function move(by) {
  const rows = [...document.querySelectorAll("tr[data-rule]")];
  if (!rows.length) return;
  const at = rows.indexOf(focused());
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  const row = rows[Math.min(rows.length - 1, Math.max(0, next))];
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

function deleteFocused() {
  const id = focused()?.dataset.rule;
  const rule = state.rules.find((r) => r.id === id);
  if (rule && connected()) deleteRule(rule);
}

function quickAdd() {
  document.getElementById("quick")?.focus();
}

const KEYS = {
  "/": quickAdd,
  n: quickAdd,
  j: () => move(1),
  k: () => move(-1),
  u: () => connected() && undoDelete(),
  Backspace: deleteFocused,
  Delete: deleteFocused,
};

export function listen() {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id === "quick") event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
