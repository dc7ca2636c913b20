// The change that waits for its confirmation: how long it has, Confirm and Revert.

import { api } from "./api.mjs";
import { runChange } from "./connection.mjs";
import { durationWords } from "./format.mjs";
import { html, useEffect } from "./html.mjs";
import { secondsLeft } from "./pending_time.mjs";
import { setState, showResult, state } from "./store.mjs";

const LAST_CALL = 10; // seconds left at which screen readers are told once more

export function PendingChange({ pending, offline }) {
  const left = secondsLeft(pending);
  const isLastCall = left > 0 && left <= LAST_CALL;
  useEffect(() => {
    if (isLastCall) setState({ announcement: `${LAST_CALL} seconds left to confirm revision ${pending.revision}.` });
  }, [isLastCall]);
  const { revision, action } = pending;
  return html`<div class="pending" role="group" aria-label="A change that waits for its confirmation">
    <p><strong>Reverts in <span role="timer">${durationWords(Math.ceil(left))}</span></strong>
      <span class="what" title=${action}> revision ${revision}: ${action}</span></p>
    <button class="primary" disabled=${offline} onClick=${() => confirmChange(revision)}>Confirm</button>
    <button class="danger" disabled=${offline} onClick=${() => revertChange(revision)}>Revert now</button>
  </div>`;
}

/** Keep it. The revision goes along, so that nobody confirms what another one has begun meanwhile. */
async function confirmChange(revision) {
  const done = await runChange(() => api.confirm(revision));
  if (done) endWaiting(`Revision ${revision} is confirmed: it stays.`);
}

async function revertChange(revision) {
  const done = await runChange(() => api.rollback({ revision }));
  if (done) endWaiting(done.cancelled ? `Revision ${revision} is taken back.` : `Revision ${revision} was confirmed meanwhile: it stays.`);
}

function endWaiting(words) {
  setState({ status: { ...state.status, pending: undefined } });
  showResult(words);
}
