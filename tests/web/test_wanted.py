"""Attachments by policy on the page: wanted, in place, waiting, ended."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.web.conftest import Faults, Host


def test_an_attachment_by_policy(page: Page, host: Host) -> None:
    wanted = page.locator("section.wanted")
    wanted.get_by_role("button", name="Attach by policy").click()
    wanted.get_by_role("textbox", name="Interfaces by pattern or name").fill("port*")
    wanted.get_by_role("button", name="Attach", exact=True).click()
    line = wanted.locator("li")
    expect(line).to_contain_text("port* xdp")
    expect(line).to_contain_text("attached when one comes")
    # One that comes is attached by the service, and shown.
    host.space.ip("link add port7 type veth peer name far7")
    expect(line).to_contain_text("in place on port7")
    expect(page.locator("tbody[data-iface=port7]")).to_contain_text("xdp native")
    line.get_by_role("button", name="Detach xdp from port*").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("no rule judges what it sees on port7")
    dialog.get_by_role("button", name="Detach").click()
    expect(line).to_have_count(0)
    assert host.service.call("GET", "/status").json["attachments"] == []


def test_words_that_are_none_and_one_that_waits(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["422"]
    wanted = page.locator("section.wanted")
    wanted.get_by_role("button", name="Attach by policy").click()
    words = wanted.get_by_role("textbox", name="Interfaces by pattern or name")
    words.fill("an-interface-of-19")
    wanted.get_by_role("button", name="Attach", exact=True).click()
    expect(page.locator("aside.bar")).to_contain_text("is not an interface's name")
    expect(words).to_have_value("an-interface-of-19")
    words.fill("ppp0")
    wanted.get_by_role("combobox", name="How to attach by policy").select_option("tc-ingress")
    wanted.get_by_role("button", name="Attach", exact=True).click()
    expect(wanted.locator("li")).to_contain_text("ppp0 tc ingress")
    expect(wanted.locator("li")).to_contain_text("there is no interface called ppp0")
    expect(words).to_have_count(0)
    # Somebody else ends it.
    path = "/interfaces/ppp0/attachments/tc-ingress"
    assert host.service.call("DELETE", path).status == 200
    expect(wanted.locator("li")).to_have_count(0)
