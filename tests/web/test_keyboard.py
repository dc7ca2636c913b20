"""The whole job by keyboard alone, and the list of keys."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.net.netns import wait_for
from tests.web.conftest import Host, row


def test_block_watch_edit_move_disable_delete_and_undo_by_keys(
    page: Page, host: Host, traffic: None
) -> None:
    host.attach()
    host.add("count udp")
    keys = page.keyboard
    keys.press("/")
    keys.type("drop ic")
    expect(page.get_by_role("listbox")).to_contain_text("icmp")
    keys.press("Tab")
    keys.type(" on dock")
    expect(page.get_by_role("listbox")).to_contain_text("docker0")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.get_by_role("combobox", name="Add a rule")).to_have_value("drop icmp on docker0 ")
    keys.press("Enter")
    rule = row(page, "icmp on docker0")
    expect(rule.locator(".rate")).not_to_have_text("")
    expect(rule.locator(".last-hit")).to_have_text("now")
    points = rule.locator("polyline")
    before = points.get_attribute("points")
    wait_for(lambda: points.get_attribute("points") != before, "the sparkline moves")
    expect(page.get_by_role("banner")).to_contain_text("pps dropped")

    keys.press("Escape")
    keys.press("j")
    expect(rule).to_be_focused()
    keys.press("Shift+J")
    expect(rule.locator(".position")).to_have_text("2")
    expect(rule).to_be_focused()
    assert host.texts() == ["count udp", "drop icmp on docker0"]
    keys.press("u")
    expect(rule.locator(".position")).to_have_text("1")

    rule.focus()
    keys.press(" ")
    expect(rule).to_contain_text("disabled")
    assert host.ping()
    keys.press("u")
    expect(rule.locator(".sentence")).to_have_text("drop icmp on docker0")
    assert not host.ping()

    keys.press("Enter")
    expect(page.get_by_role("complementary", name="Rule", exact=True)).to_contain_text("docker0")
    keys.press("e")
    expect(page.get_by_role("combobox", name="Sentence")).to_be_focused()
    keys.type(' comment "loud"')
    keys.press("Enter")
    expect(page.get_by_role("complementary", name="Rule", exact=True)).to_contain_text("loud")
    keys.press("Escape")
    expect(rule).to_be_focused()
    assert host.texts()[0] == 'drop icmp on docker0 comment "loud"'
    keys.press("u")
    expect(rule.locator(".sentence")).to_have_text("drop icmp on docker0")

    keys.press("Delete")
    expect(rule).to_contain_text("deleted")
    assert host.texts() == ["count udp"]
    keys.press("u")
    expect(rule.get_by_role("button", name="Delete")).to_have_count(1)
    assert host.texts() == ["drop icmp on docker0", "count udp"]


def test_question_mark_lists_the_keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("undo the last change")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_drawer_goes_along_with_j_and_k(page: Page, host: Host) -> None:
    for port in (1, 2, 3):
        host.add(f"drop tcp/{port}")
    expect(page.locator("tr[data-rule]")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary", name="Rule", exact=True)
    expect(drawer.get_by_role("heading", name="Rule 1")).to_be_focused()
    page.keyboard.press("j")
    expect(drawer).to_contain_text("tcp/2")
    page.keyboard.press("Shift+J")
    expect(drawer.get_by_role("heading", name="Rule 3")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, "tcp/2")).to_be_focused()
