"""Opened by a code, and what a role may not is not offered."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Faults, Host, row


def code_address(host: Host) -> str:
    url: str = host.service.call("POST", "/page").json["url"]
    return url


def test_a_code_opens_the_page_once(blank: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["401"]
    address = code_address(host)
    blank.goto(address)
    expect(blank.get_by_role("table", name="Rules in order")).to_be_visible()
    assert "#" not in blank.url
    expect(blank.get_by_role("contentinfo")).to_contain_text("uid 0, role admin")
    blank.reload()
    expect(blank.get_by_role("table", name="Rules in order")).to_be_visible()
    blank.evaluate("sessionStorage.clear()")
    blank.goto("about:blank")
    blank.goto(address)
    expect(blank.get_by_role("alert")).to_contain_text("used already, or is older than a minute")
    expect(blank.locator("main")).to_contain_text("sudo xdpwall page")
    blank.goto(code_address(host))  # Only the fragment differs: no load, the page must notice.
    expect(blank.get_by_role("table", name="Rules in order")).to_be_visible()


def open_as(page: Page, host: Host, role: str) -> None:
    name = f"web-{role}"
    host.service.call("DELETE", f"/tokens/{name}")
    made = host.service.call("POST", "/tokens", {"name": name, "role": role})
    page.goto("about:blank")
    page.goto(f"http://127.0.0.1:{host.service.port}/#token={made.json['secret']}")
    expect(page.get_by_role("contentinfo")).to_contain_text(f"token {name}, role {role}")


def test_what_a_role_may_not_is_not_offered(blank: Page, host: Host) -> None:
    host.attach()
    host.add("drop icmp on docker0")
    page = blank
    detach = page.get_by_role("button", name="Detach xdp from docker0")
    turn_off = page.get_by_role("button", name="Turn off")
    delete = row(page, "drop icmp").get_by_role("button", name="Delete")

    open_as(page, host, "operator")
    for admins in (detach, turn_off):
        expect(admins).to_be_disabled()
    expect(delete).to_be_enabled()
    page.get_by_role("combobox", name="Add a rule").fill("count udp/53")
    page.keyboard.press("Enter")
    expect(row(page, "count udp/53")).to_be_visible()

    open_as(page, host, "read")
    for others in (detach, turn_off, delete):
        expect(others).to_be_disabled()
    expect(page.get_by_role("combobox", name="Add a rule")).to_have_attribute("readonly", "")
    page.locator("tr[data-rule]").first.click()
    expect(page.get_by_role("complementary").get_by_role("button", name="Why?")).to_be_enabled()
    page.keyboard.press("Delete")
    page.keyboard.press("h")
    expect(page.get_by_role("complementary", name="History")).to_be_visible()
    expect(page.get_by_role("button", name="What revision").first).to_be_enabled()
    assert sorted(host.texts()) == ["count udp/53", "drop icmp on docker0"]

    open_as(page, host, "admin")
    for everything in (detach, turn_off, delete):
        expect(everything).to_be_enabled()
