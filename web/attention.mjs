// The line under the head: what waits for its confirmation, else the first warning. It always has its place,
// so that what comes and goes there moves no row.

import { wordsForPeople } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { PendingChange } from "./pending_change.mjs";

/** `pending` is the change that waits, unless the drawer tells it: the drawer lies over the buttons. */
export function Attention({ pending, warnings, offline }) {
  const [open, setOpen] = useState(false);
  const lines = warnings.map(wordsForPeople);
  const count = lines.length === 1 ? "the warning" : `${lines.length} warnings`;
  return html`<section class=${pending ? "attention waits" : "attention"} aria-label="What needs attention">
    <div class="line">
      ${pending
        ? html`<${PendingChange} key=${pending.revision} pending=${pending} offline=${offline} />`
        : html`<p class="first ${lines.length ? "warning" : "quiet"}" aria-hidden="true">
            ${lines.length ? html`<strong>Warning:</strong> ${lines[0]}` : "No warnings"}</p>`}
      ${lines.length > 0 && html`<button class="plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        ${open ? "Hide" : "Show"} ${count}</button>`}
    </div>
    ${lines.length > 0 && html`<ul class=${open ? "warnings" : "warnings visually-hidden"} aria-label="Warnings">
      ${lines.map((words) => html`<li key=${words}><strong>Warning:</strong> ${words}</li>`)}
    </ul>`}
  </section>`;
}
