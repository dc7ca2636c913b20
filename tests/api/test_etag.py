"""ETag says whether it is still what was read; If-Match holds a change to that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service.service import Service

PING = {"action": "drop", "proto": "icmp", "id": "p"}


@pytest.fixture
def two(service: Service) -> Service:
    """Two rules, p and q."""
    service.call("POST", "/rules", [PING, {"action": "count", "id": "q"}])
    return service


def etag(service: Service, path: str) -> str:
    found = service.call("GET", path).headers["etag"]
    assert found.startswith('"') and found.endswith('"')
    return found


def test_ruleset_and_rules_have_the_revision(two: Service) -> None:
    revision = two.call("GET", "/rules").json["revision"]
    assert etag(two, "/rules") == etag(two, "/ruleset") == f'"{revision}"'


CHANGES_OF_ALL: list[tuple[str, str, Any]] = [
    ("PUT", "/ruleset", {"version": 1, "rules": []}),
    ("POST", "/rules", {"action": "drop"}),
    ("POST", "/rules/delete", {"ids": ["p"]}),
    ("POST", "/rules/disable", {"ids": ["p"]}),
    ("POST", "/rules/flush", None),
]
CHANGES_OF_ONE: list[tuple[str, str, Any]] = [
    ("PUT", "/rules/p", {"action": "accept"}),
    ("PATCH", "/rules/p", {"comment": "new"}),
    ("DELETE", "/rules/p", None),
    ("POST", "/rules/p/move", {"position": 2}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES_OF_ALL + CHANGES_OF_ONE)
def test_a_stale_if_match_is_412(two: Service, method: str, path: str, body: Any) -> None:
    read = "/rules/p" if path.startswith("/rules/p") else "/ruleset"
    stale = etag(two, read)
    two.call("PATCH", "/rules/p", {"comment": "somebody else was here"})
    before = two.call("GET", "/ruleset").content
    refused = two.call(method, path, body, if_match=stale)
    assert (refused.status, refused.json["code"]) == (412, "changed")
    assert refused.headers["etag"] == etag(two, read)
    assert two.call("GET", "/ruleset").content == before
    assert two.call(method, path, body, if_match=f'"x", {etag(two, read)}').status in (200, 201)


def test_a_rules_etag_is_its_own(two: Service) -> None:
    mine = etag(two, "/rules/p")
    two.call("PATCH", "/rules/q", {"comment": "another rule"})
    two.call("POST", "/rules/q/move", {"position": 1})
    two.call("POST", "/rules/p/reset-counters")
    assert etag(two, "/rules/p") == mine
    changed = two.call("PATCH", "/rules/p", {"comment": "mine"}, if_match=mine)
    assert changed.status == 200
    assert changed.headers["etag"] == etag(two, "/rules/p") != mine


def test_a_rule_made_again_is_another(two: Service) -> None:
    first = etag(two, "/rules/p")
    two.call("DELETE", "/rules/p")
    # `created` tells them apart; it has seconds.
    made = two.call("GET", "/rules/q").json["created"]
    while two.call("POST", "/rules", PING).json["created"] == made:
        two.call("DELETE", "/rules/p")
    assert etag(two, "/rules/p") != first


def test_star_matches_what_is_there(two: Service) -> None:
    assert two.call("PATCH", "/rules/p", {"comment": "x"}, if_match="*").status == 200
    assert two.call("PATCH", "/rules/nobody", {"comment": "x"}, if_match="*").status == 404


def test_a_weak_tag_never_matches(two: Service) -> None:
    weak = "W/" + etag(two, "/rules/p")
    assert two.call("PATCH", "/rules/p", {"comment": "x"}, if_match=weak).status == 412


def test_a_dry_run_gives_no_new_tag(two: Service) -> None:
    tag = etag(two, "/ruleset")
    body = {"version": 1, "rules": []}
    tried = two.call("PUT", "/ruleset?dry_run=true", body, if_match=tag)
    assert tried.status == 200
    assert tried.json["dry_run"] is True
    assert tried.json["removed"] == ["p", "q"]
    assert tried.headers["etag"] is None
    assert etag(two, "/ruleset") == tag
