"""What the drawer answers: why a packet passes or not, what changed and back, blocks, findings."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import BOX, BRIDGE, Faults, Host, row


def drawer(page: Page, name: str, key: str) -> Locator:
    """Open it by its key."""
    page.keyboard.press(key)
    found = page.get_by_role("complementary", name=name, exact=True)
    expect(found).to_be_visible()
    return found


def test_why_in_words_of_a_rule_and_of_an_event(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["422"]
    host.attach()
    for text in ("count icmp", "drop tcp/22 on docker0 in", "accept tcp/22 from 10.0.0.0/8"):
        host.add(text)
    host.add("drop icmp/echo-reply on docker0 log")
    expect(row(page, "echo-reply")).to_be_visible()
    said = drawer(page, "Explanation", "w")
    asked = said.get_by_label("A packet, in words")
    asked.fill("tcp/23 from 10.1.1.1 onn docker0")
    asked.press("Enter")
    expect(said.get_by_role("alert")).to_contain_text("did you mean 'on'?")
    expect(said.locator("mark")).to_have_text("onn")
    asked.fill("tcp/23 from 10.1.1.1 on docker0")
    said.get_by_role("button", name="Why?").click()
    answer = said.get_by_role("region", name="What becomes of it")
    expect(answer.locator(".outcome")).to_contain_text("pass tcp/23 from 10.1.1.1")
    expect(answer).to_contain_text("by policy ingress accept")
    near = answer.locator(".near > li").filter(has_text="accept tcp/22")
    expect(near.locator(".differs")).to_have_text("dport is 23, the rule wants 22")
    expect(page.get_by_role("status")).to_have_text("It passes, by policy ingress accept.")
    host.add("accept tcp")
    expect(answer).to_contain_text("ask again")
    near.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Rule 3")).to_be_visible()
    page.get_by_role("complementary").get_by_role("button", name="Why?").click()
    expect(answer).to_contain_text("Rule 3 matches a packet like this, and does not decide it:")
    expect(answer.locator(".decision")).to_have_text("drop by rule 2")
    expect(asked).to_have_value(re.compile("^tcp/22 from 10[.].* on docker0 in"))
    page.keyboard.press("Escape")
    host.ping()
    page.get_by_role("button", name="Events").click()
    packets = page.locator(".packets").filter(has_text=f"echo-reply {BOX}")
    packets.get_by_role("button", name="Why: icmp/echo-reply").first.click()
    expect(answer.locator(".outcome")).to_contain_text("drop the packet of")
    expect(answer.locator(".decision")).to_have_text("drop by rule 4")
    expect(answer).to_contain_text("Matched before, and counted it")
    expect(asked).to_have_value(re.compile(f"^icmp/echo-reply/0 from {BOX} to {BRIDGE} on docker0"))
    asked.press("Enter")  # The same in words.
    expect(answer.locator(".outcome")).to_contain_text("drop icmp/echo-reply/0 from")
    expect(answer.locator(".decision")).to_have_text("drop by rule 4")


def test_history_shows_changes_and_goes_back(page: Page, host: Host) -> None:
    rule_id = host.add("drop tcp/1")
    path = f"/rules/{rule_id}?message=ticket%204711"
    assert host.service.call("PATCH", path, {"text": "drop tcp/2"}).status == 200
    before = host.service.call("GET", "/status").json["revision"]
    host.add("drop tcp/3")
    history = drawer(page, "History", "h")
    first, second = history.locator(".history > li").nth(0), history.locator(".history > li").nth(1)
    expect(first).to_contain_text("in force")
    expect(second).to_contain_text("ticket 4711")
    expect(second).to_contain_text("root (uid 0) by socket")
    second.get_by_role("button", name="What revision").click()
    expect(second.locator("del")).to_have_text("drop tcp/1")
    second.get_by_role("button", name=f"Roll back to revision {before}").click()
    ask = page.get_by_role("dialog")
    expect(ask.get_by_role("listitem")).to_have_text("removed 2: drop tcp/3")
    ask.get_by_role("button", name="With a countdown of 60 s").click()
    waits = page.get_by_role("group", name="A change that waits for its confirmation")
    expect(waits).to_contain_text(f"rollback to revision {before}")
    expect(history.locator(".history > li").first).to_contain_text("in force, not confirmed")
    expect(second.get_by_role("button", name="Roll back")).to_be_disabled()
    assert host.texts() == ["drop tcp/2"]
    waits.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("is confirmed")
    expect(row(page, "tcp/3").locator(".number")).to_have_count(0)
    assert host.service.call("PUT", "/switch", {"on": True}).status == 200
    history.get_by_role("button", name="Everything done").click()
    expect(history.get_by_role("heading", name=f"confirm revision {before + 2}")).to_be_visible()


def test_blocks_are_listed_with_their_time_and_end(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["422"]
    assert host.service.call("POST", "/block", {"target": "udp/53 on docker0"}).status == 200
    blocks = drawer(page, "Blocks", "b")
    expect(blocks.get_by_role("row", name="udp/53 on docker0")).to_contain_text("never")
    target = blocks.get_by_label("Address, prefix")
    target.fill("203.0.113.0/33")
    target.press("Enter")
    expect(blocks.get_by_role("alert")).to_contain_text("203.0.113.0/33")
    target.fill("203.0.113.0/24")
    blocks.get_by_role("button", name="Block", exact=True).click()
    expect(blocks.get_by_role("row", name="203.0.113.0/24")).to_contain_text(
        re.compile("9:5[0-9]|10:00")
    )
    blocks.get_by_role("button", name="Unblock 203.0.113.0/24").click()
    expect(blocks.get_by_role("row", name="203.0.113.0/24")).to_have_count(0)
    expect(row(page, "from @blocked")).to_be_visible()
    expect(row(page, "from @blocked").locator(".mark")).to_have_count(0)
    listed = host.service.call("GET", "/block").json["blocks"]
    assert [one["target"] for one in listed] == ["udp/53 on docker0"]


def test_findings_lead_to_the_rule_and_to_a_packet_that_shows_it(page: Page, host: Host) -> None:
    host.attach()
    for text in ("accept tcp", "drop tcp/22 from 10.0.0.0/8"):
        host.add(text)
    check = drawer(page, "Check", "c")
    expect(check.get_by_role("status")).to_have_text("2 rules: 1 finding.")
    finding = check.locator(".findings > li")
    expect(finding).to_contain_text("shadowed never decides")
    finding.get_by_role("button", name="Why:").click()
    answer = page.get_by_role("region", name="What becomes of it")
    expect(answer.locator(".decision").first).to_have_text("pass by rule 1")
