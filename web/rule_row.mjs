// One row of the table of rules: a sentence, its live counters, its menu, undo in place.

import { openRule } from "./drawer_state.mjs";
import { agoWords, exact, rateWords, sizeWords } from "./format.mjs";
import { html, memo } from "./html.mjs";
import { lastHit } from "./rates.mjs";
import { deleteRule, putBack } from "./rule_changes.mjs";
import { RuleMenu } from "./rule_menu.mjs";
import { Sentence } from "./sentence_verdict.mjs";
import { Sparkline } from "./sparkline.mjs";
import { undo as takeBack } from "./undo.mjs";

/**
 * `ghost` is "mine" or "theirs" for a deleted rule; `undo` is what can be taken back and `secondsLeft`
 * how long; `mark` is what somebody else did; `hitWords` says when the rule was last hit.
 *
 * Not a component: of those Preact would take every one out and put it in again when some above it
 * leave, and the browser would lay all of them out anew. Only the cells are remembered.
 */
export function drawRow({ index, open, ...cells }) {
  const { rule, ghost, mark, meter } = cells;
  const classes = [
    ghost && "ghost",
    (!rule.enabled || rule.expired) && "quiet-row",
    !ghost && meter?.rate && `hot ${rule.action}`,
    !(meter ?? rule).packets && "dormant",
    open && "open",
    mark && "marked",
  ];
  const openOnClick = (event) => !ghost && !event.target.closest("button, [role=menu]") && openRule(rule.id);
  return html`<tr key=${rule.id} class=${classes.filter(Boolean).join(" ")} tabindex="-1" aria-rowindex=${index}
    data-rule=${rule.id} onClick=${openOnClick}><${Cells} ...${cells} /></tr>`;
}

const Cells = memo(({ rule, ghost, idsAbove, undo, secondsLeft, mark, meter, hitWords, offline }) => {
  const { packets, bytes } = meter ?? rule;
  const currentRate = (!ghost && meter?.rate) || 0;
  return html`
    <td class="position" draggable=${!ghost && !offline}>${ghost ? "–" : rule.position}</td>
    <th scope="row" class="text" title=${rule.text}>
      ${ghost
        ? html`<${Sentence} text=${rule.text} />`
        : html`<button class="sentence-button" onClick=${() => openRule(rule.id)}><${Sentence} text=${rule.text} /></button>`}
      <${Notes} rule=${rule} ghost=${ghost} undo=${undo} mark=${mark} />
    </th>
    <td class="id">${rule.id}</td>
    <td class="number packets" title="${exact(packets)} packets">
      ${exact(packets)}<small>${currentRate ? `${rateWords(currentRate)}/s` : ""}</small></td>
    <td class="number bytes" title="${exact(bytes)} bytes">${sizeWords(bytes)}</td>
    <td class="number rate">${rateWords(currentRate)}</td>
    <td class="last-minute">${!ghost &&
      html`<${Sparkline} meter=${meter} tone=${rule.action} subject=${rule.id} />`}</td>
    <td class="last-hit">${ghost ? "" : hitWords}</td>
    <td class="actions">
      <${RowAction} rule=${rule} ghost=${ghost} idsAbove=${idsAbove} undo=${undo} secondsLeft=${secondsLeft} offline=${offline} />
      ${!ghost && html`<${RuleMenu} rule=${rule} offline=${offline} />`}
    </td>`;
});

/** When a rule was last hit, in words: they change without its counters, and the row is drawn again. */
export const lastHitWords = (rule, meter) => agoWords(lastHit(rule, meter));

/** What stands behind the sentence: expired, what was just done to it, and by whom. */
function Notes({ rule, ghost, undo, mark }) {
  const notes = [];
  if (rule.expired && !ghost) notes.push(["expired", "mark"]);
  if (ghost === "theirs") notes.push(["deleted elsewhere", "mark"]);
  else if (undo) notes.push([undo.words, "note"]);
  if (mark) notes.push([mark.words, "mark", [mark.who, mark.was && `it said: ${mark.was}`].filter(Boolean).join("; ")]);
  return notes.map(([words, kind, title]) => html` <span key=${words} class=${kind} title=${title}>${words}</span>`);
}

/** One button that becomes Undo in its place: the focus stays on it. */
function RowAction({ rule, ghost, idsAbove, undo, secondsLeft, offline }) {
  const [name, label, act] = undo
    ? [`Undo ${secondsLeft}`, `Undo: ${undo.words} ${rule.text}`, () => takeBack(undo)]
    : ghost
      ? ["Put back", `Put back ${rule.text}`, () => putBack(rule, idsAbove)]
      : ["Delete", `Delete ${rule.text}`, () => deleteRule(rule)];
  return html`<button class=${undo || ghost ? "undo" : "delete"} disabled=${offline} onClick=${act}
    aria-label=${label}>${name}</button>`;
}
