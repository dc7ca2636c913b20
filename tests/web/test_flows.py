"""The page's list of flows: what the kernel remembers, filtered, refreshed and ended."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.net.netns import wait_for
from tests.web.conftest import BOX, BRIDGE, Faults, Host

PORTS = (4000, 4001, 4002)


@contextmanager
def listening(host: Host) -> Iterator[list[socket.socket]]:
    """UDP sockets of the box, at PORTS."""
    with ExitStack() as stack:
        with host.box.inside():
            heard = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in PORTS]
        for one, port in zip(heard, PORTS, strict=True):
            stack.enter_context(one)
            one.bind((BOX, port))
            one.settimeout(60)
        yield heard


def send(host: Host, port: int, count: int) -> None:
    """Datagrams from the host, from the port that they go to."""
    with host.space.inside():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.bind((BRIDGE, port))
        for _ in range(count):
            sender.sendto(b"x", (BOX, port))


@pytest.fixture
def listed(page: Page, host: Host) -> Iterator[Locator]:
    """The open list: flows to three ports of the box, with 1, 2 and 3 packets, and no other."""
    host.attach("docker0", "xdp")
    host.attach("docker0", "tc-egress")
    rule = host.add("accept udp out keep")
    host.add("accept in state established")
    with listening(host) as heard:
        # For some seconds a flow may be of the rule whose place in the kernel this one has now.
        wait_for(lambda: makers(host) == [rule], "a flow that is told to be of the rule")
        assert host.service.call("DELETE", "/flows").status == 200
        for count, (port, one) in enumerate(zip(PORTS, heard, strict=True), start=1):
            send(host, port, count)
            for _ in range(count):
                one.recv(100)
        page.get_by_role("button", name="Flows").click()
        flows = page.locator("section.flows")
        expect(rows(flows)).to_have_count(3)
        yield flows


def makers(host: Host) -> list[str | None]:
    """The rules that are told to have made the flow of one more datagram, the only one."""
    assert host.service.call("DELETE", "/flows").status == 200
    send(host, PORTS[0], 1)
    return [one.get("rule") for one in host.service.call("GET", "/flows").json["flows"]]


def rows(flows: Locator) -> Locator:
    return flows.locator("tbody tr")


def row_of(flows: Locator, port: int) -> Locator:
    return rows(flows).filter(has_text=f"{BOX}:{port}")


def kept(host: Host) -> int:
    found: int = host.service.call("GET", "/flows").json["total"]
    return found


def test_a_flow_is_shown_with_its_ends_its_state_and_its_rule(
    page: Page, host: Host, listed: Locator
) -> None:
    one = row_of(listed, 4001)
    expect(one).to_contain_text(f"{BRIDGE}:4001 > {BOX}:4001")
    expect(one.locator(".flow-state")).to_have_text("new")
    expect(one.locator(".number").first).to_have_text("2")
    expect(listed).to_contain_text("IPv4 3 of 262,144 places")
    expect(listed).to_contain_text("lost 0")
    by = host.service.call("GET", "/rules").json["rules"][0]["id"]
    one.get_by_role("button", name=f"Rule {by}").click()
    expect(page.locator(".drawer")).to_contain_text("accept udp out keep")


def test_it_is_refreshed_and_can_be_paused(page: Page, host: Host, listed: Locator) -> None:
    send(host, 4000, 40)
    packets = row_of(listed, 4000).locator(".number").first
    expect(packets).to_have_text("41")
    listed.get_by_role("button", name="Pause").click()
    send(host, 4000, 1)
    wait_for(lambda: most_packets(host) == 42, "the packet to be counted")
    with page.expect_request("**/flows?*"):
        listed.get_by_role("button", name="Resume").click()
    expect(packets).to_have_text("42")


def most_packets(host: Host) -> int:
    flows = host.service.call("GET", "/flows?top=true").json["flows"]
    found: int = flows[0]["packets"]
    return found


def test_filters_and_the_most_packets_first(page: Page, host: Host, listed: Locator) -> None:
    listed.get_by_label("Most packets first").check()
    expect(rows(listed).first).to_contain_text(f"{BOX}:4002")
    listed.get_by_label("Port").fill("4001")
    expect(rows(listed)).to_have_count(1)
    expect(rows(listed)).to_contain_text(f"{BOX}:4001")
    listed.get_by_label("State").select_option("closing")
    expect(listed).to_contain_text("No flow is like that.")
    listed.get_by_label("State").select_option("new")
    listed.get_by_label("To", exact=True).fill("172.17.0.0/24")
    listed.get_by_label("Protocol").fill("udp")
    expect(rows(listed)).to_have_count(1)


def test_what_is_wrong_in_a_filter_is_said(
    page: Page, host: Host, listed: Locator, faults: Faults
) -> None:
    faults.expected.append("422")
    listed.get_by_label("Port").fill("70000")
    expect(listed.get_by_role("alert")).to_contain_text("port")
    expect(listed.get_by_label("Port")).to_have_attribute("aria-invalid", "true")
    expect(listed.get_by_role("button", name="Flush…")).to_be_disabled()
    listed.get_by_label("Port").fill("4000")
    expect(rows(listed)).to_have_count(1)
    expect(listed.get_by_role("alert")).to_be_empty()


def test_what_is_filtered_is_ended_after_a_question(
    page: Page, host: Host, listed: Locator
) -> None:
    listed.get_by_label("Port").fill("4001")
    expect(rows(listed)).to_have_count(1)
    flush = listed.get_by_role("button", name="Flush…")
    flush.click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("End 1 flow?")
    expect(question).to_contain_text("port 4001")
    question.get_by_role("button", name="Cancel").click()
    assert kept(host) == 3
    flush.click()
    question.get_by_role("button", name="End them").click()
    expect(page.get_by_text("Ended 1 flow.").first).to_be_visible()
    assert kept(host) == 2
    listed.get_by_label("Port").fill("")
    expect(rows(listed)).to_have_count(2)
    page.keyboard.press("Escape")
    flush.focus()
    page.keyboard.press("Enter")
    expect(question).to_contain_text("End all 2 flows?")
    question.get_by_role("button", name="End them").click()
    expect(rows(listed)).to_have_count(0)
    assert kept(host) == 0


def test_without_a_rule_that_keeps_it_says_what_to_do(page: Page, host: Host) -> None:
    flows = page.locator("section.flows")
    expect(flows).to_contain_text("no rule has state or keep")
    page.get_by_role("button", name="Flows").click()
    expect(flows.locator(".none")).to_contain_text("keep")
