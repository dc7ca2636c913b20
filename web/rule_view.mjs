// One rule in the drawer: its sentence, what can be done to it, its counters, every field.

import { Chart } from "./chart.mjs";
import { ago, bits, exact, packetRate, size, when } from "./format.mjs";
import { html, useRef } from "./html.mjs";
import { hitOf } from "./rates.mjs";
import { putBack } from "./rule_changes.mjs";
import { FIELDS } from "./rule_fields.mjs";
import { deedsOf } from "./rule_menu_items.mjs";
import { Sentence } from "./sentence_verdict.mjs";
import { undo, undoOf } from "./undo.mjs";

const UNSAID = ["action", "enabled", "expires", "log", "comment"];

export function RuleView({ panel, rules, meters, gone, marks, held }) {
  const found = rules.find((rule) => rule.id === panel.id);
  const last = useRef(found);
  if (found) last.current = found;
  const rule = last.current;
  if (!rule) return html`<h2 tabindex="-1">No rule ${panel.id}</h2>`;
  if (!found) return html`<${Deleted} rule=${rule} gone=${gone} held=${held} />`;
  const meter = meters.rules.get(rule.id);
  const mark = marks.get(rule.id);
  return html`
    <h2 tabindex="-1">Rule ${rule.position} <small>${rule.id}</small></h2>
    <p class="whole"><${Sentence} text=${rule.text} /></p>
    ${mark && html`<p class="warning">${mark.words}${mark.was && html`; it said <code>${mark.was}</code>`}</p>`}
    <div class="deeds">${deedsOf(rule, rules.length).slice(1).map((deed) => html`<button key=${deed.name}
      class=${deed.danger ? "danger" : ""} disabled=${held || deed.off} onClick=${deed.act}>${deed.name}</button>`)}</div>
    <${Numbers} rule=${rule} meter=${meter} />
    <${Chart} history=${meter?.history ?? []} time=${meters.at / 1000} tone=${rule.action} of=${rule.id} />
    <h3>Fields</h3>
    <dl class="facts-of">${FIELDS.filter(({ name }) => rule[name] !== undefined && !UNSAID.includes(name)).map(fact(rule))}
      ${plainly(rule).map(([label, words]) => html`<div key=${label}><dt>${label}</dt><dd>${words}</dd></div>`)}
    </dl>`;
}

const fact = (rule) => ({ name, label, choices }) => {
  const value = String(rule[name]);
  const words = choices?.find(([key]) => key === value)?.[1] ?? value;
  return html`<div key=${name}><dt>${label}</dt><dd>${words}</dd></div>`;
};

function plainly(rule) {
  const state = rule.expired ? "expired" : rule.enabled ? "enabled" : "disabled";
  const facts = [["State", state]];
  if (rule.expires) facts.push(["Ends", when(rule.expires)]);
  if (rule.log) facts.push(["Packets", "counted and reported"]);
  if (rule.comment) facts.push(["Comment", rule.comment]);
  return [...facts, ["Created", when(rule.created)]];
}

function Numbers({ rule, meter }) {
  const { packets, bytes } = meter ?? rule;
  const hit = hitOf(rule, meter);
  const facts = [
    ["Packets", exact(packets), ""],
    ["Bytes", size(bytes), `${exact(bytes)} bytes`],
    ["Last hit", ago(hit) || "never", hit ? when(new Date(hit).toISOString()) : ""],
    ["Now", `${packetRate(meter?.rate ?? 0)} · ${bits(meter?.byteRate ?? 0)}`, ""],
  ];
  return html`<dl class="figures">${facts.map(([label, words, title]) => html`<div key=${label}>
    <dt>${label}</dt><dd title=${title}>${words}</dd></div>`)}</dl>`;
}

function Deleted({ rule, gone, held }) {
  const mine = undoOf(rule.id);
  const theirs = gone.find((one) => one.rule.id === rule.id);
  return html`
    <h2 tabindex="-1">Deleted${mine ? "" : " elsewhere"} <small>${rule.id}</small></h2>
    <p class="whole"><${Sentence} text=${rule.text} /></p>
    ${mine && html`<button class="undo" disabled=${held} onClick=${() => undo(mine)}>Undo</button>`}
    ${theirs && html`<button disabled=${held} onClick=${() => putBack(rule, theirs.above)}>Put back</button>`}`;
}
