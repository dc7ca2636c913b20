// Attachments by policy: wanted until they are detached, in place wherever an interface matches.

import { placeWords } from "./format.mjs";
import { html, useState } from "./html.mjs";
import { attach, detachWanted } from "./instance_changes.mjs";

const PLACES = ["xdp", "tc-ingress", "tc-egress"];

export function Wanted({ wanted, offline }) {
  const [open, setOpen] = useState(false);
  return html`<section class="wanted" aria-labelledby="wanted-title">
    <h2 id="wanted-title" class="visually-hidden">Attachments by policy</h2>
    ${wanted.length > 0 && html`<ul>
      ${wanted.map((one) => html`<${WantedLine} key="${one.iface} ${one.place}" one=${one} offline=${offline} />`)}
    </ul>`}
    <button class="more" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      ${open ? "No more by policy" : "Attach by policy: veth*, ports:docker0, an interface to come"}
    </button>
    ${open && html`<${WantForm} offline=${offline} done=${() => setOpen(false)} />`}
  </section>`;
}

function WantedLine({ one, offline }) {
  const place = placeWords(one.place);
  return html`<li data-wanted="${one.iface} ${one.place}">
    <b>${one.iface}</b> ${place}${one.hold && ", held"}
    ${one.in_place.length > 0 && html`<span class="sees">in place on ${one.in_place.join(", ")}</span>`}
    ${one.why_none && html`<span class="quiet">${one.why_none}: attached when one comes</span>`}
    ${one.waiting.map((each) => html`<span key=${each.iface} class=${each.attachable ? "mark drop" : "quiet"}>${each.iface}
      ${" "}not filtered: ${each.why}</span>`)}
    <button disabled=${offline} onClick=${() => detachWanted(one)}
      aria-label="Detach ${place} from ${one.iface}">Detach</button>
  </li>`;
}

function WantForm({ offline, done }) {
  const [words, setWords] = useState("");
  const [place, setPlace] = useState("xdp");
  const submit = async (event) => {
    event.preventDefault();
    if (words.trim() && await attach(words.trim(), place, { if_present: true })) done();
  };
  return html`<form class="attach" onSubmit=${submit}>
    <input aria-label="Interfaces by pattern or name" placeholder="veth*" autocomplete="off" spellcheck=${false}
      value=${words} onInput=${(e) => setWords(e.target.value)} disabled=${offline} />
    <select aria-label="How to attach by policy" value=${place} disabled=${offline} onChange=${(e) => setPlace(e.target.value)}>
      ${PLACES.map((one) => html`<option key=${one} value=${one}>${placeWords(one)}</option>`)}
    </select>
    <button disabled=${offline || !words.trim()}>Attach</button>
  </form>`;
}
