// The page's state, and who is called when it changes.

import { wordsForPeople } from "./format.mjs";
import { NO_RATES } from "./rates.mjs";

export const state = {
  tokenProblem: null, // "missing", "wrong" or "code": no token that the service takes
  session: null, // {name, role, ...}: as whom the service takes this page
  loaded: false,
  status: null,
  rules: [],
  interfaces: [],
  rates: NO_RATES,
  hostClock: 0, // the host's monotonic clock less this page's, in seconds
  eventCounts: null, // what became of the packets that should have been reported
  lost: null, // {since, why} while nobody answers
  undos: [], // what can still be taken back, newest last: see undo.mjs
  marks: new Map(), // rule id -> {words, who, was}: what somebody else just did to it
  deletedRemotely: [], // rules that somebody else just deleted: {rule, idsAbove}
  panel: null, // what the drawer shows: {kind, ...}, of drawer.mjs
  help: false, // the list of keys is open
  notice: null, // {kind: "error" | "done" | "warning", text, hint}
  question: null, // {title, text, lines, note, choices, answer}: what must be answered first
  announcement: "", // the last change of state, for screen readers
};

const listeners = new Set();

/** Call `listener` after every change; returns the way to stop it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function setState(changes) {
  Object.assign(state, changes);
  // Nothing is drawn that nobody sees; a lost connection shows in the tab's title.
  if (document.hidden && !("lost" in changes)) return;
  for (const listener of listeners) listener();
}

document.addEventListener("visibilitychange", () => setState({}));

/** Whether actions make sense now. */
export const connected = () => state.loaded && !state.lost;

export const ruleOf = (id) => state.rules.find((rule) => rule.id === id);
export const askFirst = (question) => setState({ question });
export const dismissNotice = () => setState({ notice: null });

/** Say how a change ended: a line at the foot of the page, and to screen readers. */
export function showResult(text, warnings = []) {
  const hint = warnings.map(wordsForPeople).join(" ");
  setState({ notice: { kind: hint ? "warning" : "done", text, hint }, announcement: `${text} ${hint}` });
}

/** Say why a change was refused. */
export function showError({ message, hint }) {
  setState({
    notice: { kind: "error", text: message, hint },
    announcement: [message, hint].filter(Boolean).join(". "),
  });
}
