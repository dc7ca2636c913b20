// A field for a sentence: a wave under the wrong word, completion of the word under way.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.mjs";
import { isUnfinished } from "./sentence_check.mjs";

const MAX_COMPLETIONS = 10;

/**
 * `check` is that of useSentenceCheck for the text. `onEnter(event)` is called for Enter when no completion
 * is taken by it. The list follows the combobox pattern: arrows choose, Enter or Tab takes, Escape
 * closes. `children` stand at the end of the line.
 */
export function SentenceField({ id, value, onText, onEnter, check, offline, label, placeholder, children }) {
  const input = useRef();
  const mirror = useRef();
  const [open, setOpen] = useState(false);
  const [activeIndex, setActiveIndex] = useState(-1);
  const [tabWaiting, setTabWaiting] = useState(false); // Tab came before the completions did
  const { problem, completions, word } = check;
  const options = open && completions ? completions.slice(0, MAX_COMPLETIONS) : [];
  const shownProblem = problem && !isUnfinished(check) ? problem : null;
  const chosen = options[activeIndex];
  const closeList = () => {
    setOpen(false);
    setActiveIndex(-1);
    setTabWaiting(false);
  };
  const takeCompletion = ({ insert }) => {
    onText(value.slice(0, word[0]) + insert);
    setActiveIndex(-1);
    setOpen(true);
    input.current.focus();
  };

  useLayoutEffect(() => {
    // Only where there is something to scroll: it makes the browser lay out the page at once.
    if (value) mirror.current.scrollLeft = input.current.scrollLeft;
  }, [value, problem]);
  useEffect(closeList, [offline]);
  useEffect(() => {
    if (tabWaiting && completions) setTabWaiting(false);
    if (tabWaiting && options.length) takeCompletion(options[0]);
  }, [completions]);

  const onInput = (event) => {
    // The list is about the end of the sentence; in its middle it would be in the way.
    setOpen(event.target.selectionEnd === event.target.value.length);
    setActiveIndex(-1);
    onText(event.target.value);
  };
  const moveChoice = (by) => {
    if (!open) setOpen(true);
    else if (options.length) setActiveIndex(((activeIndex < 0 && by < 0 ? 0 : activeIndex) + by + options.length) % options.length);
  };
  /** Tab completes a word that was begun, and leaves the field otherwise. */
  const onTab = () => {
    if (!/\S$/.test(value) || !open) return Boolean(chosen) && !takeCompletion(chosen);
    if (!completions) setTabWaiting(true);
    else if (options.length) takeCompletion(chosen ?? options[0]);
    return !completions || options.length > 0;
  };
  const onKeyDown = (event) => {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") moveChoice(key === "ArrowDown" ? 1 : -1);
    else if (key === "Escape" && open && (options.length || !completions)) {
      closeList();
      event.stopPropagation();
    } else if (key === "Tab" && !event.shiftKey) {
      if (!onTab()) return;
    } else if (key === "Enter" && chosen) takeCompletion(chosen);
    else if (key === "Enter" && !event.isComposing) {
      closeList();
      onEnter(event);
    } else return;
    event.preventDefault();
  };

  return html`<div class="sentence-line">
    <span class="prompt" aria-hidden="true">›</span>
    <div class="field">
      <input id=${id} ref=${input} type="text" role="combobox" value=${value} onInput=${onInput}
        onKeyDown=${onKeyDown} onBlur=${closeList} onScroll=${(e) => { mirror.current.scrollLeft = e.target.scrollLeft; }}
        placeholder=${placeholder} autocomplete="off" autocapitalize="off" autocorrect="off"
        spellcheck=${false} enterkeyhint="done" readOnly=${offline} aria-disabled=${offline} aria-label=${label}
        aria-invalid=${Boolean(shownProblem)} aria-describedby="${id}-verdict" aria-autocomplete="list"
        aria-expanded=${options.length > 0} aria-controls="${id}-completions"
        aria-activedescendant=${chosen ? `${id}-completion-${activeIndex}` : undefined} />
      <div class="mirror" ref=${mirror} aria-hidden="true"><${MarkedText} text=${value} problem=${shownProblem} /></div>
      <ul id="${id}-completions" class="completions" role="listbox" aria-label="What may come next"
        hidden=${options.length === 0} style=${{ left: `min(${word?.[0] ?? 0}ch, 100% - 300px)` }}>
        ${options.map((option, i) => html`<li key=${option.text} id="${id}-completion-${i}" role="option"
          aria-selected=${i === activeIndex} onMouseDown=${(e) => { e.preventDefault(); takeCompletion(option); }}>
          <b>${option.text}</b> <small>${option.hint ?? option.kind}</small>
        </li>`)}
      </ul>
    </div>
    ${children}
  </div>`;
}

/** The typed text again, unseen, with a wave under the wrong word. */
function MarkedText({ text, problem }) {
  if (!problem?.span) return text;
  const [start, end] = problem.span;
  // A word that is missing at the end still gets its mark.
  const wrong = text.slice(start, end) || "\u00a0\u00a0";
  return html`${text.slice(0, start)}<mark>${wrong}</mark>${text.slice(end)}`;
}
