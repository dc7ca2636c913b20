// The drawer's chart: packets a second of one rule over the last minutes, or the same as a table.

import { clockTime, rate } from "./format.mjs";
import { html, useLayoutEffect, useRef, useState } from "./html.mjs";

const HEIGHT = 168;

/** `history` holds one rate a second, the newest last; `time` is that one's, in seconds. */
export function Chart({ history, time, tone, of }) {
  const [table, setTable] = useState(false);
  return html`<section class="chart" aria-label="Packets a second">
    <div class="above">
      <h3>Packets a second</h3>
      <button class="plain" aria-pressed=${table} onClick=${() => setTable(!table)}>View as table</button>
    </div>
    ${history.length < 2
      ? html`<p class="quiet empty">Nothing has met this rule since the page was opened.</p>`
      : table
        ? html`<${Table} history=${history} time=${time} of=${of} />`
        : html`<${Plot} history=${history} time=${time} tone=${tone} of=${of} />`}
  </section>`;
}

function Plot({ history, time, tone, of }) {
  const box = useRef();
  const plot = useRef();
  const data = [history.map((_, i) => time - (history.length - 1 - i)), history];
  useLayoutEffect(() => {
    const { color } = getComputedStyle(box.current);
    const width = box.current.clientWidth;
    plot.current = new globalThis.uPlot(options(width, color, getComputedStyle(document.body)), data, box.current);
    const fit = () => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT });
    addEventListener("resize", fit);
    return () => {
      removeEventListener("resize", fit);
      plot.current.destroy();
    };
  }, [tone, of]);
  useLayoutEffect(() => plot.current.setData(data));
  const label = `${of}: now ${rate(history.at(-1)) || 0}, at most ${rate(Math.max(...history)) || 0} packets a second`;
  return html`<div class="plot ${tone}" ref=${box} role="img" aria-label=${label}></div>`;
}

function options(width, stroke, style) {
  const quiet = style.getPropertyValue("--quiet");
  const line = style.getPropertyValue("--line");
  const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: `11px ${style.fontFamily}` };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, size: 26, space: 72, values: (_, times) => times.map(clockTime) },
      { ...axis, size: 44, values: (_, rates) => rates.map((r) => rate(r) || "0") },
    ],
    series: [{}, { stroke, width: 1.5, fill: stroke.replace("(", "a(").replace(")", ", 0.14)"), points: { show: false } }],
  };
}

/** The same numbers for who reads rather than looks; the newest first. */
const Table = ({ history, time, of }) => html`<div class="numbers" tabindex="0" role="region" aria-label="Rates of ${of}">
  <table>
    <caption class="unseen">Packets a second of ${of}, the newest first</caption>
    <thead><tr><th scope="col">Time</th><th scope="col" class="n">Packets/s</th></tr></thead>
    <tbody>${history.map((_, i) => html`<tr key=${time - i}>
      <th scope="row">${clockTime(time - i)}</th>
      <td class="n">${rate(history[history.length - 1 - i]) || 0}</td>
    </tr>`)}</tbody>
  </table>
</div>`;
