// The bar in the middle: a sentence becomes a rule. What it becomes, or where it goes wrong, is
// shown beneath while typing; the mark stands under the wrong word.

import { addRule } from "./actions.mjs";
import { api, Problem } from "./api.mjs";
import { sentence } from "./format.mjs";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { connectionFailed } from "./state.mjs";

const PAUSE_MS = 120;

/** `suggestion` is {text}: a new one fills the bar. */
export function QuickAdd({ held, suggestion }) {
  const [text, setText] = useState("");
  const [verdict, setVerdict] = useState({}); // {of, rule} or {of, problem} or {added}
  const [busy, setBusy] = useState(false);
  const input = useRef();
  const echo = useRef();
  const latest = useRef("");
  latest.current = text;

  useEffect(() => {
    if (!suggestion) return;
    setText(suggestion.text);
    input.current.focus();
  }, [suggestion]);

  useEffect(() => {
    if (!text.trim() || held) return undefined;
    const timer = setTimeout(async () => {
      const next = await judge(text);
      if (next && latest.current === text) setVerdict(next);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, held]);

  useLayoutEffect(() => {
    echo.current.scrollLeft = input.current.scrollLeft;
  });

  const type = (event) => setText(event.target.value);
  const add = async (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (!text.trim() || held || busy) return;
    setBusy(true);
    try {
      const rule = await addRule(text, { first: !event.shiftKey });
      if (rule) {
        setVerdict({ added: rule });
        if (latest.current === text) setText("");
      }
    } catch (problem) {
      setVerdict({ of: text, problem });
    }
    setBusy(false);
  };

  const current = verdict.of === text && text.trim() ? verdict : {};
  const problem = current.problem;
  return html`<section class="quick" aria-labelledby="quick-label">
    <label id="quick-label" for="quick">Add a rule</label>
    <div class="line">
      <span class="prompt" aria-hidden="true">›</span>
      <div class="field">
        <input id="quick" ref=${input} type="text" value=${text} onInput=${type} onKeyDown=${add}
          onScroll=${(e) => { echo.current.scrollLeft = e.target.scrollLeft; }}
          placeholder="drop icmp on docker0" autocomplete="off" autocapitalize="off" autocorrect=${false}
          spellcheck=${false} enterkeyhint="done" disabled=${held}
          aria-invalid=${Boolean(problem)} aria-describedby="quick-says" />
        <div class="echo" ref=${echo} aria-hidden="true"><${Marked} text=${text} problem=${problem} /></div>
      </div>
    </div>
    <div id="quick-says" class="says"><${Says} text=${text} current=${current} added=${verdict.added} /></div>
  </section>`;
}

async function judge(text) {
  try {
    return { of: text, rule: (await api.parse(text)).text };
  } catch (error) {
    if (error instanceof Problem && error.status === 422) return { of: text, problem: error };
    connectionFailed(error);
    return null;
  }
}

/** The typed text again, unseen, with a wave under the wrong word. */
function Marked({ text, problem }) {
  if (!problem?.span) return text;
  const [start, end] = problem.span;
  // A word that is missing at the end still gets its mark.
  const wrong = text.slice(start, end) || "\u00a0\u00a0";
  return html`${text.slice(0, start)}<mark>${wrong}</mark>${text.slice(end)}`;
}

function Says({ text, current, added }) {
  const { rule, problem } = current;
  if (problem) {
    return html`<div class="error"><p>${problem.message}</p><p><i>${problem.hint}</i></p></div>`;
  }
  if (rule) {
    const { verdict, match, comment } = sentence(rule);
    return html`<p><b class=${verdict}>${verdict}</b>${match}<i>${comment}</i></p>
      <p class="keys"><kbd>Enter</kbd> adds it first <kbd>Shift Enter</kbd> adds it last</p>`;
  }
  if (added && !text) return html`<${Added} rule=${added} />`;
  if (text) return null;
  return html`<p>ACTION PROTOCOL/PORTS from ADDRESS to ADDRESS on INTERFACE in</p>
    <p class="keys"><kbd>/</kbd> to type here</p>`;
}

function Added({ rule }) {
  const warnings = rule.warnings ?? [];
  return html`<p>Added at ${rule.position}: ${rule.text}
    ${warnings.map((words) => html` <span class="warning" key=${words}>Warning: ${words}</span>`)}</p>`;
}
