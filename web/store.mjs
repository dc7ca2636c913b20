// What the page knows, and who is told when it changes.

import { EMPTY } from "./rates.mjs";

export const state = {
  gate: null, // "missing" or "wrong": no token that the service takes
  loaded: false,
  status: null,
  rules: [],
  interfaces: [],
  meters: EMPTY,
  reported: null, // what became of the packets that should have been reported
  lost: null, // {since, why} while nobody answers
  undos: [], // what can still be taken back, newest last: see undo.mjs
  marks: new Map(), // rule id -> {words, who, was}: what somebody else just did to it
  gone: [], // rules that somebody else just deleted: {rule, above}
  panel: null, // what the drawer shows: {kind: "rule" | "edit" | "policy", ...}
  help: false, // the list of keys is open
  notice: null, // {kind: "error" | "done" | "warning", text, hint}
  question: null, // {title, text, yes, act}: what must be confirmed first
  said: "", // the last change of state, for screen readers
};

const listeners = new Set();

/** Call `listener` after every change; returns the way to stop it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function set(changes) {
  Object.assign(state, changes);
  // Nothing is drawn that nobody sees; a lost connection shows in the tab's title.
  if (document.hidden && !("lost" in changes)) return;
  for (const listener of listeners) listener();
}

document.addEventListener("visibilitychange", () => set({}));

/** Whether actions make sense now. */
export const connected = () => state.loaded && !state.lost;

export const ruleOf = (id) => state.rules.find((rule) => rule.id === id);
export const ask = (question) => set({ question });
export const dismiss = () => set({ notice: null });

/** Say how a change ended: a line at the foot of the page, and to screen readers. */
export function tell(text, warnings = []) {
  const hint = warnings.join(" ");
  set({ notice: { kind: hint ? "warning" : "done", text, hint }, said: `${text} ${hint}` });
}

/** Say why a change was refused. */
export function complain({ message, hint }) {
  set({
    notice: { kind: "error", text: message, hint },
    said: [message, hint].filter(Boolean).join(". "),
  });
}
