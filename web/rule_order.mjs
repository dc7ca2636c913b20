// Ordered lists of rules: inserting, removing, and the difference of two. Pure; no DOM.

/** The same rules with `position` counted anew; a rule that stands where it stood is the same object. */
const renumbered = (rules) =>
  rules.map((rule, i) => (rule.position === i + 1 ? rule : { ...rule, position: i + 1 }));

/** The rules without one of them. */
export const withoutRule = (rules, id) => renumbered(rules.filter((rule) => rule.id !== id));

/** The rules with this one, by id, at its `position`. */
export function withRule(rules, rule) {
  const rest = rules.filter((other) => other.id !== rule.id);
  rest.splice(rule.position - 1, 0, rule);
  return renumbered(rest);
}

/** The rules with several put in, which are in order and know their `position`. */
export function withRules(rules, inserted) {
  const merged = [];
  let next = 0;
  for (const rule of inserted) {
    while (merged.length < rule.position - 1 && next < rules.length) merged.push(rules[next++]);
    merged.push(rule);
  }
  return renumbered([...merged, ...rules.slice(next)]);
}

/** The ids of the rules above this one, nearest last: where to put it back when the list changes. */
export const idsAbove = (rules, id) => {
  const ids = rules.map((rule) => rule.id);
  return ids.slice(0, ids.indexOf(id));
};

/** The index after the nearest of `ids` that still stands in `rows` ({rule}, ...). */
export function indexAfter(ids, rows) {
  const at = new Map(rows.map(({ rule }, index) => [rule.id, index]));
  for (let i = ids.length - 1; i >= 0; i -= 1) {
    if (at.has(ids[i])) return at.get(ids[i]) + 1;
  }
  return 0;
}

/** What turned `before` into `after`: {added, changed, moved: [rule after], deleted: [rule before]}. */
export function difference(before, after) {
  const beforeById = new Map(before.map((rule) => [rule.id, rule]));
  const afterIds = new Set(after.map((rule) => rule.id));
  const keptAfter = after.filter((rule) => beforeById.has(rule.id));
  const keptBefore = before.filter((rule) => afterIds.has(rule.id));
  return {
    added: after.filter((rule) => !beforeById.has(rule.id)),
    changed: keptAfter.filter((rule) => rule.text !== beforeById.get(rule.id).text),
    moved: movedRules(keptBefore, keptAfter),
    deleted: before.filter((rule) => !afterIds.has(rule.id)),
  };
}

/** The rules of `after` that left their place among the others; both hold the same ids. */
function movedRules(before, after) {
  const moved = new Map();
  const skip = (list, i) => {
    while (i < list.length && moved.has(list[i].id)) i += 1;
    return i;
  };
  let [i, j] = [0, 0];
  while ((i = skip(before, i)) < before.length && (j = skip(after, j)) < after.length) {
    if (before[i].id === after[j].id) {
      i += 1;
      j += 1;
      continue;
    }
    // Whichever side's rule is missing at once on the other side is the one that moved.
    const next = before[skip(before, i + 1)]?.id;
    const mover = next === after[j].id ? before[i] : after[j];
    moved.set(mover.id, mover);
  }
  return after.filter((rule) => moved.has(rule.id));
}
