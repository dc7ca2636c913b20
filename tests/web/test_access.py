"""For everybody: axe-core finds nothing in light and dark, narrow and by touch; little motion."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.web.conftest import Faults, Host, row

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
Scheme = Literal["light", "dark"]
WIDE: ViewportSize = {"width": 1400, "height": 900}
NARROW: ViewportSize = {"width": 400, "height": 860}


# In the dark only colours are others: the rest of axe's rules would find the same again.
RULES: dict[Scheme, dict[str, list[str]]] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


@pytest.fixture
def scheme() -> Scheme:
    return "light"


@pytest.fixture
def themed(browser: Browser, host: Host, faults: Faults, scheme: Scheme) -> Iterator[Page]:
    host.attach()
    for text in ('drop icmp on docker0 comment "no pings"', "accept tcp/443", "count udp disabled"):
        host.add(text)
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce", viewport=WIDE)
    page = context.new_page()
    page.on("console", faults.hear)
    page.goto(host.service.address)
    row(page, "icmp").wait_for()
    page.evaluate(AXE)
    yield page
    context.close()
    assert faults.found == []


def check(page: Page, what: str, scheme: Scheme, within: str = "html") -> None:
    """`within`: where something is new, since the page as a whole takes half a second."""
    options = {"resultTypes": ["violations"], **RULES[scheme]}
    found = page.evaluate("([within, options]) => axe.run(within, options)", [within, options])
    said = [
        f"{what}: {one['id']}: {node['html'][:160]} {node['any'][:1]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    assert said == []


@pytest.mark.parametrize("scheme", list(RULES))
def test_axe_finds_nothing(
    themed: Page, host: Host, traffic: None, scheme: Scheme, faults: Faults
) -> None:
    page, sound = themed, partial(check, themed, scheme=scheme)
    expect(row(page, "icmp").locator(".rate")).not_to_have_text("")
    sound("page")
    host.service.call("PUT", "/events/settings", {"log_drops": True})
    events = page.get_by_role("button", name="Events")
    events.click()
    page.locator(".packets tbody th").first.wait_for()
    sound("events", within=".events")
    events.click()
    host.service.call("PUT", "/events/settings", {"log_drops": False})
    flows = page.get_by_role("button", name="Flows")
    flows.click()
    page.locator(".flows .box, .flows .none").first.wait_for()
    page.get_by_label("Port", exact=True).fill("70000")
    faults.expected.append("422")
    page.locator(".flows [aria-invalid=true]").wait_for()
    sound("flows", within=".flows")
    flows.click()
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.press_sequentially("drop udp ")
    page.get_by_role("option", name="from").wait_for()
    bar.press("ArrowDown")
    sound("completion", within=".quick-add")
    bar.fill("drop nonsense")
    page.locator("mark").wait_for()
    sound("a wrong word", within=".quick-add")
    row(page, "udp").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo: deleted").wait_for()
    host.add("drop tcp/99")
    row(page, "tcp/99").locator(".mark").wait_for()
    sound("undo and a mark")
    row(page, "icmp").get_by_role("button", name="More").click()
    sound("menu", within=".menu")
    page.keyboard.press("Enter")
    page.locator(".plot polyline").wait_for()
    sound("drawer", within=".drawer")
    page.get_by_role("complementary").get_by_role("button", name="Why?").click()
    page.get_by_role("region", name="What becomes of it").wait_for()
    sound("explanation", within=".drawer")
    page.keyboard.press("h")
    page.get_by_role("button", name="What revision").first.click()
    page.locator(".diff").wait_for()
    sound("history", within=".drawer")
    page.keyboard.press("c")
    page.locator(".findings li").first.wait_for()
    sound("findings", within=".drawer")
    host.service.call("POST", "/block", {"target": "203.0.113.0/24", "for": "10m"})
    page.keyboard.press("b")
    page.locator(".blocks").wait_for()
    sound("blocks", within=".drawer")
    page.get_by_role("button", name="Close").click()
    row(page, "icmp").locator(".sentence-button").click()
    page.set_viewport_size(NARROW)
    page.get_by_role("button", name="View as table").click()
    sound("narrow drawer", within=".drawer")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("To port").wait_for()
    sound("narrow form", within=".drawer")
    page.keyboard.press("Escape")
    sound("narrow page")
    page.get_by_role("button", name="Turn off").click()
    sound("question", within="dialog")
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("banner")).to_contain_text("Every packet passes")
    sound("off")
    page.get_by_role("button", name="Edit policy").click()
    sound("policy", within=".drawer")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    sound("keys", within="dialog")


def test_nothing_moves_for_who_wants_no_motion(themed: Page) -> None:
    row(themed, "icmp").locator(".sentence-button").click()
    themed.locator(".drawer").wait_for()
    assert themed.evaluate("document.getAnimations().length") == 0


def test_by_touch_on_a_telephone(browser: Browser, host: Host) -> None:
    host.add("drop tcp/1")
    host.add("drop tcp/2")
    context = browser.new_context(viewport=NARROW, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(host.service.address)
    row(page, "tcp/2").get_by_role("button", name="More").tap()
    page.get_by_role("menuitem", name="Move up").tap()
    expect(row(page, "tcp/2").locator(".position")).to_have_text("1")
    row(page, "tcp/2").get_by_role("button", name="Undo").tap()
    expect(row(page, "tcp/2").locator(".position")).to_have_text("2")
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.tap()
    bar.fill("drop udp/5")
    page.get_by_role("button", name="Add", exact=True).tap()
    expect(row(page, "udp/5")).to_be_visible()
    row(page, "udp/5").locator(".sentence-button").tap()
    page.get_by_role("button", name="Delete").tap()
    expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
    assert host.texts() == ["drop tcp/1", "drop tcp/2"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_a_screen_reader_hears_changes_and_never_numbers(
    page: Page, host: Host, traffic: None
) -> None:
    host.attach()
    host.add("drop icmp on docker0")
    said = page.get_by_role("status")
    expect(said).to_have_text("Somebody else changed 1 rule.")
    count = row(page, "icmp").locator(".packets")
    expect(count).not_to_have_text("0")
    expect(said).to_have_text("Somebody else changed 1 rule.")
    page.keyboard.press("j")
    page.keyboard.press(" ")
    expect(said).to_have_text("Disabled drop icmp on docker0 disabled.")
