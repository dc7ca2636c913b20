"""The short way answers as FastAPI does, and is the one that most requests take."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.net.netns import Lab
from xdpwall.api.app import PREFIX, ROUTERS, create_app
from xdpwall.api.routes.fast import FastRouteMiddleware
from xdpwall.api.serving.caller import Callers, Peer
from xdpwall.api.serving.security import PEER
from xdpwall.firewall.firewall import Firewall
from xdpwall.instance.clock import InstanceClock
from xdpwall.settings import Settings

PING = {"action": "drop", "proto": "icmp"}
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/rules", None),
    ("POST", "/rules", PING),
    ("POST", "/rules", {"text": "drop tcp/22", "id": "ssh", "position": 1}),
    ("POST", "/rules", {"text": "drop tcp/22", "id": "ssh"}),
    ("POST", "/rules", ["count udp/53", "count tcp/53"]),
    ("POST", "/rules", {"action": "drop", "proto": "icpm"}),
    ("POST", "/rules", None),
    ("POST", "/rules", b"{"),
    ("POST", "/rules?message=why", PING),
    ("POST", "/rules?massage=why", PING),
    ("GET", "/rules/ssh", None),
    ("GET", "/rules/%73sh", None),
    ("GET", "/rules/nothing", None),
    ("GET", "/rules/ssh/", None),
    ("GET", "/rules/ssh?x=1", None),
    ("GET", "/rules", b"{}"),
    ("HEAD", "/rules", None),
    ("PATCH", "/rules/ssh", {"comment": "no shells"}),
    ("PATCH", "/rules/ssh", {}),
    ("PUT", "/rules/ssh", PING),
    ("PUT", "/rules", PING),
    ("POST", "/rules/ssh/move", {"position": 2}),
    ("POST", "/rules/ssh/move", {"position": 99}),
    ("POST", "/rules/ssh/reset-counters", None),
    ("POST", "/rules/ssh/reset-counters", {}),
    ("POST", "/rules/parse", {"text": "drop icmp onn x"}),
    ("POST", "/rules/disable", {"ids": ["ssh"]}),
    ("GET", "/policy", None),
    ("PUT", "/policy", {"egress": "drop"}),
    ("PUT", "/policy", {"egress": "perhaps"}),
    ("POST", "/sets", {"name": "bad"}),
    ("POST", "/sets/bad/entries", {"add": ["10.0.0.1"]}),
    ("POST", "/sets/bad/entries", {}),
    ("GET", "/sets/bad", None),
    ("GET", "/sets/bad?limit=0", None),
    ("GET", "/sets/bad?limit=-1", None),
    ("GET", "/sets/bad/test", None),
    ("GET", "/sets/bad/test?address=10.0.0.1", None),
    ("DELETE", "/sets/bad", None),
    ("GET", "/ruleset", None),
    ("PUT", "/ruleset?dry_run=true", {"version": 1, "rules": []}),
    ("PUT", "/interfaces/nothing/attachments/everywhere", {}),
    ("DELETE", "/interfaces/nothing/attachments", None),
    ("DELETE", "/rules/ssh", None),
    ("DELETE", "/rules/ssh", None),
    ("POST", "/block", {}),
    ("GET", "/nothing", None),
]


@pytest.fixture
def quick() -> FastRouteMiddleware:
    async def never(*_: Any) -> None:
        raise AssertionError

    return FastRouteMiddleware(
        never, prefix=PREFIX, routes=[one for router in ROUTERS for one in router.routes]
    )


def test_answers_are_those_of_fastapi(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InstanceClock, "now_text", lambda _: "2026-11-21T10:00:00Z")
    short = _answers(lab, tmp_path / "short")
    monkeypatch.setattr(FastRouteMiddleware, "find", lambda *_: None)
    whole = _answers(lab, tmp_path / "whole")
    assert len({status for status, _, _ in short}) > 5
    for request, one, other in zip(REQUESTS, short, whole, strict=True):
        assert one == other, request


def test_most_requests_take_it(quick: FastRouteMiddleware) -> None:
    ways = [quick.find(method, PREFIX + path) for method, path, _ in REQUESTS if "?" not in path]
    assert sum(way is not None for way in ways) > len(ways) * 3 / 4
    for method, path in (
        ("POST", "/rules"),
        ("DELETE", "/rules/r1"),
        ("POST", "/sets/bad/entries"),
        ("GET", "/healthz"),
    ):
        assert quick.find(method, PREFIX + path), path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/metrics"),  # reads headers
        ("GET", "/events"),
        ("PUT", "/interfaces/docker0/attachments/xdp"),  # judges a text of the path
        ("GET", "/sets/bad/test"),  # cannot do without its query
    ],
)
def test_routes_that_need_more_are_left_to_fastapi(
    quick: FastRouteMiddleware, method: str, path: str
) -> None:
    assert quick.find(method, PREFIX + path) is None
    assert quick.find(method, path) is None


def _answers(lab: Lab, folder: Path) -> list[tuple[int, dict[str, str], str]]:
    """What an empty instance answers to REQUESTS, one after the other."""
    settings = Settings(folder / "state", lab.bpffs / folder.name, folder / "socket")

    async def ask(firewall: Firewall) -> list[httpx.Response]:
        app = create_app(firewall, callers=Callers(firewall.token_book))

        async def from_here(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, PEER: Peer("socket", 0)}, receive, send)

        found = []
        transport = httpx.ASGITransport(from_here)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for method, path, body in REQUESTS:
                content = body if body is None or isinstance(body, bytes) else json.dumps(body)
                kind = {} if body is None else {"content-type": "application/json"}
                found.append(
                    await client.request(method, PREFIX + path, content=content, headers=kind)
                )
        return found

    with Firewall.open(settings) as firewall:
        answers = asyncio.run(ask(firewall))
    return [(one.status_code, dict(one.headers), one.text) for one in answers]
