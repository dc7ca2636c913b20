"""The page drawn wide and narrow, light and dark, under traffic; nothing overflows.

    XDPWALL_PICTURES=docs/images pytest tests/web/test_pictures.py

draws the pictures of the README: that run waits until the sparklines are full.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.net.netns import wait_for
from tests.web.conftest import BRIDGE, CARD, Faults, Host

FOLDER = os.environ.get("XDPWALL_PICTURES")
SAMPLES = 60 if FOLDER else 2
SIZES = {"": (1400, 860), "-narrow": (400, 860)}
RULES = [
    "drop icmp on docker0",
    'drop udp/11211 on docker0 in comment "memcached reflection"',
    "accept udp/53,123 from 172.17.0.0/16 on docker0",
    "count tcp flags syn/syn,ack",
    "accept tcp/80,443 in",
    "drop tcp/22 from not 10.0.0.0/8 on eth1 in",
    "drop udp sport 19,53,123,1900 on eth1 in",
    'drop ipv6 from 2001:db8:bad::/48 comment "ticket 4711"',
    "drop tcp/22 flags syn/syn,ack over 6/m burst 6 per src",
    "accept icmpv6/echo-request limit 20/s",
    "drop tcp/25 out disabled",
    "drop ethertype 0x88cc",
]

# Datagrams to the bridge and the card in waves, and a connection to the card now and then.
_WAVES = """
import contextlib, math, socket, sys, time
bridge, card = sys.argv[1:]
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.bind(("", 53))
WAVES = [(near, bridge, 11211, 60, 23), (near, bridge, 53, 6, 11), (near, bridge, 9, 9, 17),
         (far, card, 40000, 90, 41), (far, card, 123, 4, 29)]
began = time.monotonic()
while True:
    now = time.monotonic() - began
    for sender, address, port, most, period in WAVES:
        for _ in range(round(most * (1.2 + math.sin(6.28 * now / period)))):
            with contextlib.suppress(ConnectionRefusedError):
                sender.sendto(b"x" * (port % 900), (address, port))
    for _ in range(1 + round(math.sin(now))):
        with socket.socket() as caller:
            caller.settimeout(0.1)
            caller.connect_ex((card, 443))
    time.sleep(0.02)
"""


@pytest.fixture
def waves(host: Host, traffic: None) -> Iterator[None]:
    sender = subprocess.Popen(host.box.argv(sys.executable, "-c", _WAVES, BRIDGE, CARD))
    yield
    sender.kill()
    sender.wait()


@pytest.mark.parametrize("scheme", ["light", "dark"] if FOLDER else ["light"])
def test_pictures(
    browser: Browser, host: Host, faults: Faults, waves: None, scheme: str, tmp_path: Path
) -> None:
    host.attach("docker0")
    host.attach("eth1")
    for text in RULES:
        host.add(text)
    folder = Path(FOLDER) if FOLDER else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(color_scheme="light" if scheme == "light" else "dark")
    page = context.new_page()
    page.on("console", faults.hear)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(host.service.address)
    wait_for(lambda: samples(page) >= SAMPLES, "a history", timeout=90, every=0.1)
    bar = page.get_by_role("combobox", name="Add a rule")
    bar.fill("drop udp/1900 from 198.51.100.0/24 on eth1")
    page.locator("#quick-add-verdict b").wait_for()
    draw(page, folder, f"page-{scheme}")
    bar.fill("")
    bar.press_sequentially("drop udp/1900 on ")
    page.locator(".completions li").first.wait_for()
    draw(page, folder, f"words-{scheme}")
    bar.press("Escape")
    bar.fill("")
    page.locator("tr[data-rule] .sentence-button").nth(1).click()
    page.locator(".plot polyline").wait_for()
    draw(page, folder, f"rule-{scheme}")
    page.locator("tr[data-rule] .sentence-button").nth(6).click()
    page.keyboard.press("w")
    page.locator(".near").wait_for()
    draw(page, folder, f"why-{scheme}")
    page.keyboard.press("Escape")
    page.locator("tr[data-rule] .sentence-button").nth(1).click()
    page.keyboard.press("e")
    page.get_by_label("Protocol").wait_for()
    page.get_by_label("To port").fill("1121x")
    page.locator(".form-field [aria-invalid=true]").wait_for()
    draw(page, folder, f"form-{scheme}")
    context.close()
    assert faults.found == []


def draw(page: Page, folder: Path, name: str) -> None:
    """Pictures of one state, wide and narrow; nothing stands out at the side."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.screenshot(path=folder / f"{name}{size}.png", animations="disabled")
        assert wide <= 0, f"{name}: {wide} px too wide at {width}"
    page.set_viewport_size({"width": 1400, "height": 900})


def samples(page: Page) -> int:
    """How many samples the first rule's sparkline shows."""
    line = page.locator("tr[data-rule] polyline")
    return len((line.first.get_attribute("points") or "").split()) if line.count() else 0
