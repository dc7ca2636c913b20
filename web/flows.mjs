// The list of flows, which the kernel remembers: filtered, refreshed, ended. Closed it is one line.

import { api } from "./api.mjs";
import { askHow } from "./ask.mjs";
import { connectionFailed, runChange } from "./connection.mjs";
import { openRule } from "./drawer_state.mjs";
import { durationWords, exact, plural } from "./format.mjs";
import { html, useEffect, useRef, useState } from "./html.mjs";
import { may } from "./roles.mjs";
import { ruleOf, showResult } from "./store.mjs";

const REFRESH_MS = 2000;
const MOST_SHOWN = 200;
const TYPING_MS = 250; // a filter is asked for when nobody has typed for so long
const FIELDS = [
  ["proto", "Protocol", "tcp"],
  ["from", "From", "192.0.2.0/24"],
  ["to", "To", "203.0.113.80"],
  ["port", "Port", "443"],
  ["rule", "Rule", "r3"],
];
const STATES = ["new", "established", "closing", "closed"];

export function Flows({ rules, policy, offline }) {
  const [open, setOpen] = useState(false);
  const tracking = rules.some((rule) => rule.enabled && (rule.state || rule.keep))
    || [policy.ingress, policy.egress].includes("accept keep");
  return html`<section class="flows" aria-labelledby="flows-title">
    <div class="heading-row">
      <h2 id="flows-title"><button class="plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span aria-hidden="true">${open ? "▾" : "▸"}</span> Flows</button></h2>
      <span class="quiet">${tracking ? "remembered for rules with state and keep" : "not remembered: no rule has state or keep"}</span>
    </div>
    ${open && html`<${FlowList} offline=${offline} />`}
  </section>`;
}

function FlowList({ offline }) {
  const [filter, setFilter] = useState({});
  const [top, setTop] = useState(false);
  const [paused, setPaused] = useState(false);
  const [list, problem, load] = useFlows(filter, top, paused || offline);
  const change = (name, value) => setFilter({ ...filter, [name]: value.trim() || undefined });
  return html`
    <form class="tools" aria-label="Only flows with" onSubmit=${(event) => event.preventDefault()}>
      ${FIELDS.map(([name, label, example]) => html`<label key=${name}>${label}
        <input type="text" name=${name} placeholder=${example} autocomplete="off" autocapitalize="off" spellcheck=${false}
          aria-invalid=${problem?.field === name} aria-describedby="flows-problem"
          onInput=${(event) => change(name, event.target.value)} /></label>`)}
      <label>State <select name="state" value=${filter.state ?? ""} onChange=${(event) => change("state", event.target.value)}>
        <option value="">any</option>${STATES.map((state) => html`<option key=${state} value=${state}>${state}</option>`)}</select></label>
      <label><input type="checkbox" checked=${top} onChange=${(event) => setTop(event.target.checked)} /> Most packets first</label>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? "Resume" : "Pause"}</button>
      <button type="button" class="danger" disabled=${offline || !list?.total || Boolean(problem) || !may("operator")}
        onClick=${() => flush(list, load)}>Flush…</button>
    </form>
    <p id="flows-problem" class="error" role="alert">${problem && `${problem.message}${problem.hint ? `: ${problem.hint}` : ""}`}</p>
    ${list && !problem && html`<${FlowTable} list=${list} />`}`;
}

/**
 * [list, problem, load]: the flows of a filter, asked for again and again. The answer has the filter that it is for,
 * since what is ended must be what is shown. An answer that was overtaken by another question is not shown.
 */
function useFlows(filter, top, held) {
  const [list, setList] = useState(null);
  const [problem, setProblem] = useState(null);
  const asked = useRef(0);
  const load = async () => {
    const number = (asked.current += 1);
    try {
      const found = await api.flows({ ...filter, top, limit: MOST_SHOWN });
      if (number === asked.current) [setList({ ...found, filter }), setProblem(null)];
    } catch (error) {
      if (number === asked.current && !connectionFailed(error)) setProblem(error);
    }
  };
  const words = JSON.stringify([filter, top]);
  useEffect(() => {
    const soon = setTimeout(load, list ? TYPING_MS : 0);
    return () => {
      clearTimeout(soon);
      asked.current += 1;
    };
  }, [words]);
  useEffect(() => {
    if (held) return undefined;
    const refresh = setInterval(() => document.hidden || load(), REFRESH_MS);
    return () => clearInterval(refresh);
  }, [words, held]);
  return [list, problem, load];
}

/** End what the list's filter lets through, however many are shown. */
async function flush({ total, filter }, load) {
  const only = Object.entries(filter).filter(([, value]) => value).map(([name, value]) => `${name} ${value}`);
  const chosen = await askHow({
    title: only.length ? `End ${plural(total, "flow")}?` : `End all ${plural(total, "flow")}?`,
    text: "The next packet of each belongs to no flow. Connections of this host itself are known again by their sockets; "
      + "others go on only where a rule lets them begin.",
    lines: only,
    label: "End them",
    trial: false,
  });
  if (!chosen) return;
  const done = await runChange(() => api.flushFlows(filter));
  if (done) showResult(`Ended ${plural(done.flushed, "flow")}.`);
  await load();
}

function FlowTable({ list: { flows, total, fill } }) {
  return html`
    <${Fill} fill=${fill} />
    ${flows.length === 0
      ? html`<p class="none">${fill.ipv4 + fill.ipv6 ? "No flow is like that." : fill.tracking
          ? "Nothing is remembered yet: an accept rule, or a policy, with keep makes flows of what passes by it."
          : "Nothing is remembered: give an accept rule, or the policy, keep, and accept state established,related."}</p>`
      : html`<div class="box" tabindex="0" role="region" aria-label="${plural(total, "flow")}">
        <table>
          <caption>${total > flows.length ? `${exact(flows.length)} of ${plural(total, "flow")}` : plural(total, "flow")}</caption>
          <thead><tr>
            <th scope="col" class="proto">Protocol</th><th scope="col" class="ends">From > to</th>
            <th scope="col" class="flow-state">State</th><th scope="col" class="number">Packets</th>
            <th scope="col" class="number">Age</th><th scope="col" class="number">Ends in</th>
            <th scope="col" class="decided-by">Rule</th>
          </tr></thead>
          <tbody>${flows.map((flow) => html`<${Flow} key=${keyOf(flow)} flow=${flow} />`)}</tbody>
        </table></div>`}`;
}

/** How full the tables are, and what became of flows since they were made. */
function Fill({ fill: { size, ipv4, ipv6, counts } }) {
  const evicted = Object.entries(counts.evicted).filter(([, count]) => count);
  const share = size && Math.max(ipv4, ipv6) / size;
  const words = [
    `IPv4 ${exact(ipv4)} of ${exact(size)} places`,
    `IPv6 ${exact(ipv6)}`,
    `made ${exact(counts.made)}`,
    counts.by_socket > 0 && `by socket ${exact(counts.by_socket)}`,
    `evicted ${evicted.length ? evicted.map(([proto, count]) => `${exact(count)} ${proto}`).join(" ") : 0}`,
    `lost ${exact(counts.lost)}`,
    `invalid packets ${exact(counts.invalid)}`,
  ];
  return html`<p class="quiet fill">${words.filter(Boolean).join(" · ")}
    ${share >= 0.6 && html` <b class="count">${Math.round(share * 100)} % full</b>`}</p>`;
}

function Flow({ flow }) {
  const { proto, state, assured, packets, age, expires, rule } = flow;
  const by = rule ?? "policy";
  const title = [state === "new" && "no reply yet", assured && "both sides take part"].filter(Boolean).join(", ");
  return html`<tr>
    <td class="proto">${proto}</td>
    <th scope="row" class="ends text">${endWords(flow, "src")} > ${endWords(flow, "dst")}</th>
    <td class="flow-state" title=${title}>${state}</td>
    <td class="number">${exact(packets)}</td>
    <td class="number">${age === undefined ? "" : durationWords(age)}</td>
    <td class="number">${durationWords(expires)}</td>
    <td class="decided-by">${ruleOf(rule)
      ? html`<button class="plain" onClick=${() => openRule(rule)} aria-label="Rule ${by}">${by}</button>` : by}</td>
  </tr>`;
}

/** "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1 id 7" of who sent an echo. */
function endWords(flow, side) {
  const port = flow[side === "src" ? "sport" : "dport"];
  const address = flow.iface ? `${flow[side]}%${flow.iface}` : flow[side];
  if (port !== undefined) return `${flow.family === "ipv6" ? `[${address}]` : address}:${port}`;
  return side === "src" && flow.ident !== undefined ? `${address} id ${flow.ident}` : address;
}

const keyOf = (flow) => `${flow.proto} ${endWords(flow, "src")} ${endWords(flow, "dst")}`;
