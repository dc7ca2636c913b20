// The bar that adds a rule: what its sentence becomes, or where it goes wrong, is shown beneath
// while typing.

import { ON_TRIAL } from "./ask.mjs";
import { editNewRule } from "./drawer_state.mjs";
import { wordsForPeople } from "./format.mjs";
import { html, useEffect, useState } from "./html.mjs";
import { addRule } from "./rule_changes.mjs";
import { useSentenceCheck } from "./sentence_check.mjs";
import { SentenceField } from "./sentence_field.mjs";
import { SentenceVerdict } from "./sentence_verdict.mjs";

/** `suggestion` is {text}: a new one fills the bar. */
export function QuickAdd({ offline, suggestion }) {
  const [text, setText] = useState("");
  const [added, setAdded] = useState(null);
  const [busy, setBusy] = useState(false);
  const [check, showProblem] = useSentenceCheck(text, offline);

  useEffect(() => {
    if (!suggestion) return;
    setText(suggestion.text);
    document.getElementById("quick-add").focus();
  }, [suggestion]);

  const add = async (event) => {
    if (!text.trim() || offline || busy || check.problem) return;
    setBusy(true);
    try {
      const how = event.ctrlKey ? ON_TRIAL : {};
      const rule = await addRule(text, { position: event.shiftKey ? undefined : 1, how });
      if (rule) {
        setAdded(rule);
        setText((now) => (now === text ? "" : now));
      }
    } catch (problem) {
      showProblem(problem);
    }
    setBusy(false);
  };
  const openForm = () => {
    editNewRule({ text });
    setText("");
  };

  return html`<section class="quick-add" aria-labelledby="quick-add-label">
    <div class="heading-row">
      <label id="quick-add-label" for="quick-add">Add a rule</label>
      <button class="plain" disabled=${offline} onClick=${openForm}>Form with every field <kbd>f</kbd></button>
    </div>
    <${SentenceField} id="quick-add" value=${text} onText=${setText} onEnter=${add} offline=${offline}
      check=${check} placeholder="drop icmp on docker0">
      <button class="primary add" disabled=${offline || !text.trim()} onClick=${add}>Add</button>
    <//>
    <div id="quick-add-verdict" class="sentence-verdict">
      ${text.trim() ? html`<${SentenceVerdict} check=${check}>
          <p class="keys"><kbd>Enter</kbd> adds it first <kbd>Shift Enter</kbd> last <kbd>Ctrl Enter</kbd> with a countdown</p><//>`
        : added ? html`<${AddedRule} rule=${added} />` : html`<${GrammarHint} />`}
    </div>
  </section>`;
}

const GrammarHint = () => html`<p>ACTION PROTOCOL/PORTS from ADDRESS to ADDRESS on INTERFACE in</p>
  <p class="keys"><kbd>/</kbd> to type here <kbd>↓</kbd> what may come next</p>`;

function AddedRule({ rule }) {
  const warnings = rule.warnings ?? [];
  return html`<p>Added at ${rule.position}: ${rule.text}
    ${warnings.map((words) => html` <span class="warning" key=${words}>Warning: ${wordsForPeople(words)}</span>`)}</p>`;
}
