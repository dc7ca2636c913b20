// The drawer at the right: one rule, a form, an answer. The page stays usable beside it.

import { BlocksPanel } from "./blocks.mjs";
import { CheckPanel } from "./check.mjs";
import { closeDrawer } from "./drawer_state.mjs";
import { ExplainPanel } from "./explain.mjs";
import { HistoryPanel } from "./history.mjs";
import { html, useLayoutEffect, useRef } from "./html.mjs";
import { PendingChange } from "./pending_change.mjs";
import { PolicyForm } from "./policy_form.mjs";
import { may } from "./roles.mjs";
import { RuleForm } from "./rule_form.mjs";
import { RuleView } from "./rule_view.mjs";

const PANELS = {
  rule: ["Rule", RuleView],
  edit: ["Rule form", RuleForm],
  policy: ["Policy", PolicyForm],
  explain: ["Explanation", ExplainPanel],
  blocks: ["Blocks", BlocksPanel],
  history: ["History", HistoryPanel],
  check: ["Check", CheckPanel],
};
const CHANGES_ONLY = ["rule", "edit", "policy"]; // of no use, but to read, to who may not change anything
const BEGINS_IN_A_FIELD = ["edit"];

export function Drawer({ panel, offline, ...rest }) {
  if (!panel) return null;
  const { pending } = rest.status;
  const key = `${panel.kind} ${panel.key ?? ""}`;
  const [name, Panel] = PANELS[panel.kind];
  const fixed = offline || !may("operator");
  return html`<${Frame} key=${key} name=${name} focusHeading=${!BEGINS_IN_A_FIELD.includes(panel.kind)}>
    ${pending && html`<div class="waits"><${PendingChange} key=${pending.revision} pending=${pending} offline=${fixed} /></div>`}
    <${Panel} panel=${panel} offline=${CHANGES_ONLY.includes(panel.kind) ? fixed : offline} ...${rest} />
  <//>`;
}

function Frame({ name, focusHeading, children }) {
  const box = useRef();
  useLayoutEffect(() => {
    if (focusHeading) box.current.querySelector("h2").focus({ preventScroll: true });
  }, []);
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    closeDrawer();
  };
  return html`<aside class="drawer" ref=${box} aria-label=${name} onKeyDown=${onKeyDown}>
    <button type="button" class="close" onClick=${closeDrawer}>Close <kbd>Esc</kbd></button>
    ${children}
  </aside>`;
}
