"""Each known difference from nftables, with the verdict of Linux's own stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.judge.known import KNOWN
from tests.judge.nft import Nftables
from tests.judge.victim import REACHES, Victim, check_alone, one_cpu
from tests.support.kernel.attached_dataplane import NUMBER, AttachedDataplane
from tests.support.net.netns import Lab
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

BY_NAME = {known.name: known for known in KNOWN}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Victim, AttachedDataplane, Nftables]]:
    """One victim with both firewalls in front of it, of which one is on at a time."""
    lab = Lab(__name__)
    lab.clean()
    with one_cpu():
        victim = Victim(lab)
        with AttachedDataplane(victim.host, "v0", "tc ingress", lab.bpffs / "wall") as plane:
            yield victim, plane, Nftables(victim.host, "v0")
    victim.close()
    lab.clean()


@pytest.mark.parametrize("name", BY_NAME)
def test_disagreement(both: tuple[Victim, AttachedDataplane, Nftables], name: str) -> None:
    victim, plane, nftables = both
    known = BY_NAME[name]
    rule = Rule.parse(known.rule)
    rest = "drop" if rule.action == "accept" else "accept"
    number = 1000 * (1 + list(BY_NAME).index(name))
    plane.load([])
    nftables.unload()
    check_alone(victim, known.frames(number), known.alone)
    frames = known.frames(number + 10)

    nftables.load([rule], rest)
    reached_by_nftables = victim.suffer(frames)
    assert nftables.dropped() == known.nftables
    nftables.unload()

    plane.load([rule], Policy(ingress="drop" if rest == "drop" else "accept"))
    frames = known.frames(number + 11)
    before = plane.dataplane.counters.read_totals([NUMBER])[0].dropped.packets
    reached_by_us = victim.suffer(frames)
    assert (
        plane.dataplane.counters.read_totals([NUMBER])[0].dropped.packets - before == known.xdpwall
    )
    if known.alone == REACHES:
        assert bool(reached_by_nftables) == (known.nftables == 0)
        assert bool(reached_by_us) == (known.xdpwall == 0)
