"""The interfaces that rules can tell apart: every interface is of a kind, and judged as that kind is."""

from __future__ import annotations

from random import Random

import pytest

from xdpwall.check.findings import find_faults
from xdpwall.check.interface_kinds import NO_RULES, interface_kinds, kind_at
from xdpwall.check.members import Members
from xdpwall.rule.iface_selector import Relations, means
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

WORDS = ("eth0", "veth1", "eth*", "veth*", "*th*", "*1", "e*0", "ports:br0", "ports:br1")
NAMES = ("eth0", "eth1", "veth1", "veth2", "lo", "th", "e0", "e10", "eth10")
RELATIONS = (frozenset[str](), frozenset({"ports:br0"}), frozenset({"ports:br1"}))


@pytest.mark.parametrize("seed", range(40))
def test_every_interface_is_of_a_kind_that_is_judged_alike(seed: int) -> None:
    random = Random(seed)
    words = random.sample(WORDS, random.randint(1, 6))
    kinds = interface_kinds(words)
    assert kinds[-1] == NO_RULES and len(set(kinds)) == len(kinds)
    for name in NAMES:
        for relations in RELATIONS:
            kind = kind_at(kinds, name, relations.intersection(words))
            assert kind in kinds
            for word in words:
                assert kind.is_meant(word) is means(word, name, Relations(relations)), (name, word)
    for kind in kinds:
        if kind.name is not None:
            assert all(
                kind.is_meant(w) is means(w, kind.name, Relations(kind.selectors)) for w in words
            )


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["veth*"], ["veth0"]),
        (["veth0", "veth*"], ["veth0", "veth1"]),
        (["e*0", "*th*"], ["e00", "0th0", "eth0"]),
    ],
)
def test_examples_of_names(words: list[str], names: list[str]) -> None:
    assert [kind.name for kind in interface_kinds(words)] == [*names, None]


def test_more_patterns_than_are_combined() -> None:
    words = [f"*{n}*" for n in range(30)]
    kinds = interface_kinds(words)
    assert len(kinds) < 3000
    for word in words:
        assert any(kind.is_meant(word) for kind in kinds)


def faults(*texts: str) -> list[tuple[str, int]]:
    rules = [Rule.parse(text) for text in texts]
    return [(one.fault, one.rule) for one in find_faults(rules, Policy(), Members({})).findings]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("drop tcp on veth*", "accept tcp/22 on veth1"), [("shadowed", 1)]),
        (("drop tcp on veth*", "accept tcp/22 on veth1*"), [("shadowed", 1)]),
        (("drop tcp on veth1*", "accept tcp/22 on veth*"), []),
        (("drop tcp on veth*", "accept tcp/22 on eth*"), []),
        (("drop tcp on not eth*", "accept tcp/22 on veth*"), [("shadowed", 1)]),
        (("drop tcp on not *1", "accept tcp/22 on veth*"), []),
        (("drop tcp on *", "accept tcp/22 on ports:br0"), []),
        (("drop tcp on ports:br0", "accept tcp/22 on ports:br0"), [("shadowed", 1)]),
        (("drop tcp on not ports:br1", "accept tcp/22 on ports:br0"), [("shadowed", 1)]),
        (("drop tcp on ports:br0", "accept tcp/22 on veth*"), []),
        (("drop tcp on veth*", "drop tcp on not veth*", "accept tcp/22"), [("shadowed", 2)]),
        (
            ("drop tcp on not veth*", "drop tcp on not *1", "accept tcp/22 on eth1"),
            [("shadowed", 2)],
        ),
        (("drop tcp on not eth*", "drop tcp on not *1", "accept tcp/22 on eth1"), []),
    ],
)
def test_rules_that_never_decide(texts: tuple[str, ...], found: list[tuple[str, int]]) -> None:
    assert [one for one in faults(*texts) if one[0] == "shadowed"] == found
