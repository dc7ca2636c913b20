// Handles the keyboard: one key for what is done often, none while typing. Everything is a button too.

import {
  closeDrawer, duplicateRule, editNewRule, editRule, openBlocks, openCheck, openExplanation, openHistory, openPolicy, openRule,
} from "./drawer_state.mjs";
import { focusIsHeldBack } from "./kept_focus.mjs";
import { canChange } from "./roles.mjs";
import { currentRuleId, neighbourId, revealRow } from "./row_focus.mjs";
import { deleteRule, enableRule, moveRule } from "./rule_changes.mjs";
import { connected, ruleOf, setState, state } from "./store.mjs";
import { undo } from "./undo.mjs";

const TYPING = "input, textarea, select, dialog, [role=menu]";
const PRESSED_BY_BROWSER = "button, a, summary"; // what Enter and Space press by themselves

/** Go to the next or previous rule; an open drawer goes along. */
function goBy(by) {
  const id = neighbourId(by);
  if (!id) return;
  const along = state.panel?.kind === "rule";
  if (along) setState({ panel: { kind: "rule", id } });
  revealRow(id, { focus: !along });
}

const onCurrentRule = (act, possible = canChange) => () => {
  const rule = ruleOf(currentRuleId());
  if (rule && possible()) act(rule);
};

async function carryRule(rule, by) {
  const along = state.panel?.kind === "rule";
  await moveRule(rule.id, rule.position + by);
  revealRow(rule.id, { focus: !along });
}

const focusQuickAdd = () => document.getElementById("quick-add")?.focus();

const KEYS = {
  "/": focusQuickAdd,
  n: focusQuickAdd,
  f: () => canChange() && editNewRule(),
  p: openPolicy,
  w: () => openExplanation(ruleOf(currentRuleId()) && connected() ? { rule: currentRuleId() } : undefined),
  b: openBlocks,
  h: openHistory,
  c: openCheck,
  j: () => goBy(1),
  k: () => goBy(-1),
  ArrowDown: () => goBy(1),
  ArrowUp: () => goBy(-1),
  Enter: onCurrentRule((rule) => openRule(rule.id), connected),
  " ": onCurrentRule((rule) => enableRule(rule)),
  e: onCurrentRule(editRule),
  d: onCurrentRule(duplicateRule),
  J: onCurrentRule((rule) => carryRule(rule, 1)),
  K: onCurrentRule((rule) => carryRule(rule, -1)),
  Backspace: onCurrentRule(deleteRule),
  Delete: onCurrentRule(deleteRule),
  u: () => canChange() && undo(),
  "?": () => setState({ help: true }),
};

/** Arrows, Space and Enter have a meaning of their own where no row has the focus. */
function isForTable(event) {
  const { key, target } = event;
  if (key === " " || key === "Enter") return !target.closest?.(PRESSED_BY_BROWSER) && Boolean(currentRuleId());
  if (key.startsWith("Arrow")) return Boolean(target.closest?.("tr[data-rule]"));
  return true;
}

export function listenForKeys() {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.id === "quick-add") event.target.blur();
    else if (event.key === "Escape" && event.target === document.body) closeDrawer();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    if (focusIsHeldBack()) return;
    const act = KEYS[event.key];
    if (!act || !state.loaded || !isForTable(event)) return;
    event.preventDefault();
    act();
  });
}
