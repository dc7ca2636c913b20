"""A person at the page, with real packets: attach, block, watch, delete, undo."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import BROADCAST, Wire
from tests.web.conftest import Faults, Host, row
from xdpwall.kernel.net.xdp import xdp_attach

PINGS = 5


def quick_add(page: Page, text: str, key: str = "Enter") -> None:
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.fill(text)
    bar.press(key)


def test_blocks_ping_on_docker0(page: Page, host: Host) -> None:
    assert host.ping()
    expect(page.get_by_text("Nothing is filtered yet")).to_be_visible()
    page.get_by_role("button", name="Attach to docker0").click()
    docker0 = page.locator("tbody[data-iface=docker0]")
    expect(docker0).to_contain_text("xdp generic")
    expect(docker0).to_contain_text("from containers")
    expect(page.get_by_text("Nothing is filtered yet")).to_be_hidden()

    quick_add(page, "drop icmp on docker0")
    rule = row(page, "icmp on docker0")
    expect(rule.locator(".packets")).to_have_text("0")
    expect(page.get_by_text("Nothing dropped yet")).to_be_visible()
    assert not host.ping(PINGS)
    expect(page.get_by_text("Nothing dropped yet")).to_be_hidden()
    expect(rule.locator(".packets")).to_contain_text(str(PINGS))
    expect(rule.locator(".bytes")).to_have_text(f"{PINGS * 98} B")
    expect(docker0.get_by_role("img", name="docker0 dropped: up to")).to_be_visible()

    rule.get_by_role("button", name="Delete").click()
    expect(rule.get_by_role("button", name="Undo")).to_be_focused()
    assert host.ping(PINGS)
    rule.get_by_role("button", name="Undo").click()
    expect(rule.get_by_role("button", name="Delete")).to_be_visible()
    assert not host.ping()


def test_detach_asks_first(page: Page, host: Host) -> None:
    host.attach()
    host.add("drop icmp on docker0")
    page.get_by_role("button", name="Detach xdp from docker0").click()
    expect(page.get_by_role("dialog")).to_contain_text("from containers")
    page.get_by_role("button", name="Cancel").click()
    assert not host.ping()
    page.get_by_role("button", name="Detach xdp from docker0").click()
    page.get_by_role("dialog").get_by_role("button", name="Detach").click()
    expect(page.get_by_text("Nothing is filtered yet")).to_be_visible()
    assert host.ping()


def test_mode_is_chosen_and_a_refusal_is_explained(page: Page, host: Host, faults: Faults) -> None:
    faults.expected = ["422"]
    page.get_by_label("How to attach to docker0").select_option("xdp native")
    page.get_by_role("button", name="Attach to docker0").click()
    expect(page.get_by_label("Message")).to_contain_text("native")
    page.get_by_label("How to attach to docker0").select_option("tc egress")
    page.get_by_role("button", name="Attach to docker0").click()
    docker0 = page.locator("tbody[data-iface=docker0]")
    expect(docker0).to_contain_text("to containers")
    docker0.get_by_role("button", name="Attach more to docker0").click()
    page.get_by_label("How to attach to docker0").select_option("xdp generic")
    page.get_by_role("button", name="Attach to docker0").click()
    expect(docker0.get_by_role("button", name="Detach")).to_have_count(2)
    expect(docker0).to_contain_text("xdp generic")


def test_a_sentence_is_judged_while_it_is_typed(page: Page, faults: Faults) -> None:
    faults.expected = ["422"]
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.fill("drop icpm on docker0")
    expect(page.locator("mark")).to_have_text("icpm")
    expect(bar).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#quick-add-verdict")).to_contain_text("icpm")
    bar.press("Enter")
    expect(page.locator("mark")).to_have_text("icpm")
    bar.fill("drop icmp in on docker0")
    expect(page.locator("#quick-add-verdict")).to_contain_text("drop icmp on docker0 in")
    expect(bar).to_have_attribute("aria-invalid", "false")


def test_enter_adds_first_and_shift_enter_last(page: Page, host: Host) -> None:
    host.add("count udp")
    expect(row(page, "udp")).to_be_visible()
    quick_add(page, "drop tcp/23")
    expect(row(page, "tcp/23")).to_be_visible()
    quick_add(page, "accept tcp/443", "Shift+Enter")
    expect(row(page, "tcp/443")).to_be_visible()
    assert host.texts() == ["drop tcp/23", "count udp", "accept tcp/443"]
    expect(page.locator("tr[data-rule] .sentence")).to_have_text(host.texts())


def test_an_added_rule_warns_where_nothing_is_attached(page: Page) -> None:
    quick_add(page, "drop icmp on docker0")
    expect(page.locator("#quick-add-verdict .warning")).to_contain_text("docker0")
    # The call for programs is the answer's, and no word for a person.
    expect(page.locator("#quick-add-verdict .warning")).not_to_contain_text("REST")


def test_standing_warnings_are_listed(page: Page, host: Host) -> None:
    host.attach()
    host.attach("docker0", "tc-ingress")
    expect(page.get_by_role("list", name="Warnings")).to_contain_text("docker0")


def test_what_is_not_in_place_is_shown_until_it_is(page: Page, host: Host) -> None:
    add = "link add late0 type veth peer name late1"
    host.space.ip(add)
    host.attach("late0")
    late0 = page.locator("tbody[data-iface=late0]")
    expect(late0).to_contain_text("sees everything in")
    host.space.ip("link set dev late0 xdp off")
    expect(late0).to_contain_text("not filtered: our program is not on it")
    health = host.service.call("GET", "/healthz").json
    assert health["status"] == "degraded" and "late0 xdp: " in health["problems"][0]
    host.space.ip("link del late0")
    expect(late0).to_contain_text("not filtered: the interface does not exist")
    expect(page.get_by_role("list", name="Warnings")).to_contain_text("late0")
    host.space.ip(add)
    expect(late0).to_contain_text("sees everything in")
    assert host.service.call("GET", "/healthz").json["status"] == "ok"
    host.space.ip("link del late0")
    late0.get_by_role("button", name="Detach xdp from late0").click()
    page.get_by_role("dialog").get_by_role("button", name="Detach").click()
    expect(late0).to_have_count(0)


def test_undo_puts_the_rule_back_in_its_place(page: Page, host: Host) -> None:
    for port in (1, 2, 3):
        host.add(f"drop tcp/{port}")
    before = host.texts()
    expect(page.locator("tr[data-rule]")).to_have_count(3)
    for _ in range(2):  # The rule in the middle by keys alone.
        page.keyboard.press("j")
    page.keyboard.press("Backspace")
    expect(row(page, "tcp/2").get_by_role("button", name="Undo")).to_be_visible()
    assert host.texts() == [before[0], before[2]]
    page.keyboard.press("u")
    expect(row(page, "tcp/2").get_by_role("button", name="Delete")).to_be_visible()
    assert host.texts() == before


def test_a_deleted_row_leaves_after_ten_seconds(blank: Page, host: Host) -> None:
    host.add("drop tcp/1")
    blank.clock.install()
    blank.goto(host.service.address)
    rule = row(blank, "tcp/1")
    rule.get_by_role("button", name="Delete").click()
    expect(rule.get_by_role("button", name="Undo")).to_be_visible()
    blank.clock.fast_forward(10_000)
    expect(rule).to_have_count(0)
    expect(blank.get_by_text("No rule yet")).to_be_visible()


def test_a_rule_of_somebody_else_appears(page: Page, host: Host) -> None:
    expect(page.get_by_text("No rule yet")).to_be_visible()
    rule_id = host.add("drop tcp/25")
    expect(row(page, "tcp/25")).to_contain_text("added elsewhere")
    assert host.service.call("DELETE", f"/rules/{rule_id}").status == 200
    expect(row(page, "tcp/25")).to_contain_text("deleted elsewhere")


def occupy(index: int) -> None:
    """Somebody else's XDP program on an interface."""
    with tiny("xdp_other") as other:
        xdp_attach(index, other.fileno(), "native")


def test_another_owners_program_is_named_and_not_replaced_unasked(
    page: Page, host: Host, faults: Faults
) -> None:
    faults.expected = ["409"]
    host.space.call(occupy, host.space.index("eth1"))
    host.space.ip("link add hint0 type veth peer name hint1")  # Interfaces are read anew at once.
    eth1 = page.locator("tbody[data-iface=eth1]")
    expect(eth1).to_contain_text("another owner’s program “xdp_other”")
    page.get_by_role("button", name="Attach to eth1").click()
    expect(page.get_by_role("dialog")).to_contain_text("xdp_other")
    page.get_by_role("button", name="Cancel").click()
    expect(eth1).to_contain_text("xdp_other")
    page.get_by_role("button", name="Attach to eth1").click()
    page.get_by_role("button", name="Replace it").click()
    expect(eth1.get_by_role("button", name="Detach")).to_be_visible()
    expect(eth1).not_to_contain_text("xdp_other")
    host.space.ip("link del hint0")


def test_off_is_shouted(page: Page, host: Host) -> None:
    host.attach()
    host.add("drop icmp on docker0")
    page.get_by_role("button", name="Turn off").click()
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("banner")).to_contain_text("Every packet passes")
    expect(page).to_have_title(re.compile("^OFF"))
    assert host.ping()
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Filtering is on", exact=True).first).to_be_visible()
    assert not host.ping()


def test_numbers_do_not_move_the_page(page: Page, host: Host, traffic: None) -> None:
    """Nor does a number that has two digits more all at once."""
    host.attach()
    host.add("count icmp on docker0")
    host.add("accept tcp/443")
    rule = row(page, "icmp on docker0")
    expect(rule.locator(".rate")).not_to_have_text("")
    before = places(page)
    count = rule.locator(".packets")
    first = count.inner_text()
    with Wire(host.box, "eth0") as wire:
        for _ in range(20_000):
            wire.send(f.ether(f.ipv4(f.icmp()), dst=BROADCAST))
    wait_for(lambda: len(count.inner_text()) > len(first) + 1, "more digits")
    assert places(page) == before


def places(page: Page) -> list[object]:
    """Where on the screen the bar, the last row and the counters stand."""
    found = [
        page.locator("#quick-add"),
        page.locator("tr.policy"),
        *page.locator("td.number").all(),
    ]
    return [one.bounding_box() for one in found]
