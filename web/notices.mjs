// The notice bar at the foot, the confirmation dialog, and announcements for screen readers.

import { durationWords } from "./format.mjs";
import { html, useEffect, useRef } from "./html.mjs";
import { dismissNotice, setState, state } from "./store.mjs";

const DONE_MS = 6000;
const SIGNS = { error: "Failed:", warning: "Warning:", done: "Done:" };

/** One bar at the foot of the window: it covers, and so never moves what is above. */
export function NoticeBar({ lost, notice }) {
  useEffect(() => {
    if (notice?.kind !== "done") return undefined;
    const timer = setTimeout(dismissNotice, DONE_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  if (lost) return html`<${ConnectionLost} lost=${lost} />`;
  if (!notice) return null;
  const { kind, text, hint } = notice;
  return html`<aside class="bar ${kind}" aria-label="Message">
    <p><strong>${SIGNS[kind]}</strong> ${text} ${hint && html`<span class="hint">${hint}</span>`}</p>
    <button onClick=${dismissNotice}>Dismiss</button>
  </aside>`;
}

function ConnectionLost({ lost }) {
  const since = new Date(lost.since).toLocaleTimeString("en-GB");
  return html`<aside class="bar lost" aria-label="Connection lost">
    <p>
      <strong>No connection to the service</strong> since ${since}
      ${" "}(${durationWords((Date.now() - lost.since) / 1000)}).
      ${" "}<span class="hint">Filtering goes on without it; the numbers here are old. Trying again
      each second.</span>
    </p>
  </aside>`;
}

/** A question before something that may hurt: {title, text, lines, note, choices, answer}, as ask.mjs makes it. */
export function Confirmation({ question }) {
  const dialog = useRef();
  useEffect(() => {
    if (question) dialog.current.showModal();
  }, [question]);
  if (!question) return null;
  const { title, text, lines, option, note, choices, answer } = question;
  let chosen = null;
  let optional = option?.how;
  // Closing by close() gives the focus back to where it was; Escape does the same.
  const choose = (how) => {
    chosen = how && { ...how, ...optional };
    dialog.current.close();
  };
  const onClose = () => {
    if (state.question === question) setState({ question: null });
    answer(chosen);
  };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="ask" aria-describedby="why why-not">
    <h2 id="ask">${title}</h2>
    <p id="why">${text}</p>
    ${lines.length > 0 && html`<ul class="lines">${lines.map((words) => html`<li key=${words}>${words}</li>`)}</ul>`}
    ${option && html`<label class="option"><input type="checkbox" defaultChecked
      onChange=${(event) => { optional = event.target.checked ? option.how : undefined; }} /> ${option.label}</label>`}
    <p id="why-not" class="quiet">${note}</p>
    <div class="choices">
      <button onClick=${() => choose(null)}>Cancel</button>
      ${choices.map(({ label, tone, how }) => html`<button key=${label} class=${tone} onClick=${() => choose(how)}>${label}</button>`)}
    </div>
  </dialog>`;
}

/** Says changes of state, never numbers. */
export const Announcer = ({ announcement }) => html`<p class="visually-hidden" role="status">${announcement}</p>`;
