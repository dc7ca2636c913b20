// The form of one rule: its sentence and every field of it, each following the other.

import { api } from "./api.mjs";
import { ON_TRIAL, TRIAL_LABEL } from "./ask.mjs";
import { closeDrawer, openRule } from "./drawer_state.mjs";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { addRule, saveRule } from "./rule_changes.mjs";
import { composeSentence, FIELD_GROUPS, fieldValues, problemField, PROTOCOLS } from "./rule_fields.mjs";
import { useSentenceCheck } from "./sentence_check.mjs";
import { SentenceField } from "./sentence_field.mjs";
import { SentenceVerdict } from "./sentence_verdict.mjs";
import { ruleOf, state } from "./store.mjs";

const NO_SUCH_ETAG = '"changed"'; // no rule has it: saving is refused

/** `panel` is {text, rule} to edit, or {text, position, title} for a new rule. */
export function RuleForm({ panel, offline }) {
  const { rule, position, title } = panel;
  const [text, setText] = useState(panel.text);
  const [values, setValues] = useState(fieldValues(rule ?? {}));
  const [spans, setSpans] = useState({});
  const [stale, setStale] = useState(false);
  const [busy, setBusy] = useState(false);
  const [check, showProblem] = useSentenceCheck(text, offline);
  const fieldsBox = useRef();
  const etag = useEtagPromise(rule);

  useLayoutEffect(() => {
    const field = document.getElementById("sentence");
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }, []);
  // What the sentence says fills the form, unless the form is being typed in.
  useEffect(() => {
    if (check.rule && !fieldsBox.current.contains(document.activeElement)) setValues(fieldValues(check.rule));
  }, [check.rule]);

  const typeSentence = (next) => {
    setText(next);
    setSpans({});
  };
  const setField = (name, value) => {
    const next = { ...values, [name]: value };
    const composed = composeSentence(next);
    setValues(next);
    setText(composed.text);
    setSpans(composed.spans);
  };
  const save = async (event, how = event?.ctrlKey ? ON_TRIAL : {}) => {
    event?.preventDefault();
    if (!text.trim() || offline || busy || check.problem) return;
    setBusy(true);
    try {
      const ifMatch = stale ? undefined : await etag.current;
      const saved = rule ? await saveRule(ruleOf(rule.id) ?? rule, text, { etag: ifMatch, how })
        : await addRule(text, { position, how });
      if (saved && rule) openRule(rule.id);
      else if (saved) closeDrawer();
    } catch (problem) {
      if (problem.status === 412) setStale(true);
      else showProblem(problem);
    }
    setBusy(false);
  };

  const wrong = problemField(check.problem, spans);
  const current = rule && ruleOf(rule.id);
  const held = offline || !text.trim() || (rule && !current);
  const changedRemotely = rule && (!current || current.text !== rule.text);
  return html`<form class="rule-form" onSubmit=${save} aria-label=${title ?? "Edit rule"}>
    <h2 tabindex="-1">${title ?? `Edit rule ${current?.position ?? rule.position}`}</h2>
    ${(changedRemotely || stale) && html`<p class="warning" role="alert">
      <strong>Somebody else ${current ? "changed" : "deleted"} this rule</strong> since you opened it${current && html`. It now says:
      ${" "}<code>${current.text}</code>. Saving replaces that.`}</p>`}
    <div class="top">
      <${SentenceField} id="sentence" value=${text} onText=${typeSentence} onEnter=${save} offline=${offline}
        check=${check} label="Sentence" placeholder="drop icmp on docker0" />
      <div id="sentence-verdict" class="sentence-verdict"><${SentenceVerdict} check=${check} /></div>
      <div class="choices">
        <button type="button" onClick=${closeDrawer}>Cancel</button>
        <button type="button" disabled=${held} aria-disabled=${busy} onClick=${(event) => save(event, ON_TRIAL)}>${TRIAL_LABEL}</button>
        <button class="primary" disabled=${held} aria-disabled=${busy}>
          ${rule ? "Save" : `Add at ${position}`}</button>
      </div>
    </div>
    <div class="fields" ref=${fieldsBox}>
      ${FIELD_GROUPS.map(([heading, fields]) => html`<fieldset key=${heading}>
        <legend>${heading}</legend>
        ${fields.map((field) => html`<${Field} key=${field.name} field=${field} offline=${offline}
          value=${values[field.name]} wrong=${wrong === field.name} setField=${setField} />`)}
      </fieldset>`)}
    </div>
    <datalist id="interfaces">${interfaceWords(state.interfaces).map((word) => html`<option key=${word} value=${word} />`)}</datalist>
    <datalist id="protocols">${PROTOCOLS.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
  </form>`;
}

/**
 * The version of the rule that is being edited, promised, so that saving notices a faster somebody;
 * one that no rule has when it was changed before it could be asked for.
 */
function useEtagPromise(rule) {
  const etag = useRef();
  useLayoutEffect(() => {
    if (!rule) return;
    etag.current = api.rule(rule.id).then(
      ({ answer, etag }) => (answer.text === rule.text ? etag : NO_SUCH_ETAG),
      () => undefined,
    );
  }, []);
  return etag;
}

function Field({ field, value, wrong, offline, setField }) {
  const { name, label, choices, example, list } = field;
  const id = `field-${name}`;
  const onChange = (event) => setField(name, event.target.value);
  return html`<p class="form-field">
    <label for=${id}>${label}</label>
    ${choices
      ? html`<select id=${id} value=${value} onChange=${onChange} disabled=${offline}>
          ${choices.map(([key, words = key]) => html`<option key=${key} value=${key}>${words}</option>`)}
        </select>`
      : html`<input id=${id} type="text" value=${value} onInput=${onChange} readOnly=${offline} aria-disabled=${offline} list=${list}
          placeholder=${example} autocomplete="off" autocapitalize="off" spellcheck=${name === "comment"}
          aria-invalid=${wrong} aria-describedby=${wrong ? "sentence-verdict" : undefined} />`}
  </p>`;
}

// The interfaces, and the masters of some of them for their ports.
function interfaceWords(interfaces) {
  const masters = new Set(interfaces.map((i) => i.master).filter(Boolean));
  return [...interfaces.map((i) => i.name), ...[...masters].map((name) => `ports:${name}`)];
}
