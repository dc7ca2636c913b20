"""Somebody else works on the same rules: a second browser, another edit, a deletion."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.web.conftest import Faults, Host, row


def test_a_second_browsers_changes_appear_and_say_so(
    page: Page, browser: Browser, host: Host
) -> None:
    for port in (1, 2, 3):
        host.add(f"drop tcp/{port}")
    expect(page.locator("tr[data-rule]")).to_have_count(3)
    context = browser.new_context()
    other = context.new_page()
    other.goto(host.service.address)
    row(other, "tcp/3").focus()
    other.keyboard.press("Shift+K")
    moved = page.locator("tr[data-rule] .mark").filter(has_text="moved from")
    expect(moved).to_have_count(1)  # Which of two that changed places it was, nobody can see.
    expect(row(other, "tcp/3").get_by_role("button", name="Undo: moved")).to_be_visible()
    other.keyboard.press("Backspace")
    expect(row(page, "tcp/3")).to_contain_text("deleted elsewhere")
    row(page, "tcp/3").get_by_role("button", name="Put back").click()
    expect(row(page, "tcp/3").get_by_role("button", name="Delete")).to_be_attached()
    assert host.texts() == ["drop tcp/1", "drop tcp/3", "drop tcp/2"]
    bar = other.get_by_role("combobox", name="Add a rule")
    bar.fill("count udp/9")
    bar.press("Enter")
    expect(row(page, "udp/9")).to_contain_text("added elsewhere")
    expect(row(other, "udp/9").locator(".mark")).to_have_count(0)  # It was this one's own change.
    context.close()


@pytest.mark.parametrize("slow", [False, True])
def test_who_edits_hears_that_somebody_was_faster(
    page: Page, host: Host, faults: Faults, slow: bool
) -> None:
    """`slow`: what the editor asks of the rule is answered after somebody else has changed it."""
    faults.expected = ["412"]
    rule_id = host.add("drop tcp/1")
    path, waiting = f"**/api/v1/rules/{rule_id}", list[Route]()

    def held(asked: Route) -> None:
        if slow and asked.request.method == "GET":
            waiting.append(asked)
        else:
            asked.continue_()

    page.route(path, held)
    row(page, "tcp/1").focus()
    page.keyboard.press("e")
    field = page.get_by_role("combobox", name="Sentence")
    expect(field).to_be_focused()
    changed = host.service.call("PATCH", f"/rules/{rule_id}", {"text": "drop tcp/2"})
    assert changed.status == 200
    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed this rule")
    expect(page.get_by_role("alert")).to_contain_text("drop tcp/2")
    field.fill("drop tcp/3")
    with page.expect_response(lambda answer: answer.status == 412):
        field.press("Enter")
        for request in waiting:
            request.continue_()
    assert len(waiting) == slow
    page.unroute(path)
    assert host.texts() == ["drop tcp/2"]
    page.get_by_role("button", name="Save").click()  # Knowing it now.
    expect(row(page, "tcp/3")).to_be_visible()
    assert host.texts() == ["drop tcp/3"]


def test_an_applied_file_is_one_message(page: Page, host: Host) -> None:
    rules = [f"drop tcp/{port}" for port in range(1, 40)]
    body = {"version": 1, "policy": {}, "rules": rules, "attachments": []}
    assert host.service.call("PUT", "/ruleset", body).status == 200
    expect(page.get_by_label("Message")).to_contain_text("changed 39 rules")
    expect(page.locator("tr[data-rule] .mark")).to_have_count(0)
