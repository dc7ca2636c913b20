// The history in the drawer: revisions with their author and message, what each changed, and the way back.

import { api } from "./api.mjs";
import { rollBack } from "./revision_changes.mjs";
import { connectionFailed } from "./connection.mjs";
import { dateWords, exact } from "./format.mjs";
import { html, useEffect, useRef, useState } from "./html.mjs";
import { may } from "./roles.mjs";
import { RulesetDiff } from "./ruleset_diff.mjs";
import { showError } from "./store.mjs";

const PAGE = 20;

/** Ask for what is only shown; undefined after a problem, which is told. */
async function ask(question) {
  try {
    return await question();
  } catch (error) {
    if (!connectionFailed(error)) showError(error);
    return undefined;
  }
}

export function HistoryPanel({ status, offline }) {
  const [{ revisions, more, oldest }, setHistory] = useState({ revisions: null });
  const asked = useRef(0);
  const load = async (before) => {
    const number = (asked.current += 1);
    const found = await ask(() => api.history({ limit: before ? PAGE : Math.max(PAGE, revisions?.length ?? 0), before }));
    if (!found || number !== asked.current) return;
    setHistory({ ...found, revisions: before ? [...revisions, ...found.revisions] : found.revisions });
  };
  // A change of anybody is a line more; one that is taken back is a line less.
  useEffect(() => { if (!offline) load(); }, [status.revision, status.pending?.revision, offline]);
  return html`
    <h2 tabindex="-1">History</h2>
    <p class="quiet">Each change of rules, policy and sets as a whole. What sets hold and what is attached is no part of it.</p>
    ${revisions?.length === 0 && html`<p class="none">Nothing has been changed yet.</p>`}
    <ol class="history">${revisions?.map((one) => html`<${Revision} key=${one.revision} revision=${one} oldest=${oldest}
      waits=${status.pending?.revision === one.revision} pending=${status.pending} offline=${offline} />`)}</ol>
    ${more && html`<button class="more" disabled=${offline} onClick=${() => load(revisions.at(-1).revision)}>Show older ones</button>`}`;
}

function Revision({ revision, oldest, waits, pending, offline }) {
  const { revision: number, time, action, message, in_force: inForce } = revision;
  const [diff, setDiff] = useState(null);
  const toggle = async () => {
    if (diff) return setDiff(null);
    const found = await ask(() => api.history({ limit: 1, before: number + 1, diff: true }));
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

/** "alice (uid 1000) by socket from 127.0.0.1" */
function authorWords({ author, user, via, address }) {
  const who = user ? `${user} (${author})` : author;
  return [`${who} by ${via}`, address && `from ${address}`].filter(Boolean).join(" ");
}
