"""A real service, a bridge with a box behind it, and a Chromium in the same namespace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.support.net.netns import Lab, Namespace
from tests.support.net.ping import ping
from tests.support.service.service import Service

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
]
EMPTY = {"version": 1, "policy": {}, "rules": [], "attachments": []}
PATIENCE_MS = 60_000
"""In which the page shows what it should: it shows it at once, but on a machine that stands still."""
BRIDGE, BOX = "172.17.0.1", "172.17.0.2"
CARD = "198.51.100.1"

# Told by the browser itself whenever the policy forbids something.
_WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
# Chromium logs each refused or failed request by itself; a test names those that it provokes.
_NETWORK = re.compile(r"Failed to load resource: (.+)")


@dataclass
class Host:
    """The machine whose page is tested: docker0, eth1, one box behind both, the service."""

    space: Namespace
    box: Namespace
    service: Service

    def ping(self, count: int = 1) -> bool:
        """Whether pings from the host to the box are answered: all or none."""
        answers = ping(self.space, BOX, count, over=("docker0", BOX))
        assert answers in (0, count)
        return answers == count

    def add(self, text: str) -> str:
        """A rule at the end, by REST; its id."""
        answer = self.service.call("POST", "/rules", {"text": text})
        assert answer.status == 201, answer.content
        rule_id: str = answer.json["id"]
        return rule_id

    def attach(self, iface: str = "docker0", place: str = "xdp") -> None:
        """By REST."""
        path = f"/interfaces/{iface}/attachments/{place}"
        assert self.service.call("PUT", path, {}).status == 201

    def texts(self) -> list[str]:
        """The rules' sentences as the service has them, in order."""
        return [rule["text"] for rule in self.service.call("GET", "/rules").json["rules"]]


@dataclass
class Faults:
    """What the browser complained about. `expected` lists failed requests that a test provokes."""

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        network = _NETWORK.match(message.text)
        if network and any(known in network[1] for known in self.expected):
            return
        self.found.append(f"{message.type}: {message.text} {message.location.get('url', '')}")


def row(page: Page, text: str) -> Locator:
    """The row of the rule whose sentence holds `text`."""
    return page.locator("tr[data-rule]").filter(has=page.get_by_text(text))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    lab = Lab("tests/web")
    lab.clean()
    space, box = lab.namespace("host"), lab.namespace("box")
    lab.bridge(space, "docker0", f"{BRIDGE}/16")
    lab.veth(space, "veth0", box, "eth0", master="docker0", peer_address=f"{BOX}/16")
    outside = "198.51.100.2/24"
    lab.veth(space, "eth1", box, "eth1", address=f"{CARD}/24", peer_address=outside)
    folder: Path = tmp_path_factory.mktemp("service")
    try:
        with Service(space, folder, lab.bpffs, port=8480) as service:
            yield Host(space, box, service)
    finally:
        lab.clean()


@pytest.fixture
def host(running: Host) -> Host:
    """The service with nothing attached, no rule, every packet accepted and filtering on."""
    assert running.service.call("PUT", "/switch", {"on": True}).status == 200
    if left := running.service.call("GET", "/status").json.get("pending"):  # by a failed test
        body = {"revision": left["revision"]}
        assert running.service.call("POST", "/ruleset/rollback", body).status == 200
    emptied = running.service.call("PUT", "/ruleset", EMPTY)
    assert emptied.status == 200, emptied.content
    return running


@pytest.fixture(scope="session")
def browser(running: Host) -> Iterator[Browser]:
    with running.space.inside():  # Whatever the browser starts stays in this namespace.
        playwright = sync_playwright().start()
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS
        )
    expect.set_options(timeout=PATIENCE_MS)
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@dataclass
class Window:
    """A browser's window, and whose complaints are collected now."""

    page: Page
    faults: Faults

    @classmethod
    def of(cls, context: BrowserContext, faults: Faults) -> Window:
        context.add_init_script(_WATCH)
        context.set_default_timeout(PATIENCE_MS)
        window = cls(context.new_page(), faults)
        window.page.on("console", lambda message: window.faults.hear(message))
        window.page.on("pageerror", lambda error: window.faults.found.append(f"uncaught: {error}"))
        return window


@pytest.fixture(scope="session")
def window(browser: Browser) -> Iterator[Window]:
    """The one window in which most tests run, one after the other: a new one costs seconds."""
    context = browser.new_context()
    yield Window.of(context, Faults())
    context.close()


@pytest.fixture
def blank(browser: Browser, host: Host, faults: Faults) -> Iterator[Page]:
    """A new browser that has not gone anywhere; no complaint may come from it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    yield Window.of(context, faults).page
    context.close()
    assert faults.found == []


@pytest.fixture
def page(window: Window, host: Host, faults: Faults) -> Iterator[Page]:
    """The page, opened anew at the address that the service prints."""
    page = window.page
    page.goto("about:blank")  # Else only the fragment differs, and nothing is loaded.
    window.faults = faults
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(host.service.address)
    page.get_by_role("table", name="Rules in order").wait_for()
    yield page
    assert faults.found == []


@pytest.fixture
def traffic(host: Host) -> Iterator[None]:
    """A ping every 10 ms while the test runs."""
    flood = subprocess.Popen(
        host.space.argv("ping", "-q", "-i", "0.01", BOX), stdout=subprocess.DEVNULL
    )
    yield
    flood.kill()
    flood.wait()
