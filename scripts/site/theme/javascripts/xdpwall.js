// A table that is wider than the page is scrolled by keys, too: the theme wraps it only when it runs.
addEventListener("load", () => {
  const reach = () => {
    for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) {
      wrap.tabIndex = 0;
    }
  };
  reach();
  new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
});
