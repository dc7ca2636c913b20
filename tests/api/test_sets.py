"""Sets over HTTP."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.service.service import Service
from xdpwall.sets.entries import Entries


@pytest.fixture(autouse=True)
def no_sets(service: Service) -> Iterator[None]:
    empty: dict[str, Any] = {"version": 1, "rules": [], "sets": {}}
    assert service.call("PUT", "/ruleset", empty).status == 200
    yield
    assert service.call("PUT", "/ruleset", empty).status == 200


def rows(service: Service, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = service.call("GET", f"/sets/{name}").json["entries"]
    return found


def test_put_creates_and_replaces(service: Service) -> None:
    body: dict[str, Any] = {"entries": ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32", "::1"]}
    made = service.call("PUT", "/sets/bad", body)
    assert made.status == 200, made.content
    assert made.json["changed"] is True
    counts = {"addresses4": 1, "prefixes4": 1, "addresses6": 1, "prefixes6": 1, "entries": 4}
    assert counts.items() <= made.json["set"].items()
    assert service.call("PUT", "/sets/bad", body).json["changed"] is False
    packed = b64encode(Entries.of(["10.0.0.1", "10.0.0.0/8"]).pack()).decode()
    timed = {"entry": "10.0.0.2", "expires": "2099-01-01T00:00:00Z"}
    again = service.call("PUT", "/sets/bad", {"packed": packed, "entries": [timed]})
    assert again.status == 200, again.content
    assert rows(service, "bad") == [{"entry": "10.0.0.1"}, timed, {"entry": "10.0.0.0/8"}]


def test_post_makes_an_empty_one_once(service: Service) -> None:
    assert service.call("POST", "/sets", {"name": "bad"}).json["changed"] is True
    service.call("POST", "/sets/bad/entries", {"add": ["10.0.0.1"]})
    again = service.call("POST", "/sets", {"name": "bad"}).json
    assert (again["changed"], again["set"]["entries"]) == (False, 1)


def test_entries_come_and_go_all_or_none(service: Service) -> None:
    service.call("POST", "/sets", {"name": "bad"})
    changed = service.call("POST", "/sets/bad/entries", {"add": ["10.0.0.1", "10.0.0.2"]})
    assert changed.json == {
        "name": "bad",
        "added": 2,
        "removed": 0,
        "unchanged": 0,
        "entries": 2,
        "warnings": [],
    }
    body = {"add": ["10.0.0.3"], "remove": ["10.0.0.1", "10.0.0.9"], "expires": "1h"}
    changed = service.call("POST", "/sets/bad/entries", body)
    assert changed.json == {
        "name": "bad",
        "added": 1,
        "removed": 1,
        "unchanged": 1,
        "entries": 2,
        "warnings": [],
    }
    assert ["expires" in row for row in rows(service, "bad")] == [False, True]
    before = rows(service, "bad")
    for wrong, field in (
        ({"add": ["10.0.0.4", "10.0.0.5/8"]}, "add[1]"),
        ({"add": ["10.0.0.4"], "remove": ["x"]}, "remove[0]"),
        ({"add": ["10.0.0.4"], "expires": "soon"}, "expires"),
        ({"add": "10.0.0.4"}, "add"),
        ({"added": []}, "added"),
        ({}, "body"),
    ):
        refused = service.call("POST", "/sets/bad/entries", wrong)
        assert (refused.status, refused.json["field"]) == (422, field), refused.content
    assert rows(service, "bad") == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"entries": ["10.0.0.1", "10.0.0.1/8"]}, "entries[1]"),
        ({"entries": [{"entry": "10.0.0.1", "expires": "soon"}]}, "entries[0].expires"),
        ({"file": "/etc/hosts"}, "file"),
        ({"packed": "?"}, "packed"),
        ({}, "entries"),
        ({"entry": []}, "entry"),
        ([], "body"),
    ],
)
def test_a_bad_body_is_refused_by_field(service: Service, body: Any, field: str) -> None:
    refused = service.call("PUT", "/sets/bad", body)
    assert (refused.status, refused.json["field"]) == (422, field)
    assert service.call("GET", "/sets").json == {"sets": []}


def test_a_set_in_use_stays_and_an_unknown_one_is_refused(service: Service) -> None:
    unknown = service.call("POST", "/rules", {"action": "drop", "src": "@bad"})
    assert (unknown.status, unknown.json["code"], unknown.json["field"]) == (
        422,
        "unknown-set",
        "src",
    )
    service.call("POST", "/sets", {"name": "bad"})
    made = service.call("POST", "/rules", {"action": "drop", "src": "@bad", "dst": "!@bad"})
    assert made.json["text"] == "drop from @bad to not @bad"
    refused = service.call("DELETE", "/sets/bad")
    assert (refused.status, refused.json["code"]) == (409, "set-in-use")
    service.call("DELETE", f"/rules/{made.json['id']}")
    assert service.call("DELETE", "/sets/bad").json["deleted"] == ["bad"]
    assert service.call("GET", "/sets/bad").status == 404


def test_a_part_of_the_entries(service: Service) -> None:
    service.call("PUT", "/sets/bad", {"entries": [f"10.0.0.{i}" for i in range(10)]})
    part = service.call("GET", "/sets/bad?start=8&limit=5").json
    assert [row["entry"] for row in part["entries"]] == ["10.0.0.8", "10.0.0.9"]
    assert part["set"]["entries"] == 10
    assert service.call("GET", "/sets/bad?limit=0").json["entries"] == []
    assert service.call("GET", "/sets/bad?start=-1").status == 422
    assert service.call("GET", "/sets/bad?page=1").status == 422


def test_whether_an_address_is_in_it(service: Service) -> None:
    service.call("PUT", "/sets/bad", {"entries": ["10.0.0.0/8", "10.1.2.3"]})
    found = service.call("GET", "/sets/bad/test?address=10.1.2.3").json
    assert (found["found"], found["by"]) == (True, ["10.0.0.0/8", "10.1.2.3"])
    assert service.call("GET", "/sets/bad/test?address=::1").json["found"] is False
    assert service.call("GET", "/sets/bad/test?address=x").json["field"] == "address"


def test_the_bar_knows_sets(service: Service) -> None:
    service.call("POST", "/sets", {"name": "bad"})
    asked = {"text": "drop from @b", "partial": True}
    offered = service.call("POST", "/rules/parse", asked).json["completions"]
    assert [(one["text"], one["kind"]) for one in offered] == [("@bad", "set")]
    known = service.call("POST", "/rules/parse", {"text": "drop from @bad"}).json
    assert known["rule"] == {"action": "drop", "src": "@bad"}
    unknown = service.call("POST", "/rules/parse", {"text": "drop from @bed"}).json["problem"]
    assert (unknown["code"], unknown["span"]) == ("unknown-set", [10, 14])
    assert "bad" in unknown["hint"]


def test_a_ruleset_with_sets_goes_round(service: Service) -> None:
    given = {"version": 1, "rules": ["drop from @bad"], "sets": {"bad": {"entries": ["10.0.0.1"]}}}
    applied = service.call("PUT", "/ruleset", given)
    assert applied.status == 200, applied.content
    assert applied.json["sets_added"] == ["bad"]
    whole = service.call("GET", "/ruleset?sets=true").json
    assert whole["sets"] == given["sets"]
    assert "sets" not in service.call("GET", "/ruleset").json
    refused = service.call("PUT", "/ruleset", {**given, "sets": {"bad": {"file": "x"}}})
    assert (refused.status, refused.json["field"]) == (422, "sets.bad.file")
    again = service.call("PUT", "/ruleset", whole).json
    assert (again["sets_replaced"], again["kept"]) == ([], 1)


def test_an_explicit_list_of_nothing_is_obeyed_and_one_with_limits_is_not(service: Service) -> None:
    full, ruleset = {"entries": ["10.0.0.1", "10.0.0.2"]}, {"version": 1, "rules": []}
    for limits, code in (
        ({}, None),
        ({"allow_empty": False}, "set-emptied"),
        ({"most_shrink": 99}, "set-shrunk"),
        ({"allow_empty": True, "most_shrink": 100}, None),
    ):
        body = {"entries": [], **limits}
        for path, content in (
            ("/sets/bad", body),
            ("/ruleset", {**ruleset, "sets": {"bad": body}}),
        ):
            assert service.call("PUT", "/sets/bad", full).status == 200
            answer = service.call("PUT", path, content)
            assert (answer.status, answer.json.get("code")) == (
                (409, code) if code else (200, None)
            )
            assert len(rows(service, "bad")) == (2 if code else 0)
    for name, wrong in (("allow_empty", 1), ("most_shrink", 101), ("most_shrink", "x")):
        refused = service.call("PUT", "/sets/bad", {"entries": [], name: wrong})
        assert (refused.status, refused.json["field"]) == (422, name)
    bare = service.call("PUT", "/sets/bad", {"allow_empty": True})
    assert (bare.status, bare.json["field"]) == (422, "entries")
