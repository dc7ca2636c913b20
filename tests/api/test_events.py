"""GET /events: a snapshot, then what changes, by whomever it was changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service.events import Event, Events
from tests.support.service.service import Service
from xdpwall.firewall.firewall import Firewall
from xdpwall.settings import Settings
from xdpwall.values.author import Author
from xdpwall.views.rules import RuleView
from xdpwall.views.stream import EVENTS, EventsSnapshot

CLI = Author("uid 0", "cli", "told so")


def beside(service: Service, change: Any, *arguments: Any) -> None:
    """Make a change from another process that does not ask the service."""
    service.space.call(_change, service.settings, change, *arguments)


def _change(settings: Settings, change: Any, *arguments: Any) -> None:
    with Firewall.open(settings) as firewall:
        change(firewall, *arguments)


def _add(firewall: Firewall, text: str) -> None:
    from xdpwall.rule.rule import Rule

    firewall.add_rules([Rule.parse(text)], by=CLI)


def _confirm(firewall: Firewall) -> None:
    firewall.confirm(by=CLI)


def _turn(firewall: Firewall, on: bool) -> None:
    firewall.set_switch(on, by=CLI)


def test_the_stream_begins_with_everything(service: Service) -> None:
    service.call("POST", "/rules", ["drop icmp on docker0", "count udp disabled"])
    with Events(service) as events:
        snapshot = events.next("snapshot")
        assert list(snapshot) == list(EventsSnapshot.model_fields)
        assert b"content-type: text/event-stream" in events.reading.head.lower()
        assert b"no-store" in events.reading.head
        assert [rule["text"] for rule in snapshot["rules"]] == [
            "drop icmp on docker0",
            "count udp disabled",
        ]
        assert snapshot["rules"] == service.call("GET", "/rules").json["rules"]
        assert snapshot["interfaces"] == service.call("GET", "/interfaces").json["interfaces"]
        assert snapshot["status"] == service.call("GET", "/status").json
        assert (snapshot["status"]["rules"], snapshot["status"]["enabled_rules"]) == (2, 1)
        first, second = events.next("counters"), events.next("counters")
        assert first["rules"] == second["rules"] == []
        assert second["time"] > first["time"]


def test_what_comes_has_its_schema(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        service.call("POST", "/rules?confirm=60", "drop icmp")
        events.next("pending")
        service.call("POST", "/ruleset/confirm")
        service.call("PUT", "/policy", {"ingress": "drop"})
        service.call("PUT", "/switch", {"on": False})
        service.call("PUT", "/interfaces/eth1/attachments/xdp", {})
        for name in ("attachments", "counters"):
            events.next(name)
        # Packets of the tests before may stand at the beginning (test_packets.py).
        assert {event.name for event in events.seen} | {"packets"} == set(EVENTS) - {"end"}
        for event in events.seen:
            made = EVENTS[event.name].model_validate(event.data)
            assert made.to_json() == event.data


def test_a_change_by_rest_says_what_and_who(service: Service) -> None:
    service.call("POST", "/rules", [{"id": name, "action": "count"} for name in "abcd"])
    with Events(service) as events:
        events.next("snapshot")
        added = {"id": "new", "action": "drop", "proto": "icmp", "position": 2}
        assert service.call("POST", "/rules?message=attack", added).status == 201
        change = events.next("rules")
        assert change["added"] == ["new"]
        assert (change["removed"], change["changed"], change["moved"]) == ([], [], [])
        assert [(rule["id"], rule["position"]) for rule in change["rules"]] == [("new", 2)]
        (who,) = change["by"]
        assert (who["author"], who["via"], who["action"]) == ("uid 0", "socket", "add new")
        assert (who["message"], who["revision"]) == ("attack", change["revision"])

        service.call("POST", "/rules/d/move", {"position": 1})
        assert events.next("rules")["moved"] == ["d"]
        service.call("PATCH", "/rules/a", {"enabled": False})
        change = events.next("rules")
        assert (change["changed"], change["rules"][0]["enabled"]) == (["a"], False)
        service.call("DELETE", "/rules/b")
        change = events.next("rules")
        assert (change["removed"], change["rules"]) == (["b"], [])


def test_changes_of_another_process_are_seen(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        beside(service, _add, "drop icmp on docker0")
        change = events.next("rules")
        assert [rule["text"] for rule in change["rules"]] == ["drop icmp on docker0"]
        (who,) = change["by"]
        assert (who["author"], who["via"], who["message"]) == ("uid 0", "cli", "told so")
        beside(service, _turn, False)
        turned = events.next("switch")
        assert (turned["on"], [who["via"] for who in turned["by"]]) == (False, ["cli"])
        warnings = events.next("warnings")["warnings"]
        assert any("switched off" in words for words in warnings)


def test_policy_switch_and_attachments(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        service.call("PUT", "/policy", {"ingress": "drop"})
        change = events.next("policy")
        assert change["policy"]["ingress"] == "drop"
        assert change["by"][0]["action"] == "policy ingress drop"
        service.call("PUT", "/interfaces/eth1/attachments/xdp", {})
        change = events.next("attachments")
        assert [(one["iface"], one["place"]) for one in change["attachments"]] == [("eth1", "xdp")]
        assert change["by"][0]["action"] == "attach eth1 xdp"
        shown = {one["name"]: one["attachments"] for one in change["interfaces"]}
        assert [one["place"] for one in shown["eth1"]] == ["xdp"]
        counted = events.next("counters")
        assert [(one["iface"], one["place"]) for one in counted["attachments"]] == [("eth1", "xdp")]
        service.call("DELETE", "/attachments")
        assert events.next("attachments")["attachments"] == []


@pytest.mark.parametrize("end", ["confirm", "rollback", "its time is over", "another process"])
def test_a_change_that_waits(service: Service, end: str) -> None:
    before = service.call("GET", "/status").json["revision"]
    with Events(service) as events:
        assert "pending" not in events.next("snapshot")["status"]
        seconds = 2 if end == "its time is over" else 60
        reply = service.call("POST", f"/rules?confirm={seconds}", "count tcp/1")
        assert (reply.status, reply.json["revision"] > before) == (201, True)
        before = reply.json["revision"] - 1
        told = events.next("pending")
        waits = told["pending"]
        assert (told["revision"], waits["revision"], waits["seconds"]) == (
            before + 1, before + 1, seconds,
        )  # fmt: skip
        assert 0 <= waits["seconds_left"] <= seconds
        assert {who["via"] for who in told["by"]} == {"socket"}
        with Events(service) as late:
            if seconds == 60:
                assert late.next("snapshot")["status"]["pending"]["revision"] == before + 1
        if end == "another process":
            beside(service, _confirm)
        elif seconds == 60:
            body = {"revision": before + 1}
            assert service.call("POST", f"/ruleset/{end}", body).status == 200
        told = events.next("pending")
        assert "pending" not in told
        kept = end in ("confirm", "another process")
        assert told["revision"] == before + kept
        assert "pending" not in service.call("GET", "/status").json
        if not kept:
            rules = [event.data for event in events.seen if event.name == "rules"]
            assert rules[-1]["removed"] == rules[-2]["added"] and rules[-1]["revision"] == before


def test_an_interface_that_comes_and_goes(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        service.space.run("ip", "link", "add", "late0", "type", "veth", "peer", "late1")
        change = events.next("attachments")
        assert "late0" in [one["name"] for one in change["interfaces"]]
        assert change["by"] == []
        assert service.call("PUT", "/interfaces/late0/attachments/xdp", {}).status == 201
        events.next("attachments")
        service.space.run("ip", "link", "del", "late0")
        change = events.next("attachments")
        assert [one["state"] for one in change["attachments"]] == ["no interface"]
        warnings = events.next("warnings")["warnings"]
        assert any("late0" in words and "does not exist" in words for words in warnings)


def test_a_rule_that_expires_is_told(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        service.call("POST", "/rules", {"id": "brief", "action": "drop", "expires": "4s"})
        assert events.next("rules")["added"] == ["brief"]
        change = events.next("rules")
        assert (change["changed"], change["by"]) == (["brief"], [])
        assert change["rules"][0]["expired"] is True


# -- coming back ----------------------------------------------------------------------------------


def _resumed(service: Service, last: Event) -> Events:
    return Events(service, last_id=last.id)


def test_a_client_that_comes_back_gets_what_it_missed(service: Service) -> None:
    with Events(service) as events:
        events.next("snapshot")
        events.next("counters")
        last = events.seen[-1]
    service.call("POST", "/rules", {"id": "missed", "action": "count"})
    beside(service, _add, "drop icmp")
    with _resumed(service, last) as events:
        added: list[str] = []
        while len(added) < 2:
            added += events.next("rules")["added"]
        assert added[0] == "missed"
        assert "snapshot" not in {event.name for event in events.seen}
        numbers = [int(event.id.partition("-")[2]) for event in events.seen if event.id]
        first = int(last.id.partition("-")[2]) + 1
        assert numbers == list(range(first, first + len(numbers)))


def test_two_clients_get_the_same_events(service: Service) -> None:
    with Events(service) as one, Events(service) as two:
        one.next("snapshot")
        two.next("snapshot")
        service.call("POST", "/rules", "count udp")
        for events in (one, two):
            events.next("rules")
            events.next("counters")
        both = {event.id: event for event in one.seen[1:]}
        shared = [event for event in two.seen[1:] if event.id in both]
        assert {"rules", "counters"} <= {event.name for event in shared}
        assert all(both[event.id] == event for event in shared)


@pytest.mark.parametrize(
    "last_id", ["", "0", "nonsense", "00000000-1", "{run}-999999", "{run}--1", "ü", "x" * 4000]
)
def test_an_id_that_is_not_known_begins_anew(service: Service, last_id: str) -> None:
    with Events(service) as events:
        events.next("snapshot")
        run = events.seen[-1].id.partition("-")[0]
    with Events(service, last_id=last_id.format(run=run)) as events:
        assert events.until(lambda _: True, "any event").name == "snapshot"


# -- who may --------------------------------------------------------------------------------------


def test_over_tcp_the_token_is_needed(service: Service) -> None:
    assert service.tcp("GET", "/api/v1/events").status == 401
    assert service.tcp("GET", f"/api/v1/events?token={service.token}").status == 401
    asked = service.tcp("GET", f"/api/v1/events?token={service.token}", token=service.token)
    assert (asked.status, asked.json["field"]) == (422, "token")
    with Events(service, token=service.token) as events:
        assert events.next("snapshot")["status"]["service"] is True


def test_the_rules_of_a_snapshot_are_rules(service: Service) -> None:
    service.call("POST", "/rules", [f"drop from 10.0.{n}.0/24" for n in range(200)])
    with Events(service) as events:
        rules = events.next("snapshot")["rules"]
        assert len(rules) == 200
        assert RuleView.model_validate(rules[199]).position == 200
