"""Many clients, slow clients, the end of the service; last hits with real packets."""

from __future__ import annotations

import contextlib
import re
import resource
import selectors
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.events import Events
from tests.support.netns import Lab, Namespace, wait_for
from tests.support.service import Service

CLIENTS = 200
IMPATIENT = "import xdpwall.api.eventstream as s; s.PATIENCE = 1.0; s.LAST_WORD = 0.5\n"
MANY = [f"drop from 10.{n // 250}.{n % 250}.0/24 in" for n in range(2500)]


@pytest.fixture
def space(lab: Lab) -> Namespace:
    made = lab.namespace("gate")
    box = lab.namespace("box")
    lab.veth(made, "eth1", box, "eth0", address="10.9.0.1/24", peer_address="10.9.0.2/24")
    return made


@pytest.fixture
def own(lab: Lab, space: Namespace, tmp_path: Path) -> Iterator[Service]:
    with Service(space, tmp_path, lab.bpffs) as service:
        yield service


@pytest.fixture
def impatient(lab: Lab, space: Namespace, tmp_path: Path) -> Iterator[Service]:
    """With 2,500 rules, and one second for a client to take an event."""
    with Service(space, tmp_path, lab.bpffs, prelude=IMPATIENT) as service:
        assert service.call("POST", "/rules", MANY).status == 201
        yield service


def memory(service: Service) -> float:
    """Resident MB."""
    text = Path(f"/proc/{service.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024


def follow(clients: list[Events], seconds: float) -> None:
    """Read from all of them for a while."""
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.socket, selectors.EVENT_READ, client)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and ready.get_map():
            for key, _ in ready.select(left):
                if not key.data.pull():
                    ready.unregister(key.fileobj)


def test_two_hundred_clients(own: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 1024)), hard))
    own.call("POST", "/rules", MANY[:100])
    before = memory(own)
    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(own, token=own.token)) for _ in range(CLIENTS)]
        follow(clients, 2)
        begun = time.monotonic()
        assert own.tcp("GET", "/healthz").json["status"] == "ok"
        assert own.call("POST", "/rules", {"id": "new", "action": "count"}).status == 201
        assert time.monotonic() - begun < 5
        follow(clients, 3)
        streams = [client.reading.events for client in clients]
        assert all(stream[0].name == "snapshot" for stream in streams)
        assert all(any(event.name == "rules" for event in stream) for stream in streams)
        # One reader for all: whoever they are, the same events, one of counters a second.
        told = {event.id: event for stream in streams for event in stream[1:]}
        assert all(told[event.id] == event for stream in streams for event in stream[1:])
        assert 3 <= sum(event.name == "counters" for event in told.values()) <= 12
        assert memory(own) - before < 60
    wait_for(lambda: own.tcp("GET", "/healthz").status == 200, "the service goes on")
    assert "Traceback" not in own.log()


def test_more_than_may_be_are_refused(own: Service) -> None:
    from xdpwall.api.events import MOST_STREAMS

    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(own)) for _ in range(MOST_STREAMS)]
        for client in clients:
            client.pull()
        refused = own.call("GET", "/events")
        assert (refused.status, refused.json["code"]) == (503, "too-many-streams")
        clients[0].socket.close()
        wait_for(lambda: _opens(own), "a place that was given back is taken")


def _opens(service: Service) -> bool:
    with Events(service) as events:
        events.pull()
        return b"200 OK" in events.reading.head


def test_who_does_not_read_is_cut_off_and_holds_nobody_up(impatient: Service) -> None:
    before = memory(impatient)
    with contextlib.ExitStack() as crowd:
        sleepers = [
            crowd.enter_context(Events(impatient, token=impatient.token, receive_buffer=4096))
            for _ in range(20)
        ]
        awake = crowd.enter_context(Events(impatient))
        awake.next("snapshot")
        for _ in range(3):
            awake.next("counters")
        assert memory(impatient) - before < 60
        for sleeper in sleepers:
            sleeper.drain()
            # Cut off within the snapshot: no half event may look like a whole one.
            assert not sleeper.reading.ended
            assert sleeper.reading.events == []
        awake.next("counters")
    assert "Traceback" not in impatient.log()


def test_the_end_of_the_service_is_told_and_does_not_wait(impatient: Service) -> None:
    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(impatient)) for _ in range(20)]
        for client in clients:
            client.next("snapshot")
        for _ in range(5):
            crowd.enter_context(Events(impatient, token=impatient.token, receive_buffer=4096))
        begun = time.monotonic()
        assert impatient.stop() == 0
        assert time.monotonic() - begun < 8
        for client in clients:
            assert client.next("end")["reason"] == "stopping"
            assert client.reading.ended
    assert "Traceback" not in impatient.log()
    assert "Cancel" not in impatient.log()


def test_after_a_restart_a_stream_begins_anew(own: Service) -> None:
    with Events(own) as events:
        events.next("counters")
        last = events.seen[-1].id
    assert own.stop() == 0
    own.start()
    with Events(own, last_id=last) as events:
        assert events.until(lambda _: True, "any event").name == "snapshot"


def test_counters_and_last_hits_follow_real_packets(own: Service, space: Namespace) -> None:
    rules = [{"id": "ping", "action": "drop", "proto": "icmp"}, {"id": "quiet", "action": "count",
             "proto": "udp", "dport": "9"}]  # fmt: skip
    assert own.call("POST", "/rules", rules).status == 201
    assert own.call("PUT", "/interfaces/eth1/attachments/xdp", {}).status == 201
    with Events(own) as events:
        assert all("last_hit" not in rule for rule in events.next("snapshot")["rules"])
        space.status("ping", "-q", "-c", "5", "-i", "0.02", "-W", "0.2", "10.9.0.2")
        counted = 0
        while counted < 5:
            found = events.until(
                lambda event: event.name == "counters" and event.data["rules"], "a hit"
            ).data
            (rule,) = found["rules"]
            assert rule["id"] == "ping"
            counted = rule["packets"]
        assert found["attachments"][0]["totals"]["dropped"]["packets"] == 5
        assert events.next("counters")["rules"] == []
        listed = {one["id"]: one for one in own.call("GET", "/rules").json["rules"]}
        assert listed["ping"]["last_hit"] == rule["last_hit"]
        assert listed["ping"]["last_hit"] >= listed["ping"]["created"]
        assert "last_hit" not in listed["quiet"]
        assert own.call("POST", "/rules/ping/reset-counters").status == 200
        found = events.until(lambda event: event.name == "counters" and event.data["rules"], "0")
        assert [(one["id"], one["packets"]) for one in found.data["rules"]] == [("ping", 0)]
        own.call("PUT", "/policy", {"ingress": "drop"})
        space.status("ping", "-q", "-c", "1", "-W", "0.1", "10.9.0.2")
        own.call("DELETE", "/rules/ping")
        space.status("ping", "-q", "-c", "1", "-W", "0.1", "10.9.0.2")
        events.until(
            lambda event: event.name == "counters" and event.data["policy_dropped"]["packets"] >= 1,
            "a drop by the policy",
        )


def test_nobody_listening_costs_nearly_nothing(own: Service) -> None:
    """The reader is at rest: over two seconds the service uses less than a tenth of a CPU."""
    with Events(own) as events:
        events.next("counters")
    own.call("GET", "/status")
    before = _cpu_seconds(own)
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun > 2, "two seconds", timeout=5)
    assert _cpu_seconds(own) - before < 0.2


def _cpu_seconds(service: Service) -> float:
    fields = Path(f"/proc/{service.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
