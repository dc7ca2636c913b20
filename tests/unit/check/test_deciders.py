"""Who decides the first packets of connections to a port: against the reference over a small world."""

from __future__ import annotations

from random import Random

import pytest

from tests.support.oracle.reference.judge import Attachment
from tests.unit.check.support import SETS, decider, draw_rules, packets
from xdpwall.check.deciders import deciders
from xdpwall.check.members import Members
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.entries import Entries

HELD = Members({name: Entries.of(entries) for name, entries in SETS.items()})
PORT = Rule.parse("count tcp/80 on eth0 in")


@pytest.mark.parametrize("seed", range(20))
def test_against_every_packet_of_a_small_world(seed: int) -> None:
    rules = draw_rules(Random(seed))
    where = Attachment("eth0", "ingress")
    first = [
        one
        for one in packets()
        if (one.proto, one.dport, one.tcp_flags, one.fragment) == (6, 80, 2, "none")
    ]
    decide = {decider(rules, packet, where) for packet in first}
    (found,) = deciders(rules, Policy(), HELD, [PORT])
    assert found is not None
    assert found.rules == tuple(sorted(n for n in decide if n is not None))
    assert found.policy == (None in decide)


@pytest.mark.parametrize(
    ("sentences", "rules", "policy"),
    [
        ((), (), True),
        (("drop tcp/80",), (0,), False),
        (("drop tcp/80 from 10.0.0.0/8", "accept tcp"), (0, 1), False),
        (("accept tcp/1-100", "drop tcp/80"), (0,), False),
        # What no first packet is: an answer, a packet in the middle, one of another interface or direction.
        (("accept state established,related", "drop tcp/80 flags ack/ack"), (), True),
        (("drop tcp/80 on eth1", "drop tcp/80 out", "drop udp/80", "drop icmp"), (), True),
        (("drop tcp/80 state new", "accept"), (0,), False),
        (("drop tcp/80 flags syn/syn",), (0,), False),
        # A rate is at rest, and a rule that counts decides nothing.
        (("drop tcp/80 over 9/s", "accept tcp/80 limit 9/s", "count tcp/80"), (1,), False),
        (("drop tcp/80 from not @bad", "drop from @bad", "accept"), (0, 1), False),
    ],
)
def test_a_table(sentences: tuple[str, ...], rules: tuple[int, ...], policy: bool) -> None:
    given = [Rule.parse(one) for one in sentences]
    (found,) = deciders(given, Policy(), HELD, [PORT])
    assert found is not None
    assert (found.rules, found.policy) == (rules, policy)


def test_rules_that_are_disabled_keep_their_place() -> None:
    off = Rule.parse("drop tcp/80").model_copy(update={"enabled": False})
    other = Rule.parse("count udp/53")
    rules = [off, Rule.parse("drop tcp/80"), Rule.parse("drop udp")]
    found, beside = deciders(rules, Policy(), HELD, [PORT, other])
    assert found is not None and found.rules == (1,)
    assert beside is not None and beside.rules == (2,)
