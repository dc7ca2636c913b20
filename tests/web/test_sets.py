"""A rule about a set, typed into the bar."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import BOX, EMPTY, Host, row


@pytest.fixture
def bad(host: Host) -> Iterator[None]:
    """The set `bad`, empty."""
    assert host.service.call("POST", "/sets", {"name": "bad"}).status == 200
    yield
    assert host.service.call("PUT", "/ruleset", {**EMPTY, "sets": {}}).status == 200


def test_the_bar_offers_sets_and_the_rule_follows_their_entries(
    page: Page, host: Host, bad: None
) -> None:
    host.attach()
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.press_sequentially("drop from @b")
    page.get_by_role("option", name="@bad").wait_for()
    bar.press("Tab")
    expect(bar).to_have_value("drop from @bad ")
    bar.press("Enter")
    expect(row(page, "from @bad").locator(".packets")).to_have_text("0")
    assert host.ping()
    host.service.call("POST", "/sets/bad/entries", {"add": [BOX]})
    assert not host.ping()
    expect(row(page, "from @bad").locator(".packets")).not_to_have_text("0")


def test_an_unknown_set_is_marked_where_it_stands(page: Page, bad: None) -> None:
    page.get_by_role("combobox", name="Add a rule").fill("drop from @bda to 10.0.0.1")
    expect(page.locator("mark")).to_have_text("@bda")
