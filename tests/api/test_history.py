"""The history, differences and rollbacks in the API."""

from __future__ import annotations

import pytest

from tests.support.service.service import Service


def test_history_and_rollback(service: Service) -> None:
    service.call("POST", "/rules/flush")
    for name, text in (("one", "drop tcp/22"), ("two", "drop icmp")):
        made = service.call("POST", "/rules?message=why", {"id": name, "text": text})
        assert made.status == 201
    found = service.call("GET", "/ruleset/history?diff=true&limit=1").json
    (newest,) = found["revisions"]
    at = newest["revision"]
    assert (newest["action"], newest["message"], found["more"]) == ("add two", "why", True)
    assert [(one["kind"], one["id"]) for one in newest["diff"]["rules"]] == [
        ("context", "one"), ("added", "two")
    ]  # fmt: skip
    older = service.call("GET", f"/ruleset/history?before={at}&limit=1").json
    assert [one["action"] for one in older["revisions"]] == ["add one"]
    tried = service.call("POST", "/ruleset/rollback?dry_run=true", {"revision": at - 1})
    assert (tried.json["revision"], tried.json["dry_run"], tried.json["to"]) == (at, True, at - 1)
    done = service.call("POST", "/ruleset/rollback", {"revision": at - 1})
    assert (done.json["revision"], done.json["to"]) == (at + 1, at - 1)
    assert (done.json["cancelled"], done.headers["etag"]) == (False, f'"{at + 1}"')
    assert [rule["id"] for rule in service.call("GET", "/rules").json["rules"]] == ["one"]
    waits = service.call("POST", "/ruleset/rollback?confirm=600", {"revision": at})
    assert waits.json["pending"]["revision"] == at + 2
    refused = service.call("POST", "/ruleset/rollback", {"revision": at})
    assert (refused.status, refused.json["code"]) == (409, "change-pending")
    back = service.call("POST", "/ruleset/rollback", {"revision": at + 2}).json
    assert (back["cancelled"], back["revision"]) == (True, at + 1)
    stale = service.call("POST", "/ruleset/rollback", {}, if_match='"0"')
    assert stale.status == 412
    assert service.call("POST", "/ruleset/rollback", {"revision": at + 77}).status == 404


def test_diff(service: Service) -> None:
    service.call("POST", "/rules", {"text": "drop tcp/22"})
    wanted = service.call("GET", "/ruleset")
    same = service.call("POST", "/diff", wanted.json)
    assert (same.json["same"], same.headers["etag"]) == (True, wanted.headers["etag"])
    changed = {**wanted.json, "policy": {**wanted.json["policy"], "non_ip": "drop"}}
    other = service.call("POST", "/diff", changed).json
    assert (other["same"], other["rules"]) == (False, [])
    assert other["policy"] == [{"field": "non_ip", "old": "accept", "new": "drop"}]
    assert service.call("POST", "/diff", {"version": 2, "rules": []}).status == 422
    assert service.call("GET", "/ruleset").headers["etag"] == wanted.headers["etag"]


def test_audit(service: Service) -> None:
    service.call("PUT", "/switch?message=out", {"on": False})
    service.call("PUT", "/switch", {"on": True})
    newest, before = service.call("GET", "/audit?limit=2").json["entries"]
    assert (newest["action"], before["action"], before["message"]) == ("on", "off", "out")
    assert service.call("GET", f"/audit?before={newest['number']}&limit=1").json["entries"] == [
        before
    ]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "before=-1",
        "since=yesterday",
        "diff=2x",
        "since=1",
        "x=1",
    ],
)
def test_bad_queries(service: Service, query: str) -> None:
    assert service.call("GET", f"/ruleset/history?{query}").status == 422
    assert service.call("GET", f"/audit?{query}").status == 422
