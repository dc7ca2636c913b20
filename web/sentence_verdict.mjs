// The line under a sentence: the rule that it becomes, or what is wrong with it and what would be right.

import { splitSentence, wordsForPeople } from "./format.mjs";
import { html } from "./html.mjs";
import { isUnfinished } from "./sentence_check.mjs";

export function SentenceVerdict({ check, children }) {
  const { text, problem, warnings = [] } = check;
  if (isUnfinished(check)) return html`<p>${problem.message}</p>`;
  if (problem) {
    return html`<div class="error"><p>${problem.message}</p>${problem.hint && html`<p class="hint">${problem.hint}</p>`}</div>`;
  }
  return text && html`<div>
      <p><${Sentence} text=${text} /></p>
      ${warnings.map((words) => html`<p class="warning" key=${words}>Warning: ${wordsForPeople(words)}</p>`)}
    </div>${children}`;
}

/** A sentence as it is drawn everywhere: its verdict in colour, its comment quiet. */
export function Sentence({ text }) {
  const { verdict, match, comment } = splitSentence(text);
  return html`<span class="sentence"><b class=${verdict}>${verdict}</b>${match}<i>${comment}</i></span>`;
}
