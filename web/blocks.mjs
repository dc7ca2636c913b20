// Quick blocks in the drawer: what is blocked, how long yet, unblock; and a form for one more.

import { api, serviceTime } from "./api.mjs";
import { awaitOwnRevision } from "./apply_event.mjs";
import { connectionFailed } from "./connection.mjs";
import { dateWords, durationWords, exact, plural } from "./format.mjs";
import { guardedChange } from "./guard.mjs";
import { html, useEffect, useRef, useState } from "./html.mjs";
import { may } from "./roles.mjs";
import { showResult } from "./store.mjs";

const REFRESH_MS = 5000; // entries of the set change without an event
const DURATIONS = [["10m", "10 minutes"], ["1h", "an hour"], ["24h", "a day"], ["", "ever, until unblocked"]];

export function BlocksPanel({ status, offline }) {
  const [list, setList] = useState(null);
  const [, redraw] = useState(0);
  const load = async () => {
    try {
      setList(await api.blocks());
    } catch (error) {
      connectionFailed(error);
    }
  };
  useEffect(() => {
    if (offline) return undefined;
    load();
    const refresh = setInterval(load, REFRESH_MS);
    const tick = setInterval(() => redraw((n) => n + 1), 1000);
    return () => [refresh, tick].forEach(clearInterval);
  }, [offline, status.revision]);
  const shown = list?.blocks.filter(({ expires }) => !expires || Date.parse(expires) > serviceTime());
  const hidden = list ? list.total - list.blocks.length : 0;
  return html`
    <h2 tabindex="-1">Blocks</h2>
    <${BlockForm} offline=${offline || !may("operator")} done=${load} />
    ${shown?.length === 0 && html`<p class="none">Nothing is blocked.</p>`}
    ${shown?.length > 0 && html`<table class="blocks">
      <caption class="visually-hidden">What is blocked</caption>
      <thead><tr><th scope="col">Blocked</th><th scope="col" class="number">Dropped</th><th scope="col" class="number">Ends in</th>
        <th scope="col" class="actions"><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${shown.map((block) => html`<${Block} key="${block.rule} ${block.target}" block=${block} offline=${offline || !may("operator")} done=${load} />`)}</tbody>
    </table>`}
    ${hidden > 0 && html`<p class="quiet">And ${plural(hidden, "address").replace(/s$/, "ses")} more in the set blocked.</p>`}`;
}

function Block({ block, offline, done }) {
  const { target, expires, packets } = block;
  const unblock = async () => {
    const gone = await guardedChange((how) => asOwn(api.unblock({ target, ...how })));
    if (gone) showResult(`Unblocked ${target}.`, gone.warnings);
    await done();
  };
  return html`<tr>
    <th scope="row" class="text"><code>${target}</code></th>
    <td class="number" title=${packets === undefined ? "not counted for each address of the set" : ""}>${packets === undefined ? "" : exact(packets)}</td>
    <td class="number" title=${expires ? dateWords(expires) : ""}>${expires ? leftWords(expires) : "never"}</td>
    <td class="actions"><button disabled=${offline} onClick=${unblock} aria-label="Unblock ${target}">Unblock</button></td>
  </tr>`;
}

/** The rule that it makes or takes away is not somebody else's. */
async function asOwn(request) {
  const outcome = await request;
  awaitOwnRevision(await api.status());
  return outcome;
}

const leftWords = (expires) => durationWords(Math.ceil((Date.parse(expires) - serviceTime()) / 1000));

function BlockForm({ offline, done }) {
  const [target, setTarget] = useState("");
  const [lasts, setLasts] = useState(DURATIONS[0][0]);
  const [problem, setProblem] = useState(null);
  const field = useRef();
  const submit = async (event) => {
    event.preventDefault();
    if (!target.trim() || offline) return;
    const body = { target: target.trim(), ...(lasts && { for: lasts }) };
    try {
      const outcome = await guardedChange((how) => asOwn(api.block(body, how)), { callerHandles: (error) => error.status === 422 });
      if (!outcome) return;
      const { block, changed, warnings } = outcome;
      showResult(`${changed ? "Blocked" : "Already blocked:"} ${block.target}.`, warnings);
      setTarget("");
      await done();
    } catch (error) {
      setProblem(error);
      field.current.focus();
    }
  };
  return html`<form class="block-form" onSubmit=${submit} aria-label="Block">
    <p class="form-field"><label for="block-target">Address, prefix, or what a rule says behind drop</label>
      <input id="block-target" ref=${field} type="text" value=${target} placeholder="203.0.113.0/24, icmp on docker0" autocomplete="off"
        autocapitalize="off" spellcheck=${false} readOnly=${offline} aria-invalid=${Boolean(problem)} aria-describedby="block-problem"
        onInput=${(event) => { setTarget(event.target.value); setProblem(null); }} /></p>
    <p class="form-field"><label for="block-for">For</label>
      <select id="block-for" value=${lasts} disabled=${offline} onChange=${(event) => setLasts(event.target.value)}>
        ${DURATIONS.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}</select></p>
    <button class="danger" disabled=${offline || !target.trim()}>Block</button>
    <div id="block-problem" class="error" role="alert">${problem && html`<p>${problem.message}</p>${problem.hint && html`<p class="hint">${problem.hint}</p>`}`}</div>
  </form>`;
}
