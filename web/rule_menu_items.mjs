// The actions on one rule, with their words and keys: the row's menu and the drawer share them.

import { duplicateRule, editRule, insertRule, openExplanation, openRule } from "./drawer_state.mjs";
import { deleteRule, enableRule, moveRule, resetCounters } from "./rule_changes.mjs";

/** [{name, key?, act, disabled?, danger?, asks?}]; `disabled`: it cannot be done; `asks`: it changes nothing. */
export function ruleMenuItems(rule, count) {
  return [
    { name: "Open", key: "Enter", act: () => openRule(rule.id) },
    { name: "Edit", key: "e", act: () => editRule(rule) },
    { name: rule.enabled ? "Disable" : "Enable", key: "Space", act: () => enableRule(rule) },
    { name: "Move up", key: "K", act: () => moveRule(rule.id, rule.position - 1), disabled: rule.position === 1 },
    { name: "Move down", key: "J", act: () => moveRule(rule.id, rule.position + 1), disabled: rule.position === count },
    { name: "Duplicate", key: "d", act: () => duplicateRule(rule) },
    { name: "Insert above", act: () => insertRule(rule, false) },
    { name: "Insert below", act: () => insertRule(rule, true) },
    { name: "Why?", key: "w", asks: true, act: () => openExplanation({ rule: rule.id }) },
    { name: "Counters to 0", act: () => resetCounters(rule) },
    { name: "Delete", key: "⌫", act: () => deleteRule(rule), danger: true },
  ];
}
