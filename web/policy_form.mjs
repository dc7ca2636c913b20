// The policy in the drawer: what happens to packets that no rule decides.

import { html } from "./html.mjs";
import { setPolicy } from "./instance_changes.mjs";

const PARTS = [
  ["ingress", "IP packets that come in", ["accept", "drop", "accept keep"], "To drop them is a firewall that lets in only what it names, and the answers that flows tell."],
  ["egress", "IP packets that go out", ["accept", "drop", "accept keep"], "Only where tc egress is attached. Keep: what leaves makes flows, so that `state established` knows the answers."],
  ["non_ip", "What is not IP", ["accept", "drop"], "ARP is among it: without it neighbours do not find this host."],
  ["neighbor_discovery", "IPv6 neighbour discovery", ["accept", "judge"], "Multicast listener discovery too: without both, neighbours lose this host. Judge: it meets the policy like all else."],
];

export function PolicyForm({ status, offline }) {
  const { policy } = status;
  return html`
    <h2 tabindex="-1">Policy</h2>
    <p class="quiet">What no rule accepts or drops meets the policy. A change acts at once; to drop by default asks first.</p>
    ${PARTS.map(([name, label, choices, note]) => html`<fieldset key=${name} class="policy-part">
      <legend>${label}</legend>
      <div class="radios">${choices.map((choice) => html`<label key=${choice}>
        <input type="radio" name=${name} value=${choice} checked=${policy[name] === choice} disabled=${offline}
          onClick=${(event) => {
            // What is chosen is what is in force: the answer moves the dot.
            event.preventDefault();
            if (policy[name] !== choice) setPolicy({ [name]: choice });
          }} />
        <span class=${policy[name] === choice ? choice.split(" ")[0] : ""}>${choice}</span>
      </label>`)}</div>
      <p class="quiet">${note}</p>
    </fieldset>`)}`;
}
