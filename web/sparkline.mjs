// The last minute of a rate, as one area in an SVG. Newest at the right.

import { rateWords } from "./format.mjs";
import { html } from "./html.mjs";

const SAMPLES = 60;
const [WIDTH, HEIGHT] = [120, 20];

/** `meter` may be missing; `tone` is drop, accept, count or seen. */
export function Sparkline({ meter, tone, subject }) {
  const history = meter ? meter.history.slice(-SAMPLES) : [];
  const peak = Math.max(0, ...history);
  if (!peak) return null; // most rows of a long table: not even an empty picture
  const label = `${subject}: up to ${rateWords(peak)} packets a second in the last minute`;
  return html`<svg class="spark ${tone}" role="img" aria-label=${label}
    viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">
    <title>${label}</title>
    <path d=${area(history, peak)} /><polyline points=${line(history, peak)} />
  </svg>`;
}

const step = WIDTH / (SAMPLES - 1);

function points(history, peak) {
  const left = WIDTH - (history.length - 1) * step;
  return history.map((value, i) => [left + i * step, HEIGHT - 1 - (value / peak) * (HEIGHT - 3)]);
}

const line = (history, peak) => points(history, peak).map(xy).join(" ");
const xy = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;

function area(history, peak) {
  const tops = points(history, peak);
  return `M${tops[0][0].toFixed(1)},${HEIGHT}L${tops.map(xy).join("L")}L${WIDTH},${HEIGHT}Z`;
}
