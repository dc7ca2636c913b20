// The drawer at the right: one rule, the form, or the policy. The page stays usable beside it.

import { close } from "./drawer_state.mjs";
import { html, useLayoutEffect, useRef } from "./html.mjs";
import { PolicyForm } from "./policy_form.mjs";
import { Editor } from "./rule_form.mjs";
import { RuleView } from "./rule_view.mjs";

const NAMES = { rule: "Rule", edit: "Rule form", policy: "Policy" };

export function Drawer({ panel, held, ...rest }) {
  if (!panel) return null;
  const key = `${panel.kind} ${panel.key ?? ""}`;
  const Inside = { rule: RuleView, edit: Editor, policy: PolicyForm }[panel.kind];
  return html`<${Frame} key=${key} name=${NAMES[panel.kind]} grab=${panel.kind !== "edit"}>
    <${Inside} panel=${panel} held=${held} ...${rest} />
  <//>`;
}

function Frame({ name, grab, children }) {
  const box = useRef();
  useLayoutEffect(() => {
    if (grab) box.current.querySelector("h2").focus({ preventScroll: true });
  }, []);
  const press = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  };
  return html`<aside class="drawer" ref=${box} aria-label=${name} onKeyDown=${press}>
    <button type="button" class="shut" onClick=${close}>Close <kbd>Esc</kbd></button>
    ${children}
  </aside>`;
}
