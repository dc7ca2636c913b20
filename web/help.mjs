// The list of keys, opened by `?`.

import { html, useEffect, useRef } from "./html.mjs";
import { setState } from "./store.mjs";

const KEYS = [
  ["Rules", [
    [["/", "n"], "type a rule"],
    [["f"], "form with every field"],
    [["j", "k"], "next, previous row"],
    [["Enter"], "open the row"],
    [["e"], "edit"],
    [["Space"], "disable or enable"],
    [["Shift j", "Shift k"], "move down, up"],
    [["d"], "duplicate"],
    [["Backspace"], "delete"],
    [["u"], "undo the last change"],
    [["w"], "why: what the rule decides"],
  ]],
  ["Everywhere", [
    [["w"], "why: what becomes of a packet"],
    [["b"], "blocks"],
    [["h"], "history"],
    [["c"], "check the rules"],
    [["p"], "policy"],
  ]],
  ["While typing a rule", [
    [["↓", "↑"], "choose what may come next"],
    [["Tab"], "complete the word"],
    [["Enter"], "add it first"],
    [["Shift Enter"], "add it last"],
    [["Ctrl Enter"], "add it, with a countdown"],
    [["Esc"], "leave"],
  ]],
];

export function Help({ open }) {
  const dialog = useRef();
  useEffect(() => {
    if (open) dialog.current.showModal();
  }, [open]);
  if (!open) return null;
  return html`<dialog ref=${dialog} class="help" aria-labelledby="help" onClose=${() => setState({ help: false })}>
    <h2 id="help">Keys</h2>
    ${KEYS.map(([heading, keys]) => html`<section key=${heading}>
      <h3>${heading}</h3>
      <dl>${keys.map(([names, words]) => html`<div key=${words}>
        <dt>${names.map((name) => html`<kbd key=${name}>${name}</kbd>`)}</dt><dd>${words}</dd></div>`)}</dl>
    </section>`)}
    <div class="choices"><button autofocus onClick=${() => dialog.current.close()}>Close</button></div>
  </dialog>`;
}
