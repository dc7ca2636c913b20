// Keeps the place of the focus while the connection is lost: a control that is held back then loses it
// to the page, where the letters that are being typed would be commands.

let last = null; // the element that had the focus, until it was left on purpose

addEventListener("focusin", (event) => { last = event.target; });
addEventListener("focusout", (event) => {
  if (!event.target.disabled) last = null;
});

/** Whether the focus is with what is held back, or with the page only because its owner is. */
export function focusIsHeldBack() {
  const active = document.activeElement;
  // Until the next frame the browser leaves it with what has just been disabled.
  const owner = active === document.body ? last : active;
  return Boolean(owner?.isConnected && owner.matches(":disabled"));
}

/** Give the focus back to what was held back, unless it is elsewhere by now. */
export function returnFocus() {
  if (document.activeElement === document.body && last?.isConnected) last.focus({ preventScroll: true });
}
