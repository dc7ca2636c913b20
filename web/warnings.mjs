// The service's warnings, above the interfaces; what is true of several rules is one line.

import { html, useState } from "./html.mjs";

const FEW = 3;

export function Warnings({ warnings }) {
  const [all, setAll] = useState(false);
  const lines = groupByRule(warnings);
  const shown = all ? lines : lines.slice(0, FEW);
  if (!lines.length) return null;
  return html`<ul class="warnings" aria-label="Warnings">
    ${shown.map((words) => html`<li key=${words}><strong>Warning:</strong> ${words}</li>`)}
    ${lines.length > FEW && html`<li><button class="plain" aria-expanded=${all} onClick=${() => setAll(!all)}>
      ${all ? "Show fewer" : `Show ${lines.length - FEW} more warnings`}</button></li>`}
  </ul>`;
}

/** What is true of several rules is said once: "rules r1, r3 on the bridge ...". */
function groupByRule(warnings) {
  const groups = new Map();
  for (const words of warnings) {
    const [, id, rest] = /^rule ([^\s:]+)([ :].*)$/.exec(words) ?? [];
    const key = rest ?? words;
    groups.set(key, [...(groups.get(key) ?? []), id]);
  }
  return [...groups].map(([words, ids]) => {
    if (!ids[0]) return words;
    return ids.length > 1 ? `rules ${listWords(ids)}${pluralVerb(words)}` : `rule ${ids[0]}${words}`;
  });
}

const PLURAL = { does: "do", is: "are", names: "name" };

/** The verb for several rules: "on the bridge docker0 does not see" -> "... do not see". */
const pluralVerb = (words) => words.replace(/\b(does|is|names)\b/, (verb) => PLURAL[verb]);

const listWords = (ids) => (ids.length > 6 ? `${ids.slice(0, 5).join(", ")} and ${ids.length - 5} more` : ids.join(", "));
