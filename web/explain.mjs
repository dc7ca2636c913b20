// Explains a packet: a form that takes it in words, and what becomes of it at each hook.

import { api, Problem } from "./api.mjs";
import { connectionFailed } from "./connection.mjs";
import { placeWords, plural } from "./format.mjs";
import { html, useEffect, useState } from "./html.mjs";
import { RuleLine } from "./rule_line.mjs";
import { SentenceField } from "./sentence_field.mjs";
import { ruleOf, setState } from "./store.mjs";

let last = { text: "", answer: null }; // what was asked last: the drawer opens with it again

/** `panel.question` is {text, frame?, about?}: the packet in words, as bytes, and where it comes from. */
export function ExplainPanel({ panel, status, offline }) {
  const { question } = panel;
  const [text, setText] = useState(question?.text ?? last.text);
  const [answer, setAnswer] = useState(question ? null : last.answer);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);

  const ask = async (asked) => {
    setBusy(true);
    try {
      const found = await api.explain(asked.rule ? { rules: [asked.rule] } : { packets: [asked.frame ?? asked.text] });
      const packet = found.packets[0];
      const words = asked.rule ? packet.packet : asked.text;
      const role = asked.rule && ruleRole(asked.rule, packet);
      last = { text: words, answer: { packet, revision: found.revision, about: asked.about, role } };
      setText(words);
      setAnswer(last.answer);
      setProblem(null);
      setState({ announcement: verdictWords(packet) });
    } catch (error) {
      setAnswer(null);
      if (!connectionFailed(error)) setProblem(error instanceof Problem ? error : new Problem(0, { detail: error.message }));
    }
    setBusy(false);
  };
  useEffect(() => { if (question && !offline) ask(question); }, []);

  const type = (next) => {
    setText(next);
    setProblem(null);
  };
  const askWords = (event) => {
    event?.preventDefault();
    if (text.trim() && !offline && !busy) ask({ text });
  };
  return html`<form class="explain" onSubmit=${askWords} aria-label="Explain a packet">
    <h2 tabindex="-1">What becomes of a packet?</h2>
    <${SentenceField} id="packet" value=${text} onText=${type} onEnter=${askWords} offline=${offline}
      check=${{ typed: text, problem }} label="A packet, in words" placeholder="tcp/22 from 192.0.2.7 on eth0">
      <button class="primary add" disabled=${offline || !text.trim()} aria-disabled=${busy}>Why?</button>
    <//>
    <div id="packet-verdict" class="sentence-verdict" role=${problem ? "alert" : undefined}>
      ${problem ? html`<div class="error"><p>${problem.message}</p>${problem.hint && html`<p class="hint">${problem.hint}</p>`}</div>`
        : html`<p>PROTOCOL/PORT from ADDRESS to ADDRESS on INTERFACE in, or out; what is not said is assumed.
          Nothing is sent or counted.</p>`}
    </div>
    ${answer && html`<${Answer} answer=${answer} revision=${status.revision} />`}
  </form>`;
}

/** What the rule that was asked about is to the packet that was made for it. */
function ruleRole(id, { hooks }) {
  const rule = ruleOf(id);
  const name = rule ? `Rule ${rule.position}` : `Rule ${id}`;
  if (hooks.some((hook) => hook.rule?.id === id)) return `${name} decides a packet like this:`;
  if (hooks.some((hook) => hook.counted?.some((one) => one.id === id))) return `${name} counts a packet like this:`;
  return `${name} ${rule?.enabled === false ? "would match" : "matches"} a packet like this, and does not decide it:`;
}

function verdictWords({ verdict, hooks }) {
  if (!verdict) return "What becomes of it is not known.";
  const by = hooks.find((hook) => hook.verdict === verdict) ?? hooks.at(-1);
  return `${verdict === "drop" ? "It is dropped" : "It passes"}${by ? `, ${decisionWords(by)}` : ""}.`;
}

function decisionWords({ by, rule, policy }) {
  if (by === "rule") return rule ? `by rule ${rule.position}` : "by a rule";
  if (by === "policy") return `by policy ${policy}`;
  return {
    off: "since filtering is off",
    passing: "since this attachment lets everything through at the moment",
    error: "since it could not be judged",
    "not-run": "which is not known",
  }[by];
}

function Answer({ answer, revision }) {
  const { packet, about, role } = answer;
  const { verdict, hooks, assumed = [], notes = [] } = packet;
  return html`<section class="answer" aria-label="What becomes of it">
    ${role && html`<p class="role">${role}</p>`}
    <p class="outcome"><b class=${verdict === "drop" ? "drop" : verdict ? "accept" : "quiet"}>${verdict ?? "not known"}</b>
      ${" "}<span>${about ?? packet.packet ?? plural(packet.bytes, "byte")}</span></p>
    ${assumed.length > 0 && html`<p class="quiet">Assumed: ${assumed.join(", ")}.</p>`}
    ${answer.revision < revision && html`<p class="warning">Revision ${answer.revision} said so; ${revision} is in force now: ask again.</p>`}
    ${notes.map((words) => html`<p key=${words} class="warning">${words}</p>`)}
    <ol>${hooks.map((hook) => html`<${Hook} key=${hook.place} hook=${hook} iface=${packet.iface} />`)}</ol>
  </section>`;
}

/** One program that the packet meets. */
function Hook({ hook, iface }) {
  const { place, attached = true, verdict, by, rule, counted = [], expired = [], near = [], unreadable = [], notes = [], state, why_invalid: why } = hook;
  const tone = verdict === "drop" ? "drop" : "accept";
  return html`<li>
    <h3>${iface ?? "any interface"} ${placeWords(place)}${!attached && ": nothing is attached, it would"}</h3>
    <p class="decision"><b class=${verdict ? tone : "quiet"}>${verdict ?? "not known"}</b> ${decisionWords(hook)}</p>
    ${by === "rule" && rule && html`<${RuleLine} rule=${rule} />`}
    ${notes.map((words) => html`<p key=${words} class="quiet">${words}</p>`)}
    <${RuleGroup} title="Matched before, and counted it" rules=${counted} />
    <${RuleGroup} title="Would match, but their time is over" rules=${expired} />
    ${near.length > 0 && html`<h4>Nearest that do not match</h4>
      <ul class="near">${near.map((one) => html`<li key=${one.rule.position}><${RuleLine} rule=${one.rule} />
        ${one.differs.map((field) => html`<p key=${field.field} class="differs"><${Difference} ...${field} /></p>`)}</li>`)}</ul>`}
    ${state && html`<p class="quiet">State: ${state}${why && ` (${why})`}</p>`}
    ${unreadable.length > 0 && html`<p class="quiet">Cannot be read: ${unreadable.join(", ")}. A drop rule takes that as a match, any other does not.</p>`}
  </li>`;
}

function RuleGroup({ title, rules }) {
  if (!rules.length) return null;
  return html`<h4>${title}</h4><ul>${rules.map((rule) => html`<li key=${rule.position}><${RuleLine} rule=${rule} /></li>`)}</ul>`;
}

function Difference({ field, packet, unreadable, rule }) {
  const has = unreadable ? "cannot be read" : packet === undefined ? "is not there" : html`is <code>${packet}</code>`;
  return html`<b>${field}</b> ${has}, the rule wants <code>${rule}</code>`;
}
