// A field for a sentence: a wave under the wrong word, completion of the word under way.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { state } from "./store.mjs";
import { complete } from "./words.mjs";

/**
 * `onEnter(event)` is called for Enter when no completion is taken by it. The list follows the
 * combobox pattern: arrows choose, Enter or Tab takes, Escape closes.
 */
export function SentenceField({ id, value, onText, onEnter, problem, held, label, placeholder }) {
  const input = useRef();
  const echo = useRef();
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const { from, options } = open ? complete(value, state.interfaces) : { from: 0, options: [] };
  const chosen = options[at];
  const shut = () => {
    setOpen(false);
    setAt(-1);
  };

  useLayoutEffect(() => {
    echo.current.scrollLeft = input.current.scrollLeft;
  });
  useEffect(() => shut(), [held]);

  const type = (event) => {
    // The list is about the end of the sentence; in its middle it would be in the way.
    setOpen(event.target.selectionEnd === event.target.value.length);
    setAt(-1);
    onText(event.target.value);
  };
  const take = ({ word }) => {
    shut();
    const more = word === "comment" ? ' "' : word.endsWith("/") ? "" : " ";
    onText(value.slice(0, from) + word + more);
    setOpen(true);
    input.current.focus();
  };
  const step = (by) => {
    if (!open) setOpen(true);
    else if (options.length) setAt((at + by + options.length + (at < 0 && by < 0 ? 1 : 0)) % options.length);
  };
  const press = (event) => {
    const { key } = event;
    const begun = value.slice(from).length > 0;
    if (key === "ArrowDown" || key === "ArrowUp") step(key === "ArrowDown" ? 1 : -1);
    else if (key === "Escape" && options.length) {
      shut();
      event.stopPropagation();
    } else if ((key === "Enter" && chosen) || (key === "Tab" && !event.shiftKey && (chosen || (begun && options.length)))) {
      take(chosen ?? options[0]);
    } else if (key === "Enter" && !event.isComposing) {
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
        placeholder=${placeholder} autocomplete="off" autocapitalize="off" autocorrect=${false}
        spellcheck=${false} enterkeyhint="done" disabled=${held} aria-label=${label}
        aria-invalid=${Boolean(problem)} aria-describedby="${id}-says" aria-autocomplete="list"
        aria-expanded=${options.length > 0} aria-controls="${id}-words"
        aria-activedescendant=${chosen ? `${id}-word-${at}` : undefined} />
      <div class="echo" ref=${echo} aria-hidden="true"><${Marked} text=${value} problem=${problem} /></div>
      <ul id="${id}-words" class="words" role="listbox" aria-label="What may come next"
        hidden=${options.length === 0} style=${{ left: `min(${from}ch, 100% - 260px)` }}>
        ${options.map((option, i) => html`<li key=${option.word} id="${id}-word-${i}" role="option"
          aria-selected=${i === at} onMouseDown=${(e) => { e.preventDefault(); take(option); }}>
          <b>${option.word}</b> <small>${option.note}</small>
        </li>`)}
      </ul>
    </div>
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
