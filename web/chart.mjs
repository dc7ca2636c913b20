// The drawer's chart: packets a second of one rule over the last minutes, or the same as a table.

import { packetRateWords, rateWords, timeOfDay } from "./format.mjs";
import { html, useState } from "./html.mjs";

const [WIDTH, HEIGHT] = [300, 100]; // of the drawing; the page stretches it

/** `history` holds one rate a second, the newest last; `time` is that one's, in seconds. */
export function Chart({ history, time, tone, subject }) {
  const [table, setTable] = useState(false);
  return html`<section class="chart" aria-label="Packets a second">
    <div class="heading-row">
      <h3>Packets a second</h3>
      <button class="plain" aria-pressed=${table} onClick=${() => setTable(!table)}>View as table</button>
    </div>
    ${history.length < 2
      ? html`<p class="quiet empty">Nothing has met this rule since the page was opened.</p>`
      : table
        ? html`<${RateTable} history=${history} time=${time} subject=${subject} />`
        : html`<${Plot} history=${history} time=${time} tone=${tone} subject=${subject} />`}
  </section>`;
}

function Plot({ history, time, tone, subject }) {
  const [at, setAt] = useState(null); // the sample under the pointer, counted from the newest
  const peak = Math.max(1, ...history);
  const last = history.length - 1;
  const x = (i) => (i / last) * WIDTH;
  const y = (rate) => HEIGHT - (rate / (peak * 1.08)) * HEIGHT;
  const linePoints = history.map((rate, i) => `${x(i).toFixed(1)},${y(rate).toFixed(1)}`);
  const shown = at === null ? null : Math.max(0, last - at);
  const onPointer = ({ currentTarget, clientX }) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (clientX - left) / width));
    setAt(last - Math.round(part * last));
  };
  const label = `${subject}: now ${rateWords(history[last]) || 0}, at most ${rateWords(peak) || 0} packets a second`;
  return html`<div class="plot ${tone}">
    <div class="area" onPointerMove=${onPointer} onPointerDown=${onPointer} onPointerLeave=${() => setAt(null)}>
      <svg role="img" aria-label=${label} viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">
        ${gridValues(peak).map((value) => html`<path key=${value} class="grid" d="M0,${y(value)}H${WIDTH}" />`)}
        <path d="M0,${HEIGHT}L${linePoints.join("L")}L${WIDTH},${HEIGHT}Z" />
        <polyline points=${linePoints.join(" ")} />
        ${shown !== null && html`<path class="cursor" d="M${x(shown)},0V${HEIGHT}" />`}
      </svg>
      ${gridValues(peak).map((value) => html`<span key=${value} class="y" style=${{ top: `${(y(value) / HEIGHT) * 100}%` }}>
        ${rateWords(value) || 0}</span>`)}
    </div>
    <p class="x"><span>${timeOfDay(time - last)}</span>
      ${shown !== null && html`<b>${timeOfDay(time - last + shown)} · ${packetRateWords(history[shown])}</b>`}
      <span>${timeOfDay(time)}</span></p>
  </div>`;
}

/** Up to four round numbers from 0 on for the lines across. */
function gridValues(peak) {
  const size = 10 ** Math.floor(Math.log10(peak));
  const step = [size / 2, size, size * 2, size * 5].find((one) => peak / one < 4);
  return Array.from({ length: Math.floor(peak / step) + 1 }, (_, i) => i * step);
}

/** The same numbers for who reads rather than looks; the newest first. */
const RateTable = ({ history, time, subject }) => html`<div class="rate-table" tabindex="0" role="region" aria-label="Rates of ${subject}">
  <table>
    <caption class="visually-hidden">Packets a second of ${subject}, the newest first</caption>
    <thead><tr><th scope="col">Time</th><th scope="col" class="number">Packets/s</th></tr></thead>
    <tbody>${history.map((_, i) => html`<tr key=${time - i}>
      <th scope="row">${timeOfDay(time - i)}</th>
      <td class="number">${rateWords(history[history.length - 1 - i]) || 0}</td>
    </tr>`)}</tbody>
  </table>
</div>`;
