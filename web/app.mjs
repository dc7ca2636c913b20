// The page: one screen, drawn from the state.

import { Attention } from "./attention.mjs";
import { connect } from "./connection.mjs";
import { Drawer } from "./drawer.mjs";
import { Events } from "./events.mjs";
import { Flows } from "./flows.mjs";
import { Header } from "./header.mjs";
import { Help } from "./help.mjs";
import { html, render, useEffect, useLayoutEffect, useState } from "./html.mjs";
import { Interfaces } from "./interfaces.mjs";
import { returnFocus } from "./kept_focus.mjs";
import { listenForKeys } from "./keys.mjs";
import { Announcer, Confirmation, NoticeBar } from "./notices.mjs";
import { QuickAdd } from "./quick_add.mjs";
import { may } from "./roles.mjs";
import { RuleTable } from "./rule_table.mjs";
import { connected, setState, state, subscribe } from "./store.mjs";
import { TokenForm } from "./token_form.mjs";

function App() {
  const [, redraw] = useState(0);
  const [suggestion, setSuggestion] = useState(null);
  // Not after the paint: an answer that is faster than a frame would never be drawn.
  useLayoutEffect(() => subscribe(() => redraw((n) => n + 1)), []);
  useEverySecond(state.lost || state.undos.length > 0 || state.status?.pending, redraw);
  useDocumentTitle(state.status, state.lost);
  useLayoutEffect(() => { if (connected()) returnFocus(); }, [connected()]);

  if (state.tokenProblem) return html`<${TokenForm} why=${state.tokenProblem} /><${Announcer} announcement=${state.announcement} />`;
  const { status, rules, interfaces, rates, lost } = state;
  const offline = !connected();
  const [fixed, unattachable] = [offline || !may("operator"), offline || !may("admin")]; // what cannot be changed
  const iface = interfaces.find((i) => i.attachments.length)?.name;
  return html`
    <div class=${lost ? "page stale" : "page"}>
      ${state.loaded
        ? html`
          <${Header} status=${status} rules=${rules} rates=${rates} offline=${unattachable} />
          <${Attention} pending=${state.panel ? null : status.pending} warnings=${status.warnings} offline=${fixed} />
          <main>
            <${Interfaces} interfaces=${interfaces} attachments=${status.attachments} wanted=${status.wanted} rates=${rates} offline=${unattachable} />
            <${QuickAdd} offline=${fixed} suggestion=${suggestion} />
            <${Events} offline=${offline} eventCounts=${state.eventCounts} />
            <${Flows} rules=${rules} policy=${status.policy} offline=${offline} />
            <${RuleTable} state=${state} offline=${fixed} iface=${iface} suggest=${(text) => setSuggestion({ text })} />
          </main>
          <${Footer} status=${status} session=${state.session} />
          <${Drawer} ...${state} offline=${offline} />`
        : html`<header class="head"><h1>xdpwall</h1></header>`}
    </div>
    <${NoticeBar} lost=${lost} notice=${state.notice} />
    <${Help} open=${state.help} />
    <${Confirmation} question=${state.question} />
    <${Announcer} announcement=${state.announcement} />`;
}

const Footer = ({ status, session }) => html`<footer>
  <button class="plain" onClick=${() => setState({ help: true })}>All keys <kbd>?</kbd></button>
  <p>${session && `${session.name}, role ${session.role} · `}xdpwall ${status.version}</p>
</footer>`;

/** Draw each second while something counts down or up. */
function useEverySecond(wanted, redraw) {
  useEffect(() => {
    if (!wanted) return undefined;
    const timer = setInterval(() => redraw((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [Boolean(wanted)]);
}

function useDocumentTitle(status, lost) {
  useEffect(() => {
    const state = lost ? "no connection · " : status && !status.on ? "OFF · " : "";
    document.title = `${state}xdpwall${status ? ` ${status.host}` : ""}`;
  }, [status?.on, status?.host, Boolean(lost)]);
}

listenForKeys();
connect();
const root = document.getElementById("app");
root.replaceChildren(); // index.html's head, shown until now: render() would leave it above the token form
render(html`<${App} />`, root);
