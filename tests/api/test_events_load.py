"""Many clients, slow clients, the end of the service; last hits with real packets."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import selectors
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.service.events import Events
from tests.support.service.service import START, Service

CLIENTS = 200
PATIENCE = "import xdpwall.api.stream.client as s; s.PATIENCE = {}; s.LAST_WORD = 0.5\n"
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
def large(
    request: pytest.FixtureRequest, lab: Lab, space: Namespace, tmp_path: Path
) -> Iterator[Service]:
    """With 2,500 rules; the parameter is in how many seconds a client must take an event."""
    prelude = PATIENCE.format(request.param)
    with Service(space, tmp_path, lab.bpffs, prelude=prelude) as service:
        assert service.call("POST", "/rules", MANY).status == 201
        yield service


def memory(service: Service) -> float:
    """Resident MB."""
    text = Path(f"/proc/{service.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024


def sockets(service: Service) -> int:
    """How many the service has open."""
    folder, found = f"/proc/{service.pid}/fd", 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
    return found


def follow(clients: list[Events], enough: Callable[[], bool], what: str) -> None:
    """Read from all of them until it is enough."""
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.socket, selectors.EVENT_READ, client)
        until = time.monotonic() + START
        while not enough():
            assert time.monotonic() < until, f"no {what} in {START} s"
            for key, _ in ready.select(1):
                assert key.data.pull(), f"cut off before {what}"


def all_got(clients: list[Events], name: str) -> bool:
    """Whether each of them has got such an event."""
    return all(any(one.name == name for one in client.reading.events) for client in clients)


def counters_of(clients: list[Events]) -> int:
    """How many different events of counters came."""
    events = (event for client in clients for event in client.reading.events)
    return len({event.id for event in events if event.name == "counters"})


def test_two_hundred_clients(own: Service) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 1024)), hard))
    own.call("POST", "/rules", MANY[:100])
    before = memory(own)
    begun = time.monotonic()
    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(own, token=own.token)) for _ in range(CLIENTS)]
        follow(clients, lambda: all_got(clients, "snapshot"), "snapshot")
        assert own.tcp("GET", "/healthz").json["status"] == "ok"
        assert own.call("POST", "/rules", {"id": "new", "action": "count"}).status == 201
        follow(clients, lambda: all_got(clients, "rules"), "rules")
        follow(clients, lambda: counters_of(clients) >= 5, "counters")
        streams = [client.reading.events for client in clients]
        assert all(stream[0].name == "snapshot" for stream in streams)
        # One reader for all: whoever they are, the same events, one of counters a second.
        told = {event.id: event for stream in streams for event in stream[1:]}
        assert all(told[event.id] == event for stream in streams for event in stream[1:])
        assert 0.9 * (counters_of(clients) - 2) < time.monotonic() - begun
        assert memory(own) - before < 60
    wait_for(lambda: own.tcp("GET", "/healthz").status == 200, "the service goes on")
    assert "Traceback" not in own.log()


def test_more_than_may_be_are_refused(own: Service) -> None:
    from xdpwall.api.routes.events import MAX_STREAMS

    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(own)) for _ in range(MAX_STREAMS)]
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


@pytest.mark.parametrize("large", [5.0], indirect=True)
def test_who_does_not_read_is_cut_off_and_holds_nobody_up(large: Service) -> None:
    with contextlib.ExitStack() as crowd:
        awake = crowd.enter_context(Events(large))
        awake.next("snapshot")
        before, alone = memory(large), sockets(large)
        sleepers = [
            crowd.enter_context(Events(large, token=large.token, receive_buffer=4096))
            for _ in range(20)
        ]
        wait_for(lambda: sockets(large) == alone + 20, "they are there")
        while sockets(large) > alone:
            awake.next("counters")
            assert memory(large) - before < 60
        for sleeper in sleepers:
            sleeper.drain()
            # Cut off within the snapshot: no half event may look like a whole one.
            assert not sleeper.reading.ended
            assert sleeper.reading.events == []
        awake.next("counters")
    assert "Traceback" not in large.log()


@pytest.mark.parametrize("large", [10 * START], indirect=True)
def test_the_end_of_the_service_is_told_and_does_not_wait(large: Service) -> None:
    with contextlib.ExitStack() as crowd:
        clients = [crowd.enter_context(Events(large)) for _ in range(20)]
        for client in clients:
            client.next("snapshot")
        for _ in range(5):
            crowd.enter_context(Events(large, token=large.token, receive_buffer=4096))
        assert large.stop() == 0
        for client in clients:
            assert client.next("end")["reason"] == "stopping"
            assert client.reading.ended
    assert "Traceback" not in large.log()
    assert "Cancel" not in large.log()


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
    """The reader comes to rest: two seconds pass in which the service uses less than a tenth of a
    CPU."""
    with Events(own) as events:
        events.next("counters")
    own.call("GET", "/status")

    def rests() -> bool:
        before, begun = _cpu_seconds(own), time.monotonic()
        wait_for(lambda: time.monotonic() - begun > 2, "two seconds")
        return _cpu_seconds(own) - before < 0.2

    wait_for(rests, "the reader at rest")


def _cpu_seconds(service: Service) -> float:
    fields = Path(f"/proc/{service.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
