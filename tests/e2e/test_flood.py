"""Changes while packets flood through: no packet of an untouched flow gains or loses its verdict.

How this is proved. Three flows run interleaved, frame by frame, through one attachment:

    dropped   by a rule that stays. A later rule that stays would accept it, so that it leaks
              through whenever its own rule is missing, misplaced, or no program is there at all.
    accepted  by a rule that stays, with a drop of all UDP at the end of the ruleset behind it, so
              that it loses a frame whenever its own rule is missing.
    changing  dropped or accepted by whichever of two rules stands first; the changes swap them.

Meanwhile rules are added in front of them, deleted, moved, changed and applied by REST, and the
ruleset outgrows its maps, which swaps the programs. The sender waits for the accepted flow after
each burst (tests/support/net/flood.py), so a frame that is missing was dropped by the filter. In the end
received(accepted) = sent(accepted) = its rule's counter, received(dropped) = 0, its rule's counter
= sent(dropped), and the two rules of the changing flow have counted each of its frames once: what
the accepting one counted has arrived. The last rule has counted nothing: no judgement was made by
a ruleset that lacked any of these rules, nor by a mix in which none of them was found.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.flood import ACCEPTED, CHANGING, DROPPED, PATIENCE, Flood
from tests.support.net.netns import Lab
from tests.support.net.route import WAYS, Route, Way, route
from tests.support.service.service import START
from xdpwall.dataplane.dataplane import Dataplane

KILLS = 5
STAY = [
    {"id": "dropped", "text": "drop udp/1001"},
    {"id": "accepted", "text": "accept udp/1000-1002"},
]
CHANGE = [{"id": "c-drop", "text": "drop udp/1003"}, {"id": "c-accept", "text": "accept udp/1003"}]
LAST = {"id": "last", "text": "drop udp"}


def filler(number: int) -> str:
    """A rule that none of the flows meets, of another field each."""
    high, low = number >> 6 & 63, number & 63
    return (
        f"drop udp/{5000 + number} from 10.{high}.{low}.0/24",
        f"accept tcp/{number + 1} from 2001:db8:{number:x}::/48",
        f"drop icmp ttl {low + 1} to 192.0.{low}.{high}",
        f"count vlan {number % 4000 + 1}",
    )[number % 4]


def ruleset(fillers: int, *, first: str = "c-drop", seed: int = 0) -> dict[str, Any]:
    """Everything above with `fillers` rules, some in front, some between."""
    change = sorted(CHANGE, key=lambda rule: rule["id"] != first)
    more = [filler(seed + number) for number in range(fillers)]
    third = fillers // 3
    rules = [*more[:third], STAY[0], *more[third : 2 * third], STAY[1], *change, *more[2 * third :]]
    return {"version": 1, "policy": {}, "rules": [*rules, LAST]}


@pytest.fixture
def wall(lab: Lab, way: Way, tmp_path: Path) -> Iterator[Route]:
    """A route of the test's own, with the ruleset in force."""
    with route(lab, way, tmp_path) as made:
        put(made, ruleset(0))
        yield made


def put(wall: Route, body: dict[str, Any]) -> None:
    """PUT /ruleset."""
    done = wall.service.call("PUT", "/ruleset", body)
    assert done.status == 200, done.content


def done(wall: Route, method: str, path: str, body: Any = None) -> Any:
    """A call that must work."""
    reply = wall.service.call(method, path, body)
    assert reply.status in (200, 201), (method, path, reply.content)
    return reply.json


def programs(wall: Route) -> list[int]:
    """The ids of the programs that are attached."""
    return [one["program_id"] for one in done(wall, "GET", "/status")["attachments"]]


def counted(wall: Route) -> dict[str, tuple[int, int]]:
    """Every rule's packets and bytes."""
    return {one.id: (one.packets, one.bytes) for one in wall.stats().rules}


def kernel_revision(wall: Route) -> int:
    """What the control word says."""
    dataplane = Dataplane(wall.service.settings.bpffs)
    dataplane.open()
    try:
        return dataplane.control.read().revision
    finally:
        dataplane.close()


def assert_exact(wall: Route, flood: Flood) -> None:
    """After the flood: counters and arrivals agree to the frame."""
    seen = flood.finish()
    size = flood.frame_size
    counts = counted(wall)
    for flow, rule in ((DROPPED, "dropped"), (ACCEPTED, "accepted")):
        assert counts[rule] == (seen.sent[flow], seen.sent[flow] * size)
    by_drop, by_accept = counts["c-drop"][0], counts["c-accept"][0]
    assert by_drop + by_accept == seen.sent[CHANGING]
    assert by_accept == seen.received[CHANGING]
    assert min(by_drop, by_accept) > 0, "both verdicts were given"
    assert counts["last"] == (0, 0)


@pytest.mark.parametrize("way", WAYS)
def test_changes_under_load_touch_no_other_flow(wall: Route) -> None:
    with Flood(wall) as flood:
        flood.settle_on(False)
        for turn in range(4):
            made = done(wall, "POST", "/rules", {"text": filler(turn), "position": 1})
            done(wall, "POST", "/rules/c-accept/move", {"position": 1})
            flood.settle_on(True)
            done(wall, "PATCH", f"/rules/{made['id']}", {"enabled": False})
            more = [filler(9 * turn + number) for number in range(9)]
            added = done(wall, "POST", "/rules", more)["rules"]
            done(wall, "POST", "/rules/dropped/move", {"position": turn % 3 + 1})
            done(wall, "PUT", "/policy", {"ingress": "drop" if turn % 2 else "accept"})
            done(wall, "POST", "/rules/c-drop/move", {"position": 1})
            flood.settle_on(False)
            for rule in added[::3]:
                done(wall, "DELETE", f"/rules/{rule['id']}")
            done(wall, "PUT", "/interfaces/lo/attachments/tc-ingress")
            put(wall, ruleset(turn * 30, first="c-accept", seed=turn))
            flood.settle_on(True)
            done(wall, "DELETE", "/interfaces/lo/attachments/tc-ingress")
            put(wall, ruleset(turn, first="c-drop"))
            flood.settle_on(False)
        before = programs(wall)
        for fillers in (1_100, 2_200) if wall.way == "xdp-native" else (1_100,):
            put(wall, ruleset(fillers, first="c-accept"))
            flood.settle_on(True)
            now = programs(wall)
            assert set(now).isdisjoint(before), "the programs were swapped"
            before = now
            put(wall, ruleset(10, first="c-drop"))
            flood.settle_on(False)
        assert_exact(wall, flood)


def test_the_flood_notices_a_lost_verdict(lab: Lab, tmp_path: Path) -> None:
    """The tests here can fail: a ruleset without either rule that stays is noticed at once."""
    with route(lab, "tc-ingress", tmp_path) as wall:
        for missing, words, patience in (
            ("dropped", "got through", PATIENCE),
            ("accepted", "was dropped", 2.0),
        ):
            put(wall, ruleset(0))
            with Flood(wall, patience=patience) as flood:
                done(wall, "DELETE", f"/rules/{missing}")
                with pytest.raises(AssertionError, match=words):
                    flood.pass_bursts(3)


class Changer:
    """Makes changes one after the other, in a thread, until the service is gone."""

    def __init__(self, wall: Route, chance: random.Random) -> None:
        self._wall, self._chance = wall, chance
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the service's end has ended it too."""
        self._thread.join(START)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        call, chance = self._wall.service.call, self._chance
        beside = "/interfaces/lo/attachments/tc-egress"
        try:
            while True:
                number = chance.randrange(4000)
                first = chance.choice(["c-drop", "c-accept"])
                # Now and then more than the maps hold, so that some deaths meet a swap of programs.
                size = chance.choice([0, 20, 600, 1_100, 2_200])
                method, path, body = chance.choice(
                    [
                        ("POST", "/rules", {"text": filler(number), "position": 1}),
                        ("POST", f"/rules/{first}/move", {"position": 1}),
                        ("PUT", beside, None),
                        ("DELETE", beside, None),
                        ("PUT", "/ruleset", ruleset(size, first=first, seed=number)),
                    ]
                )
                call(method, path, body)
        except (OSError, HTTPException):
            return


@pytest.mark.parametrize("way", ["xdp-native", "tc-egress"])
def test_kill_9_at_random_moments(wall: Route) -> None:
    """The service dies in the midst of changes: the flood is judged on, and the next start agrees
    with the kernel on rules, revision and counters, and changes them again."""
    chance = random.Random(wall.way)
    with Flood(wall) as flood:
        for _ in range(KILLS):
            changer = Changer(wall, chance)
            changer.start()
            flood.pass_bursts(chance.choice([1, 20, 400]) + chance.randrange(200))
            wall.service.kill()
            changer.join()
            flood.pass_bursts()
            alone = flood.pass_bursts(4)
            wall.service.start()
            status = done(wall, "GET", "/status")
            assert status["on"] is True
            assert {one["state"] for one in status["attachments"]} == {"attached"}
            assert status["attachments"][0]["iface"] == "eth0"
            health = done(wall, "GET", "/healthz")
            assert (health["status"], health["problems"]) == ("ok", [])
            listed = done(wall, "GET", "/rules")
            in_force = kernel_revision(wall)
            assert listed["revision"] == status["revision"] == health["revision"] == in_force
            order = [one["id"] for one in listed["rules"]]
            accepts = order.index("c-accept") < order.index("c-drop")
            assert (alone.received[CHANGING] > 0) is accepts, "what was in force is what is listed"
            first = "c-drop" if accepts else "c-accept"
            done(wall, "POST", f"/rules/{first}/move", {"position": 1})
            flood.settle_on(not accepts)
        assert_exact(wall, flood)
