// Changes to attachments, the policy and the switch. One that may cut people off asks first.

import { api } from "./api.mjs";
import { awaitRevision } from "./apply_event.mjs";
import { runChange } from "./connection.mjs";
import { placeWords, policyWords } from "./format.mjs";
import { askFirst, setState, showResult, state } from "./store.mjs";
import { offerUndo } from "./undo.mjs";

export async function attach(iface, place, options) {
  const occupied = (error) => error.code === "occupied" && !options.replace;
  try {
    const answer = await runChange(() => api.attach(iface, place, options), occupied);
    if (!answer) return;
    const { attachment, changed, warnings, why_generic: why } = answer;
    const where = [placeWords(place), attachment.mode].filter(Boolean).join(" ");
    const sees = attachment.sees.length ? ` It sees ${attachment.sees.join(", ")}.` : "";
    const verb = changed ? "Attached" : "Already attached";
    showResult(`${verb}: ${iface} ${where}${why ? ` (${why})` : ""}.${sees}`, warnings);
  } catch (error) {
    askFirst({
      title: `Replace another owner’s program on ${iface}?`,
      text: `${error.message}. Whatever it did for its owner ends at once.`,
      confirmLabel: "Replace it",
      onConfirm: () => attach(iface, place, { ...options, replace: true }),
    });
  }
}

/** Detaching lets everything through that this attachment judges: it asks first. */
export function detach(iface, place, sees) {
  const seenWords = sees.length ? sees.join(", ") : "its packets";
  askFirst({
    title: `Detach ${placeWords(place)} from ${iface}?`,
    text: `From that moment no rule judges what it sees: ${seenWords}.`,
    confirmLabel: "Detach",
    onConfirm: async () => {
      const done = await runChange(() => api.detach(iface, place));
      if (done) showResult(`Detached: ${iface} ${placeWords(place)}.`);
    },
  });
}

const POLICY_WORDS = { ingress: "comes in", egress: "goes out", non_ip: "is not IP (ARP among it)" };

/** Change the policy. To drop by default asks first and says whom it hits. */
export function setPolicy(changes) {
  const previous = state.status.policy;
  const drops = Object.keys(changes).filter((key) => changes[key] === "drop" && previous[key] !== "drop");
  if (!drops.length) return putPolicy(changes, previous);
  const dropWords = drops.map((key) => POLICY_WORDS[key]).join(" and ");
  askFirst({
    title: `Drop by default what ${dropWords}?`,
    text: dropConsequence(drops),
    confirmLabel: "Drop by default",
    onConfirm: () => putPolicy(changes, previous),
  });
  return undefined;
}

function dropConsequence(drops) {
  const { attachments } = state.status;
  const places = attachments.map((a) => `${a.iface} (${a.sees.join(", ") || "nothing"})`);
  const where = places.length
    ? `From that moment only what an accept rule names passes on ${places.join(", ")}.`
    : "Nothing is attached yet: it takes effect on the first interface that you attach.";
  const session = drops.includes("non_ip")
    ? "Without ARP neighbours cannot find this host, and every IPv4 session ends."
    : sshRuleWords() || "No accept rule names tcp/22: an SSH session that passes there ends.";
  return `${where} ${session}`;
}

function sshRuleWords() {
  const rule = state.rules.find((r) => r.enabled && r.action === "accept" && r.proto === "tcp" && portsInclude(r.dport, 22));
  return rule && `SSH is let in by rule ${rule.position}, ${rule.text}; check that your session is in it.`;
}

function portsInclude(list, port) {
  if (!list || list.startsWith("!")) return false;
  return list.split(",").some((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return from <= port && port <= to;
  });
}

async function putPolicy(changes, previous, { undoable = true } = {}) {
  const done = await runChange(async () => awaitRevision(await api.setPolicy(changes)));
  if (!done) return done;
  setState({ status: { ...state.status, policy: done.policy } });
  setState({ notice: null, announcement: `Otherwise: ${policyWords(done.policy)}.` });
  if (undoable) {
    const before = Object.fromEntries(Object.keys(changes).map((key) => [key, previous[key]]));
    const revert = () => putPolicy(before, done.policy, { undoable: false });
    offerUndo({ key: "policy", kind: "policy", words: "changed", revert });
  }
  return done;
}

async function setSwitch(on) {
  const done = await runChange(() => api.setSwitch(on));
  // The head shouts it; no notice besides.
  if (done) setState({ status: { ...state.status, on: done.on }, notice: null, announcement: on ? "Filtering is on." : "Filtering is off." });
}

export function turnOff() {
  askFirst({
    title: "Turn filtering off?",
    text: "Every packet passes on every interface, whatever the rules say, until it is turned on.",
    confirmLabel: "Turn off",
    onConfirm: () => setSwitch(false),
  });
}

export const turnOn = () => setSwitch(true);
