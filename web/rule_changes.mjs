// Changes to rules. Each acts at once and can be taken back.

import { api } from "./api.mjs";
import { awaitRevision } from "./apply_event.mjs";
import { runChange } from "./connection.mjs";
import { cutWarnings, guardedChange } from "./guard.mjs";
import { withoutRule, withRule } from "./rule_order.mjs";
import { ruleOf, setState, showResult, state } from "./store.mjs";
import { currentIdsAbove, offerUndo, restoredPosition, withdrawUndo } from "./undo.mjs";

/** Say what was done; a notice only for connections that it cut. */
function announce(words, answer = {}) {
  const cuts = cutWarnings(answer);
  if (cuts.length) showResult(words, cuts);
  else setState({ announcement: words, notice: null });
}

const ruleLabel = (rule) => `rule ${rule.position}, ${rule.text}`;

/** Show the rule that the service answered at once: what differs later is somebody else's. */
function showRule(rule) {
  setState({ rules: withRule(state.rules, awaitRevision(rule)) });
  return rule;
}

/**
 * Add a sentence; `position` from 1, absent at the end; `how` as in api.mjs. A refused one is thrown for the
 * bar to show.
 */
export async function addRule(text, { position, how = {} } = {}) {
  // The first place is sure whatever the list is by now; others were counted in ours.
  const atEnd = position === undefined || (position > 1 && position > state.rules.length);
  const body = { text, ...(!atEnd && { position }) };
  const rule = await guardedChange(async (chosen) => showRule(await api.add(body, chosen)), { how, callerHandles: isRefusedSentence });
  if (rule) announce(`Added at ${rule.position}: ${rule.text}.`, rule);
  return rule;
}

const isRefusedSentence = (error) => error.status === 422;

/** Give a rule another sentence; `etag` refuses when somebody else changed it since. */
export async function saveRule(rule, text, { etag, how = {} }) {
  const callerHandles = (error) => error.status === 422 || error.status === 412;
  const changed = await guardedChange(async (chosen) => showRule(await api.edit(rule.id, { text }, chosen, etag)), { how, callerHandles });
  if (!changed) return changed;
  announce(`Changed: ${changed.text}.`, changed);
  if (changed.text !== rule.text && !changed.pending) {
    offerUndo({ key: rule.id, kind: "edited", words: "edited", revert: () => restoreText(rule) });
  }
  return changed;
}

async function restoreText(rule) {
  const changed = await guardedChange(async (how) => showRule(await api.edit(rule.id, { text: rule.text }, how)));
  if (changed) announce(`Changed back: ${changed.text}.`);
  return changed;
}

export async function enableRule(rule, enabled = !rule.enabled, { undoable = true } = {}) {
  const changed = await guardedChange(async (how) => showRule(await api.edit(rule.id, { enabled }, how)));
  if (!changed) return changed;
  const words = enabled ? "enabled" : "disabled";
  announce(`${enabled ? "Enabled" : "Disabled"} ${changed.text}.`, changed);
  withdrawUndo(rule.id);
  if (undoable && !changed.pending) {
    const revert = () => enableRule(changed, !enabled, { undoable: false });
    offerUndo({ key: rule.id, kind: "switched", words, revert });
  }
  return changed;
}

/** Move a rule to a place from 1 on; beyond the ends nothing happens. */
export async function moveRule(id, to, { undoable = true } = {}) {
  const rule = ruleOf(id);
  if (!rule || to < 1 || to > state.rules.length || to === rule.position) return undefined;
  const from = rule.position;
  const changed = await guardedChange(async (how) => showRule(await api.move(id, to, how)));
  if (!changed) return changed;
  announce(`Moved from ${from} to ${changed.position}: ${changed.text}.`, changed);
  if (undoable && !changed.pending) {
    const revert = () => moveRule(id, from, { undoable: false });
    offerUndo({ key: id, kind: "moved", words: "moved", revert });
  }
  return changed;
}

/** Delete at once; the row stays for ten seconds with its Undo. */
export async function deleteRule(rule) {
  const ids = currentIdsAbove(rule.id);
  return guardedChange(async (how) => {
    const done = awaitRevision(await api.remove(rule.id, how));
    setState({ rules: withoutRule(state.rules, rule.id) });
    if (done.pending) announce(`Deleted ${ruleLabel(rule)}.`, done);
    else {
      const revert = () => putBack(rule, ids);
      offerUndo({ key: rule.id, kind: "deleted", words: "deleted", rule, idsAbove: ids, revert });
      announce(`Deleted ${ruleLabel(rule)}. Undo within ten seconds by the key u.`, done);
    }
    return true;
  });
}

/** Put a deleted rule back where it was, under its id; its counters begin anew. */
export async function putBack(rule, ids) {
  const position = restoredPosition(ids);
  const atEnd = position > state.rules.length;
  const body = { id: rule.id, text: rule.text, ...(!atEnd && { position }) };
  const changed = await guardedChange(async (how) => showRule(await api.add(body, how)));
  if (!changed) return changed;
  setState({ deletedRemotely: state.deletedRemotely.filter((one) => one.rule.id !== rule.id) });
  announce(`Put back at ${changed.position}: ${changed.text}. Its counters begin at 0.`);
  return changed;
}

export async function resetCounters(rule) {
  const changed = await runChange(async () => showRule(await api.reset(rule.id)));
  if (changed) announce(`The counters of ${ruleLabel(changed)} begin at 0.`);
}
