// One row of the table of rules: a sentence, its live counters, its menu, undo in place.

import { openRule } from "./drawer_state.mjs";
import { ago, exact, rate, size } from "./format.mjs";
import { html, memo } from "./html.mjs";
import { hitOf } from "./rates.mjs";
import { deleteRule, putBack } from "./rule_changes.mjs";
import { RowMenu } from "./rule_menu.mjs";
import { Sentence } from "./sentence_verdict.mjs";
import { Sparkline } from "./sparkline.mjs";
import { undo as takeBack } from "./undo.mjs";

/**
 * `ghost` is "mine" or "theirs" for a deleted rule; `undo` is what can be taken back and `left` the
 * seconds for it; `mark` is what somebody else did; `hit` is when it was last hit, in words.
 *
 * Not a component: of those Preact would take every one out and put it in again when some above it
 * leave, and the browser would lay all of them out anew. Only the cells are remembered.
 */
export function drawRow({ index, open, ...cells }) {
  const { rule, ghost, mark, meter } = cells;
  const look = [
    ghost && "ghost",
    (!rule.enabled || rule.expired) && "quiet-row",
    !ghost && meter?.rate && `hot ${rule.action}`,
    !(meter ?? rule).packets && "dormant",
    open && "open",
    mark && "marked",
  ];
  const show = (event) => !ghost && !event.target.closest("button, [role=menu]") && openRule(rule.id);
  return html`<tr key=${rule.id} class=${look.filter(Boolean).join(" ")} tabindex="-1" aria-rowindex=${index}
    data-rule=${rule.id} onClick=${show}><${Cells} ...${cells} /></tr>`;
}

const Cells = memo(({ rule, ghost, above, undo, left, mark, meter, hit, held }) => {
  const { packets, bytes } = meter ?? rule;
  const now = (!ghost && meter?.rate) || 0;
  return html`
    <td class="at" draggable=${!ghost && !held}>${ghost ? "–" : rule.position}</td>
    <th scope="row" class="text" title=${rule.text}>
      ${ghost
        ? html`<${Sentence} text=${rule.text} />`
        : html`<button class="sentence-of" onClick=${() => openRule(rule.id)}><${Sentence} text=${rule.text} /></button>`}
      <${Notes} rule=${rule} ghost=${ghost} undo=${undo} mark=${mark} />
    </th>
    <td class="id">${rule.id}</td>
    <td class="n packets" title="${exact(packets)} packets">
      ${exact(packets)}<small>${now ? `${rate(now)}/s` : ""}</small></td>
    <td class="n bytes" title="${exact(bytes)} bytes">${size(bytes)}</td>
    <td class="n rate">${rate(now)}</td>
    <td class="minute">${!ghost &&
      html`<${Sparkline} meter=${meter} tone=${rule.action} of=${rule.id} />`}</td>
    <td class="hit">${ghost ? "" : hit}</td>
    <td class="do">
      <${Act} rule=${rule} ghost=${ghost} above=${above} undo=${undo} left=${left} held=${held} />
      ${!ghost && html`<${RowMenu} rule=${rule} held=${held} />`}
    </td>`;
});

/** What of a rule changes without its counters moving: the row is drawn again when it does. */
export const hitWords = (rule, meter) => ago(hitOf(rule, meter));

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
function Act({ rule, ghost, above, undo, left, held }) {
  const [name, label, act] = undo
    ? [`Undo ${left}`, `Undo: ${undo.words} ${rule.text}`, () => takeBack(undo)]
    : ghost
      ? ["Put back", `Put back ${rule.text}`, () => putBack(rule, above)]
      : ["Delete", `Delete ${rule.text}`, () => deleteRule(rule)];
  return html`<button class=${undo || ghost ? "undo" : "delete"} disabled=${held} onClick=${act}
    aria-label=${label}>${name}</button>`;
}
