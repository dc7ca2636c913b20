"""Time the page with a full ruleset in Chromium: the first paint, and each frame of a scroll."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.instance import ServedInstance
from bench.packets.rulesets import rules
from tests.web.conftest import CHROMIUM, FLAGS
from xdpwall.limits import MAX_RULES
from xdpwall.ruleset.ruleset import Ruleset

SECONDS = 3
# A fast scroll by hand: 3 pixels a millisecond, a hundred rows a second.
_SCROLL = """
(seconds) => new Promise((done) => {
  const began = performance.now(), frames = [];
  let last = began;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    scrollTo(0, (now - began) * 3);
    if (now - began < seconds * 1000) requestAnimationFrame(step);
    else done(frames.slice(1));
  };
  requestAnimationFrame(step);
})
"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


@dataclass
class PageTimes:
    """Milliseconds: until the first contentful paint, and of each frame of a scroll."""

    rules: int = 0
    paint: float = 0.0
    frames: list[float] = field(default_factory=list)


def measure(instance: ServedInstance) -> PageTimes:
    """Scroll through as many rules as fit, the counters of the service streaming meanwhile."""
    from playwright.sync_api import expect, sync_playwright

    found = PageTimes(rules=MAX_RULES)
    with instance.opened() as firewall:
        firewall.apply(Ruleset.parse({"version": 1, "rules": rules("hosts", MAX_RULES, "ipv4")}))
    with instance.service():
        with instance.space.inside():  # whatever the browser starts stays in this namespace
            playwright = sync_playwright().start()
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(instance.page_address())
            expect(page.get_by_role("banner")).to_contain_text(f"{MAX_RULES:,} rules", timeout=60e3)
            found.paint = page.evaluate(_PAINT)
            found.frames = page.evaluate(_SCROLL, SECONDS)
        finally:
            browser.close()
            playwright.stop()
    return found
