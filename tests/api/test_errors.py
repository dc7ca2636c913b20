"""One shape for every error, whoever raised it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.service.service import Reply, Service
from xdpwall.api.errors import Problem

OPTIONAL = {"field", "value", "hint", "span", "debug"}


def assert_problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The pinned shape: media type, members, and nothing else."""
    assert reply.status == status, reply.content
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = reply.json
    Problem.model_validate(problem)
    assert set(problem) - OPTIONAL == {"type", "title", "status", "detail", "code"}
    assert None not in problem.values()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"].startswith("urn:xdpwall:") or problem["type"] == "about:blank"
    return problem


ERRORS: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/nothing", None, 404, "no-such-route"),
    ("GET", "/rules/", None, 404, "no-such-route"),
    ("GET", "/switch", None, 405, "method-not-allowed"),
    ("PUT", "/rules", {}, 405, "method-not-allowed"),
    ("TRACE", "/rules", None, 405, "method-not-allowed"),
    ("POST", "/rules", b"", 422, "no-body"),
    ("POST", "/rules", b"{", 422, "not-json"),
    ("POST", "/rules", b'{"action": NaN}', 422, "not-json"),
    ("POST", "/rules", b"\xff\xfe", 422, "not-json"),
    ("POST", "/rules", b'{"comment": "\\ud800"}', 422, "not-json"),
    ("POST", "/rules", b"[" * 50_000, 422, "not-json"),
    ("POST", "/rules", b"9" * 5_000, 422, "not-json"),
    ("POST", "/rules", b'{"action": "drop", "action": "accept"}', 422, "invalid"),
    ("POST", "/rules", [], 422, "invalid"),
    ("POST", "/rules", 7, 422, "invalid"),
    ("PATCH", "/rules/r1", [], 422, "invalid"),
    ("PATCH", "/rules/r1", {}, 422, "invalid"),
    ("PUT", "/switch", {"on": True, "more": 1}, 422, "invalid"),
    ("PUT", "/switch", b"x" * 70_000, 413, "too-large"),
    ("POST", "/rules", b" " * (16 * 2**20 + 1), 413, "too-large"),
    ("GET", "/rules?page=2", None, 422, "invalid"),
    ("GET", "/rules", {"a": 1}, 422, "invalid"),
    ("PUT", "/ruleset?dry_run=perhaps", {}, 422, "invalid"),
    ("PUT", "/ruleset?dry_run=true&dry_run=false", {}, 422, "invalid"),
    ("PUT", "/ruleset?confirm=0", {}, 422, "invalid"),
    ("PUT", "/interfaces/eth1/attachments/xdp", {"confirm": 60}, 422, "invalid"),
    (
        "PUT",
        "/ruleset",
        {"version": 1, "rules": [], "sets": {"bad": {"file": "x"}}},
        422,
        "invalid",
    ),
    ("GET", "/rules/%00%ff", None, 400, "bad-path"),
    ("GET", "/rules/%ff", None, 404, "not-found"),
    ("DELETE", "/rules/r1?message=a%0ab", None, 422, "invalid"),
    ("DELETE", "/rules/r1?message=" + "x" * 257, None, 422, "invalid"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    ERRORS,
    ids=[f"{case[0]}-{case[1][:30]}-{case[4]}-{n}" for n, case in enumerate(ERRORS)],
)
def test_every_error_has_the_one_shape(
    service: Service, method: str, path: str, body: Any, status: int, code: str
) -> None:
    before = service.call("GET", "/ruleset").content
    assert_problem(service.call(method, path, body), status, code)
    assert service.call("GET", "/ruleset").content == before


def test_a_method_that_is_not_allowed_says_which_are(service: Service) -> None:
    refused = service.call("GET", "/switch")
    assert_problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "PUT"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": ""},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_another_media_type_is_refused(service: Service, headers: dict[str, str]) -> None:
    refused = service.raw("POST", "/api/v1/rules", headers, b'{"action": "drop"}')
    assert refused.status == 415
    assert refused.json["field"] in ("content-type", "content-encoding")
    assert service.call("GET", "/rules").json["rules"] == []


def test_utf8_may_be_said(service: Service) -> None:
    headers = {"content-type": 'Application/JSON; charset="UTF-8"'}
    made = service.raw("POST", "/api/v1/rules", headers, '"drop comment \\"é\\""'.encode())
    assert (made.status, made.json["comment"]) == (201, "é")


def test_a_chunked_body_is_measured_too(service: Service) -> None:
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    body = chunk * 17 + b"0\r\n\r\n"
    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    refused = service.raw("PUT", "/api/v1/switch", headers, body)
    assert_problem(refused, 413, "too-large")


def test_a_long_value_is_cut_in_the_answer(service: Service) -> None:
    refused = service.call("POST", "/rules", {"action": "drop", "src": "x" * 60_000})
    problem = assert_problem(refused, 422, "invalid")
    assert problem["field"] == "src"
    assert len(refused.content) < 2_000
    odd = service.call("POST", "/rules", b'{"action": "drop", "ttl": 1e999}')
    assert assert_problem(odd, 422, "invalid")["field"] == "ttl"
    json.loads(odd.content, parse_constant=lambda name: pytest.fail(name))


def test_an_interface_that_is_not_there(service: Service) -> None:
    missing = service.call("PUT", "/interfaces/nope0/attachments/xdp", {})
    assert missing.status == 404
    assert "nope0" in missing.json["detail"]
    assert missing.json["type"] == "urn:xdpwall:not-found"
