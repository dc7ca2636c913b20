// The bar in the middle: a sentence becomes a rule. What it becomes, or where it goes wrong, is
// shown beneath while typing.

import { editNew } from "./drawer_state.mjs";
import { html, useEffect, useState } from "./html.mjs";
import { addRule } from "./rule_changes.mjs";
import { useJudge } from "./sentence_check.mjs";
import { SentenceField } from "./sentence_field.mjs";
import { Verdict } from "./sentence_verdict.mjs";

/** `suggestion` is {text}: a new one fills the bar. */
export function QuickAdd({ held, suggestion }) {
  const [text, setText] = useState("");
  const [added, setAdded] = useState(null);
  const [busy, setBusy] = useState(false);
  const [judged, refuse] = useJudge(text, held);

  useEffect(() => {
    if (!suggestion) return;
    setText(suggestion.text);
    document.getElementById("quick").focus();
  }, [suggestion]);

  const add = async (event) => {
    if (!text.trim() || held || busy || judged.problem) return;
    setBusy(true);
    try {
      const rule = await addRule(text, { position: event.shiftKey ? undefined : 1 });
      if (rule) {
        setAdded(rule);
        setText((now) => (now === text ? "" : now));
      }
    } catch (problem) {
      refuse(problem);
    }
    setBusy(false);
  };
  const form = () => {
    editNew({ text });
    setText("");
  };

  return html`<section class="quick" aria-labelledby="quick-label">
    <div class="above">
      <label id="quick-label" for="quick">Add a rule</label>
      <button class="plain" disabled=${held} onClick=${form}>Form with every field <kbd>f</kbd></button>
    </div>
    <${SentenceField} id="quick" value=${text} onText=${setText} onEnter=${add} held=${held}
      judged=${judged} placeholder="drop icmp on docker0">
      <button class="primary add" disabled=${held || !text.trim()} onClick=${add}>Add</button>
    <//>
    <div id="quick-says" class="says">
      ${text.trim() ? html`<${Verdict} judged=${judged}>
          <p class="keys"><kbd>Enter</kbd> adds it first <kbd>Shift Enter</kbd> adds it last</p><//>`
        : added ? html`<${Added} rule=${added} />` : html`<${Grammar} />`}
    </div>
  </section>`;
}

const Grammar = () => html`<p>ACTION PROTOCOL/PORTS from ADDRESS to ADDRESS on INTERFACE in</p>
  <p class="keys"><kbd>/</kbd> to type here <kbd>↓</kbd> what may come next</p>`;

function Added({ rule }) {
  const warnings = rule.warnings ?? [];
  return html`<p>Added at ${rule.position}: ${rule.text}
    ${warnings.map((words) => html` <span class="warning" key=${words}>Warning: ${words}</span>`)}</p>`;
}
