"""Programs hold what the rules use: more before a rule that needs more, less when there is time;
and a rule of many is a change of what it touches. Judged by packets, not only by what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.firewall.support import Site, dataplane_of, rules
from tests.support.net.netns import wait_for
from xdpwall.abi import Feature
from xdpwall.compiler.generation import Generation
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.ruleset.ruleset import Ruleset


def features(site: Site) -> Feature:
    """What every program in place can judge by, as the kernel's word says."""
    dataplane = Dataplane(site.settings.bpffs)
    dataplane.open()
    try:
        return dataplane.control.features
    finally:
        dataplane.close()


def test_a_command_leaves_programs_that_do_no_more_than_they_need(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        assert features(site) == Feature(0)
        first = firewall.status().attachments[0].program_id
        firewall.add_rules(rules("drop icmp from 10.9.0.2"))
        assert features(site) == Feature.RULES | Feature.SRC
        second = firewall.status().attachments[0].program_id
        assert second != first
        assert site.ping() == 0
        packets = firewall.rules().rules[0].packets
        assert packets == 3
        # No other feature: the program stays.
        firewall.add_rules(rules("drop udp from 10.9.0.3"))
        assert firewall.status().attachments[0].program_id == second
        firewall.delete_rules(["r2"])
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp/80 ttl 3"), at=1)
        assert features(site) >= Feature.RULES | Feature.SRC | Feature.SIZE | Feature.COUNTING
        assert firewall.rules().rules[1].packets == packets
        assert site.ping() == 0
        firewall.flush()
        assert features(site) == Feature(0)
        assert site.ping() == 3


def test_a_service_narrows_down_when_nothing_changes(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp from 10.9.0.2", "drop tcp/22"))
        assert features(site) >= Feature.RULES | Feature.SRC | Feature.DPORT
        firewall.apply(Ruleset(tuple(rules("drop icmp"))))
        assert site.ping() == 0
        wait_for(lambda: features(site) == Feature.RULES, "smaller programs")
        assert site.ping() == 0
        assert firewall.health().problems == []


def test_rules_come_move_and_go_one_by_one_among_many(site: Site) -> None:
    many = [f"drop udp/{n} from 10.8.{n >> 8}.{n & 255}" for n in range(1, 400)]
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        firewall.apply(Ruleset(tuple(rules(*many, "accept icmp from 10.9.0.2"))))
        assert site.ping() == 3
        firewall.add_rules(rules("drop icmp from 10.9.0.0/24"), at=1)
        assert site.ping() == 0
        dropper = firewall.rules().rules[0]
        assert dropper.packets == 3
        for position in (401, 200, 401):
            firewall.move_rule(dropper.id, position)
            assert site.ping() == (0 if position == 200 else 3)
            assert firewall.rule(dropper.id).position == position
        firewall.enable_rules(["r400"], False)
        assert site.ping() == 0
        firewall.enable_rules(["r400"], True)
        firewall.set_rule("r400", {"src": "10.9.0.9"})
        assert site.ping() == 0
        firewall.delete_rules([dropper.id])
        assert site.ping() == 3
        firewall.delete_rules([f"r{n}" for n in range(1, 50)])
        firewall.add_rules(rules("drop icmp"), at=3)
        assert site.ping() == 0
    # What was written bit by bit is what is on disk: a whole compilation says the same.
    site.forget_kernel()
    with site.open() as firewall:
        firewall.restore()
        assert len(firewall.rules().rules) == 352
        assert site.ping() == 0


def test_a_change_that_fails_half_way_leaves_the_next_one_right(site: Site) -> None:
    """What is changed in memory before the disk refuses must not be taken for what is in force."""
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop udp/1 from 10.8.0.1", "accept icmp from 10.9.0.2"))
        firewall.add_rules(rules("drop tcp/1 from 10.8.0.2"))
        revisions = firewall._instance.store.revisions
        record = revisions.record

        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("the disk")

        revisions.record = refuse  # type: ignore[method-assign]
        try:
            firewall.add_rules(rules("drop icmp"), at=1)
        except RuntimeError:
            pass
        finally:
            revisions.record = record  # type: ignore[method-assign]
        assert site.ping() == 3
        firewall.add_rules(rules("drop udp/2 from 10.8.0.3"))
        assert site.ping() == 3
        assert [rule.text for rule in firewall.rules().rules] == [
            "drop udp/1 from 10.8.0.1",
            "accept icmp from 10.9.0.2",
            "drop tcp/1 from 10.8.0.2",
            "drop udp/2 from 10.8.0.3",
        ]


def test_rules_about_sets_join_in_place(site: Site) -> None:
    """Also negated ones, and beside rules about the other family's prefixes."""
    first = ["drop udp from !@a to !@b", "drop icmpv6 from fd00::/8", "count icmp from 10.8.0.0/16"]
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        for name in ("a", "b"):
            firewall.create_set(name)
        firewall.change_set("a", add=["10.9.0.0/24"])
        firewall.change_set("b", add=["10.9.0.1"])
        firewall.apply(Ruleset(tuple(rules(*first, "drop icmp from 192.0.2.1"))))
        steps = [
            ("drop icmp from !@a", 1, 3),
            ("accept icmp from @a to @b", 1, 3),
            ("drop icmp from @a", 2, 3),
            ("drop icmp to @b", 1, 0),
            ("accept icmp to !@b", 1, 0),
            ("accept icmp from 10.9.0.2 to @b", 1, 3),
            ("drop icmp from !@b to @b", 1, 0),
            ("accept icmp from !10.9.0.0/25", 1, 0),
        ]
        for text, at, replies in steps:
            dataplane = dataplane_of(firewall)
            before = dataplane.generations.active
            assert before is not None
            firewall.add_rules(rules(text), at=at)
            assert dataplane.generations.active is before, text
            assert site.ping() == replies, text
        # A class that comes makes it whole again, and what joined is kept.
        firewall.change_set("b", add=["10.9.0.2"])
        assert site.ping() == 3
        firewall.change_set("b", remove=["10.9.0.2"])
        assert site.ping() == 0
        for _, _, replies in reversed(steps[3:]):
            assert site.ping() == replies
            firewall.delete_rules([firewall.rules().rules[0].id])
        assert site.ping() == 3


def test_a_change_in_place_that_fails_is_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is half changed in memory must not be what the next change builds on."""
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        firewall.apply(Ruleset(tuple(rules("drop icmp from 10.9.0.2", "drop tcp/22"))))
        with monkeypatch.context() as patch:
            patch.setattr(Generation, "add_rule", refuse)
            with pytest.raises(MemoryError):
                firewall.add_rules(rules("accept icmp from 10.9.0.0/24"), at=1)
        assert site.ping() == 0
        firewall.add_rules(rules("drop tcp/22 from 10.9.0.3"), at=1)
        assert site.ping() == 0
        assert [rule.packets for rule in firewall.rules().rules] == [0, 6, 0]


def test_one_range_of_ports_cuts_through_many_others(site: Site) -> None:
    """More new classes of ports than there is room for: those behind them stay what they are."""
    many = [f"drop udp/{n},{n + 2000}" for n in range(1, 141, 2)]
    with site.open(service=True) as firewall:
        firewall.attach("veth0")
        firewall.apply(Ruleset(tuple(rules("drop icmp from 10.9.0.2", "accept tcp/9", *many))))
        firewall.add_rules(rules("accept tcp/1-1000"))
        assert site.ping() == 0


@pytest.mark.parametrize("grows", [False, True])
def test_programs_that_no_row_tells_of_look_at_what_rules_need(site: Site, grows: bool) -> None:
    """Rows of attachments were lost: what is attached goes on, by the tables that all share."""
    site.prepare("drop icmp from 10.9.0.2")
    assert site.ping(1) == 0
    more = [f"drop udp/{n} from 10.8.0.1" for n in range(1, 500 if grows else 2)]
    with site.open() as firewall:
        for row in firewall._instance.attachments:
            firewall._instance.store.attachments.delete(row)
        firewall.delete_rules(["r1"])
        firewall.add_rules(rules("drop icmp ttl 3", *more))
        assert [row.words for row in firewall._instance.attachments] == []
        assert "does not know it" in firewall.status().warnings[0]
        assert site.ping(1) == 1
        firewall.add_rules(rules("drop icmp ttl 3-255"))
        assert site.ping(1) == 0
        firewall.detach(None)


def refuse(*_: Any) -> None:
    raise MemoryError
