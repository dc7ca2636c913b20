"""Rules over HTTP: what goes in comes back canonical, in order, and once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service.service import Service
from xdpwall.views.rules import DeleteOutcome, RuleOutcome, RuleView

PING = {"action": "drop", "iface": "docker0", "proto": "icmp"}


def ids(service: Service) -> list[str]:
    return [rule["id"] for rule in service.call("GET", "/rules").json["rules"]]


def test_a_rule_is_added_and_read_back(service: Service) -> None:
    made = service.call("POST", "/rules", PING)
    assert made.status == 201, made.content
    rule = made.json
    assert {name: rule[name] for name in PING} == PING
    assert rule["text"] == "drop icmp on docker0"
    assert rule["position"] == 1
    assert rule["packets"] == rule["bytes"] == 0
    assert made.headers["location"] == f"/api/v1/rules/{rule['id']}"
    # Nothing is attached there: the answer says which call attaches.
    assert any("docker0" in warning for warning in rule["warnings"])
    shown = service.call("GET", f"/rules/{rule['id']}")
    beside = {name: rule[name] for name in rule if name not in ("warnings", "revision")}
    assert shown.json == beside
    RuleView.model_validate(shown.json)
    assert service.call("GET", "/rules").json == {
        "revision": rule["revision"],
        "rules": [shown.json],
    }


@pytest.mark.parametrize(
    "body",
    [PING, {"text": "drop icmp on docker0"}, "drop icmp on docker0"],
    ids=["object", "text", "sentence"],
)
def test_each_spelling_makes_the_same_rule(service: Service, body: Any) -> None:
    assert service.call("POST", "/rules", body).json["text"] == "drop icmp on docker0"


def test_a_list_is_one_commit(service: Service) -> None:
    before = service.call("GET", "/rules").json["revision"]
    made = service.call("POST", "/rules", ["drop tcp/22", {**PING, "id": "ping"}, "count udp"])
    assert made.status == 201
    outcome = RuleOutcome.model_validate(made.json)
    assert outcome.revision == before + 1
    assert [rule.text for rule in outcome.rules] == [
        "drop tcp/22", "drop icmp on docker0", "count udp",
    ]  # fmt: skip
    assert [rule.position for rule in outcome.rules] == [1, 2, 3]


def test_a_list_with_one_bad_rule_changes_nothing(service: Service) -> None:
    refused = service.call("POST", "/rules", ["drop tcp/22", {**PING, "src": "nonsense"}])
    assert refused.status == 422
    assert refused.json["field"] == "rules[1].src"
    assert ids(service) == []


def test_position_inserts_there(service: Service) -> None:
    service.call("POST", "/rules", [{"id": name, "action": "count"} for name in ("a", "b")])
    assert service.call("POST", "/rules", {**PING, "id": "c", "position": 2}).json["position"] == 2
    assert ids(service) == ["a", "c", "b"]
    both = [{"id": "d", "action": "count", "position": "1"}, {"id": "e", "action": "count"}]
    assert service.call("POST", "/rules", both).status == 201
    assert ids(service) == ["d", "e", "a", "c", "b"]
    refused = service.call("POST", "/rules", {**PING, "position": 9})
    assert (refused.status, refused.json["field"]) == (422, "position")
    assert len(ids(service)) == 5


def test_put_replaces_and_patch_changes(service: Service) -> None:
    service.call("POST", "/rules", [{**PING, "id": "p", "comment": "old"}, "count udp"])
    patched = service.call("PATCH", "/rules/p", {"iface": None, "src": "10.0.0.0/8"})
    assert patched.status == 200, patched.content
    assert patched.json["text"] == 'drop icmp from 10.0.0.0/8 comment "old"'
    put = service.call("PUT", "/rules/p", {"action": "accept", "proto": "tcp", "dport": 22})
    assert put.json["text"] == "accept tcp/22"
    assert "comment" not in put.json
    assert (put.json["id"], put.json["position"]) == ("p", 1)
    assert service.call("PUT", "/rules/p", {"text": "count tcp"}).json["text"] == "count tcp"


def test_move(service: Service) -> None:
    service.call("POST", "/rules", [{"id": name, "action": "count"} for name in "abc"])
    moved = service.call("POST", "/rules/a/move", {"position": 3})
    assert (moved.status, moved.json["position"]) == (200, 3)
    assert ids(service) == ["b", "c", "a"]
    for wrong in (0, 4, "x", 1.5, True, None):
        refused = service.call("POST", "/rules/a/move", {"position": wrong})
        assert (refused.status, refused.json["field"]) == (422, "position"), wrong
    assert ids(service) == ["b", "c", "a"]


def test_many_at_once(service: Service) -> None:
    service.call("POST", "/rules", [{"id": name, "action": "count"} for name in "abc"])
    off = service.call("POST", "/rules/disable", {"ids": ["a", "c"]})
    assert off.status == 200
    assert [rule["enabled"] for rule in service.call("GET", "/rules").json["rules"]] == [
        False, True, False,
    ]  # fmt: skip
    service.call("POST", "/rules/enable", {"ids": ["a"]})
    assert service.call("GET", "/rules/a").json["enabled"] is True
    gone = service.call("POST", "/rules/delete", {"ids": ["a", "nobody"]})
    assert gone.status == 404
    assert ids(service) == ["a", "b", "c"]
    gone = service.call("POST", "/rules/delete", {"ids": ["a", "b"]})
    assert DeleteOutcome.model_validate(gone.json).deleted == ["a", "b"]
    assert service.call("POST", "/rules/flush").json["deleted"] == ["c"]
    assert ids(service) == []


def test_delete_one(service: Service) -> None:
    service.call("POST", "/rules", {**PING, "id": "p"})
    gone = service.call("DELETE", "/rules/p")
    assert (gone.status, gone.json["deleted"]) == (200, ["p"])
    again = service.call("DELETE", "/rules/p")
    assert (again.status, again.json["type"]) == (404, "urn:xdpwall:not-found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/rules/nobody", None),
        ("PUT", "/rules/nobody", PING),
        ("PATCH", "/rules/nobody", {"comment": "x"}),
        ("DELETE", "/rules/nobody", None),
        ("POST", "/rules/nobody/move", {"position": 1}),
        ("POST", "/rules/nobody/reset-counters", None),
    ],
)
def test_an_unknown_rule_is_not_found(service: Service, method: str, path: str, body: Any) -> None:
    missing = service.call(method, path, body)
    assert (missing.status, missing.json["type"]) == (404, "urn:xdpwall:not-found")
    assert "nobody" in missing.json["detail"]


def test_a_taken_id_is_a_conflict(service: Service) -> None:
    service.call("POST", "/rules", {**PING, "id": "p"})
    taken = service.call("POST", "/rules", {"action": "count", "id": "p"})
    assert (taken.status, taken.json["type"]) == (409, "urn:xdpwall:conflict")
    assert ids(service) == ["p"]


def test_parse_reads_a_sentence_and_says_what_it_would_not_do(service: Service) -> None:
    read = service.call("POST", "/rules/parse", {"text": "drop   icmp on  docker0"}).json
    assert (read["rule"], read["text"]) == (PING, "drop icmp on docker0")
    assert ["nothing is attached to docker0" in words for words in read["warnings"]] == [True]
    assert service.call("PUT", "/interfaces/docker0/attachments/xdp", {}).status == 201
    read = service.call("POST", "/rules/parse", {"text": "drop icmp on docker0 in"}).json
    assert read["warnings"] == []
    assert ids(service) == []


def test_parse_answers_a_wrong_sentence_with_its_problem(service: Service) -> None:
    text = "drop icmp onn docker0"
    asked = service.call("POST", "/rules/parse", {"text": text})
    assert asked.status == 200
    assert asked.json.keys() == {"problem"}
    problem = asked.json["problem"]
    start, end = problem["span"]
    assert text[start:end] == problem["value"] == "onn"
    assert problem == service.call("POST", "/rules", {"text": text}).json
    field = service.call("POST", "/rules/parse", {"text": "drop icmp from 10.0.0.1/8"}).json
    assert (field["problem"]["field"], field["problem"]["span"]) == ("src", [15, 25])
    action = service.call("POST", "/rules/parse", {"text": "dorp icmp"}).json
    assert action["problem"]["hint"] == "did you mean 'drop'?"


def test_parse_completes_the_word_at_the_end(service: Service) -> None:
    asked = {"text": "drop icmp on dock", "partial": True}
    found = service.call("POST", "/rules/parse", asked).json
    assert found["word"] == [13, 17]
    wanted = {"text": "docker0", "kind": "interface", "insert": "docker0 "}
    assert found["completions"] == [wanted]
    assert found["text"] == "drop icmp on dock"
    half = service.call("POST", "/rules/parse", {"text": "drop icmp o", "partial": True}).json
    assert half["problem"]["span"] == half["word"] == [10, 11]
    assert [one["text"] for one in half["completions"]] == ["on", "out", "over"]


def test_reset_counters_answers_the_rule(service: Service) -> None:
    service.call("POST", "/rules", [{"id": name, "action": "count"} for name in "ab"])
    one = service.call("POST", "/rules/a/reset-counters")
    assert (one.status, one.json["id"], one.json["packets"]) == (200, "a", 0)
    both = service.call("POST", "/rules/reset-counters")
    assert [rule["id"] for rule in both.json["rules"]] == ["a", "b"]
    some = service.call("POST", "/rules/reset-counters", {"ids": ["b"]})
    assert [rule["id"] for rule in some.json["rules"]] == ["b"]


def test_a_place_beside_a_rule(service: Service) -> None:
    service.call(
        "POST", "/rules", [{"text": "drop icmp", "id": "a"}, {"text": "drop udp", "id": "b"}]
    )
    made = service.call("POST", "/rules", {"text": "drop gre", "id": "c", "before": "b"})
    assert (made.status, made.json["position"]) == (201, 2)
    made = service.call(
        "POST", "/rules", [{"text": "drop esp", "id": "d", "after": "b"}, "drop ah"]
    )
    assert [rule["position"] for rule in made.json["rules"]] == [4, 5]
    moved = service.call("POST", "/rules/a/move", {"after": "c"})
    assert (moved.status, moved.json["position"]) == (200, 2)
    assert ids(service)[:4] == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/rules", {"text": "drop gre", "before": "nope"}, 404, "id"),
        ("/rules", {"text": "drop gre", "before": 5}, 422, "before"),
        ("/rules", {"text": "drop gre", "before": "a", "position": 1}, 422, "before"),
        ("/rules", ["drop gre", {"text": "drop esp", "after": "a"}], 422, "rules[1].after"),
        ("/rules/a/move", {}, 422, "position"),
        ("/rules/a/move", {"before": "a"}, 422, "before"),
        ("/rules/a/move", {"before": "nope"}, 404, "id"),
        ("/rules/a/move", {"after": None}, 422, "position"),
        ("/rules/a/move", {"after": "a", "before": "a"}, 422, "after"),
    ],
)
def test_a_place_that_is_none(
    service: Service, path: str, body: Any, status: int, field: str
) -> None:
    service.call("POST", "/rules", {"text": "drop icmp", "id": "a"})
    answer = service.call("POST", path, body)
    assert (answer.status, answer.json["field"]) == (status, field), answer.content
    assert ids(service) == ["a"]
