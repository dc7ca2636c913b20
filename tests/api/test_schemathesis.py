"""The OpenAPI document and the service agree: requests drawn from the one are sent to the other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fuzz.api import ApiFuzzer, fuzzed_service
from tests.support.service.service import Service

FEW = 6
"""Requests of each kind for each operation; `make fuzz-api` sends more."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with fuzzed_service("tests/api/test_schemathesis", tmp_path_factory.mktemp("fuzz")) as service:
        yield service


@pytest.mark.parametrize("good", [True, False])
def test_the_document_is_as_strict_as_the_service(own: Service, good: bool) -> None:
    fuzzer = ApiFuzzer(own)
    count = 0
    for operation in fuzzer.operations():
        fuzzer.run(operation, good, FEW, 1)
        count += 1
    assert count > 35


def _on(schemas: dict[str, Any]) -> None:
    schemas["SwitchBody"]["properties"]["on"] = {"type": "string"}


def _policy(schemas: dict[str, Any]) -> None:
    del schemas["PolicyBody"]["minProperties"]
    schemas["PolicyBody"]["maxProperties"] = 0


def _rate(schemas: dict[str, Any]) -> None:
    schemas["EventSettingsBody"]["properties"]["rate"]["maximum"] = 5


@pytest.mark.parametrize(
    ("lie", "path", "good"),
    [(_on, "/switch", True), (_policy, "/policy", True), (_rate, "/events/settings", False)],
)
def test_a_document_that_is_wrong_is_found(
    own: Service, lie: Callable[[dict[str, Any]], None], path: str, good: bool
) -> None:
    document = copy.deepcopy(own.call("GET", "/openapi.json").json)
    lie(document["components"]["schemas"])
    fuzzer = ApiFuzzer(own, document)
    (operation,) = (
        one
        for one in fuzzer.operations()
        if one.path.endswith(path) and one.method in ("put", "post")
    )
    with pytest.raises((Exception, BaseExceptionGroup), match="distinct failure"):
        # Many: hypothesis draws constants of the code as well, so that draws change with it.
        fuzzer.run(operation, good, 2000, 1)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/rules", {"GET", "POST"}),
        ("/rules/r1", {"GET", "PUT", "PATCH", "DELETE"}),
        ("/sets/bad", {"GET", "PUT", "DELETE"}),
        ("/sets/bad/entries", {"POST"}),
        ("/ruleset", {"GET", "PUT"}),
        ("/policy", {"GET", "PUT"}),
        ("/switch", {"PUT"}),
        ("/events/settings", {"GET", "PUT"}),
        ("/interfaces/eth1/attachments/xdp", {"PUT", "DELETE"}),
        ("/interfaces/eth1/attachments", {"DELETE"}),
        ("/block", {"GET", "POST", "DELETE"}),
        ("/healthz", {"GET"}),
    ],
)
def test_a_405_names_every_method_of_the_path(own: Service, path: str, methods: set[str]) -> None:
    for method in {"GET", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE"} - methods:
        reply = own.call(method, path)
        assert reply.status == 405, (method, reply.content)
        assert set(reply.headers["allow"].split(", ")) == methods, method


@pytest.mark.parametrize("path", ["/", "/page.mjs", "/healthz", "/metrics"])
def test_so_does_one_outside_of_the_api(own: Service, path: str) -> None:
    reply = own.raw("DELETE", path, {})
    assert reply.status == 405
    assert "GET" in reply.headers["allow"].split(", ")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/rules/r1/move", b'{"position": 2.0}', 200),
        ("POST", "/rules/r1/move", b'{"position": 2e0}', 200),
        ("POST", "/rules/r1/move", b'{"position": 2.5}', 422),
        ("POST", "/rules/r1/move", b'{"position": 1e400}', 422),
        ("POST", "/rules/r1/move", b'{"position": -0.0}', 422),
        ("PUT", "/events/settings", b'{"rate": 419.0}', 200),
        ("PUT", "/sets/bad", b'{"entries": ["10.0.0.1"], "most_shrink": 50.0}', 200),
        ("POST", "/rules", b'{"action": "drop", "ttl": 64.0}', 201),
        ("PUT", "/policy?dry_run=true", b'{"ingress": "drop"}', 200),
    ],
)
def test_a_whole_number_may_have_a_point(
    own: Service, method: str, path: str, body: bytes, status: int
) -> None:
    rules = [{"action": "count", "id": "r1"}, {"action": "count", "id": "r2"}]
    start = {"version": 1, "rules": rules, "sets": {"bad": {"entries": ["10.0.0.1"]}}}
    assert own.call("PUT", "/ruleset", start).status == 200
    reply = own.call(method, path, body)
    assert reply.status == status, reply.content


def test_a_dry_run_of_the_policy_changes_nothing(own: Service) -> None:
    before = own.call("GET", "/policy").json
    reply = own.call("PUT", "/policy?dry_run=true", {"ingress": "drop"})
    assert reply.status == 200
    assert (reply.json["dry_run"], reply.json["policy"]["ingress"]) == (True, "drop")
    assert own.call("GET", "/policy").json == before
    assert own.call("PUT", "/policy?dry_run=perhaps", {"ingress": "drop"}).status == 422
