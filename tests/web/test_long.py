"""16,384 rules: only what stands in the window is drawn, wherever one scrolls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

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
    expect(page.get_by_role("banner")).to_contain_text("16,384 rules")
    yield page
    assert host.service.call("PUT", "/ruleset", EMPTY).status == 200


def test_a_full_ruleset(full: Page, host: Host) -> None:
    page = full
    assert page.locator("tr[data-rule]").count() < 150
    page.evaluate(_SCROLL, SECONDS)  # how smoothly is for `make bench` to show
    expect(row(page, f"udp/{RULES} ")).to_be_in_viewport()
    page.keyboard.press("k")
    expect(row(page, f"udp/{RULES} ")).to_be_focused()
    page.keyboard.press("Backspace")
    expect(row(page, f"udp/{RULES} ").get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("u")
    expect(row(page, f"udp/{RULES} ").locator(".position")).to_have_text(str(RULES))
    bar = page.get_by_role("combobox", name="Add a rule")
    row(page, f"udp/{RULES} ").focus()
    page.keyboard.press("Backspace")
    bar.fill("count tcp/7")
    bar.press("Enter")
    expect(row(page, "tcp/7")).to_be_attached()
    assert page.locator("tr[data-rule]").count() < 150
