// The drawer at the right: one rule, the form, or the policy. The page stays usable beside it.

import { closeDrawer } from "./drawer_state.mjs";
import { html, useLayoutEffect, useRef } from "./html.mjs";
import { PolicyForm } from "./policy_form.mjs";
import { RuleForm } from "./rule_form.mjs";
import { RuleView } from "./rule_view.mjs";

const PANEL_NAMES = { rule: "Rule", edit: "Rule form", policy: "Policy" };

export function Drawer({ panel, offline, ...rest }) {
  if (!panel) return null;
  const key = `${panel.kind} ${panel.key ?? ""}`;
  const Panel = { rule: RuleView, edit: RuleForm, policy: PolicyForm }[panel.kind];
  return html`<${Frame} key=${key} name=${PANEL_NAMES[panel.kind]} focusHeading=${panel.kind !== "edit"}>
    <${Panel} panel=${panel} offline=${offline} ...${rest} />
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
