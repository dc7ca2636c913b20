"""What needs no token is a list: health, the page's files, and a code that is exchanged for one. No spelling of a path gets around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support.service.service import Service
from xdpwall.api.serving.page import page_paths
from xdpwall.api.serving.security import OPEN_REQUESTS, PATHS_WITHOUT_TOKEN

WEB = Path(__file__).parents[2] / "web"
BESIDE = ["/metrics", "/api", "/api/v1", "/api/v1/openapi.json", "/openapi.json", "/docs"]
ENDINGS = [
    *("%0a", "%0d%0a", "%00", "%09", "%0b", "%1f", "%7f", "%c2%85", "%0ax", "%e2%80%a8", "%20"),
    *("/", "//", "%2f", "/.", "/..", "/../", "%2f..", "\\", "%5c", ".", "..", ";x", ";", "%3b"),
    *("?x", "?", "%3f", "%3fx", "%23", "#x", "%", "%zz", "%250a", "+", "~", ":80", "@", "*"),
]


def spellings(path: str) -> Iterator[str]:
    """The path as people write it who look for a way around a guard."""
    yield path
    yield from (path + ending for ending in ENDINGS)
    yield from (path.upper(), path.title(), path[:-1], path[1:], path[:-1] + f"%{ord(path[-1]):x}")
    for before in ("/", "//", "/.", "/./", "/x/..", "/style.css/..", "/style.css", "/vendor/..",
                   "/healthz/..", "/healthz", "/api/v1/healthz/../../..", "%2f", "/%2e%2e", "\\",
                   "/%0a", "/%00", "http://127.0.0.1", "http://localhost/healthz/.."):  # fmt: skip
        yield before + path
    for found in re.finditer("/", path):
        for slash in ("//", "/./", "%2f", "%2F", "/%0a", "%0a/", ";/", "/healthz/../", "\\"):
            yield path[: found.start()] + slash + path[found.end() :]


def test_no_spelling_of_a_route_is_answered_without_the_token(service: Service) -> None:
    described: dict[str, dict[str, Any]] = service.call("GET", "/openapi.json").json["paths"]
    routes = {re.sub(r"\{\w+\}", "xdp", path): list(methods) for path, methods in described.items()}
    routes |= {path: ["get"] for path in BESIDE}
    page = page_paths()
    assert len(routes) > 25
    tried = 0
    for route, methods in routes.items():
        for path in spellings(route):
            for method in {"HEAD", *(method.upper() for method in methods)}:
                reply = service.tcp(method, path)
                meant = unquote(path.partition("?")[0])
                if meant in page or (method, meant) in OPEN_REQUESTS:
                    continue
                assert reply.status in (400, 401), (method, path, reply.status)
                assert service.token.encode() not in reply.content
                tried += 1
    assert tried > 4000


@pytest.mark.parametrize(
    "path", ["/metrics%0a", "/api/v1/rules%0A", "/healthz%00", "/%7f", "/%c2%85"]
)
def test_a_control_character_in_a_path_is_refused(service: Service, path: str) -> None:
    for reply in (service.tcp("GET", path, token=service.token), service.raw("GET", path, {})):
        assert (reply.status, reply.json["code"]) == (400, "bad-path")


def test_what_is_open_is_health_and_the_page() -> None:
    files = {f"/{one.relative_to(WEB)}" for one in WEB.rglob("*") if one.is_file()}
    assert page_paths() == files | {"/", "/page.mjs", "/page.css"}
    assert sorted(PATHS_WITHOUT_TOKEN) == ["/api/v1/healthz", "/healthz"]
    assert sorted(OPEN_REQUESTS) == [
        *(("GET", path) for path in sorted(PATHS_WITHOUT_TOKEN)),
        *(("HEAD", path) for path in sorted(PATHS_WITHOUT_TOKEN)),
        ("POST", "/api/v1/session"),
    ]


def test_what_is_open_is_open_for_reading_only(service: Service) -> None:
    for path in (*PATHS_WITHOUT_TOKEN, "/", "/style.css", "/page.mjs"):
        assert service.tcp("GET", path).status == 200
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            assert service.tcp(method, path).status == 401, (method, path)


def test_with_the_token_what_is_not_there_is_told_so(service: Service) -> None:
    for path in ("/nothing", "/metrics/", "/METRICS", "/vendor"):
        assert service.tcp("GET", path, token=service.token).status == 404, path
