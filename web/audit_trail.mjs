// Everything that was done, refused or failed, newest first: also what is no revision.

import { api } from "./api.mjs";
import { authorWords, dateWords, exact } from "./format.mjs";
import { html } from "./html.mjs";
import { usePages } from "./pages.mjs";

const PAGES = { ask: (parameters) => api.audit(parameters), name: "entries", idOf: ({ number }) => number };

export function AuditTrail({ status, offline }) {
  const [answer, loadOlder] = usePages(PAGES, [status.revision, status.pending?.revision, status.on, status.attachments], offline);
  return html`<ol class="history">${answer?.entries.map((one) => html`<li key=${one.number}>
      <div class="heading-row"><h3>${one.action}</h3> <time datetime=${one.time} class="quiet">${dateWords(one.time)}</time></div>
      ${one.message && html`<p class="message">${one.message}</p>`}
      <p class="quiet">${authorWords(one)}${one.revision !== undefined && `; revision ${exact(one.revision)}`}</p>
    </li>`)}</ol>
    ${answer?.more && html`<button class="more" disabled=${offline} onClick=${loadOlder}>Show older ones</button>`}`;
}
