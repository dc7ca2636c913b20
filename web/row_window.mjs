// Chooses which rows of a long table are drawn: those in the window. Two empty rows have the height
// of the rest.

import { useEffect, useState } from "./html.mjs";

export const ROW_PX = 31; // .windowed [data-rule] in rule_table.css
const MARGIN_ROWS = 16; // rows drawn beyond each edge
const STEP_ROWS = 2; // rows that come and go at a time

/** {from, to, above, below}: the slice of `count` rows to draw, and the heights in px of what is left out. */
export function useRowWindow(body, count, windowed) {
  const [top, setTop] = useState(0);
  useEffect(() => {
    if (!windowed) return undefined;
    const update = () => {
      const hidden = -body.current.getBoundingClientRect().top;
      setTop(Math.max(0, Math.floor(hidden / ROW_PX / STEP_ROWS) * STEP_ROWS));
    };
    update();
    addEventListener("scroll", update, { passive: true });
    return () => removeEventListener("scroll", update);
  }, [windowed]);
  if (!windowed) return { from: 0, to: count, above: 0, below: 0 };
  const shown = Math.ceil(innerHeight / ROW_PX) + 3 * MARGIN_ROWS;
  const from = Math.max(0, Math.min(top - MARGIN_ROWS, count - shown));
  const to = Math.min(count, from + shown);
  return { from, to, above: from * ROW_PX, below: (count - to) * ROW_PX };
}
