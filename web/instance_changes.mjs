// What a person can do to attachments, the policy and the switch. What may cut people off asks first.

import { api } from "./api.mjs";
import { ahead } from "./apply_event.mjs";
import { change } from "./connection.mjs";
import { place as placeWords, policyWords } from "./format.mjs";
import { ask, set, state, tell } from "./store.mjs";
import { offer } from "./undo.mjs";

export async function attach(iface, place, options) {
  const occupied = (error) => error.code === "occupied" && !options.replace;
  try {
    const answer = await change(() => api.attach(iface, place, options), occupied);
    if (!answer) return;
    const { attachment, changed, warnings } = answer;
    const where = [placeWords(place), attachment.mode].filter(Boolean).join(" ");
    const sees = attachment.sees.length ? ` It sees ${attachment.sees.join(", ")}.` : "";
    const verb = changed ? "Attached" : "Already attached";
    tell(`${verb}: ${iface} ${where}.${sees}`, warnings);
  } catch (error) {
    ask({
      title: `Replace another owner’s program on ${iface}?`,
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

const PARTS = { ingress: "comes in", egress: "goes out", non_ip: "is not IP (ARP among it)" };

/** Change the policy. To drop by default asks first and says whom it hits. */
export function setPolicy(changes) {
  const was = state.status.policy;
  const drops = Object.keys(changes).filter((key) => changes[key] === "drop" && was[key] !== "drop");
  if (!drops.length) return putPolicy(changes, was);
  const what = drops.map((key) => PARTS[key]).join(" and ");
  ask({
    title: `Drop by default what ${what}?`,
    text: consequence(drops),
    yes: "Drop by default",
    act: () => putPolicy(changes, was),
  });
  return undefined;
}

function consequence(drops) {
  const { attachments } = state.status;
  const seats = attachments.map((a) => `${a.iface} (${a.sees.join(", ") || "nothing"})`);
  const where = seats.length
    ? `From that moment only what an accept rule names passes on ${seats.join(", ")}.`
    : "Nothing is attached yet: it takes effect on the first interface that you attach.";
  const session = drops.includes("non_ip")
    ? "Without ARP neighbours cannot find this host, and every IPv4 session ends."
    : sshNamed() || "No accept rule names tcp/22: an SSH session that passes there ends.";
  return `${where} ${session}`;
}

function sshNamed() {
  const rule = state.rules.find((r) => r.enabled && r.action === "accept" && r.proto === "tcp" && ports(r.dport, 22));
  return rule && `SSH is let in by rule ${rule.position}, ${rule.text}; check that your session is in it.`;
}

function ports(list, port) {
  if (!list || list.startsWith("!")) return false;
  return list.split(",").some((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return from <= port && port <= to;
  });
}

async function putPolicy(changes, was, { undoable = true } = {}) {
  const done = await change(async () => ahead(await api.policy(changes)));
  if (!done) return done;
  set({ status: { ...state.status, policy: done.policy } });
  set({ notice: null, said: `Otherwise: ${policyWords(done.policy)}.` });
  if (undoable) {
    const before = Object.fromEntries(Object.keys(changes).map((key) => [key, was[key]]));
    const back = () => putPolicy(before, done.policy, { undoable: false });
    offer({ key: "policy", kind: "policy", words: "changed", back });
  }
  return done;
}

async function turn(on) {
  const done = await change(() => api.turn(on));
  // The head shouts it; no notice besides.
  if (done) set({ status: { ...state.status, on: done.on }, notice: null, said: on ? "Filtering is on." : "Filtering is off." });
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
