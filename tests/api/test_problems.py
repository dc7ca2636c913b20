"""Which problem each error of the firewall becomes; pure HTTP shape, so the facade is a stand-in."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from xdpwall import errors
from xdpwall.api.app import create_app
from xdpwall.api.serving.caller import Callers, Peer
from xdpwall.api.serving.security import PEER
from xdpwall.firewall.facade import ServiceFacade
from xdpwall.firewall.token_book import TokenBook
from xdpwall.ruleset.policy import Policy
from xdpwall.views.status import Health


class Raising:
    """Answers /healthz and raises on GET /policy."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def health(self) -> Health:
        return Health(status="ok", version="0", revision=0, state_dir_id="0", netns=1)

    def policy(self) -> Policy:
        raise self.error


def answer_to(error: Exception) -> httpx.Response:
    book = TokenBook(Path("/nonexistent"), time.time)
    app = create_app(cast(ServiceFacade, Raising(error)), callers=Callers(book))

    async def from_here(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, PEER: Peer("socket", 0)}, receive, send)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(from_here)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/api/v1/policy")

    return asyncio.run(ask())


def every_error(base: type[errors.XdpwallError]) -> list[type[errors.XdpwallError]]:
    return [base, *(deep for kind in base.__subclasses__() for deep in every_error(kind))]


@pytest.mark.parametrize(
    "kind",
    [kind for kind in every_error(errors.XdpwallError) if kind.__module__ == errors.__name__],
)
def test_each_error_has_its_status_type_and_code(kind: type[errors.XdpwallError]) -> None:
    answer = answer_to(kind("what came, and what was wanted"))
    assert answer.status_code == kind.http_status
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.pop("title")
    assert problem == {
        "type": f"urn:xdpwall:{kind.default_code}",
        "status": kind.http_status,
        "detail": "what came, and what was wanted",
        "code": kind.default_code,
    }


def test_the_optional_members() -> None:
    error = errors.Unsupported(
        "no",
        hint="go",
        code="no-native",
        field="mode",
        value="native",
        detail="EINVAL",
        span=(2, 5),
    )
    problem = answer_to(error).json()
    assert {name: problem[name] for name in ("code", "field", "value", "hint", "debug", "span")} == {
        "code": "no-native", "field": "mode", "value": "native", "hint": "go",
        "debug": "EINVAL", "span": [2, 5],
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), 10**400, "\ud800", {1: object()}, b"x"]
)
def test_any_value_can_be_told(value: object) -> None:
    answer = answer_to(errors.InvalidInput("odd", field="x", value=value))
    assert answer.status_code == 422
    json.loads(answer.content, parse_constant=lambda name: pytest.fail(name))


def test_a_defect_is_a_problem_that_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = answer_to(RuntimeError("a secret"))
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    assert "a secret" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"
