// The top line: host, revision, rules, policy and traffic; or OFF in large letters.

import { exact, packetRateWords, plural, policyWords } from "./format.mjs";
import { html } from "./html.mjs";
import { turnOff, turnOn } from "./instance_changes.mjs";
import { total } from "./rates.mjs";

export function Header({ status, rules, rates, offline }) {
  const enabled = rules.filter((rule) => rule.enabled).length;
  const count = plural(rules.length, "rule");
  return html`<header class=${status.on ? "head" : "head off"}>
    <h1>xdpwall</h1>
    <span class="host">${status.host}</span>
    ${status.on
      ? html`<p class="facts">
          <span>revision <b>${exact(status.revision)}</b></span>
          <span><b>${count}</b>${enabled < rules.length && `, ${exact(enabled)} enabled`}</span>
          <span>otherwise <b>${policyWords(status.policy)}</b></span>
        </p>
        <${TrafficLoad} rates=${rates} />
        <p class="switch"><span class="on">Filtering is on</span></p>
        <button disabled=${offline} onClick=${turnOff}>Turn off…</button>`
      : html`<p class="off-notice"><strong>OFF</strong> Every packet passes. No rule is judged.</p>
        <button disabled=${offline} onClick=${turnOn}>Turn on</button>`}
  </header>`;
}

function TrafficLoad({ rates }) {
  const [seen, dropped] = [total(rates, "seen"), total(rates, "dropped")];
  return html`<p class="load">
    <span title="${exact(seen.packets)} packets seen">
      <b>${packetRateWords(seen.rate)}</b> seen</span>
    <span class=${dropped.rate ? "drop" : ""} title="${exact(dropped.packets)} packets dropped">
      <b>${packetRateWords(dropped.rate)}</b> dropped</span>
  </p>`;
}
