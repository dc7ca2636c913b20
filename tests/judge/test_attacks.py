"""Every attack of the table on a real veth: the rule holds, or the frames are harmless by
themselves, which Linux's own counters show."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.judge.attacks import ping6, tcp, udp, v4, v6
from tests.judge.attacks_fragments import FRAGMENTS
from tests.judge.attacks_headers import HEADERS
from tests.judge.victim import REACHES, Victim, check_alone, one_cpu
from tests.support.kernel.attached_dataplane import HOOKS, NUMBER, AttachedDataplane
from tests.support.net.netns import Lab
from tests.support.packets import frames as f

ATTACKS = {attack.name: attack for attack in (*FRAGMENTS, *HEADERS)}
ORDINARY: dict[str, Callable[[int], list[bytes]]] = {
    "udp": lambda n: [v4(udp(), n)],
    "tcp": lambda n: [v4(tcp(n), n)],
    "icmp": lambda n: [v4(f.icmp(), n)],
    "icmpv6": lambda n: [v6(ping6())],
}


@pytest.fixture(scope="module", params=HOOKS)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Victim, AttachedDataplane]]:
    """The victim, and the firewall in front of it."""
    lab = Lab(f"{__name__} {request.param}")
    lab.clean()
    with one_cpu():
        victim = Victim(lab)
        with AttachedDataplane(victim.host, "v0", request.param, lab.bpffs / "wall") as plane:
            yield victim, plane
    victim.close()
    lab.clean()


_attempts = iter(range(100, 20000))


@pytest.mark.parametrize("name", ATTACKS)
def test_the_rule_holds(place: tuple[Victim, AttachedDataplane], name: str) -> None:
    victim, plane = place
    attack = ATTACKS[name]
    frames = attack.frames(next(_attempts))
    plane.load([attack.rule], attack.policy)
    before = plane.dataplane.counters.read_totals([NUMBER])[0].dropped.packets
    assert victim.suffer(frames) == set()
    dropped = plane.dataplane.counters.read_totals([NUMBER])[0].dropped.packets - before
    assert dropped == attack.dropped_of(len(frames), plane.hook)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_linux_does_alone(place: tuple[Victim, AttachedDataplane], name: str) -> None:
    """A drop where the frames do get through otherwise; what passes must be harmless."""
    victim, plane = place
    attack = ATTACKS[name]
    plane.switch(False)
    try:
        check_alone(victim, attack.frames(next(_attempts)), attack.alone)
    finally:
        plane.switch(True)
    assert attack.alone != REACHES or attack.dropped != 0


def test_the_victim_answers(place: tuple[Victim, AttachedDataplane]) -> None:
    """Else nothing above would mean anything: each kind of packet gets through when allowed."""
    victim, plane = place
    plane.load(["drop udp/54"])
    for kind, frames in ORDINARY.items():
        assert victim.suffer(frames(next(_attempts))) == {kind}
