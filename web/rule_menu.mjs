// The row's menu: what can be done to a rule, over the page, gone at a click elsewhere or Escape.

import { html, useLayoutEffect, useRef, useState } from "./html.mjs";
import { deedsOf } from "./rule_menu_items.mjs";
import { ruleOf, state } from "./store.mjs";

export function RowMenu({ rule, held }) {
  const [open, setOpen] = useState(false);
  const button = useRef();
  const id = `menu-${rule.id}`;
  return html`<button ref=${button} class="dots" disabled=${held} aria-haspopup="menu" aria-expanded=${open}
      aria-label="More for rule ${rule.position}, ${rule.text}" onClick=${() => setOpen(!open)}>⋯</button>
    ${open && html`<${Menu} id=${id} rule=${rule} button=${button} done=${() => setOpen(false)} />`}`;
}

function Menu({ id, rule, button, done }) {
  const menu = useRef();
  useLayoutEffect(() => {
    const box = menu.current;
    box.showPopover();
    const seat = button.current.getBoundingClientRect();
    const below = seat.bottom + box.offsetHeight < innerHeight;
    box.style.top = `${below ? seat.bottom + 2 : Math.max(4, seat.top - box.offsetHeight - 2)}px`;
    box.style.left = `${Math.max(4, seat.right - box.offsetWidth)}px`;
    box.querySelector("button:enabled").focus();
    addEventListener("scroll", done, { passive: true, once: true });
    return () => removeEventListener("scroll", done);
  }, []);
  const press = (event) => {
    const items = [...menu.current.querySelectorAll("button:enabled")];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      done();
      button.current.focus();
    } else if (to !== undefined) items.at(to % items.length).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const act = (deed) => {
    done();
    button.current.focus();
    deed.act();
  };
  return html`<div id=${id} ref=${menu} class="menu" role="menu" popover="auto" aria-label="Rule ${rule.position}"
    onKeyDown=${press} onToggle=${(e) => e.newState === "closed" && done()}>
    ${deedsOf(ruleOf(rule.id) ?? rule, state.rules.length).map((deed) => html`<button key=${deed.name} role="menuitem"
      class=${deed.danger ? "danger" : ""} disabled=${deed.off} onClick=${() => act(deed)}>
      <span>${deed.name}</span>${deed.key && html`<kbd aria-hidden="true">${deed.key}</kbd>`}
    </button>`)}
  </div>`;
}
