// What somebody else changed: the rows say so for a while.

import { above, difference } from "./rule_order.mjs";
import { set, state } from "./store.mjs";

const SHOWN_MS = 10_000;
const MANY = 20; // an applied file is one sentence, not a hundred marks

/**
 * Take the rules as the service has them now; what differs from ours is somebody else's. `by` are
 * the entries of the audit trail that tell who.
 */
export function takeRules(rules, by = []) {
  const before = state.rules;
  const theirs = difference(before, rules);
  set({ rules });
  const { added, changed, moved, deleted } = theirs;
  const count = added.length + changed.length + moved.length + deleted.length;
  if (!count) return;
  set({ said: `Somebody else changed ${count} ${count === 1 ? "rule" : "rules"}.` });
  if (count > MANY) {
    set({ notice: { kind: "done", text: `Somebody else changed ${count} rules.` } });
    return;
  }
  const who = [...new Set(by.map((one) => `${one.author} by ${one.via}`))].join(", ");
  const old = new Map(before.map((rule) => [rule.id, rule]));
  mark([
    ...moved.map((rule) => [rule.id, { words: `moved from ${old.get(rule.id).position} elsewhere`, who }]),
    ...changed.map((rule) => [rule.id, { words: "changed elsewhere", who, was: old.get(rule.id).text }]),
    ...added.map((rule) => [rule.id, { words: "added elsewhere", who }]),
  ]);
  haunt(deleted.map((rule) => ({ rule, above: above(before, rule.id) })));
}

function mark(marks) {
  if (!marks.length) return;
  set({ marks: new Map([...state.marks, ...marks]) });
  setTimeout(() => {
    const left = new Map(state.marks);
    for (const [id, words] of marks) if (left.get(id) === words) left.delete(id);
    set({ marks: left });
  }, SHOWN_MS);
}

function haunt(gone) {
  if (!gone.length) return;
  set({ gone: [...state.gone, ...gone] });
  setTimeout(() => set({ gone: state.gone.filter((one) => !gone.includes(one)) }), SHOWN_MS);
}
