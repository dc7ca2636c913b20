// A rule in an answer: its place and sentence, and a click away when it is there still.

import { openRule } from "./drawer_state.mjs";
import { html } from "./html.mjs";
import { Sentence } from "./sentence_verdict.mjs";
import { ruleOf } from "./store.mjs";

export function RuleLine({ rule }) {
  const words = html`<span class="position">${rule.position}</span> <${Sentence} text=${rule.text} />`;
  if (!ruleOf(rule.id)) return html`<p class="rule-line">${words}</p>`;
  return html`<p class="rule-line"><button type="button" class="sentence-button" onClick=${() => openRule(rule.id)}>${words}</button></p>`;
}
