// The row's menu: over the page, gone at a click elsewhere or Escape.

import { html, useLayoutEffect, useRef, useState } from "./html.mjs";
import { ruleMenuItems } from "./rule_menu_items.mjs";
import { ruleOf, state } from "./store.mjs";

export function RuleMenu({ rule, offline }) {
  const [open, setOpen] = useState(false);
  const button = useRef();
  const id = `menu-${rule.id}`;
  return html`<button ref=${button} class="menu-button" disabled=${offline} aria-haspopup="menu" aria-expanded=${open}
      aria-label="More for rule ${rule.position}, ${rule.text}" onClick=${() => setOpen(!open)}>⋯</button>
    ${open && html`<${Menu} id=${id} rule=${rule} button=${button} close=${() => setOpen(false)} />`}`;
}

function Menu({ id, rule, button, close }) {
  const menu = useRef();
  useLayoutEffect(() => {
    const box = menu.current;
    box.showPopover();
    const anchor = button.current.getBoundingClientRect();
    const below = anchor.bottom + box.offsetHeight < innerHeight;
    box.style.top = `${below ? anchor.bottom + 2 : Math.max(4, anchor.top - box.offsetHeight - 2)}px`;
    box.style.left = `${Math.max(4, anchor.right - box.offsetWidth)}px`;
    box.querySelector("button:enabled").focus();
    addEventListener("scroll", close, { passive: true, once: true });
    return () => removeEventListener("scroll", close);
  }, []);
  const onKeyDown = (event) => {
    const buttons = [...menu.current.querySelectorAll("button:enabled")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      close();
      button.current.focus();
    } else if (to !== undefined) buttons.at(to % buttons.length).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const select = (item) => {
    close();
    button.current.focus();
    item.act();
  };
  return html`<div id=${id} ref=${menu} class="menu" role="menu" popover="auto" aria-label="Rule ${rule.position}"
    onKeyDown=${onKeyDown} onToggle=${(e) => e.newState === "closed" && close()}>
    ${ruleMenuItems(ruleOf(rule.id) ?? rule, state.rules.length).map((item) => html`<button key=${item.name} role="menuitem"
      class=${item.danger ? "danger" : ""} disabled=${item.disabled} onClick=${() => select(item)}>
      <span>${item.name}</span>${item.key && html`<kbd aria-hidden="true">${item.key}</kbd>`}
    </button>`)}
  </div>`;
}
