// The history in the drawer: revisions with their author and message, what each changed, and the way back.

import { api } from "./api.mjs";
import { AuditTrail } from "./audit_trail.mjs";
import { authorWords, dateWords, exact } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { askToShow, usePages } from "./pages.mjs";
import { rollBack } from "./revision_changes.mjs";
import { may } from "./roles.mjs";
import { RulesetDiff } from "./ruleset_diff.mjs";

const PAGES = { ask: (parameters) => api.history(parameters), name: "revisions", idOf: ({ revision }) => revision };
const LISTS = [
  ["Revisions", Revisions, "Each change of rules, policy and sets as a whole. What sets hold and what is attached is no part of it."],
  ["Everything done", AuditTrail, "Also what was refused or failed, on and off, attachments, entries of sets and wrong tokens."],
];

export function HistoryPanel({ status, offline }) {
  const [chosen, choose] = useState(0);
  const [, List, about] = LISTS[chosen];
  return html`
    <h2 tabindex="-1">History</h2>
    <div class="rule-actions" role="group" aria-label="What is listed">${LISTS.map(([name], i) => html`<button key=${name}
      aria-pressed=${i === chosen} onClick=${() => choose(i)}>${name}</button>`)}</div>
    <p class="quiet">${about}</p>
    <${List} status=${status} offline=${offline} />`;
}

function Revisions({ status, offline }) {
  const { pending } = status;
  // A change of anybody is a line more; one that is taken back is a line less.
  const [answer, loadOlder] = usePages(PAGES, [status.revision, pending?.revision], offline);
  if (!answer) return null;
  const { revisions, oldest, more } = answer;
  return html`
    ${revisions.length === 0 && html`<p class="none">Nothing has been changed yet.</p>`}
    <ol class="history">${revisions.map((one) => html`<${Revision} key=${one.revision} revision=${one} oldest=${oldest}
      waits=${pending?.revision === one.revision} pending=${pending} offline=${offline} />`)}</ol>
    ${more && html`<button class="more" disabled=${offline} onClick=${loadOlder}>Show older ones</button>`}`;
}

function Revision({ revision, oldest, waits, pending, offline }) {
  const { revision: number, time, action, message, in_force: inForce } = revision;
  const [diff, setDiff] = useState(null);
  const toggle = async () => {
    if (diff) return setDiff(null);
    const found = await askToShow(() => api.history({ limit: 1, before: number + 1, diff: true }));
    return setDiff(found?.revisions.find((one) => one.revision === number)?.diff ?? null);
  };
  const canGoBack = !inForce && oldest !== undefined && number >= oldest;
  return html`<li>
    <div class="heading-row">
      <h3>Revision ${exact(number)} ${inForce && html`<span class="note">${waits ? "in force, not confirmed" : "in force"}</span>`}</h3>
      <time datetime=${time} class="quiet">${dateWords(time)}</time>
    </div>
    <p>${action}</p>
    ${message && html`<p class="message">${message}</p>`}
    <p class="quiet">${authorWords(revision)}</p>
    <div class="rule-actions">
      <button aria-expanded=${Boolean(diff)} disabled=${offline} onClick=${toggle} aria-label="What revision ${number} changed">What changed</button>
      ${canGoBack && html`<button disabled=${offline || Boolean(pending) || !may("operator")} onClick=${() => rollBack(number)}
        aria-label="Roll back to revision ${number}">Roll back to it…</button>`}
    </div>
    ${diff && html`<${RulesetDiff} diff=${diff} />`}
  </li>`;
}
