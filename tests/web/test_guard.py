"""Changes that would cut the page off from its service: refused, and what the page offers then."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.net.live_session import LiveSession
from tests.support.net.netns import wait_for
from tests.web.conftest import BRIDGE, Faults, Host, row

OWN = "your own connection from 127.0.0.1"


@pytest.fixture
def bar(page: Page, host: Host, faults: Faults) -> Locator:
    """The bar of a page that comes by an interface with a program on it."""
    faults.expected = ["409"]
    host.attach("lo")
    return page.get_by_role("combobox", name="Add a rule")


def test_the_pages_own_session_is_saved(page: Page, host: Host, bar: Locator) -> None:
    bar.fill("drop tcp/8480 on lo")
    bar.press("Enter")
    ask = page.get_by_role("dialog", name="This would cut you off")
    expect(ask).to_contain_text("(drop tcp/8480 on lo) would cut " + OWN)
    ask.get_by_role("button", name="Cancel").click()
    assert host.texts() == []
    bar.fill("drop tcp/8480 on lo disabled")
    bar.press("Enter")
    rule = row(page, "tcp/8480")
    rule.focus()
    page.keyboard.press(" ")  # Enabled, edited and moved it is refused alike.
    expect(ask).to_contain_text(OWN)
    page.keyboard.press("Escape")
    expect(rule).to_contain_text("disabled")
    page.keyboard.press("b")
    page.get_by_label("Address, prefix").fill("127.0.0.0/8")
    page.get_by_label("Address, prefix").press("Enter")
    expect(ask).to_contain_text("where you come from (127.0.0.1)")
    expect(ask.get_by_role("button", name="With a countdown")).to_have_count(0)
    ask.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("p")
    page.get_by_role("group", name="IP packets that come in").get_by_label("drop").click()
    page.get_by_label("in the same change").uncheck()  # they would let this session live on
    page.get_by_role("dialog").get_by_role("button", name="Drop by default").click()
    expect(ask).to_contain_text("policy ingress drop")
    ask.get_by_role("button", name="Cancel").click()
    assert host.service.call("GET", "/policy").json["ingress"] == "accept"


def test_with_a_countdown_the_page_comes_back(page: Page, host: Host, bar: Locator) -> None:
    bar.fill("drop tcp/8480 on lo")
    bar.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="With a countdown").click()
    wait_for(lambda: "pending" in host.service.call("GET", "/status").json, "a change that waits")
    assert host.service.call("POST", "/ruleset/rollback").status == 200  # As the kernel would.
    expect(page.get_by_role("status")).to_contain_text("taken back")
    expect(row(page, "tcp/8480").locator(".number")).to_have_count(0)
    expect(page.get_by_label("Connection lost")).to_have_count(0)


def test_who_forces_it_is_told_what_was_cut(page: Page, host: Host, bar: Locator) -> None:
    """A session of somebody who is not logged in is no reason to refuse; it is told."""
    host.attach()
    with LiveSession(host.space, host.box, BRIDGE):
        bar.fill("drop from 172.17.0.0/24 on docker0 in")
        bar.press("Enter")
        expect(page.locator("#quick-add-verdict")).to_contain_text("cuts 1 established connection")
