// One rule in the drawer: its sentence, its actions, its counters, every field.

import { Chart } from "./chart.mjs";
import { agoWords, bitRateWords, dateWords, exact, packetRateWords, sizeWords } from "./format.mjs";
import { html, useRef } from "./html.mjs";
import { lastHit } from "./rates.mjs";
import { putBack } from "./rule_changes.mjs";
import { FIELDS, fieldText } from "./rule_fields.mjs";
import { ruleMenuItems } from "./rule_menu_items.mjs";
import { Sentence } from "./sentence_verdict.mjs";
import { connected } from "./store.mjs";
import { undo, undoOf } from "./undo.mjs";

const SHOWN_ELSEWHERE = ["action", "enabled", "expires", "cookie", "log", "comment"];

export function RuleView({ panel, rules, rates, deletedRemotely, marks, offline }) {
  const found = rules.find((rule) => rule.id === panel.id);
  const last = useRef(found);
  if (found) last.current = found;
  const rule = last.current;
  if (!rule) return html`<h2 tabindex="-1">No rule ${panel.id}</h2>`;
  if (!found) return html`<${DeletedRule} rule=${rule} deletedRemotely=${deletedRemotely} offline=${offline} />`;
  const meter = rates.rules.get(rule.id);
  const mark = marks.get(rule.id);
  return html`
    <h2 tabindex="-1">Rule ${rule.position} <small>${rule.id}</small></h2>
    <p class="rule-sentence"><${Sentence} text=${rule.text} /></p>
    ${mark && html`<p class="warning">${mark.words}${mark.was && html`; it said <code>${mark.was}</code>`}</p>`}
    <div class="rule-actions">${ruleMenuItems(rule, rules.length).slice(1).map((item) => html`<button key=${item.name}
      class=${item.danger ? "danger" : ""} disabled=${item.asks ? !connected() : offline || item.disabled} onClick=${item.act}>${item.name}</button>`)}</div>
    <${RuleCounters} rule=${rule} meter=${meter} />
    <${Chart} history=${meter?.history ?? []} time=${rates.at / 1000} tone=${rule.action} subject=${rule.id} />
    <h3>Fields</h3>
    <dl class="field-list">${FIELDS.filter(({ name }) => rule[name] !== undefined && !SHOWN_ELSEWHERE.includes(name)).map(ruleField(rule))}
      ${otherFacts(rule).map(([label, words]) => html`<div key=${label}><dt>${label}</dt><dd>${words}</dd></div>`)}
    </dl>`;
}

const ruleField = (rule) => ({ name, label, choices }) => {
  const value = fieldText(rule[name]);
  const words = choices?.find(([key]) => key === value)?.[1] ?? value;
  return html`<div key=${name}><dt>${label}</dt><dd>${words}</dd></div>`;
};

function otherFacts(rule) {
  const state = rule.expired ? "expired" : rule.enabled ? "enabled" : "disabled";
  const facts = [["State", state]];
  if (rule.expires) facts.push(["Ends", dateWords(rule.expires)]);
  if (rule.cookie) facts.push(["SYNs", "answered at XDP when the listener asks for it"]);
  if (rule.log) facts.push(["Packets", "counted and reported"]);
  if (rule.comment) facts.push(["Comment", rule.comment]);
  return [...facts, ["Created", dateWords(rule.created)]];
}

function RuleCounters({ rule, meter }) {
  const { packets, bytes } = meter ?? rule;
  const hit = lastHit(rule, meter);
  const facts = [
    ["Packets", exact(packets), ""],
    ["Bytes", sizeWords(bytes), `${exact(bytes)} bytes`],
    ...(rule.limited === undefined ? [] : [["Limited", exact(meter?.limited ?? rule.limited), "only its rate kept them from matching"]]),
    ...(rule.answered === undefined ? [] : [["Answered", exact(meter?.answered ?? rule.answered), "SYNs, answered at XDP"]]),
    ["Last hit", agoWords(hit) || "never", hit ? dateWords(new Date(hit).toISOString()) : ""],
    ["Now", `${packetRateWords(meter?.rate ?? 0)} · ${bitRateWords(meter?.byteRate ?? 0)}`, ""],
  ];
  return html`<dl class="counters">${facts.map(([label, words, title]) => html`<div key=${label}>
    <dt>${label}</dt><dd title=${title}>${words}</dd></div>`)}</dl>`;
}

function DeletedRule({ rule, deletedRemotely, offline }) {
  const mine = undoOf(rule.id);
  const theirs = deletedRemotely.find((one) => one.rule.id === rule.id);
  return html`
    <h2 tabindex="-1">Deleted${mine ? "" : " elsewhere"} <small>${rule.id}</small></h2>
    <p class="rule-sentence"><${Sentence} text=${rule.text} /></p>
    ${mine && html`<button class="undo" disabled=${offline} onClick=${() => undo(mine)}>Undo</button>`}
    ${theirs && html`<button disabled=${offline} onClick=${() => putBack(rule, theirs.idsAbove)}>Put back</button>`}`;
}
