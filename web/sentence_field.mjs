// A field for a sentence: a wave under the wrong word, completion of the word under way.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { unfinished } from "./sentence_check.mjs";

const MOST = 10;

/**
 * `judged` is what useJudge says of the text. `onEnter(event)` is called for Enter when no completion
 * is taken by it. The list follows the combobox pattern: arrows choose, Enter or Tab takes, Escape
 * closes. `children` stand at the end of the line.
 */
export function SentenceField({ id, value, onText, onEnter, judged, held, label, placeholder, children }) {
  const input = useRef();
  const echo = useRef();
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const [hurry, setHurry] = useState(false); // Tab came before the completions did
  const { problem, completions, word } = judged;
  const options = open && completions ? completions.slice(0, MOST) : [];
  const wrong = problem && !unfinished(judged) ? problem : null;
  const chosen = options[at];
  const shut = () => {
    setOpen(false);
    setAt(-1);
    setHurry(false);
  };
  const take = ({ insert }) => {
    onText(value.slice(0, word[0]) + insert);
    setAt(-1);
    setOpen(true);
    input.current.focus();
  };

  useLayoutEffect(() => {
    // Only where there is something to scroll: it makes the browser lay out the page at once.
    if (value) echo.current.scrollLeft = input.current.scrollLeft;
  }, [value, problem]);
  useEffect(shut, [held]);
  useEffect(() => {
    if (hurry && completions) setHurry(false);
    if (hurry && options.length) take(options[0]);
  }, [completions]);

  const type = (event) => {
    // The list is about the end of the sentence; in its middle it would be in the way.
    setOpen(event.target.selectionEnd === event.target.value.length);
    setAt(-1);
    onText(event.target.value);
  };
  const step = (by) => {
    if (!open) setOpen(true);
    else if (options.length) setAt(((at < 0 && by < 0 ? 0 : at) + by + options.length) % options.length);
  };
  /** Tab completes a word that was begun, and leaves the field otherwise. */
  const tab = () => {
    if (!/\S$/.test(value) || !open) return Boolean(chosen) && !take(chosen);
    if (!completions) setHurry(true);
    else if (options.length) take(chosen ?? options[0]);
    return !completions || options.length > 0;
  };
  const press = (event) => {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") step(key === "ArrowDown" ? 1 : -1);
    else if (key === "Escape" && open && (options.length || !completions)) {
      shut();
      event.stopPropagation();
    } else if (key === "Tab" && !event.shiftKey) {
      if (!tab()) return;
    } else if (key === "Enter" && chosen) take(chosen);
    else if (key === "Enter" && !event.isComposing) {
      shut();
      onEnter(event);
    } else return;
    event.preventDefault();
  };

  return html`<div class="line">
    <span class="prompt" aria-hidden="true">›</span>
    <div class="field">
      <input id=${id} ref=${input} type="text" role="combobox" value=${value} onInput=${type}
        onKeyDown=${press} onBlur=${shut} onScroll=${(e) => { echo.current.scrollLeft = e.target.scrollLeft; }}
        placeholder=${placeholder} autocomplete="off" autocapitalize="off" autocorrect="off"
        spellcheck=${false} enterkeyhint="done" disabled=${held} aria-label=${label}
        aria-invalid=${Boolean(wrong)} aria-describedby="${id}-says" aria-autocomplete="list"
        aria-expanded=${options.length > 0} aria-controls="${id}-words"
        aria-activedescendant=${chosen ? `${id}-word-${at}` : undefined} />
      <div class="echo" ref=${echo} aria-hidden="true"><${Marked} text=${value} problem=${wrong} /></div>
      <ul id="${id}-words" class="words" role="listbox" aria-label="What may come next"
        hidden=${options.length === 0} style=${{ left: `min(${word?.[0] ?? 0}ch, 100% - 300px)` }}>
        ${options.map((option, i) => html`<li key=${option.text} id="${id}-word-${i}" role="option"
          aria-selected=${i === at} onMouseDown=${(e) => { e.preventDefault(); take(option); }}>
          <b>${option.text}</b> <small>${option.hint ?? option.kind}</small>
        </li>`)}
      </ul>
    </div>
    ${children}
  </div>`;
}

/** The typed text again, unseen, with a wave under the wrong word. */
function Marked({ text, problem }) {
  if (!problem?.span) return text;
  const [start, end] = problem.span;
  // A word that is missing at the end still gets its mark.
  const wrong = text.slice(start, end) || "\u00a0\u00a0";
  return html`${text.slice(0, start)}<mark>${wrong}</mark>${text.slice(end)}`;
}
