// The interfaces: what of ours is attached and what it sees, whose programs else, attach, detach.

import { attach, detach } from "./actions.mjs";
import { exact, place as placeWords, rate } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { seatKey } from "./meters.mjs";
import { Sparkline } from "./sparkline.mjs";

const FEW = 6; // interfaces without an attachment that are shown unasked

const WAYS = [
  ["xdp", "auto", "xdp, native if possible"],
  ["xdp", "native", "xdp native"],
  ["xdp", "generic", "xdp generic"],
  ["tc-ingress", null, "tc ingress"],
  ["tc-egress", null, "tc egress"],
];

export function Interfaces({ interfaces, meters, held }) {
  const [all, setAll] = useState(false);
  const used = interfaces.filter((i) => i.attachments.length || i.others.length);
  const free = interfaces.filter((i) => !used.includes(i)).sort(byPromise);
  const shown = all ? free : free.slice(0, FEW);
  const none = !interfaces.some((i) => i.attachments.length);
  return html`<section aria-labelledby="interfaces-title">
    <h2 id="interfaces-title" class="unseen">Interfaces</h2>
    <table class="interfaces">
      <caption class="unseen">Interfaces and what is attached to them</caption>
      <thead>
        <tr>
          <th scope="col" class="name">Interface</th>
          <th scope="col">Attached, and what it sees</th>
          <th scope="col" class="n rate">Seen <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="n rate">Dropped <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="minute">Dropped, last 60 s</th>
          <th scope="col" class="do"><span class="unseen">Actions</span></th>
        </tr>
      </thead>
      ${none && html`<tbody class="teach"><tr><td colspan="6">
        Nothing is filtered yet: rules act only where a program is attached. Attach one below.
      </td></tr></tbody>`}
      ${[...used, ...shown].map((iface) =>
        html`<${Interface} key=${iface.name} iface=${iface} meters=${meters} held=${held} />`)}
    </table>
    ${free.length > FEW && html`<button class="more" onClick=${() => setAll(!all)}
      aria-expanded=${all}>
      ${all ? "Show fewer interfaces" : `Show ${free.length - FEW} more interfaces`}
    </button>`}
  </section>`;
}

/** Bridges and cards before the ports of bridges, loopback and what cannot be attached. */
const weight = (i) => (i.attachable ? 0 : 4) + (i.link_type === "loopback" ? 2 : 0) + (i.master ? 1 : 0);
const byPromise = (a, b) => weight(a) - weight(b) || a.index - b.index;

function Interface({ iface, meters, held }) {
  const rows = [
    ...iface.attachments.map((a) => html`<${Attached} key=${a.place} a=${a} meters=${meters} held=${held} />`),
    ...iface.others.map((o) => html`<${Other} key=${`other ${o.program_id}`} other=${o} />`),
  ];
  if (!rows.length) rows.push(html`<${Nothing} key="nothing" iface=${iface} />`);
  if (iface.attachable && free(iface).length) {
    rows.push(html`<${Attach} key="attach" iface=${iface} held=${held} />`);
  }
  return html`<tbody data-iface=${iface.name}>${rows.map((row, i) => html`<tr key=${row.key}>
    ${i === 0 && html`<th scope="rowgroup" rowspan=${rows.length} class="name">
      <span class="iface">${iface.name}</span>
      <small>${[iface.kind ?? iface.driver, iface.state, iface.master && `in ${iface.master}`]
        .filter(Boolean).join(" · ")}</small>
    </th>`}
    ${row}
  </tr>`)}</tbody>`;
}

function Attached({ a, meters, held }) {
  const meter = (part) => meters.seats.get(seatKey(a.iface, a.place, part));
  const [seen, dropped] = [meter("seen"), meter("dropped")];
  const fell = a.wanted_mode === "auto" && a.mode === "generic";
  const title = (m) => m && `${exact(m.packets)} packets`;
  return html`
    <td class="what">
      <b class="place">${placeWords(a.place)}${a.mode && ` ${a.mode}`}</b>
      ${a.state !== "attached" && html`<span class="mark drop">${a.state}</span>`}
      <span class="sees">sees ${a.sees.join(", ") || "nothing"}</span>
      ${a.blind.length > 0 && html`<span class="blind">not ${a.blind.join("; ")}</span>`}
      ${fell && html`<span class="blind">native is not possible here</span>`}
    </td>
    <td class="n rate" title=${title(seen)}>${rate(seen?.rate)}</td>
    <td class="n rate ${dropped?.rate ? "drop" : ""}" title=${title(dropped)}>${rate(dropped?.rate)}</td>
    <td class="minute">
      <${Sparkline} history=${dropped?.history ?? []} tone="drop" of="${a.iface} dropped" /></td>
    <td class="do"><button disabled=${held} onClick=${() => detach(a.iface, a.place, a.sees)}
      aria-label="Detach ${placeWords(a.place)} from ${a.iface}">Detach</button></td>`;
}

function Other({ other }) {
  const what = [placeWords(other.place), other.mode].filter(Boolean).join(" ");
  const name = other.name ? `“${other.name}”` : "without a name";
  return html`<td class="what" colspan="5">
    <b class="place">${what}</b>
    <span class="sees">another owner’s program ${name}, id ${other.program_id}</span>
    ${other.bypasses_us && html`<span class="mark">runs first and may bypass these rules</span>`}
  </td>`;
}

const Nothing = ({ iface }) => html`<td class="what quiet" colspan="5">
  ${iface.attachable ? "nothing attached" : `cannot be attached: ${iface.why_not ?? iface.link_type}`}
</td>`;

/** The ways that are still open: one program of ours a place. */
function free(iface) {
  const taken = new Set(iface.attachments.map((a) => a.place));
  return WAYS.filter(([place]) => !taken.has(place));
}

function Attach({ iface, held }) {
  const [chosen, choose] = useState(null);
  const ways = free(iface);
  const [place, mode] = ways.find(([p, m]) => `${p} ${m}` === chosen) ?? ways[0];
  const submit = (event) => {
    event.preventDefault();
    attach(iface.name, place, mode ? { mode } : {});
  };
  return html`<td class="what" colspan="5">
    <form class="attach" onSubmit=${submit}>
      <select aria-label="How to attach to ${iface.name}" value="${place} ${mode}" disabled=${held}
        onChange=${(e) => choose(e.target.value)}>
        ${ways.map(([p, m, words]) => html`<option key=${words} value="${p} ${m}">${words}</option>`)}
      </select>
      <button disabled=${held} aria-label="Attach to ${iface.name}">Attach</button>
      ${iface.suggestions.length > 0 && html`<span class="quiet">${iface.suggestions.join("; ")}</span>`}
    </form>
  </td>`;
}
