// One key for what is done often. Nothing happens while typing, and everything is a button too.

import { close, duplicate, editNew, editRule, openPolicy, openRule } from "./drawer_state.mjs";
import { current, neighbour, reveal } from "./row_focus.mjs";
import { deleteRule, enableRule, moveRule } from "./rule_changes.mjs";
import { connected, ruleOf, set, state } from "./store.mjs";
import { undo } from "./undo.mjs";

const TYPING = "input, textarea, select, dialog, [role=menu]";
const PRESSED = "button, a, summary"; // what Enter and Space press by themselves

/** Go to the next or previous rule; an open drawer goes along. */
function go(by) {
  const id = neighbour(by);
  if (!id) return;
  const along = state.panel?.kind === "rule";
  if (along) set({ panel: { kind: "rule", id } });
  reveal(id, { focus: !along });
}

const withRule = (act) => () => {
  const rule = ruleOf(current());
  if (rule && connected()) act(rule);
};

async function carry(rule, by) {
  const along = state.panel?.kind === "rule";
  await moveRule(rule.id, rule.position + by);
  reveal(rule.id, { focus: !along });
}

const quickAdd = () => document.getElementById("quick")?.focus();

const KEYS = {
  "/": quickAdd,
  n: quickAdd,
  f: () => connected() && editNew(),
  p: openPolicy,
  j: () => go(1),
  k: () => go(-1),
  ArrowDown: () => go(1),
  ArrowUp: () => go(-1),
  Enter: withRule((rule) => openRule(rule.id)),
  " ": withRule((rule) => enableRule(rule)),
  e: withRule(editRule),
  d: withRule(duplicate),
  J: withRule((rule) => carry(rule, 1)),
  K: withRule((rule) => carry(rule, -1)),
  Backspace: withRule(deleteRule),
  Delete: withRule(deleteRule),
  u: () => connected() && undo(),
  "?": () => set({ help: true }),
};

/** Arrows, Space and Enter have a meaning of their own where no row has the focus. */
function meant(event) {
  const { key, target } = event;
  if (key === " " || key === "Enter") return !target.closest?.(PRESSED) && Boolean(current());
  if (key.startsWith("Arrow")) return Boolean(target.closest?.("tr[data-rule]"));
  return true;
}

export function listen() {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id === "quick") event.target.blur();
    else if (event.key === "Escape" && event.target === document.body) close();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const act = KEYS[event.key];
    if (!act || !state.loaded || !meant(event)) return;
    event.preventDefault();
    act();
  });
}
