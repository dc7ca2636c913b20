// Single packets as they come: pause, filters, and "block this". Closed it is one line.

import { api } from "./api.mjs";
import { change } from "./connection.mjs";
import { editNew, openRule } from "./drawer_state.mjs";
import { exact, place, plural } from "./format.mjs";
import { html, useEffect, useLayoutEffect, useState } from "./html.mjs";
import { blocking, clear, latest, matching, onPackets, words } from "./reported_packets.mjs";
import { ruleOf } from "./store.mjs";

const ROW_PX = 25; // .packets tbody tr in events.css
const SHOWN = 24; // rows drawn at a time: the box is 12 high
const STEP = 6;

export function Events({ held, reported }) {
  const [open, setOpen] = useState(false);
  const counts = reported && [
    `${exact(reported.sent)} reported`,
    reported.limited > 0 && `${exact(reported.limited)} over the rate`,
    reported.sampled > 0 && `${exact(reported.sampled)} sampled out`,
    reported.lost > 0 && `${exact(reported.lost)} lost`,
  ];
  return html`<section class="events" aria-labelledby="events-title">
    <div class="above">
      <h2 id="events-title"><button class="plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span aria-hidden="true">${open ? "▾" : "▸"}</span> Events</button></h2>
      <span class="quiet">${counts?.filter(Boolean).join(", ")}</span>
    </div>
    ${open && html`<${List} held=${held} />`}
  </section>`;
}

function List({ held }) {
  const [{ packets, missed }, setSeen] = useState(latest);
  const [text, setText] = useState("");
  const [paused, pause] = useState(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => onPackets(() => setSeen(latest())), []);
  const newer = paused ? packets.findIndex((one) => one.n === paused[0]?.n) : 0;
  const list = matching(paused ?? packets, text);
  const from = Math.max(0, Math.min(top, list.length - SHOWN));
  const scroll = (event) => setTop(Math.floor(event.currentTarget.scrollTop / ROW_PX / STEP) * STEP - STEP);
  return html`
    <div class="tools">
      <input type="search" aria-label="Only events with these words" placeholder="only: drop 192.0.2. tcp"
        value=${text} onInput=${(event) => setText(event.target.value)} />
      <button aria-pressed=${Boolean(paused)} onClick=${() => pause(paused ? null : packets)}>
        ${paused ? "Resume" : "Pause"}</button>
      <button onClick=${clear}>Clear</button>
      ${paused && html`<span class="quiet">${newer < 0 ? "500 and more" : exact(newer)} newer</span>`}
      ${missed > 0 && html`<span class="quiet">${exact(missed)} came too fast to be shown</span>`}
      <${Settings} held=${held} />
    </div>
    ${list.length === 0
      ? html`<p class="none">${packets.length ? "None of the last has these words."
          : "Nothing reported yet: rules with log report their packets, and so does each drop when asked to."}</p>`
      : html`<div class="box" tabindex="0" role="region" aria-label="The last ${plural(list.length, "event")}"
          onScroll=${scroll}>
        <table class="packets" aria-rowcount=${list.length + 1}>
          <thead><tr>
            <th scope="col" class="time">Time</th><th scope="col" class="verdict">Verdict</th>
            <th scope="col" class="where">At</th><th scope="col" class="by">Rule</th>
            <th scope="col">Packet</th><th scope="col" class="n size">Bytes</th>
            <th scope="col" class="do"><span class="unseen">Actions</span></th>
          </tr></thead>
          <tbody>
            <${Gap} rows=${from} />
            ${list.slice(from, from + SHOWN).map((one, i) =>
              html`<${Packet} key=${one.n} one=${one} index=${from + i + 2} held=${held} />`)}
            <${Gap} rows=${Math.max(0, list.length - from - SHOWN)} />
          </tbody>
        </table></div>`}`;
}

const Gap = ({ rows }) =>
  rows > 0 && html`<tr aria-hidden="true" class="gap"><td colspan="7" style=${{ height: `${rows * ROW_PX}px` }}></td></tr>`;

function Packet({ one, index, held }) {
  const text = words(one);
  const by = one.rule ?? "policy";
  const block = () => editNew({ text: blocking(one), title: "Block this" });
  return html`<tr aria-rowindex=${index}>
    <td class="time" title=${one.time}>${new Date(one.time).toLocaleTimeString("en-GB")}</td>
    <td class="verdict"><b class=${one.verdict === "drop" ? "drop" : "accept"}>${one.verdict}</b></td>
    <td class="where">${one.iface} ${place(one.place ?? "")}</td>
    <td class="by">${ruleOf(one.rule)
      ? html`<button class="plain" onClick=${() => openRule(one.rule)} aria-label="Rule ${by}">${by}</button>` : by}</td>
    <th scope="row" class="text" title=${one.log ? `${text}; reported by the log of ${one.log}` : text}>${text}</th>
    <td class="n size">${exact(one.bytes)}</td>
    <td class="do"><button disabled=${held} onClick=${block} aria-label="Block this: ${blocking(one)}">Block…</button></td>
  </tr>`;
}

/** Which packets are reported; asked when the list is opened. */
function Settings({ held }) {
  const [settings, keep] = useState(null);
  const put = (changes) => change(async () => keep((await api.setEvents(changes)).settings));
  useEffect(() => {
    change(async () => keep((await api.events()).settings));
  }, []);
  if (!settings) return null;
  const box = (name, label) => html`<label><input type="checkbox" checked=${settings[name]} disabled=${held}
    onChange=${(event) => put({ [name]: event.target.checked })} /> ${label}</label>`;
  return html`<span class="which">${box("enabled", "Events on")} ${box("log_drops", "Every drop")}
    <span class="quiet">${exact(settings.rate)} a second of a rule${settings.sample > 1 && `, one in ${exact(settings.sample)}`}</span></span>`;
}
