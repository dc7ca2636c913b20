"""16,384 rules: only what stands in the window is drawn, and scrolling does not stutter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.web.conftest import EMPTY, Host, row

RULES = 16_384
SECONDS = 2
# Scrolls as a hurried hand does, a hundred rows a second, then to the end.
_SCROLL = """
(seconds) => new Promise((done) => {
  const began = performance.now();
  const step = (now) => {
    if (now - began < seconds * 1000) {
      scrollTo(0, (now - began) * 3);
      requestAnimationFrame(step);
    } else {
      scrollTo(0, document.documentElement.scrollHeight);
      done();
    }
  };
  requestAnimationFrame(step);
})
"""


@pytest.fixture
def full(page: Page, host: Host) -> Iterator[Page]:
    rules = [f"drop udp/{port} from 198.51.100.{port % 250}" for port in range(1, RULES + 1)]
    body = {**EMPTY, "rules": rules}
    assert host.service.call("PUT", "/ruleset", body).status == 200
    expect(page.get_by_role("banner")).to_contain_text("16,384 rules", timeout=30_000)
    yield page
    assert host.service.call("PUT", "/ruleset", EMPTY).status == 200


@pytest.fixture
def metrics(page: Page) -> Iterator[CDPSession]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    yield session
    session.detach()


def worked(metrics: CDPSession) -> float:
    """Seconds of processor time that the page's thread has spent so far."""
    found = metrics.send("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in found if one["name"] == "TaskDuration")


def test_a_full_ruleset(full: Page, host: Host, metrics: CDPSession) -> None:
    page = full
    assert page.locator("tr[data-rule]").count() < 150
    busy = worked(metrics)
    page.evaluate(_SCROLL, SECONDS)
    # Processor time of the page's own thread: other work on the machine does not count.
    assert worked(metrics) - busy < 0.6 * SECONDS
    expect(row(page, f"udp/{RULES} ")).to_be_in_viewport()
    page.keyboard.press("k")
    expect(row(page, f"udp/{RULES} ")).to_be_focused()
    page.keyboard.press("Backspace")
    expect(row(page, f"udp/{RULES} ").get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("u")
    expect(row(page, f"udp/{RULES} ").locator(".at")).to_have_text(str(RULES))
    bar = page.get_by_role("combobox", name="Add a rule")
    row(page, f"udp/{RULES} ").focus()
    page.keyboard.press("Backspace")
    bar.fill("count tcp/7")
    bar.press("Enter")
    expect(row(page, "tcp/7")).to_be_attached()
    assert page.locator("tr[data-rule]").count() < 150
