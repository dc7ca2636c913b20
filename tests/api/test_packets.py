"""Single packets in GET /events, and PUT /events/settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.net.netns import Namespace
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.service.events import Events
from tests.support.service.service import Service
from xdpwall.views.stream import EVENTS

FRAME = f.ether(f.ipv4(f.udp(dport=53)), pad=60)
DEFAULT = {"enabled": True, "log_drops": False, "sample": 1, "rate": 100, "bytes": 128}


@pytest.fixture
def near(service: Service) -> Iterator[Wire]:
    """The other end of eth1, where udp/53 is dropped and reported."""
    reset = {**DEFAULT, "rate": 1_000_000}
    assert service.call("PUT", "/events/settings", reset).status == 200
    service.call("POST", "/rules", {"text": "drop udp/53 log", "id": "dns"})
    service.call("PUT", "/interfaces/eth1/attachments/xdp", {})
    box = Namespace(service.space.name.replace("-gate", "-box"))
    with Wire(box, "eth0") as wire:
        yield wire


def packets(events: Events, count: int) -> list[dict[str, Any]]:
    """So many of those to port 53."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += [one for one in events.next("packets")["events"] if one.get("dport") == 53]
    return found


def test_packets_come_in_batches_and_have_their_schema(service: Service, near: Wire) -> None:
    with Events(service) as events:
        events.next("snapshot")
        for _ in range(300):
            near.send(FRAME)
        found = packets(events, 300)
        assert {one["rule"] for one in found} == {"dns"}
        numbers = [one["n"] for one in found]
        assert numbers == sorted(set(numbers))
        batches = [event for event in events.seen if event.name == "packets"]
        assert len(batches) <= 30
        for batch in batches:
            EVENTS["packets"].model_validate(batch.data)
            assert batch.id == "", "they are not what a client comes back to"
        counted = events.next("counters")["events"]
        assert counted["sent"] >= 300


def test_who_comes_later_gets_the_latest(service: Service, near: Wire) -> None:
    with Events(service) as events:
        events.next("snapshot")
        near.send(FRAME)
        newest = packets(events, 1)[-1]
    with Events(service) as events:
        events.next("snapshot")
        kept = events.next("packets")["events"]
        assert len(kept) <= 500
        assert newest in kept
    with Events(service, last_id=events.seen[0].id) as events:
        assert newest in events.next("packets")["events"]
        assert [event.name for event in events.seen] == ["packets"], "resumed"


def test_packets_alone(service: Service, near: Wire) -> None:
    with Events(service, query="?only=packets") as events:
        while not events.reading.comments:  # with the first one it is open
            assert events.pull()
        near.send(FRAME)
        found = packets(events, 1)
        assert [one["dport"] for one in found] == [53]
        assert {event.name for event in events.seen} == {"packets"}


@pytest.mark.parametrize("query", ["?only=counters", "?only=", "?just=packets", "?only=a&only=b"])
def test_another_stream_is_refused(service: Service, query: str) -> None:
    refused = service.call("GET", f"/events{query}")
    assert (refused.status, refused.json["code"]) == (422, "invalid")
    assert refused.json["field"] in ("only", "just")


def test_settings_are_changed_by_name(service: Service) -> None:
    assert service.call("PUT", "/events/settings", DEFAULT).status == 200
    before = service.call("GET", "/events/settings").json
    assert before["settings"] == DEFAULT
    assert before["reader"].startswith(f"the service (process {service.pid}")
    revision = service.call("GET", "/rules").json["revision"]
    changed = service.call("PUT", "/events/settings", {"rate": 7}).json
    assert (changed["changed"], changed["settings"]) == (True, {**DEFAULT, "rate": 7})
    assert service.audit("action", "via") == ("events rate 7", "socket")
    assert service.call("GET", "/rules").json["revision"] == revision
    assert service.call("PUT", "/events/settings", {"rate": 7}).json["changed"] is False
    assert service.call("PUT", "/events/settings", DEFAULT).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ([], "body"),
        ({"rate": 0}, "rate"),
        ({"rate": "many"}, "rate"),
        ({"sample": 10_001}, "sample"),
        ({"bytes": 257}, "bytes"),
        ({"enabled": None}, "enabled"),
        ({"log_drops": "on"}, "log_drops"),
        ({"rate": 5, "ratee": 6}, "ratee"),
    ],
)
def test_bad_settings_are_problems(service: Service, body: Any, field: str) -> None:
    before = service.call("GET", "/events/settings").json["settings"]
    refused = service.call("PUT", "/events/settings", body)
    assert refused.status == 422, refused.content
    assert refused.json["field"] == field
    assert service.call("GET", "/events/settings").json["settings"] == before
