// The service's warnings, above the interfaces.

import { wordsForPeople } from "./format.mjs";
import { html, useState } from "./html.mjs";

const FEW = 3;

export function Warnings({ warnings }) {
  const [all, setAll] = useState(false);
  const lines = warnings.map(wordsForPeople);
  const shown = all ? lines : lines.slice(0, FEW);
  if (!lines.length) return null;
  return html`<ul class="warnings" aria-label="Warnings">
    ${shown.map((words) => html`<li key=${words}><strong>Warning:</strong> ${words}</li>`)}
    ${lines.length > FEW && html`<li><button class="plain" aria-expanded=${all} onClick=${() => setAll(!all)}>
      ${all ? "Show fewer" : `Show ${lines.length - FEW} more warnings`}</button></li>`}
  </ul>`;
}
