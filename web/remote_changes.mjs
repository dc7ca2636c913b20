// Marks for a while the rows that somebody else changed.

import { difference, idsAbove } from "./rule_order.mjs";
import { setState, state } from "./store.mjs";

const SHOWN_MS = 10_000;
const MAX_MARKS = 20; // an applied file is one sentence, not a hundred marks

/**
 * Take the rules as the service has them now; what differs from ours is somebody else's. `auditEntries`
 * tell who.
 */
export function takeServiceRules(rules, auditEntries = []) {
  const before = state.rules;
  const changes = difference(before, rules);
  setState({ rules });
  const { added, changed, moved, deleted } = changes;
  const count = added.length + changed.length + moved.length + deleted.length;
  if (!count) return;
  setState({ announcement: `Somebody else changed ${count} ${count === 1 ? "rule" : "rules"}.` });
  if (count > MAX_MARKS) {
    setState({ notice: { kind: "done", text: `Somebody else changed ${count} rules.` } });
    return;
  }
  const who = [...new Set(auditEntries.map((one) => `${one.author} by ${one.via}`))].join(", ");
  const beforeById = new Map(before.map((rule) => [rule.id, rule]));
  markRows([
    ...moved.map((rule) => [rule.id, { words: `moved from ${beforeById.get(rule.id).position} elsewhere`, who }]),
    ...changed.map((rule) => [rule.id, { words: "changed elsewhere", who, was: beforeById.get(rule.id).text }]),
    ...added.map((rule) => [rule.id, { words: "added elsewhere", who }]),
  ]);
  keepDeletedRows(deleted.map((rule) => ({ rule, idsAbove: idsAbove(before, rule.id) })));
}

function markRows(marks) {
  if (!marks.length) return;
  setState({ marks: new Map([...state.marks, ...marks]) });
  setTimeout(() => {
    const remaining = new Map(state.marks);
    for (const [id, words] of marks) if (remaining.get(id) === words) remaining.delete(id);
    setState({ marks: remaining });
  }, SHOWN_MS);
}

function keepDeletedRows(rows) {
  if (!rows.length) return;
  setState({ deletedRemotely: [...state.deletedRemotely, ...rows] });
  setTimeout(() => setState({ deletedRemotely: state.deletedRemotely.filter((row) => !rows.includes(row)) }), SHOWN_MS);
}
