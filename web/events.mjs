// The list of reported packets: pause, filter, and a new rule that blocks one. Closed it is one line.

import { api } from "./api.mjs";
import { runChange } from "./connection.mjs";
import { editNewRule, openExplanation, openRule } from "./drawer_state.mjs";
import { exact, placeWords, plural } from "./format.mjs";
import { html, useEffect, useLayoutEffect, useState } from "./html.mjs";
import { PanelButtons } from "./panel_buttons.mjs";
import { blockingSentence, clearPackets, latestPackets, matchingPackets, onPackets, packetQuestion, packetWords } from "./reported_packets.mjs";
import { may } from "./roles.mjs";
import { ruleOf } from "./store.mjs";

const PHONE = matchMedia("(max-width: 640px)"); // as in events.css
const rowPx = () => (PHONE.matches ? 80 : 25); // .packets tbody tr there
const ROWS_DRAWN = 24; // rows drawn at a time: the box is 12 high
const SCROLL_STEP = 6;

export function Events({ offline, eventCounts }) {
  const [open, setOpen] = useState(false);
  const counts = eventCounts && [
    `${exact(eventCounts.sent)} reported`,
    eventCounts.limited > 0 && `${exact(eventCounts.limited)} over the rate`,
    eventCounts.sampled > 0 && `${exact(eventCounts.sampled)} sampled out`,
    eventCounts.lost > 0 && `${exact(eventCounts.lost)} lost`,
  ];
  return html`<section class="events" aria-labelledby="events-title">
    <div class="heading-row">
      <h2 id="events-title"><button class="plain" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span aria-hidden="true">${open ? "▾" : "▸"}</span> Events</button></h2>
      <span class="quiet">${counts?.filter(Boolean).join(", ")}</span>
      <${PanelButtons} />
    </div>
    ${open && html`<${PacketList} offline=${offline} />`}
  </section>`;
}

function PacketList({ offline }) {
  const [{ packets, missed }, setSeen] = useState(latestPackets);
  const [text, setText] = useState("");
  const [paused, setPaused] = useState(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => onPackets(() => setSeen(latestPackets())), []);
  const [, redraw] = useState(0);
  useEffect(() => {
    const turned = () => redraw((n) => n + 1);
    PHONE.addEventListener("change", turned);
    return () => PHONE.removeEventListener("change", turned);
  }, []);
  const newer = paused ? packets.findIndex((packet) => packet.n === paused[0]?.n) : 0;
  const list = matchingPackets(paused ?? packets, text);
  const from = Math.max(0, Math.min(top, list.length - ROWS_DRAWN));
  const scroll = (event) => setTop(Math.floor(event.currentTarget.scrollTop / rowPx() / SCROLL_STEP) * SCROLL_STEP - SCROLL_STEP);
  return html`
    <div class="tools">
      <input type="search" aria-label="Only events with these words" placeholder="only: drop 192.0.2. tcp"
        value=${text} onInput=${(event) => setText(event.target.value)} />
      <button aria-pressed=${Boolean(paused)} onClick=${() => setPaused(paused ? null : packets)}>
        ${paused ? "Resume" : "Pause"}</button>
      <button onClick=${clearPackets}>Clear</button>
      ${paused && html`<span class="quiet">${newer < 0 ? "500 and more" : exact(newer)} newer</span>`}
      ${missed > 0 && html`<span class="quiet">${exact(missed)} came too fast to be shown</span>`}
      <${EventSettings} offline=${offline} />
    </div>
    ${list.length === 0
      ? html`<p class="none">${packets.length ? "None of the last has these words."
          : "Nothing reported yet: rules with log report their packets, and so does each drop when asked to."}</p>`
      : html`<div class="box" tabindex="0" role="region" aria-label="The last ${plural(list.length, "event")}"
          onScroll=${scroll}>
        <table class="packets" aria-rowcount=${list.length + 1}>
          <thead><tr>
            <th scope="col" class="time">Time</th><th scope="col" class="verdict">Verdict</th>
            <th scope="col" class="seen-at">At</th><th scope="col" class="decided-by">Rule</th>
            <th scope="col">Packet</th><th scope="col" class="number size">Bytes</th>
            <th scope="col" class="actions"><span class="visually-hidden">Actions</span></th>
          </tr></thead>
          <tbody>
            <${GapRow} rows=${from} />
            ${list.slice(from, from + ROWS_DRAWN).map((packet, i) =>
              html`<${Packet} key=${packet.n} packet=${packet} index=${from + i + 2} offline=${offline} />`)}
            <${GapRow} rows=${Math.max(0, list.length - from - ROWS_DRAWN)} />
          </tbody>
        </table></div>`}`;
}

const GapRow = ({ rows }) =>
  rows > 0 && html`<tr aria-hidden="true" class="gap"><td colspan="7" style=${{ height: `${rows * rowPx()}px` }}></td></tr>`;

function Packet({ packet, index, offline }) {
  const text = packetWords(packet);
  const by = packet.rule ?? "policy";
  const openBlockingRule = () => editNewRule({ text: blockingSentence(packet), title: "Block this" });
  return html`<tr aria-rowindex=${index}>
    <td class="time" title=${packet.time}>${new Date(packet.time).toLocaleTimeString("en-GB")}</td>
    <td class="verdict"><b class=${packet.verdict === "drop" ? "drop" : "accept"}>${packet.verdict}</b></td>
    <td class="seen-at" title=${packet.behind}>${packet.iface} ${placeWords(packet.place ?? "")}</td>
    <td class="decided-by">${ruleOf(packet.rule)
      ? html`<button class="plain" onClick=${() => openRule(packet.rule)} aria-label="Rule ${by}">${by}</button>` : by}</td>
    <th scope="row" class="text" title=${packet.log ? `${text}; reported by the log of ${packet.log}` : text}>${text}</th>
    <td class="number size">${exact(packet.bytes)}</td>
    <td class="actions"><button disabled=${offline} onClick=${() => openExplanation(packetQuestion(packet))}
      aria-label="Why: ${text}">Why?</button> <button disabled=${offline || !may("operator")} onClick=${openBlockingRule}
      aria-label="Block this: ${blockingSentence(packet)}">Block…</button></td>
  </tr>`;
}

/** Which packets are reported; asked when the list is opened. */
function EventSettings({ offline }) {
  const [settings, setSettings] = useState(null);
  const changeSettings = (changes) => runChange(async () => setSettings((await api.setEventSettings(changes)).settings));
  useEffect(() => {
    runChange(async () => setSettings((await api.eventSettings()).settings));
  }, []);
  if (!settings) return null;
  const checkbox = (name, label) => html`<label><input type="checkbox" checked=${settings[name]} disabled=${offline || !may("admin")}
    onChange=${(event) => changeSettings({ [name]: event.target.checked })} /> ${label}</label>`;
  return html`<span class="event-settings">${checkbox("enabled", "Events on")} ${checkbox("log_drops", "Every drop")}
    <span class="quiet">${exact(settings.rate)} a second of a rule${settings.sample > 1 && `, one in ${exact(settings.sample)}`}</span></span>`;
}
