// Everything a person can do, each with what is said about it afterwards.

import { api } from "./api.mjs";
import { place as placeWords } from "./format.mjs";
import { connectionFailed, refresh, set, state } from "./state.mjs";

const UNDO_MS = 10_000;

/** Run a change, then read back. Problems become a notice unless `quiet` wants to show them. */
async function change(work, { quiet = () => false } = {}) {
  try {
    const answer = await work();
    await refresh().catch(connectionFailed);
    return answer;
  } catch (error) {
    if (quiet(error)) throw error;
    if (!connectionFailed(error)) {
      const { message: text, hint } = error;
      set({ notice: { kind: "error", text, hint }, said: [text, hint].filter(Boolean).join(". ") });
    }
    return undefined;
  }
}

function tell(text, warnings = []) {
  const hint = warnings.join(" ");
  set({ notice: { kind: hint ? "warning" : "done", text, hint }, said: `${text} ${hint}` });
}

/** Add a sentence at the top or the end. A refused sentence is thrown for the bar to show. */
export async function addRule(text, { first }) {
  const body = first && state.rules.length ? { text, position: 1 } : { text };
  const rule = await change(() => api.add(body), { quiet: (e) => e.status === 422 });
  if (rule) set({ notice: null, said: `Added at ${rule.position}: ${rule.text}.` });
  return rule;
}

/** Delete at once; the row stays for ten seconds with its Undo. */
export async function deleteRule(rule) {
  const above = state.rules.slice(0, state.rules.indexOf(rule)).map((r) => r.id);
  const done = await change(async () => {
    await api.remove(rule.id);
    const ghost = { rule, above, until: Date.now() + UNDO_MS };
    set({
      rules: state.rules.filter((r) => r.id !== rule.id),
      ghosts: [...state.ghosts, ghost],
      notice: null,
      said: `Deleted ${rule.text}. Undo within ten seconds by the key u.`,
    });
    setTimeout(() => forget(ghost), UNDO_MS);
    return ghost;
  });
  return Boolean(done);
}

function forget(ghost) {
  set({ ghosts: state.ghosts.filter((g) => g !== ghost) });
}

/** The rules with the deleted ones still in their places: {rule, ghost?} in drawing order. */
export function withGhosts(rules, ghosts) {
  const rows = rules.map((rule) => ({ rule }));
  const standing = new Set(rules.map((rule) => rule.id));
  const gone = ghosts.filter((ghost) => !standing.has(ghost.rule.id));
  for (const ghost of gone) rows.splice(placeOf(ghost, rows), 0, { rule: ghost.rule, ghost });
  return rows;
}

/** After the nearest rule that stood above it and still stands. */
function placeOf(ghost, rows) {
  const at = new Map(rows.map(({ rule }, index) => [rule.id, index]));
  for (let i = ghost.above.length - 1; i >= 0; i -= 1) {
    if (at.has(ghost.above[i])) return at.get(ghost.above[i]) + 1;
  }
  return 0;
}

/** Put a deleted rule back where it was, under its id; its counters begin anew. */
export async function undoDelete(ghost = state.ghosts.at(-1)) {
  if (!ghost) return;
  const { id, text } = ghost.rule;
  const live = state.rules.map((rule) => ({ rule }));
  const position = placeOf(ghost, live) + 1;
  const body = position > live.length ? { id, text } : { id, text, position };
  const rule = await change(() => api.add(body));
  if (!rule) return;
  forget(ghost);
  tell(`Put back at ${rule.position}: ${rule.text}. Its counters begin at 0.`, rule.warnings);
}

export async function attach(iface, place, options) {
  const occupied = (error) => error.code === "occupied" && !options.replace;
  try {
    const answer = await change(() => api.attach(iface, place, options), { quiet: occupied });
    if (!answer) return;
    const { attachment, changed, warnings } = answer;
    const where = [placeWords(place), attachment.mode].filter(Boolean).join(" ");
    const sees = attachment.sees.length ? ` It sees ${attachment.sees.join(", ")}.` : "";
    const verb = changed ? "Attached" : "Already attached";
    tell(`${verb}: ${iface} ${where}.${sees}`, warnings);
  } catch (error) {
    ask({
      title: `Replace another owner's program on ${iface}?`,
      text: `${error.message}. Whatever it did for its owner ends at once.`,
      yes: "Replace it",
      act: () => attach(iface, place, { ...options, replace: true }),
    });
  }
}

/** Detaching lets everything through that this attachment judges: it asks first. */
export function detach(iface, place, sees) {
  const what = sees.length ? sees.join(", ") : "its packets";
  ask({
    title: `Detach ${placeWords(place)} from ${iface}?`,
    text: `From that moment no rule judges what it sees: ${what}.`,
    yes: "Detach",
    act: async () => {
      const done = await change(() => api.detach(iface, place));
      if (done) tell(`Detached: ${iface} ${placeWords(place)}.`);
    },
  });
}

async function turn(on) {
  const done = await change(() => api.turn(on));
  // The head shouts it; no notice besides.
  if (done) set({ notice: null, said: on ? "Filtering is on." : "Filtering is off." });
}

export function turnOff() {
  ask({
    title: "Turn filtering off?",
    text: "Every packet passes on every interface, whatever the rules say, until it is turned on.",
    yes: "Turn off",
    act: () => turn(false),
  });
}

export const turnOn = () => turn(true);

export const ask = (question) => set({ question });
export const dismiss = () => set({ notice: null });
