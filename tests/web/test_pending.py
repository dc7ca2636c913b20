"""A change that waits for its confirmation: the countdown, Confirm, Revert, and the end of its time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.conftest import Faults, Host, row


def waiting(page: Page) -> Locator:
    return page.get_by_role("group", name="A change that waits for its confirmation")


def begin(host: Host, seconds: int = 60, text: str = "drop tcp/1") -> int:
    """Add a rule that waits; its revision."""
    answer = host.service.call("POST", f"/rules?confirm={seconds}", {"text": text})
    assert answer.status == 201, answer.content
    revision: int = answer.json["pending"]["revision"]
    return revision


def test_it_is_confirmed_and_all_browsers_see_it(page: Page, browser: Browser, host: Host) -> None:
    context = browser.new_context()
    other = context.new_page()
    other.goto(host.service.address)
    expect(waiting(page)).to_have_count(0)
    revision = begin(host)
    for one in (page, other):
        expect(waiting(one)).to_contain_text(f"revision {revision}: add")
        expect(waiting(one).get_by_role("timer")).to_have_text(re.compile(r"^0:\d\d$|^1:00$"))
    expect(page.get_by_role("status")).to_contain_text(f"Revision {revision} waits")
    first = page.get_by_role("timer").inner_text()
    expect(page.get_by_role("timer")).not_to_have_text(first)
    expect(page.get_by_role("status")).to_contain_text(f"Revision {revision} waits")
    other.reload()
    waiting(other).get_by_role("button", name="Confirm").click()
    for one in (page, other):
        expect(waiting(one)).to_have_count(0)
        expect(one.get_by_role("status")).to_contain_text(f"Revision {revision} is confirmed")
        expect(row(one, "tcp/1")).to_be_visible()
    status = host.service.call("GET", "/status").json
    assert "pending" not in status and status["revision"] == revision
    context.close()


@pytest.mark.parametrize("how", ["its button", "its time is over", "after a reload"])
def test_it_is_taken_back(page: Page, host: Host, how: str) -> None:
    host.add("count tcp/9")
    revision = begin(host, 3 if how == "its time is over" else 60)
    expect(waiting(page)).to_be_visible()
    if how == "after a reload":
        page.reload()  # It begins at the revision that goes.
    if how != "its time is over":
        waiting(page).get_by_role("button", name="Revert now").click()
    expect(waiting(page)).to_have_count(0)
    expect(row(page, "tcp/1").locator(".number")).to_have_count(0)
    expect(page.locator("header")).to_contain_text(f"revision {revision - 1}")
    expect(page.get_by_role("status")).to_contain_text("taken back")
    assert host.texts() == ["count tcp/9"]
    host.add("count tcp/2")  # And what comes next is seen.
    expect(row(page, "tcp/2")).to_be_visible()


def test_the_page_begins_changes_with_a_countdown(page: Page, host: Host) -> None:
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.fill("drop tcp/1")
    bar.press("Control+Enter")
    waiting(page).get_by_role("button", name="Revert now").click()
    expect(waiting(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert host.texts() == []
    page.get_by_role("button", name="Form with every field").click()
    page.get_by_role("combobox", name="Sentence").fill("drop tcp/2")
    page.get_by_role("combobox", name="Sentence").press("Escape")  # The list lies over the buttons.
    page.get_by_role("button", name="With a countdown").click()
    waiting(page).get_by_role("button", name="Confirm").click()
    expect(waiting(page)).to_have_count(0)
    assert host.texts() == ["drop tcp/2"]
    page.keyboard.press("p")
    page.get_by_role("group", name="IP packets that come in").get_by_label("drop").click()
    page.get_by_role("dialog").get_by_role("button", name="With a countdown").click()
    expect(page.locator("tr.policy")).to_contain_text("drop in")
    waiting(page).get_by_role(
        "button", name="Confirm"
    ).click()  # In the drawer, which is over the line.
    expect(waiting(page)).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Attach to docker0").click()
    ask = page.get_by_role("dialog")
    expect(ask).to_contain_text("The policy is to drop")
    ask.get_by_role("button", name="With a countdown").click()
    expect(waiting(page)).to_contain_text("attach docker0 xdp")
    waiting(page).get_by_role("button", name="Revert now").click()
    expect(page.get_by_role("button", name="Detach xdp from docker0")).to_have_count(0)
    assert host.service.call("GET", "/policy").json["ingress"] == "drop"


def test_another_change_is_refused_and_says_why(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["409"]
    revision = begin(host)
    expect(waiting(page)).to_be_visible()
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.fill("count udp/5")
    bar.press("Enter")
    expect(page.get_by_label("Message")).to_contain_text(f"revision {revision} waits")
    assert host.service.call("POST", "/ruleset/rollback").status == 200
    expect(waiting(page)).to_have_count(0)


@pytest.mark.parametrize("width", [1400, 400])
def test_what_comes_and_goes_in_its_line_moves_no_row(page: Page, host: Host, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    host.attach()
    host.attach("eth1")
    host.add("count icmp")
    rule = row(page, "icmp")
    expect(page.locator("tbody[data-iface=eth1]")).to_be_visible()
    expect(rule).to_be_visible()
    warnings = page.get_by_role("list", name="Warnings")
    expect(warnings).to_have_count(0)
    before = rule.bounding_box()
    assert host.service.call("PUT", "/policy", {"ingress": "drop"}).status == 200
    expect(warnings).to_contain_text("stateless")
    assert rule.bounding_box() == before
    begin(host, text="count tcp/1")
    expect(waiting(page).get_by_role("button", name="Confirm")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Show the warning")).to_be_in_viewport(ratio=1)
    assert rule.bounding_box() == before
    page.get_by_role("button", name="Show the warning").click()
    expect(page.get_by_text("stateless").last).to_be_in_viewport()
    page.get_by_role("button", name="Hide the warning").click()
    assert rule.bounding_box() == before
    assert host.service.call("POST", "/ruleset/rollback").status == 200
    expect(waiting(page)).to_have_count(0)
    assert rule.bounding_box() == before
