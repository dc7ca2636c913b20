// The form behind the bar: a sentence and every field of it, each following the other.

import { api } from "./api.mjs";
import { close, openRule } from "./drawer_state.mjs";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { addRule, saveRule } from "./rule_changes.mjs";
import { compose, fieldAt, GROUPS, PROTOCOLS, valuesOf } from "./rule_fields.mjs";
import { useJudge } from "./sentence_check.mjs";
import { SentenceField } from "./sentence_field.mjs";
import { Verdict } from "./sentence_verdict.mjs";
import { ruleOf, state } from "./store.mjs";

const CHANGED = '"changed"';

/** `panel` is {text, rule} to edit, or {text, position, title} for a new rule. */
export function Editor({ panel, held }) {
  const { rule, position, title } = panel;
  const [text, setText] = useState(panel.text);
  const [values, setValues] = useState(valuesOf(rule ?? {}));
  const [spans, setSpans] = useState({});
  const [stale, setStale] = useState(false);
  const [busy, setBusy] = useState(false);
  const [judged, refuse] = useJudge(text, held);
  const form = useRef();
  const etag = useEtag(rule);

  useLayoutEffect(() => {
    const field = document.getElementById("sentence");
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }, []);
  // What the sentence says fills the form, unless the form is being typed in.
  useEffect(() => {
    if (judged.rule && !form.current.contains(document.activeElement)) setValues(valuesOf(judged.rule));
  }, [judged.rule]);

  const say = (next) => {
    setText(next);
    setSpans({});
  };
  const put = (name, value) => {
    const next = { ...values, [name]: value };
    const composed = compose(next);
    setValues(next);
    setText(composed.text);
    setSpans(composed.spans);
  };
  const save = async (event) => {
    event?.preventDefault();
    if (!text.trim() || held || busy || judged.problem) return;
    setBusy(true);
    try {
      const sure = stale ? undefined : await etag.current;
      const done = rule ? await saveRule(ruleOf(rule.id) ?? rule, text, sure) : await addRule(text, { position });
      if (done && rule) openRule(rule.id);
      else if (done) close();
    } catch (problem) {
      if (problem.status === 412) setStale(true);
      else refuse(problem);
    }
    setBusy(false);
  };

  const wrong = fieldAt(judged.problem, spans);
  const now = rule && ruleOf(rule.id);
  const theirs = rule && (!now || now.text !== rule.text);
  return html`<form class="editor" onSubmit=${save} aria-label=${title ?? "Edit rule"}>
    <h2 tabindex="-1">${title ?? `Edit rule ${now?.position ?? rule.position}`}</h2>
    ${(theirs || stale) && html`<p class="warning" role="alert">
      <strong>Somebody else ${now ? "changed" : "deleted"} this rule</strong> since you opened it${now && html`. It now says:
      ${" "}<code>${now.text}</code>. Saving replaces that.`}</p>`}
    <div class="top">
      <${SentenceField} id="sentence" value=${text} onText=${say} onEnter=${save} held=${held}
        judged=${judged} label="Sentence" placeholder="drop icmp on docker0" />
      <div id="sentence-says" class="says"><${Verdict} judged=${judged} /></div>
      <div class="choices">
        <button type="button" onClick=${close}>Cancel</button>
        <button class="primary" disabled=${held || !text.trim() || (rule && !now)} aria-disabled=${busy}>
          ${rule ? "Save" : `Add at ${position}`}</button>
      </div>
    </div>
    <div class="fields" ref=${form}>
      ${GROUPS.map(([heading, fields]) => html`<fieldset key=${heading}>
        <legend>${heading}</legend>
        ${fields.map((field) => html`<${Field} key=${field.name} field=${field} held=${held}
          value=${values[field.name]} wrong=${wrong === field.name} put=${put} />`)}
      </fieldset>`)}
    </div>
    <datalist id="interfaces">${state.interfaces.map((i) => html`<option key=${i.name} value=${i.name} />`)}</datalist>
    <datalist id="protocols">${PROTOCOLS.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
  </form>`;
}

/**
 * The version of the rule that is being edited, promised, so that saving notices a faster somebody;
 * one that no rule has when it was changed before it could be asked for.
 */
function useEtag(rule) {
  const etag = useRef();
  useLayoutEffect(() => {
    if (!rule) return;
    etag.current = api.rule(rule.id).then(
      ({ answer, etag }) => (answer.text === rule.text ? etag : CHANGED),
      () => undefined,
    );
  }, []);
  return etag;
}

function Field({ field, value, wrong, held, put }) {
  const { name, label, choices, example, list } = field;
  const id = `field-${name}`;
  const change = (event) => put(name, event.target.value);
  return html`<p class="entry">
    <label for=${id}>${label}</label>
    ${choices
      ? html`<select id=${id} value=${value} onChange=${change} disabled=${held}>
          ${choices.map(([key, words = key]) => html`<option key=${key} value=${key}>${words}</option>`)}
        </select>`
      : html`<input id=${id} type="text" value=${value} onInput=${change} disabled=${held} list=${list}
          placeholder=${example} autocomplete="off" autocapitalize="off" spellcheck=${name === "comment"}
          aria-invalid=${wrong} aria-describedby=${wrong ? "sentence-says" : undefined} />`}
  </p>`;
}
