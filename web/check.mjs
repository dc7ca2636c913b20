// Checks the rules in the drawer: those that never decide or change nothing, each with a packet that shows it.

import { api } from "./api.mjs";
import { connectionFailed } from "./connection.mjs";
import { openExplanation } from "./drawer_state.mjs";
import { plural } from "./format.mjs";
import { html, useEffect, useState } from "./html.mjs";
import { RuleLine } from "./rule_line.mjs";
import { showError } from "./store.mjs";

export function CheckPanel({ status, rules, offline }) {
  const [checked, setChecked] = useState(null); // {report, revision}
  const [busy, setBusy] = useState(false);
  const check = async () => {
    setBusy(true);
    const { revision } = status;
    try {
      setChecked({ report: await api.check(), revision });
    } catch (error) {
      if (!connectionFailed(error)) showError(error);
    }
    setBusy(false);
  };
  useEffect(() => { if (!offline) check(); }, []);
  const report = checked?.report;
  return html`
    <h2 tabindex="-1">Check</h2>
    <p role="status">${report ? summary(report) : busy ? `Checking ${plural(rules.length, "rule")}…` : ""}</p>
    ${checked && checked.revision !== status.revision && html`<p class="warning">That was revision ${checked.revision}.
      ${" "}<button disabled=${offline || busy} onClick=${check}>Check again</button></p>`}
    <ol class="findings">${report?.findings.map((one, i) => html`<li key=${i}><${Finding} finding=${one} offline=${offline} /></li>`)}</ol>
    ${report?.undecided?.length > 0 && html`<h3>Would take too long to decide</h3>
      <ul>${report.undecided.map((rule) => html`<li key=${rule.position}><${RuleLine} rule=${rule} /></li>`)}</ul>`}`;
}

function summary({ rules, findings }) {
  if (!findings.length) return `${plural(rules, "rule")}: each can decide something, and none is needless.`;
  return `${plural(rules, "rule")}: ${plural(findings.length, "finding")}.`;
}

function Finding({ finding, offline }) {
  const { kind, rule, because = [], more = 0, message, packet } = finding;
  return html`
    <${RuleLine} rule=${rule} />
    <p><span class="mark">${kind}</span> ${message}</p>
    ${because.length > 0 && html`<ul class="because" aria-label="Because of">${because.map((one) => html`<li key=${one.position}><${RuleLine} rule=${one} /></li>`)}
      ${more > 0 && html`<li class="quiet">and ${plural(more, "rule")} more</li>`}</ul>`}
    ${packet && html`<p class="witness"><code>${packet}</code>
      ${" "}<button disabled=${offline} onClick=${() => openExplanation({ text: packet })} aria-label="Why: ${packet}">Why?</button></p>`}`;
}
