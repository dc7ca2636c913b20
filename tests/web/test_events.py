"""The page's list of single packets: what comes, pause, filters, and a rule out of one of them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.net.netns import wait_for
from tests.web.conftest import BOX, Host, row


@pytest.fixture
def listed(page: Page, host: Host) -> Locator:
    """The open list; pings from the box are reported and pass."""
    changed = host.service.call(
        "PUT", "/events/settings", {"enabled": True, "log_drops": False, "rate": 1000}
    )
    assert changed.status == 200
    host.attach()
    host.add("count icmp on docker0 log")
    # Behind what was reported before, in the stream: nothing of that comes after "Clear".
    expect(row(page, "icmp on docker0")).to_be_visible()
    page.get_by_role("button", name="Events").click()
    events = page.locator("section.events")
    events.get_by_role("button", name="Clear").click()
    return events


def rows(listed: Locator) -> Locator:
    return listed.locator("tbody tr:not(.gap)")


def test_packets_are_listed_and_one_is_blocked(page: Page, host: Host, listed: Locator) -> None:
    expect(listed).to_contain_text("Nothing reported yet")
    assert host.ping(3)
    expect(rows(listed)).to_have_count(3)
    first = rows(listed).first
    expect(first).to_contain_text(f"icmp/echo-reply {BOX} > 172.17.0.1")
    expect(first.locator(".verdict")).to_have_text("pass")
    expect(first.locator(".decided-by")).to_have_text("policy")
    expect(listed.locator(".heading-row")).to_contain_text(re.compile("[0-9,]+ reported"))
    first.get_by_role("button", name="Block this").click()
    form = page.get_by_role("combobox", name="Sentence")
    expect(form).to_have_value(f"drop from {BOX} on docker0")
    form.press("Enter")
    expect(row(page, f"from {BOX} on docker0")).to_be_visible()
    assert not host.ping()


def test_the_state_is_told_and_searched(page: Page, host: Host, listed: Locator) -> None:
    """Nothing is attached that would have seen what is answered."""
    host.add("count icmp on docker0 state invalid")
    expect(row(page, "state invalid")).to_be_visible()
    assert host.ping(2)
    expect(rows(listed)).to_have_count(2)
    expect(rows(listed).first).to_contain_text(f"{BOX} > 172.17.0.1 state invalid")
    only = listed.get_by_label("Only events with these words")
    only.fill("state established")
    expect(listed).to_contain_text("None of the last has these words")
    only.fill("state invalid")
    expect(rows(listed)).to_have_count(2)


def test_pause_and_filter(page: Page, host: Host, listed: Locator) -> None:
    assert host.ping(4)
    expect(rows(listed)).to_have_count(4)
    listed.get_by_role("button", name="Pause").click()
    assert host.ping(2)
    expect(listed).to_contain_text("2 newer")
    expect(rows(listed)).to_have_count(4)
    listed.get_by_role("button", name="Resume").click()
    expect(rows(listed)).to_have_count(6)
    only = listed.get_by_label("Only events with these words")
    only.fill(f"pass ICMP {BOX}")
    expect(rows(listed)).to_have_count(6)
    only.fill("drop")
    expect(listed).to_contain_text("None of the last has these words")


def test_the_last_500_are_kept_and_few_are_drawn(page: Page, host: Host, listed: Locator) -> None:
    assert host.ping(120)
    for _ in range(4):
        assert host.ping(100)
    expect(listed.get_by_role("region", name="The last 500 events")).to_be_visible()
    assert rows(listed).count() <= 24
    box = listed.locator(".box")
    newest = rows(listed).first.inner_text()
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(listed.locator("tr[aria-rowindex='501']")).to_be_visible()
    assert rows(listed).count() <= 24
    page.reload()
    page.get_by_role("button", name="Events").click()
    expect(listed.get_by_role("region", name="The last 500 events")).to_be_visible()
    assert rows(listed).first.inner_text() == newest, "who comes later gets them too"


def test_settings_are_changed_and_every_drop_is_seen(host: Host, listed: Locator) -> None:
    host.add("drop icmp on docker0")
    every = listed.get_by_label("Every drop")
    expect(every).not_to_be_checked()
    every.click()
    wait_for(
        lambda: host.service.call("GET", "/events/settings").json["settings"]["log_drops"],
        "the service knows",
    )
    expect(every).to_be_checked()
    assert not host.ping()
    expect(rows(listed).first.locator(".verdict")).to_have_text("drop")
    every.click()
    expect(every).not_to_be_checked()


def test_on_a_phone_a_packet_is_told_whole(page: Page, host: Host, listed: Locator) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for _ in range(3):
        assert host.ping(20)
    expect(rows(listed)).to_have_count(24)
    first = rows(listed).first
    for part in ("time", "verdict", "decided-by", "text"):
        cell = first.locator(f".{part}")
        expect(cell).to_be_visible()
        assert cell.evaluate("one => one.scrollWidth <= one.clientWidth"), part
        assert cell.evaluate("one => one.scrollHeight <= one.clientHeight"), part
    long = f"tcp [{':'.join(['2001'] * 8)}]:65535 > [{':'.join(['2002'] * 8)}]:65535"
    text = first.locator(".text")
    text.evaluate("(one, words) => { one.textContent = words; }", long)
    assert text.evaluate("one => one.scrollHeight <= one.clientHeight")
    expect(first.get_by_role("button", name="Block this")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = listed.locator(".box")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    expect(listed.locator("table")).to_have_attribute("aria-rowcount", "61")
    box.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    last = listed.locator("tr[aria-rowindex='61']")
    expect(last).to_be_visible()
    bottom = "one => Math.round(one.getBoundingClientRect().bottom)"
    assert abs(last.evaluate(bottom) - box.evaluate(bottom)) <= 2
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(listed.get_by_role("columnheader", name="Packet")).to_be_visible()
