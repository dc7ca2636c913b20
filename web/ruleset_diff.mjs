// What a change changes, line by line, as `xdpwall diff` says it.

import { html } from "./html.mjs";

const SIGNS = { added: "+", removed: "−", moved: "~", changed: "±", context: " " };
const WORDS = { added: "added", removed: "removed", moved: "moved", changed: "changed" };

/** A RulesetDifference as lines [{key, kind, place, old?, text}]: rules, then policy, sets, attachments. */
export function diffLines({ rules = [], policy = [], sets = [], attachments = [] }) {
  return [
    ...policy.map(({ field, old, new: text }) => ({ kind: "changed", place: "policy", old: `${field} ${old}`, text: `${field} ${text}` })),
    ...rules.map(ruleLine),
    ...sets.map((set) => ({ kind: set.kind === "replaced" ? "changed" : set.kind, place: "set", text: setWords(set) })),
    ...attachments.map((one) => ({ kind: one.kind, place: "attached", text: [one.attachment, one.mode].filter(Boolean).join(" ") })),
  ].map((line, i) => ({ ...line, key: `${i}` }));
}

function ruleLine({ kind, old_position: from, position: to, old, text }) {
  const moved = from !== undefined && to !== undefined && from !== to && kind !== "context";
  return { kind, place: moved ? `${from} → ${to}` : `${to ?? from}`, old: kind === "changed" ? old : undefined, text: text ?? old };
}

function setWords({ name, old_entries: old, entries }) {
  const counts = [old, entries].filter((count) => count !== undefined);
  return `@${name}${counts.length ? `: ${counts.join(" → ")} entries` : ""}`;
}

/** The lines of a difference that change something, each as one string. */
export const diffWords = (diff) => diffLines(diff).filter(({ kind }) => kind !== "context")
  .map(({ kind, place, old, text }) => `${WORDS[kind]} ${place}: ${old ? `${old} becomes ${text}` : text}`);

export function RulesetDiff({ diff }) {
  const lines = diffLines(diff);
  if (!lines.length) return html`<p class="quiet">It changes no rule, policy or set.</p>`;
  return html`<table class="diff"><caption class="visually-hidden">What it changed</caption>
    <tbody>${lines.map(({ key, kind, place, old, text }) => html`<tr key=${key} class=${kind}>
      <td class="sign"><span aria-hidden="true">${SIGNS[kind]}</span><span class="visually-hidden">${WORDS[kind] ?? "stays"}</span></td>
      <th scope="row" class="where">${place}</th>
      <td class="text">${old !== undefined && html`<del>${old}</del> `}<span>${text}</span></td>
    </tr>`)}</tbody></table>`;
}
