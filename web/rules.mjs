// The table of rules: a sentence a row, its live counters, delete and undo in place.

import { deleteRule, undoDelete, withGhosts } from "./actions.mjs";
import { exact, policyWords, rate, sentence, size } from "./format.mjs";
import { html, useRef } from "./html.mjs";
import { total } from "./meters.mjs";
import { Sparkline } from "./sparkline.mjs";
import { useWindow } from "./window.mjs";

/** Past this many only the visible rows are drawn, each one line high. */
const MANY = 300;

export function Rules({ rules, ghosts, meters, status, held, suggest, iface }) {
  const rows = withGhosts(rules, ghosts);
  const many = rows.length > MANY;
  const body = useRef();
  const { from, to, above, below } = useWindow(body, rows.length, many);
  const kinds = ["rules", many && "many"].filter(Boolean).join(" ");
  return html`<section aria-labelledby="rules-title">
    <h2 id="rules-title" class="unseen">Rules</h2>
    <table class=${kinds} aria-rowcount=${rows.length + 2}>
      <caption class="unseen">Rules in order: the first that matches and decides, decides</caption>
      <thead>
        <tr aria-rowindex="1">
          <th scope="col" class="at">#</th>
          <th scope="col">Rule</th>
          <th scope="col" class="id">Id</th>
          <th scope="col" class="n">Packets</th>
          <th scope="col" class="n bytes">Bytes</th>
          <th scope="col" class="n rate"><abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="minute">Last 60 s</th>
          <th scope="col" class="do"><span class="unseen">Actions</span></th>
        </tr>
      </thead>
      <tbody ref=${body}>
        ${above > 0 && html`<${Space} key="above" height=${above} />`}
        ${rows.slice(from, to).map(({ rule, ghost }, i) =>
          html`<${Row} key=${rule.id} rule=${rule} ghost=${ghost} held=${held}
            meter=${meters.rules.get(rule.id)} index=${from + i + 2} />`)}
        ${below > 0 && html`<${Space} key="below" height=${below} />`}
      </tbody>
      <tfoot><${PolicyRow} policy=${status.policy} meters=${meters} index=${rows.length + 2} /></tfoot>
    </table>
    ${rows.length === 0 && html`<${NoRules} suggest=${suggest} iface=${iface} />`}
  </section>`;
}

const Space = ({ height }) =>
  html`<tr aria-hidden="true"><td style=${{ height: `${height}px`, padding: 0 }}></td></tr>`;

function Row({ rule, ghost, meter, held, index }) {
  const { verdict, match, comment } = sentence(rule.text);
  const { packets, bytes } = meter ?? rule;
  const now = (!ghost && meter?.rate) || 0;
  const quiet = !rule.enabled || rule.expired;
  const look = [ghost && "ghost", quiet && "quiet-row", now && `hot ${rule.action}`, !packets && "dormant"];
  return html`<tr class=${look.filter(Boolean).join(" ")} tabindex="-1" aria-rowindex=${index}
    data-rule=${rule.id}>
    <td class="at">${ghost ? "–" : rule.position}</td>
    <th scope="row" class="text" title=${rule.text}>
      <span class="sentence"><b class=${rule.action}>${verdict}</b>${match}<i>${comment}</i></span>
      ${rule.expired && !ghost && html` <span class="mark">expired</span>`}
    </th>
    <td class="id">${rule.id}</td>
    <td class="n packets" title="${exact(packets)} packets">
      ${exact(packets)}<small>${now ? `${rate(now)}/s` : ""}</small></td>
    <td class="n bytes" title="${exact(bytes)} bytes">${size(bytes)}</td>
    <td class="n rate">${rate(now)}</td>
    <td class="minute">${!ghost &&
      html`<${Sparkline} history=${meter?.history ?? []} tone=${rule.action} of=${rule.id} />`}</td>
    <td class="do"><${Act} rule=${rule} ghost=${ghost} held=${held} /></td>
  </tr>`;
}

/** One button that becomes Undo in its place: the focus stays on it. */
function Act({ rule, ghost, held }) {
  const act = () => (ghost ? undoDelete(ghost) : deleteRule(rule));
  const left = ghost && Math.max(0, Math.ceil((ghost.until - Date.now()) / 1000));
  return html`<button class=${ghost ? "undo" : "delete"} disabled=${held} onClick=${act}
    aria-label="${ghost ? "Undo: put back" : "Delete"} ${rule.text}">
    ${ghost ? `Undo ${left}` : "Delete"}
  </button>`;
}

function PolicyRow({ policy, meters, index }) {
  const dropped = total(meters, "policy_dropped");
  const drops = [policy.ingress, policy.egress, policy.non_ip].includes("drop");
  return html`<tr class="policy" aria-rowindex=${index}>
    <td class="at">–</td>
    <th scope="row" class="text">otherwise: ${policyWords(policy)}</th>
    <td class="id">policy</td>
    <td class="n packets">${drops ? exact(dropped.packets) : ""}</td>
    <td class="n bytes">${drops ? size(dropped.bytes) : ""}</td>
    <td class="n rate">${drops ? rate(dropped.rate) : ""}</td>
    <td class="minute">${drops ? "dropped by policy" : ""}</td>
    <td class="do"></td>
  </tr>`;
}

function NoRules({ suggest, iface }) {
  const examples = [
    `drop icmp on ${iface ?? "docker0"}`,
    "drop tcp/22 from not 10.0.0.0/8 in",
    "count udp/53",
  ];
  return html`<div class="none">
    <p>No rule yet: every packet meets the policy. Type a sentence above, or begin with one:</p>
    <p class="examples">${examples.map((text) =>
      html`<button key=${text} onClick=${() => suggest(text)}>${text}</button>`)}</p>
  </div>`;
}
