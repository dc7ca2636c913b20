// The interfaces: what of ours is attached and what it sees, whose programs else, attach, detach.

import { exact, place as placeWords, plural, rate } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { attach, detach } from "./instance_changes.mjs";
import { seatKey } from "./rates.mjs";
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
  const used = interfaces.filter(occupied).sort((a, b) => ours(b) - ours(a) || a.index - b.index);
  const rest = interfaces.filter((i) => !occupied(i)).sort(byPromise);
  // Once something is attached, the others are a click away.
  const few = interfaces.some(ours) ? 0 : FEW;
  const shown = all ? rest : rest.slice(0, few);
  return html`<section aria-labelledby="interfaces-title">
    <h2 id="interfaces-title" class="unseen">Interfaces</h2>
    ${!interfaces.some(ours) && html`<p class="teach">
      Nothing is filtered yet: rules act only where a program is attached. Attach one here.
    </p>`}
    <table class="interfaces">
      <caption class="unseen">Interfaces and what is attached to them</caption>
      <thead>
        <tr>
          <th scope="col" class="name">Interface</th>
          <th scope="col">Attached, and what it sees</th>
          <th scope="col" class="n rate">Seen <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="n rate">Dropped <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="minute">Last 60 s</th>
          <th scope="col" class="do"><span class="unseen">Actions</span></th>
        </tr>
      </thead>
      ${[...used, ...shown].map((iface) =>
        html`<${Interface} key=${iface.name} iface=${iface} meters=${meters} held=${held} />`)}
    </table>
    ${rest.length > few && html`<button class="more" onClick=${() => setAll(!all)}
      aria-expanded=${all}>
      ${all ? "Show fewer interfaces" : `Attach to one of ${plural(rest.length - few, "more interface")}`}
    </button>`}
  </section>`;
}

const ours = (i) => i.attachments.length > 0;
const occupied = (i) => ours(i) || i.others.length > 0;

/** Bridges and cards before the ports of bridges, loopback and what cannot be attached. */
const weight = (i) => (i.attachable ? 0 : 4) + (i.link_type === "loopback" ? 2 : 0) + (i.master ? 1 : 0);
const byPromise = (a, b) => weight(a) - weight(b) || a.index - b.index;

/** The ways that are still open: one program of ours a place. */
function waysLeft(iface) {
  const taken = new Set(iface.attachments.map((a) => a.place));
  return iface.attachable ? WAYS.filter(([place]) => !taken.has(place)) : [];
}

function Interface({ iface, meters, held }) {
  const [more, setMore] = useState(false);
  const ways = waysLeft(iface);
  const form = html`<${Attach} iface=${iface} ways=${ways} held=${held} />`;
  const rows = [
    ...iface.attachments.map((a) => html`<${Attached} key=${a.place} a=${a} meters=${meters} held=${held} />`),
    ...iface.others.map((o) => html`<${Plain} key="${o.place} ${o.program_id}"><${Other} other=${o} /><//>`),
  ];
  if (!ours(iface)) rows.push(html`<${Plain} key="none">${ways.length ? form : whyNot(iface)}<//>`);
  else if (more && ways.length) rows.push(html`<${Plain} key="more">${form}<//>`);
  const kind = [iface.kind ?? iface.driver, iface.state, iface.master && `in ${iface.master}`];
  return html`<tbody data-iface=${iface.name}>${rows.map((row, i) => html`<tr key=${row.key}>
    ${i === 0 && html`<th scope="rowgroup" rowspan=${rows.length} class="name">
      <b>${iface.name}</b> <small>${kind.filter(Boolean).join(" · ")}</small>
      ${ours(iface) && ways.length > 0 && html` <button class="plus" aria-expanded=${more}
        onClick=${() => setMore(!more)}
        aria-label="Attach more to ${iface.name}" title="Attach more">${more ? "−" : "+"}</button>`}
    </th>`}
    ${row}
  </tr>`)}</tbody>`;
}

const whyNot = (iface) =>
  html`<span class="quiet">cannot be attached: ${iface.why_not ?? iface.link_type}</span>`;

/** A row that has words and no numbers. Cells are not spanned: narrow windows hide some columns. */
const Plain = ({ children }) => html`
  <td class="what">${children}</td>
  <td class="rate"></td><td class="rate"></td><td class="minute"></td><td class="do"></td>`;

function Attached({ a, meters, held }) {
  const meter = (part) => meters.seats.get(seatKey(a.iface, a.place, part));
  const [seen, dropped] = [meter("seen"), meter("dropped")];
  const title = (m) => m && `${exact(m.packets)} packets`;
  return html`
    <td class="what">
      <b class="place">${placeWords(a.place)}${a.mode && ` ${a.mode}`}</b>
      ${a.state !== "attached" && html`<span class="mark drop">${a.state}</span>`}
      <span class="sees">sees ${a.sees.join(", ") || "nothing"}</span>
      ${a.blind.length > 0 && html`<span class="blind">not ${a.blind.map((words, i) => html`${i > 0 && ", "}<${Blind}
        key=${words} words=${words} iface=${a.iface} held=${held} />`)}</span>`}
    </td>
    <td class="n rate" title=${title(seen)}>${rate(seen?.rate) || 0}</td>
    <td class="n rate ${dropped?.rate ? "drop" : ""}" title=${title(dropped)}>${rate(dropped?.rate) || 0}</td>
    <td class="minute">
      <${Sparkline} meter=${dropped} tone="drop" of="${a.iface} dropped" /></td>
    <td class="do"><button disabled=${held} onClick=${() => detach(a.iface, a.place, a.sees)}
      aria-label="Detach ${placeWords(a.place)} from ${a.iface}">Detach</button></td>`;
}

const COVER = [["tc egress", "tc-egress", {}], ["xdp", "xdp", { mode: "auto" }]];

/** "to containers: tc egress sees it", with the attachment that would see it one click away. */
function Blind({ words, iface, held }) {
  const [what, by = ""] = words.split(": ");
  const [name, place, options] = COVER.find(([start]) => by.startsWith(start)) ?? [];
  if (!name) return html`<span title=${by}>${what}</span>`;
  return html`${what} <button class="cover" disabled=${held} title=${by}
    onClick=${() => attach(iface, place, options)} aria-label="Attach ${name} to ${iface}: ${what}">+ ${name}</button>`;
}

function Other({ other }) {
  const what = [placeWords(other.place), other.mode].filter(Boolean).join(" ");
  const name = other.name ? `“${other.name}”` : "without a name";
  return html`<b class="place">${what}</b>
    <span class="sees">another owner’s program ${name}, id ${other.program_id}</span>
    ${other.bypasses_us && html`<span class="mark">runs first, may bypass these rules</span>`}`;
}

function Attach({ iface, ways, held }) {
  const [chosen, choose] = useState(null);
  const [place, mode] = ways.find(([p, m]) => `${p} ${m}` === chosen) ?? ways[0];
  const submit = (event) => {
    event.preventDefault();
    attach(iface.name, place, mode ? { mode } : {});
  };
  return html`<form class="attach" onSubmit=${submit}>
    <select aria-label="How to attach to ${iface.name}" value="${place} ${mode}" disabled=${held}
      onChange=${(e) => choose(e.target.value)}>
      ${ways.map(([p, m, words]) => html`<option key=${words} value="${p} ${m}">${words}</option>`)}
    </select>
    <button disabled=${held} aria-label="Attach to ${iface.name}">Attach</button>
    ${iface.suggestions.length > 0 && html`<span class="quiet">${iface.suggestions.join("; ")}</span>`}
  </form>`;
}
