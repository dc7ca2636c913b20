// Changes to attachments, the policy and the switch. One that may cut people off asks first.

import { api } from "./api.mjs";
import { awaitOwnRevision } from "./apply_event.mjs";
import { askHow } from "./ask.mjs";
import { runChange } from "./connection.mjs";
import { placeWords, plural, policyWords } from "./format.mjs";
import { cutWarnings, guardedChange } from "./guard.mjs";
import { setState, showResult, state } from "./store.mjs";
import { offerUndo } from "./undo.mjs";

/** Attach; where the policy drops what the place sees, every packet without an accept rule ends: it asks. */
export async function attach(iface, place, options) {
  const how = dropsAt(place) ? await askToAttach(iface, place) : {};
  if (!how) return;
  const occupied = (error) => error.code === "occupied" && !options.replace;
  try {
    const answer = await guardedChange((chosen) => api.attach(iface, place, options, chosen), { how, callerHandles: occupied });
    if (answer) (answer.wanted ? showWanted : showAttached)(iface, place, answer);
    return answer;
  } catch (error) {
    const replace = await askHow({
      title: `Replace another owner’s program on ${iface}?`,
      text: `${error.message}. Whatever it did for its owner ends at once.`,
      label: "Replace it",
      trial: false, // the kernel could not put another owner's program back
    });
    return replace && attach(iface, place, { ...options, replace: true });
  }
}

function showAttached(iface, place, { attachment, changed, warnings, why_generic: why }) {
  const where = [placeWords(place), attachment.mode].filter(Boolean).join(" ");
  const sees = attachment.sees.length ? ` It sees ${attachment.sees.join(", ")}.` : "";
  const verb = changed ? "Attached" : "Already attached";
  showResult(`${verb}: ${iface} ${where}${why ? ` (${why})` : ""}.${sees}`, warnings);
}

function showWanted(iface, place, { wanted, changed, warnings }) {
  const where = wanted.in_place.length ? `In place on ${wanted.in_place.join(", ")}.` : "In place when one comes.";
  showResult(`${changed ? "Wanted" : "Already wanted"}: ${iface} ${placeWords(place)}. ${where}`, warnings);
}

const dropsAt = (place) => state.status.policy[place === "tc-egress" ? "egress" : "ingress"] === "drop";

const askToAttach = (iface, place) => askHow({
  title: `Attach ${placeWords(place)} to ${iface}?`,
  text: "The policy is to drop: from that moment only what an accept rule names passes there.",
  label: "Attach",
});

/** Detaching lets everything through that this attachment judges: it asks first. */
export const detach = (iface, place, sees) =>
  askToDetach(iface, place, `From that moment no rule judges what it sees: ${sees.length ? sees.join(", ") : "its packets"}.`);

/** The end of an attachment by policy, and of those that it made. */
export const detachWanted = ({ iface, place, in_place: there }) =>
  askToDetach(iface, place, there.length
    ? `From that moment no rule judges what it sees on ${there.join(", ")}, and what comes is attached no more.`
    : "What comes is attached no more.");

async function askToDetach(iface, place, text) {
  const how = await askHow({
    title: `Detach ${placeWords(place)} from ${iface}?`,
    text,
    label: "Detach",
    trial: false, // it cuts nobody off
  });
  const done = how && await runChange(() => api.detach(iface, place));
  if (done) showResult(`Detached: ${iface} ${placeWords(place)}.`);
}

const POLICY_WORDS = { ingress: "comes in", egress: "goes out", non_ip: "is not IP (ARP among it)" };

/** Change the policy. To drop by default asks first and says whom it hits. */
export async function setPolicy(changes) {
  const previous = state.status.policy;
  const drops = Object.keys(changes).filter((key) => changes[key] === "drop" && previous[key] !== "drop");
  const how = drops.length ? await askToDrop(changes, drops) : {};
  return how && putPolicy(changes, previous, how);
}

/** The question before a default drop, with the rules that this host would miss. */
async function askToDrop(changes, drops) {
  const trial = await runChange(() => api.setPolicy(changes, { dry_run: true }));
  if (!trial) return null;
  const { missing_rules: rules = [], missing_policy: policy = {} } = trial;
  const also = Object.entries(policy).map(([name, value]) => `policy ${name} ${value}`);
  const advice = rules.length ? ` What this host does now would end without ${plural(rules.length, "rule")}:` : "";
  return askHow({
    title: `Drop by default what ${drops.map((key) => POLICY_WORDS[key]).join(" and ")}?`,
    text: `${dropConsequence(drops)}${advice}`,
    lines: [...also, ...rules],
    option: rules.length ? { label: `Add ${rules.length > 1 ? "them" : "it"} in the same change`, how: { add_missing: true } } : undefined,
    label: "Drop by default",
  });
}

function dropConsequence(drops) {
  const { attachments } = state.status;
  const places = attachments.map((a) => `${a.iface} (${a.sees.join(", ") || "nothing"})`);
  const where = places.length
    ? `From that moment only what an accept rule names passes on ${places.join(", ")}.`
    : "Nothing is attached yet: it takes effect on the first interface that you attach.";
  return drops.includes("non_ip") ? `${where} Without ARP neighbours cannot find this host, and every IPv4 session ends.` : where;
}

async function putPolicy(changes, previous, how, { undoable = true } = {}) {
  const done = await guardedChange(async (chosen) => awaitOwnRevision(await api.setPolicy(changes, chosen)), { how });
  if (!done) return done;
  setState({ status: { ...state.status, policy: done.policy } });
  const [words, cuts] = [`Otherwise: ${policyWords(done.policy)}.`, cutWarnings(done)];
  if (cuts.length) showResult(words, cuts);
  else setState({ notice: null, announcement: words });
  if (undoable && !done.pending) {
    // What came along with it is taken back too; rules that were added only let pass, and stay.
    const changed = Object.keys(done.policy).filter((key) => done.policy[key] !== previous[key]);
    const before = Object.fromEntries(changed.map((key) => [key, previous[key]]));
    const revert = () => putPolicy(before, done.policy, {}, { undoable: false });
    offerUndo({ key: "policy", kind: "policy", words: "changed", revert });
  }
  return done;
}

async function setSwitch(on) {
  const done = await guardedChange((how) => api.setSwitch(on, how));
  // The head shouts it; no notice besides.
  if (done) setState({ status: { ...state.status, on: done.on }, notice: null, announcement: on ? "Filtering is on." : "Filtering is off." });
}

export async function turnOff() {
  const how = await askHow({
    title: "Turn filtering off?",
    text: "Every packet passes on every interface, whatever the rules say, until it is turned on.",
    label: "Turn off",
    trial: false, // it cuts nobody off
  });
  if (how) await setSwitch(false);
}

export const turnOn = () => setSwitch(true);
