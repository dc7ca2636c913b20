"""The token, and a service that goes away and comes back."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.web.conftest import Faults, Host


def origin(host: Host) -> str:
    return f"http://127.0.0.1:{host.service.port}/"


def test_the_token_leaves_the_address_bar_and_lasts_a_reload(page: Page, host: Host) -> None:
    assert page.url == origin(host)
    page.reload()
    expect(page.get_by_role("table", name="Rules in order")).to_be_visible()


def test_asks_for_a_token_where_there_is_none(blank: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["401"]
    blank.goto(origin(host))
    token = blank.get_by_label("Token")
    expect(token).to_be_focused()
    expect(blank.locator("h1")).to_have_count(1)
    expect(blank.locator(".page")).to_have_count(0)
    for wrong in ("nonsense", "schlüssel ☃"):
        token.fill(wrong)
        token.press("Enter")
        expect(blank.get_by_role("alert")).to_contain_text("does not take this token")
    token.fill(host.service.token)
    token.press("Enter")
    expect(blank.get_by_role("table", name="Rules in order")).to_be_visible()


def test_a_wrong_token_in_the_address_is_said(blank: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["401"]
    blank.goto(f"{origin(host)}#token=%C3%BC%")
    expect(blank.get_by_role("alert")).to_contain_text("does not take this token")
    blank.goto(host.service.address)  # Only the fragment differs: no load, the page must notice.
    expect(blank.get_by_role("table", name="Rules in order")).to_be_visible()


def test_an_answer_faster_than_the_first_frame_is_drawn(
    blank: Page, host: Host, faults: Faults
) -> None:
    faults.expected = ["401"]
    # No frame comes, and what is due for lack of one comes late: the refusal is there before.
    blank.add_init_script("""
      const later = setTimeout;
      window.requestAnimationFrame = () => 0;
      window.setTimeout = (work, ms = 0, ...given) =>
        later(work, ms <= 100 ? 3000 : ms, ...given);
    """)
    blank.goto(f"{origin(host)}#token=wrong")
    expect(blank.get_by_role("alert")).to_contain_text("does not take this token")


def test_the_focus_waits_for_the_service(page: Page, host: Host, faults: Faults) -> None:
    """A button that is held back loses it to the page, where letters would be commands."""
    faults.expected = ["net::ERR_"]
    host.add("drop icmp on docker0")
    button = page.locator("tr[data-rule]").get_by_role("button", name="Delete")
    button.focus()
    host.service.kill()
    expect(button).to_be_disabled()
    page.keyboard.type("/?p")
    expect(page.get_by_role("combobox", name="Add a rule")).not_to_be_focused()
    expect(page.get_by_role("dialog")).to_have_count(0)
    host.service.start()
    expect(button).to_be_enabled()
    expect(button).to_be_focused()


def test_a_killed_service_is_noticed_and_its_return(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["net::ERR_"]
    host.attach()
    host.add("drop icmp on docker0")
    rule = page.locator("tr[data-rule]")
    assert not host.ping(2)
    expect(rule.locator(".packets")).to_contain_text("2")

    page.get_by_role("combobox", name="Add a rule").fill("drop tc")
    host.service.kill()
    expect(page.get_by_label("Connection lost")).to_contain_text(
        re.compile(r"since \d\d:\d\d:\d\d")
    )
    expect(rule.get_by_role("button", name="Delete")).to_be_disabled()
    expect(page.get_by_role("combobox", name="Add a rule")).to_be_disabled()
    expect(page.get_by_role("combobox", name="Add a rule")).to_be_focused()
    page.keyboard.type("dddu")  # letters of commands, meant for the sentence
    expect(page.get_by_role("combobox", name="Add a rule")).to_be_focused()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not host.ping(3)  # Filtering does not depend on the service.

    host.service.start()
    expect(page.get_by_label("Connection lost")).to_have_count(0)
    expect(rule.locator(".packets")).to_contain_text("5")
    expect(rule.get_by_role("button", name="Delete")).to_be_enabled()
