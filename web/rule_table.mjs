// The table of rules and, at its end, the policy. Of a long one only the rows in the window are drawn.

import { DRAG_HANDLERS } from "./drag.mjs";
import { openPolicy } from "./drawer_state.mjs";
import { exact, policyWords, rateWords, sizeWords } from "./format.mjs";
import { html, useLayoutEffect, useRef } from "./html.mjs";
import { total } from "./rates.mjs";
import { useRowWindow } from "./row_window.mjs";
import { drawRow, lastHitWords } from "./rule_row.mjs";
import { rowsToDraw, secondsLeft, undo as takeBack } from "./undo.mjs";

/** Past this many only the visible rows are drawn, each one line high. */
const MAX_UNWINDOWED = 200;

export function RuleTable({ state, offline, suggest, iface }) {
  const { rates, marks, undos, panel, status } = state;
  const rows = useRowsToDraw(state);
  const windowed = rows.length > MAX_UNWINDOWED;
  const body = useRef();
  useKeptFocus(body);
  const { from, to, above, below } = useRowWindow(body, rows.length, windowed);
  const undoByKey = new Map(undos.map((undo) => [undo.key, undo]));
  const classes = ["rules", windowed && "windowed"].filter(Boolean).join(" ");
  const draw = (row, i) => {
    const { id } = row.rule;
    const [meter, undo] = [rates.rules.get(id), undoByKey.get(id)];
    return drawRow({
      ...row, undo, meter, offline,
      secondsLeft: undo && secondsLeft(undo),
      mark: marks.get(id),
      hitWords: lastHitWords(row.rule, meter),
      index: from + i + 2,
      open: panel?.id === id,
    });
  };
  return html`<section aria-labelledby="rules-title">
    <h2 id="rules-title" class="visually-hidden">Rules</h2>
    <table class=${classes} aria-rowcount=${rows.length + 2}>
      <caption class="visually-hidden">Rules in order: the first that matches and decides, decides</caption>
      <thead>
        <tr aria-rowindex="1">
          <th scope="col" class="position">#</th>
          <th scope="col">Rule</th>
          <th scope="col" class="id">Id</th>
          <th scope="col" class="number packets">Packets</th>
          <th scope="col" class="number bytes">Bytes</th>
          <th scope="col" class="number rate"><abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="last-minute">Last 60 s</th>
          <th scope="col" class="last-hit">Last hit</th>
          <th scope="col" class="actions"><span class="visually-hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody ref=${body} ...${DRAG_HANDLERS}>
        ${above > 0 && html`<${SpacerRow} key="above" height=${above} />`}
        ${rows.slice(from, to).map(draw)}
        ${below > 0 && html`<${SpacerRow} key="below" height=${below} />`}
      </tbody>
      <tfoot><${PolicyRow} policy=${status.policy} rates=${rates} index=${rows.length + 2} offline=${offline}
        undo=${undoByKey.get("policy")} /></tfoot>
    </table>
    ${rows.length === 0
      ? html`<${NoRules} suggest=${suggest} iface=${iface} offline=${offline} />`
      : iface && status.on && !total(rates, "dropped").packets && html`<p class="none">
          Nothing dropped yet. Send a packet that a drop rule names: its row lights up and counts.</p>`}
  </section>`;
}

/** The rows to draw; counters alone do not change them. */
function useRowsToDraw(state) {
  const last = useRef({});
  const { rules, undos, deletedRemotely } = state;
  const { current } = last;
  if (current.rules !== rules || current.undos !== undos || current.deletedRemotely !== deletedRemotely) {
    last.current = { rules, undos, deletedRemotely, rows: rowsToDraw(state) };
  }
  return last.current.rows;
}

/** A row that moves in the document loses the focus: it gets it back. */
function useKeptFocus(body) {
  const had = document.activeElement;
  useLayoutEffect(() => {
    const lost = document.activeElement === document.body && had !== document.body;
    if (lost && body.current.contains(had)) had.focus({ preventScroll: true });
  });
}

const SpacerRow = ({ height }) =>
  html`<tr aria-hidden="true"><td style=${{ height: `${height}px`, padding: 0 }}></td></tr>`;

function PolicyRow({ policy, rates, index, offline, undo }) {
  const dropped = total(rates, "policy_dropped");
  const drops = [policy.ingress, policy.egress, policy.non_ip].includes("drop");
  return html`<tr class="policy ${drops && dropped.rate ? "hot drop" : ""}" aria-rowindex=${index}>
    <td class="position">–</td>
    <th scope="row" class="text">otherwise: <b class=${drops ? "drop" : "accept"}>${policyWords(policy)}</b></th>
    <td class="id">policy</td>
    <td class="number packets">${drops ? exact(dropped.packets) : ""}</td>
    <td class="number bytes">${drops ? sizeWords(dropped.bytes) : ""}</td>
    <td class="number rate">${drops ? rateWords(dropped.rate) : ""}</td>
    <td class="last-minute">${drops ? "dropped by policy" : ""}</td>
    <td class="last-hit"></td>
    <td class="actions">
      ${undo && html`<button class="undo" disabled=${offline} onClick=${() => takeBack(undo)}
        aria-label="Undo: policy changed">Undo ${secondsLeft(undo)}</button>`}
      ${!undo && html`<button class="policy-edit" disabled=${offline} onClick=${openPolicy} aria-label="Edit policy">Edit</button>`}
    </td>
  </tr>`;
}

function NoRules({ suggest, iface, offline }) {
  const examples = [
    `drop icmp on ${iface ?? "docker0"}`,
    "drop tcp/22 from not 10.0.0.0/8 in",
    "count udp/53",
  ];
  return html`<div class="none">
    <p>No rule yet: every packet meets the policy. Type a sentence above, or begin with one:</p>
    <p class="examples">${examples.map((text) =>
      html`<button key=${text} disabled=${offline} onClick=${() => suggest(text)}>${text}</button>`)}</p>
  </div>`;
}
