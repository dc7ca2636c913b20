"""The page's files: types, caches and compression, all under the strict policy."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.service.service import Service
from xdpwall.api.serving import bundle
from xdpwall.api.serving.listen import tcp_socket
from xdpwall.api.serving.page import BundledFile
from xdpwall.api.serving.security import CSP

WEB = ROOT / "web"
VENDORED = sorted(path.name for path in (WEB / "vendor").iterdir())
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LIMIT = 60_000
"""Bytes of the page, compressed, in all."""
SQUEEZED = {"accept-encoding": "br;q=1.0, gzip;q=0.8"}


def test_every_file_has_its_type_and_the_policy(service: Service) -> None:
    seen = set()
    for path in WEB.rglob("*"):
        if not path.is_file() or path.suffix not in TYPES:
            continue
        reply = service.tcp("GET", f"/{path.relative_to(WEB)}")
        assert reply.status == 200, path
        assert reply.headers["content-type"] == TYPES[path.suffix], path
        assert reply.headers["content-security-policy"] == CSP
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.content == path.read_bytes()
        seen.add(path.suffix)
    assert {".css", ".html", ".mjs", ".svg"} <= seen


def test_the_page_is_asked_for_anew_and_not_sent_again(service: Service) -> None:
    for path in ("/", "/page.mjs", "/page.css", "/app.mjs"):
        first = service.tcp("GET", path)
        assert first.headers["cache-control"] == "no-cache"
        again = service.tcp("GET", path, {"if-none-match": first.headers["etag"], **SQUEEZED})
        assert (again.status, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == CSP


def test_a_changed_file_is_served_at_once(tmp_path: Path) -> None:
    for name in ("style.css", "after.css"):
        (tmp_path / name).write_text(f".{name[0]} {{}}\n")
    app = BundledFile(tmp_path, bundle.bundle_sheets, "text/css")

    async def asked(etag: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.get("http://host/", headers={"if-none-match": etag})

    def ask(etag: str) -> httpx.Response:
        with ThreadPoolExecutor(
            1
        ) as pool:  # A browser of another test may have a loop running here.
            return pool.submit(lambda: asyncio.run(asked(etag))).result()

    first = ask("none")
    assert ask(first.headers["etag"]).status_code == 304
    (tmp_path / "style.css").write_text("main {}\n")
    again = ask(first.headers["etag"])
    assert (again.status_code, again.text) == (200, sheet_with(first.text, "main {}"))


def sheet_with(sheet: str, rule: str) -> str:
    """The sheet, its first rule replaced."""
    return "\n".join([rule, *sheet.split("\n")[1:]])


def test_the_page_is_small(service: Service) -> None:
    """What a browser is sent that comes for the first time: the page and all that it asks for."""
    asked = re.findall(r'(?:href|src)="([^"]+)"', (WEB / "index.html").read_text())
    sizes = {
        path: len(service.tcp("GET", f"/{path.lstrip('/')}", SQUEEZED).content)
        for path in ("/", *asked)
    }
    assert {"page.mjs", "page.css"} < set(sizes)
    assert sum(sizes.values()) < LIMIT, sizes


def test_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    with tcp_socket("127.0.0.1", 0) as listener:
        # What makes asyncio set TCP_NODELAY on what it accepts from it.
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("name", VENDORED)
def test_only_a_file_named_by_its_version_is_kept_for_ever(service: Service, name: str) -> None:
    versioned = any(part[:1].isdigit() for part in name.split("-")[1:])
    cached = service.tcp("GET", f"/vendor/{name}").headers["cache-control"]
    assert cached == ("max-age=31536000, immutable" if versioned else "no-cache")


@pytest.mark.parametrize("path", ["/", "/page.mjs", "/page.css", "/app.mjs"])
def test_the_page_is_compressed_for_who_asks(service: Service, path: str) -> None:
    plain = service.tcp("GET", path)
    packed = service.tcp("GET", path, SQUEEZED)
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    if len(plain.content) < 1024:
        assert packed.content == plain.content
        return
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(packed.content) < len(plain.content)
    assert gzip.decompress(packed.content) == plain.content
    head = service.tcp("HEAD", path, SQUEEZED)
    assert (head.status, head.content) == (200, b"")


def test_json_is_compressed_for_who_asks(service: Service) -> None:
    service.call("POST", "/rules", [f"drop from 10.0.{n}.0/24" for n in range(100)])
    plain = service.call("GET", "/rules")
    packed = service.raw("GET", "/api/v1/rules", SQUEEZED)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["etag"] == plain.headers["etag"]
    assert len(packed.content) < len(plain.content) / 5
    assert json.loads(gzip.decompress(packed.content)) == plain.json
    small = service.raw("GET", "/api/v1/policy", SQUEEZED)
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "identity",
        "gzip;q=0",
        "gzip;q=0.0, br",
        "xgzip",
        "gzip;q=z",
        "gzip; q=0, *",
        "*;q=0",
        "gzip" + " " * 12_000 + "x",  # h11 takes 16 KiB of a header that comes in parts
        "gzip;q=1" + ";" * 12_000,
        "gzip ;\tQ=0.000 ,*;q=1",
    ],
)
def test_who_does_not_want_gzip_gets_none(service: Service, sent: str) -> None:
    reply = service.tcp("GET", "/style.css", {"accept-encoding": sent})
    assert (reply.status, reply.headers["content-encoding"]) == (200, None)
    assert reply.content == (WEB / "style.css").read_bytes()


@pytest.mark.parametrize("sent", ["gzip", "*", "GZIP;Q=1", "br , gzip ; q=0.001", "br;q=1,*;q=0.1"])
def test_who_wants_gzip_gets_it(service: Service, sent: str) -> None:
    reply = service.tcp("GET", "/style.css", {"accept-encoding": sent})
    assert (reply.status, reply.headers["content-encoding"]) == (200, "gzip")


def test_a_part_of_a_file_stays_that_part(service: Service) -> None:
    part = service.tcp("GET", "/style.css", {"range": "bytes=5-2004", **SQUEEZED})
    assert part.status == 206
    assert part.content == (WEB / "style.css").read_bytes()[5:2005]


@pytest.mark.parametrize("path", ["/nothing.mjs", "/../api/app.py", "/%2e%2e/setup.py", "/vendor"])
def test_nothing_but_the_page_is_served(service: Service, path: str) -> None:
    assert service.tcp("GET", path, token=service.token).status == 404
