"""The site: complete, offline, and for everybody."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request

from tests.support.paths import ROOT

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# In the dark only colours are others: the rest of axe's rules would find the same again.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
PAGES = (
    "index.html",
    "guides/events.html",
    "reference/drivers.html",
    "reference/settings.html",
)


def test_every_page_of_the_repository_is_in_it(site: Path) -> None:
    wanted = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    for page in wanted:
        built = (
            page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html")
        )
        assert (site / built).is_file(), page
    assert (site / "project/security.html").is_file()


def test_a_link_out_of_the_folder_leads_to_its_page_or_file(site: Path) -> None:
    text = (site / "guides/metrics.html").read_text("utf-8")
    (link,) = set(re.findall(r'href="([^"]*xdpwall-alerts.yml)"', text))
    found = (site / "guides" / link).resolve()
    assert found.read_bytes() == (ROOT / "contrib/prometheus/xdpwall-alerts.yml").read_bytes()
    readme = (site / "project/readme.html").read_text("utf-8")
    assert 'href="../guides/getting-out.html"' in readme


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="?(https?:)?//')
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text("utf-8")), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text("utf-8")), style


def told(message: ConsoleMessage) -> str:
    return f"{message.text} {message.location.get('url')}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_the_browser_complains_of_nothing(
    address: str, reader: Browser, scheme: Literal["light", "dark"]
) -> None:
    context = reader.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    complaints: list[str] = []
    elsewhere: list[str] = []

    def look(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            elsewhere.append(request.url)

    page.on("request", look)
    page.on("console", lambda one: complaints.append(told(one)) if one.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    found = {}
    for name in PAGES:
        page.goto(address + name)
        page.evaluate(AXE)
        result = page.evaluate("(rules) => axe.run(document, rules)", RULES[scheme])
        if bad := [
            (one["id"], one["nodes"][0]["html"][:200], len(one["nodes"]))
            for one in result["violations"]
        ]:
            found[name] = bad
    context.close()
    assert not found
    assert not elsewhere
    assert not complaints


def test_the_search_finds_a_field(address: str, reader: Browser) -> None:
    page = reader.new_page()
    page.goto(f"{address}?q=icmp_type")
    found = page.locator(".md-search-result__link").first
    found.wait_for(state="attached")
    assert "reference/rule-fields.html" in str(found.get_attribute("href"))
    page.close()
