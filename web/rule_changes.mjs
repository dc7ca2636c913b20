// Everything a person can do to rules. Each change acts at once and can be taken back.

import { api } from "./api.mjs";
import { ahead } from "./apply_event.mjs";
import { change } from "./connection.mjs";
import { placed, without } from "./rule_order.mjs";
import { ask, ruleOf, set, state } from "./store.mjs";
import { idsAbove, offer, placeFor, withdraw } from "./undo.mjs";

const say = (said) => set({ said, notice: null });
const short = (rule) => `rule ${rule.position}, ${rule.text}`;

/** Put what the service answered into the list at once: what differs later is somebody else's. */
function take(rule) {
  set({ rules: placed(state.rules, ahead(rule)) });
  return rule;
}

/** Add a sentence; `position` from 1, absent at the end. A refused one is thrown for the bar to show. */
export async function addRule(text, { position } = {}) {
  if (!(await agreed(text, "Add it"))) return undefined;
  // The first place is sure whatever the list is by now; others were counted in ours.
  const last = position === undefined || (position > 1 && position > state.rules.length);
  const body = { text, ...(!last && { position }) };
  const rule = await change(async () => take(await api.add(body)), refusedSentence);
  if (rule) say(`Added at ${rule.position}: ${rule.text}.`);
  return rule;
}

const refusedSentence = (error) => error.status === 422;

/** True at once for a sentence that cuts nobody off whom a person would miss; else it asks. */
async function agreed(text, yes) {
  const judged = await change(() => api.parse(text));
  if (!judged?.cuts?.length) return Boolean(judged);
  return new Promise((resolve) => ask({
    title: "This may cut you off",
    text: `“${text.trim()}” drops ${judged.cuts.join(", ")}. If that is your way to this host, it ends at once.`,
    yes,
    act: () => resolve(true),
    no: () => resolve(false),
  }));
}

/** Give a rule another sentence; `etag` refuses when somebody else changed it since. */
export async function saveRule(rule, text, etag) {
  if (!(await agreed(text, "Save it"))) return undefined;
  const refused = (error) => error.status === 422 || error.status === 412;
  const done = await change(async () => take(await api.edit(rule.id, { text }, etag)), refused);
  if (!done) return done;
  say(`Changed: ${done.text}.`);
  if (done.text !== rule.text) {
    offer({ key: rule.id, kind: "edited", words: "edited", back: () => restoreText(rule) });
  }
  return done;
}

async function restoreText(rule) {
  const done = await change(async () => take(await api.edit(rule.id, { text: rule.text })));
  if (done) say(`Changed back: ${done.text}.`);
  return done;
}

export async function enableRule(rule, enabled = !rule.enabled, { undoable = true } = {}) {
  if (undoable && enabled && !(await agreed(rule.text.replace(" disabled", ""), "Enable it"))) return undefined;
  const done = await change(async () => take(await api.edit(rule.id, { enabled })));
  if (!done) return done;
  const words = enabled ? "enabled" : "disabled";
  say(`${enabled ? "Enabled" : "Disabled"} ${done.text}.`);
  withdraw(rule.id);
  if (undoable) {
    const back = () => enableRule(done, !enabled, { undoable: false });
    offer({ key: rule.id, kind: "switched", words, back });
  }
  return done;
}

/** Move a rule to a place from 1 on; beyond the ends nothing happens. */
export async function moveRule(id, to, { undoable = true } = {}) {
  const rule = ruleOf(id);
  if (!rule || to < 1 || to > state.rules.length || to === rule.position) return undefined;
  const from = rule.position;
  const done = await change(async () => take(await api.move(id, to)));
  if (!done) return done;
  say(`Moved from ${from} to ${done.position}: ${done.text}.`);
  if (undoable) {
    const back = () => moveRule(id, from, { undoable: false });
    offer({ key: id, kind: "moved", words: "moved", back });
  }
  return done;
}

/** Delete at once; the row stays for ten seconds with its Undo. */
export async function deleteRule(rule) {
  const ids = idsAbove(rule.id);
  return change(async () => {
    ahead(await api.remove(rule.id));
    set({ rules: without(state.rules, rule.id) });
    const back = () => putBack(rule, ids);
    offer({ key: rule.id, kind: "deleted", words: "deleted", rule, above: ids, back });
    say(`Deleted ${short(rule)}. Undo within ten seconds by the key u.`);
    return true;
  });
}

/** Put a deleted rule back where it was, under its id; its counters begin anew. */
export async function putBack(rule, ids) {
  const position = placeFor(ids);
  const last = position > state.rules.length;
  const body = { id: rule.id, text: rule.text, ...(!last && { position }) };
  const done = await change(async () => take(await api.add(body)));
  if (!done) return done;
  set({ gone: state.gone.filter((one) => one.rule.id !== rule.id) });
  say(`Put back at ${done.position}: ${done.text}. Its counters begin at 0.`);
  return done;
}

export async function resetCounters(rule) {
  const done = await change(async () => take(await api.reset(rule.id)));
  if (done) say(`The counters of ${short(done)} begin at 0.`);
}
