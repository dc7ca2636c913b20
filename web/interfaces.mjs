// The table of interfaces: our attachments and what they see, other owners' programs, attach and detach.

import { exact, placeWords, plural, rateWords } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { attach, detach } from "./instance_changes.mjs";
import { attachmentKey } from "./rates.mjs";
import { Sparkline } from "./sparkline.mjs";
import { Wanted } from "./wanted.mjs";

const SHOWN_UNASKED = 6; // interfaces without an attachment that are shown unasked

const ATTACH_CHOICES = [
  ["xdp", "auto", "xdp, native if possible"],
  ["xdp", "native", "xdp native"],
  ["xdp", "generic", "xdp generic"],
  ["tc-ingress", null, "tc ingress"],
  ["tc-egress", null, "tc egress"],
];

export function Interfaces({ interfaces: existing, attachments, wanted, rates, offline }) {
  const interfaces = withMissing(existing, attachments);
  const [all, setAll] = useState(false);
  const used = interfaces.filter(hasPrograms).sort((a, b) => hasOurs(b) - hasOurs(a) || a.index - b.index);
  const rest = interfaces.filter((i) => !hasPrograms(i)).sort(byUsefulness);
  // Once something is attached, the others are a click away.
  const unasked = interfaces.some(hasOurs) ? 0 : SHOWN_UNASKED;
  const shown = all ? rest : rest.slice(0, unasked);
  return html`<section aria-labelledby="interfaces-title">
    <h2 id="interfaces-title" class="visually-hidden">Interfaces</h2>
    ${!interfaces.some(hasOurs) && html`<p class="nothing-attached">
      Nothing is filtered yet: rules act only where a program is attached. Attach one here.
    </p>`}
    <table class="interfaces">
      <caption class="visually-hidden">Interfaces and what is attached to them</caption>
      <thead>
        <tr>
          <th scope="col" class="name">Interface</th>
          <th scope="col">Attached, and what it sees</th>
          <th scope="col" class="number rate">Seen <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="number rate">Dropped <abbr title="packets a second">/s</abbr></th>
          <th scope="col" class="last-minute">Last 60 s</th>
          <th scope="col" class="actions"><span class="visually-hidden">Actions</span></th>
        </tr>
      </thead>
      ${[...used, ...shown].map((iface) =>
        html`<${Interface} key=${iface.name} iface=${iface} rates=${rates} offline=${offline} />`)}
    </table>
    ${rest.length > unasked && html`<button class="more" onClick=${() => setAll(!all)}
      aria-expanded=${all}>
      ${all ? "Show fewer interfaces" : `Attach to one of ${plural(rest.length - unasked, "more interface")}`}
    </button>`}
    <${Wanted} wanted=${wanted} offline=${offline} />
  </section>`;
}

/** The interfaces with the attachments that are wanted and not in place; also those that do not exist. */
function withMissing(interfaces, attachments) {
  const missing = attachments.filter((one) => one.state !== "attached");
  const names = new Set(interfaces.map((one) => one.name));
  const gone = [...new Set(missing.map((one) => one.iface))].filter((name) => !names.has(name));
  const places = gone.map((name) => ({
    name, index: Infinity, state: "not here", link_type: "", attachments: [], others: [], suggestions: [], attachable: false,
  }));
  return [...interfaces, ...places].map((one) => {
    const own = missing.filter((each) => each.iface === one.name);
    return own.length ? { ...one, attachments: [...one.attachments, ...own] } : one;
  });
}

const hasOurs = (i) => i.attachments.length > 0;
const hasPrograms = (i) => hasOurs(i) || i.others.length > 0;

/** Bridges and cards before the ports of bridges, loopback and what cannot be attached. */
const weight = (i) => (i.attachable ? 0 : 4) + (i.link_type === "loopback" ? 2 : 0) + (i.master ? 1 : 0);
const byUsefulness = (a, b) => weight(a) - weight(b) || a.index - b.index;

/** The ways that are still open: one program of ours a place. */
function choicesLeft(iface) {
  const taken = new Set(iface.attachments.map((attachment) => attachment.place));
  return iface.attachable ? ATTACH_CHOICES.filter(([place]) => !taken.has(place)) : [];
}

function Interface({ iface, rates, offline }) {
  const [more, setMore] = useState(false);
  const ways = choicesLeft(iface);
  const form = html`<${AttachForm} iface=${iface} ways=${ways} offline=${offline} />`;
  const rows = [
    ...iface.attachments.map((attachment) => html`<${Attached} key=${attachment.place}
      attachment=${attachment} rates=${rates} offline=${offline} />`),
    ...iface.others.map((o) => html`<${WordsRow} key="${o.place} ${o.program_id}"><${OtherProgram} other=${o} /><//>`),
  ];
  if (!hasOurs(iface)) rows.push(html`<${WordsRow} key="none">${ways.length ? form : notAttachable(iface)}<//>`);
  else if (more && ways.length) rows.push(html`<${WordsRow} key="more">${form}<//>`);
  const kind = [iface.kind ?? iface.driver, iface.state, iface.master && `in ${iface.master}`, iface.behind];
  return html`<tbody data-iface=${iface.name}>${rows.map((row, i) => html`<tr key=${row.key}>
    ${i === 0 && html`<th scope="rowgroup" rowspan=${rows.length} class="name">
      <b>${iface.name}</b> <small>${kind.filter(Boolean).join(" · ")}</small>
      ${hasOurs(iface) && ways.length > 0 && html` <button class="attach-more" aria-expanded=${more}
        onClick=${() => setMore(!more)}
        aria-label="Attach more to ${iface.name}" title="Attach more">${more ? "−" : "+"}</button>`}
    </th>`}
    ${row}
  </tr>`)}</tbody>`;
}

const notAttachable = (iface) =>
  html`<span class="quiet">cannot be attached: ${iface.why_not ?? iface.link_type}</span>`;

/** A row that has words and no numbers. Cells are not spanned: narrow windows hide some columns. */
const WordsRow = ({ children }) => html`
  <td class="attached">${children}</td>
  <td class="rate"></td><td class="rate"></td><td class="last-minute"></td><td class="actions"></td>`;

const NOT_IN_PLACE = {
  "no interface": "the interface does not exist",
  displaced: "our program is not on it",
  moved: "it was moved; our program is on",
};

function Attached({ attachment, rates, offline }) {
  const meter = (part) => rates.attachments.get(attachmentKey(attachment.iface, attachment.place, part));
  const [seen, dropped] = [meter("seen"), meter("dropped")];
  const title = (m) => m && `${exact(m.packets)} packets`;
  return html`
    <td class="attached">
      <b class="place">${placeWords(attachment.place)}${attachment.mode && ` ${attachment.mode}`}</b>
      ${attachment.state === "attached"
        ? html`<span class="sees">sees ${attachment.sees.join(", ") || "nothing"}</span>`
        : html`<span class="mark drop">not filtered: ${NOT_IN_PLACE[attachment.state]} ${attachment.whereabouts}</span>`}
      ${attachment.state === "attached" && attachment.blind.length > 0 && html`<span class="blind">not ${attachment.blind.map((words, i) => html`${i > 0 && ", "}<${BlindSpot}
        key=${words} words=${words} iface=${attachment.iface} offline=${offline} />`)}</span>`}
    </td>
    <td class="number rate" title=${title(seen)}>${rateWords(seen?.rate) || 0}</td>
    <td class="number rate ${dropped?.rate ? "drop" : ""}" title=${title(dropped)}>${rateWords(dropped?.rate) || 0}</td>
    <td class="last-minute">
      <${Sparkline} meter=${dropped} tone="drop" subject="${attachment.iface} dropped" /></td>
    <td class="actions"><button disabled=${offline} onClick=${() => detach(attachment.iface, attachment.place, attachment.sees)}
      aria-label="Detach ${placeWords(attachment.place)} from ${attachment.iface}">Detach</button></td>`;
}

const COVERING = [["tc egress", "tc-egress", {}], ["xdp", "xdp", { mode: "auto" }]];

/** "to containers: tc egress sees it", with the attachment that would see it one click away. */
function BlindSpot({ words, iface, offline }) {
  const [what, by = ""] = words.split(": ");
  const [name, place, options] = COVERING.find(([start]) => by.startsWith(start)) ?? [];
  if (!name) return html`<span title=${by}>${what}</span>`;
  return html`${what} <button class="attach-missing" disabled=${offline} title=${by}
    onClick=${() => attach(iface, place, options)} aria-label="Attach ${name} to ${iface}: ${what}">+ ${name}</button>`;
}

function OtherProgram({ other }) {
  const what = [placeWords(other.place), other.mode].filter(Boolean).join(" ");
  const name = other.name ? `“${other.name}”` : "without a name";
  const program = other.program_id ? `program ${name}, id ${other.program_id}` : "filter";
  const filter = other.pref ? `${other.kind} at pref ${other.pref}: ` : "";
  return html`<b class="place">${what}</b>
    <span class="sees">${filter}another owner’s ${program}${other.owner ? `: ${other.owner}` : ""}</span>
    ${other.bypasses_us && html`<span class="mark">runs first, may bypass these rules</span>`}`;
}

function AttachForm({ iface, ways, offline }) {
  const [chosen, setChosen] = useState(null);
  const [place, mode] = ways.find(([p, m]) => `${p} ${m}` === chosen) ?? ways[0];
  const submit = (event) => {
    event.preventDefault();
    attach(iface.name, place, mode ? { mode } : {});
  };
  return html`<form class="attach" onSubmit=${submit}>
    <select aria-label="How to attach to ${iface.name}" value="${place} ${mode}" disabled=${offline}
      onChange=${(e) => setChosen(e.target.value)}>
      ${ways.map(([p, m, words]) => html`<option key=${words} value="${p} ${m}">${words}</option>`)}
    </select>
    <button disabled=${offline} aria-label="Attach to ${iface.name}">Attach</button>
    ${iface.suggestions.length > 0 && html`<span class="quiet">${iface.suggestions.join("; ")}</span>`}
  </form>`;
}
