// The buttons that open the drawer with what is asked now and then.

import { openBlocks, openCheck, openExplanation, openHistory } from "./drawer_state.mjs";
import { html } from "./html.mjs";

const PANELS = [
  ["Why?", "w", () => openExplanation()],
  ["Blocks", "b", openBlocks],
  ["History", "h", openHistory],
  ["Check", "c", openCheck],
];

export const PanelButtons = () => html`<nav class="panel-buttons" aria-label="More">
  ${PANELS.map(([name, key, open]) => html`<button key=${name} class="plain" onClick=${open}>${name} <kbd>${key}</kbd></button>`)}
</nav>`;
