"""What would cut the request's own connection, or the login's of a local one, is answered by 409."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.service.service import Reply, Service

LOGIN = "192.0.2.7 50000 192.0.2.1 22"


@pytest.fixture
def guarded(service: Service) -> Iterator[Service]:
    """The service, with the filter on loopback, by which TCP requests come, and on eth1 without a route."""
    for iface in ("lo", "eth1"):
        path = f"/interfaces/{iface}/attachments/xdp"
        assert service.call("PUT", path, {"mode": "generic"}).status == 201
    yield service
    service.call("DELETE", "/attachments")


def tcp(
    service: Service, method: str, path: str, body: Any, headers: dict[str, str] | None = None
) -> Reply:
    sent = {"content-type": "application/json", **(headers or {})}
    data = json.dumps(body).encode()
    return service.tcp(method, f"/api/v1{path}", sent, data, token=service.token)


def test_the_problem_has_the_rule_the_connections_and_what_passes(guarded: Service) -> None:
    text = f"drop tcp/{guarded.port} on lo"
    reply = tcp(guarded, "POST", "/rules", {"text": text, "id": "shut"})
    assert reply.status == 409
    problem = reply.json
    assert (problem["code"], problem["type"]) == ("lock-out", "urn:xdpwall:lock-out")
    told = problem["lock_out"]
    assert (told["rule"], told["position"], told["text"]) == ("shut", 1, text)
    assert told["passed_by"] == ["force", "confirm"]
    assert told["count"] == 1
    (one,) = told["connections"]
    assert (one["whose"], one["peer"], one["local"]) == ("own", "127.0.0.1", "127.0.0.1")
    assert (one["local_port"], one["iface"], one["place"]) == (guarded.port, "lo", "xdp")
    assert f"rule shut ({text}) would cut your own connection from 127.0.0.1" in problem["detail"]
    assert guarded.call("GET", "/rules").json["rules"] == []
    assert guarded.audit("action")[0].startswith("refused: add rules: rule shut")


@pytest.mark.parametrize(
    ("method", "path", "body", "policy"),
    [
        ("PUT", "/policy", {"ingress": "drop"}, "ingress drop"),
        ("PUT", "/ruleset", {"version": 1, "rules": ["drop tcp on lo"]}, None),
        ("POST", "/block", {"target": "tcp", "iface": "lo"}, None),
    ],
)
def test_every_way_that_cuts_the_request(
    guarded: Service, method: str, path: str, body: Any, policy: str | None
) -> None:
    reply = tcp(guarded, method, path, body)
    assert (reply.status, reply.json["code"]) == (409, "lock-out"), reply.content
    assert reply.json["lock_out"].get("policy") == policy
    expected = ["force"] if path == "/block" else ["force", "confirm"]
    assert reply.json["lock_out"]["passed_by"] == expected
    # By the unix socket nobody's connection is cut.
    assert guarded.call(method, path, body).status == 200


def test_sets_and_blocks_of_the_own_address(guarded: Service) -> None:
    assert guarded.call("PUT", "/sets/bad", {"entries": []}).status == 200
    assert guarded.call("POST", "/rules", {"text": "drop from @bad"}).status == 201
    entry = {"add": ["127.0.0.0/8"]}
    assert tcp(guarded, "POST", "/sets/bad/entries", entry).json["code"] == "lock-out"
    whole = {"entries": ["127.0.0.1"]}
    assert tcp(guarded, "PUT", "/sets/bad", whole).json["code"] == "lock-out"
    assert tcp(guarded, "POST", "/block", {"target": "127.0.0.0/8"}).json["code"] == "own-address"
    assert tcp(guarded, "POST", "/sets/bad/entries", {"add": ["192.0.2.1"]}).status == 200


def test_force_and_confirm_pass(guarded: Service) -> None:
    # A rule for what is not there: only the packets that are run would be dropped.
    body = {"text": f"drop tcp/{guarded.port} flags syn on lo"}
    assert tcp(guarded, "POST", "/rules", body).status == 409
    reply = tcp(guarded, "POST", "/rules?confirm=30", body)
    assert reply.status == 201
    assert any("cuts your own connection" in one for one in reply.json["warnings"])
    assert guarded.call("POST", "/ruleset/rollback").status == 200
    reply = tcp(guarded, "POST", "/rules?force=true", body)
    assert reply.status == 201
    assert any("cuts your own connection" in one for one in reply.json["warnings"])
    assert guarded.call("DELETE", f"/rules/{reply.json['id']}").status == 200


def test_the_logins_connection_is_believed_by_the_unix_socket_alone(guarded: Service) -> None:
    guarded.space.ip("addr add 192.0.2.1/24 dev eth1")
    try:
        body = {"text": "drop from 192.0.2.0/24"}
        reply = guarded.call("POST", "/rules", body, xdpwall_session=LOGIN)
        assert (reply.status, reply.json["code"]) == (409, "lock-out")
        assert reply.json["lock_out"]["connections"][0]["peer"] == "192.0.2.7"
        for nonsense in ("", "a b c d", "192.0.2.7 0 192.0.2.1 22", "192.0.2.7 1", "x" * 4000):
            sent = guarded.call("POST", "/rules", body, xdpwall_session=nonsense)
            assert sent.status == 201
            assert guarded.call("DELETE", f"/rules/{sent.json['id']}").status == 200
        assert tcp(guarded, "POST", "/rules", body, {"xdpwall-session": LOGIN}).status == 201
    finally:
        guarded.space.ip("addr del 192.0.2.1/24 dev eth1")
