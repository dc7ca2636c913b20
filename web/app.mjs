// The page: one screen, drawn from the state.

import { start } from "./connection.mjs";
import { Drawer } from "./drawer.mjs";
import { Events } from "./events.mjs";
import { Header } from "./header.mjs";
import { Help } from "./help.mjs";
import { html, render, useEffect, useLayoutEffect, useState } from "./html.mjs";
import { Interfaces } from "./interfaces.mjs";
import { listen } from "./keys.mjs";
import { Bar, Question, Voice } from "./notices.mjs";
import { QuickAdd } from "./quick_add.mjs";
import { Rules } from "./rule_table.mjs";
import { connected, set, state, subscribe } from "./store.mjs";
import { Gate } from "./token_form.mjs";
import { Warnings } from "./warnings.mjs";

function App() {
  const [, redraw] = useState(0);
  const [suggestion, setSuggestion] = useState(null);
  // Not after the paint: an answer that is faster than a frame would never be drawn.
  useLayoutEffect(() => subscribe(() => redraw((n) => n + 1)), []);
  useClock(state.lost || state.undos.length > 0, redraw);
  useTitle(state.status, state.lost);

  if (state.gate) return html`<${Gate} why=${state.gate} /><${Voice} said=${state.said} />`;
  const { status, rules, interfaces, meters, lost } = state;
  const held = !connected();
  const iface = interfaces.find((i) => i.attachments.length)?.name;
  return html`
    <div class=${lost ? "page stale" : "page"}>
      ${state.loaded
        ? html`
          <${Header} status=${status} rules=${rules} meters=${meters} held=${held} />
          <main>
            <${Warnings} warnings=${status.warnings} />
            <${Interfaces} interfaces=${interfaces} meters=${meters} held=${held} />
            <${QuickAdd} held=${held} suggestion=${suggestion} />
            <${Events} held=${held} reported=${state.reported} />
            <${Rules} state=${state} held=${held} iface=${iface} suggest=${(text) => setSuggestion({ text })} />
          </main>
          <${Foot} status=${status} />
          <${Drawer} ...${state} held=${held} />`
        : html`<header class="head"><h1>xdpwall</h1></header>`}
    </div>
    <${Bar} lost=${lost} notice=${state.notice} />
    <${Help} open=${state.help} />
    <${Question} question=${state.question} />
    <${Voice} said=${state.said} />`;
}

const Foot = ({ status }) => html`<footer>
  <button class="plain" onClick=${() => set({ help: true })}>All keys <kbd>?</kbd></button>
  <p>xdpwall ${status.version}</p>
</footer>`;

/** Draw each second while something counts down or up. */
function useClock(wanted, redraw) {
  useEffect(() => {
    if (!wanted) return undefined;
    const timer = setInterval(() => redraw((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [Boolean(wanted)]);
}

function useTitle(status, lost) {
  useEffect(() => {
    const state = lost ? "no connection · " : status && !status.on ? "OFF · " : "";
    document.title = `${state}xdpwall${status ? ` ${status.host}` : ""}`;
  }, [status?.on, status?.host, Boolean(lost)]);
}

listen();
start();
render(html`<${App} />`, document.getElementById("app"));
