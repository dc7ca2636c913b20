"""Thousands of rules, many of them about sets, through the facade: verdicts and counters by the
fast reference. Sets overlap, have prefixes inside prefixes, and rules negate them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from tests.firewall.support import Site
from tests.support.oracle.classbench.generate import BOTH, MIXED, ruleset
from tests.support.oracle.classbench.traffic import mixture
from tests.support.oracle.duel.framedraw import aim, draw_frames, draw_recipe
from tests.support.oracle.duel.recipe import build
from tests.support.oracle.reference.columns import Columns
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.fast import judge_many
from tests.support.oracle.reference.judge import Attachment, judge
from tests.support.oracle.reference.members import SetMembers
from tests.support.oracle.reference.memory import FragmentMemory
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.xdp import xdp_query
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.sets.entries import Entries

SEED = 20_261_121
RULES, PACKETS, SETS, ENTRIES = 1_000, 3_000, 8, 150
HERE = Attachment("veth0", "ingress")
XDP_DROP = 1


def draw_sets(random: Random) -> dict[str, list[str]]:
    """Entries of a few neighbourhoods, so that sets share addresses and prefixes nest."""
    hubs = {4: [random.getrandbits(32) for _ in range(12)], 6: [0x2400 << 112, 0x2A00 << 112]}
    found = {}
    for number in range(SETS):
        entries: set[str] = set()
        while len(entries) < ENTRIES:
            family = random.choice((4, 4, 6))
            bits = 32 if family == 4 else 128
            length = random.choice(
                (bits, bits, bits, 12, 16, 20, 24, 28, 31, random.randint(8, bits))
            )
            spread = random.choice((6, 10, 14, 24)) if family == 4 else random.choice((8, 70, 100))
            address = random.choice(hubs[family]) ^ random.getrandbits(spread)
            kind = ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network
            entries.add(str(kind((address, length), strict=False)))
        found[f"s{number}"] = sorted(entries)
    return found


def draw_rules(random: Random, names: Sequence[str]) -> list[Rule]:
    """Generated rules; in a quarter of them a set stands for an address."""
    rules = []
    for made in ruleset("ipc", RULES, SEED, families=BOTH, actions=MIXED):
        if random.random() < 0.25:
            for side in random.choice((("src",), ("dst",), ("src", "dst"))):
                made[side] = random.choice(("@", "@", "@", "!@")) + random.choice(names)
        rules.append(Rule.parse(made))
    return rules


def draw_packets(random: Random, rules: list[Rule], sets: dict[str, list[str]]) -> list[bytes]:
    """A third around other rules; two from or to entries of the sets that a rule names, or beside."""
    plain = [rule for rule in rules if "@" not in rule.text]
    about = [rule for rule in rules if "@" in rule.text]
    frames = mixture(random, plain, PACKETS // 3)
    while len(frames) < PACKETS:
        m = match_of(random.choice(about))
        recipe = replace(aim(random, draw_recipe(random), m), before=(), behind=(), tags=())
        for side, chosen in (("src", m.src_set), ("dst", m.dst_set)):
            texts = sets[chosen[1] if chosen else random.choice(list(sets))]
            net = ipaddress.ip_network(random.choice(texts))
            if net.version == recipe.family:
                number = int(net.network_address) + random.randrange(net.num_addresses)
                number ^= random.choice((0, 0, 1))
                ip = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
                recipe = replace(recipe, **{side: str(ip(number))})  # type: ignore[arg-type]
        frames.append(build(recipe))
        if random.random() < 0.05:
            frames += draw_frames(random, plain)
    return frames


@pytest.fixture
def random() -> Random:
    return Random(SEED)


def test_both_references_agree_about_sets(random: Random) -> None:
    sets = draw_sets(random)
    rules = draw_rules(random, list(sets))[::8]
    frames = draw_packets(random, rules, sets)[::4]
    members = {name: SetMembers(texts) for name, texts in sets.items()}
    slow_memory, fast_memory = FragmentMemory(), FragmentMemory()
    columns = Columns.of(fast_memory.meet(decode(frame)) for frame in frames)
    fast = judge_many(columns, rules, Policy(), HERE, sets=members)
    slow = [judge(frame, rules, Policy(), HERE, slow_memory, sets=members) for frame in frames]
    assert [-1 if s.rule is None else s.rule for s in slow] == fast.decider.tolist()
    assert [s.dropped for s in slow] == fast.dropped.tolist()


def test_the_product_agrees_with_the_reference(site: Site, random: Random) -> None:
    sets = draw_sets(random)
    rules = draw_rules(random, list(sets))
    frames = draw_packets(random, rules, sets)
    members = {name: SetMembers(texts) for name, texts in sets.items()}
    memory = FragmentMemory()
    columns = Columns.of(memory.meet(decode(frame)) for frame in frames)
    wanted = judge_many(columns, rules, Policy(), HERE, sets=members)
    with site.open() as firewall:
        firewall.attach("veth0")
        for name, texts in sets.items():
            firewall.replace_set(name, Entries.of(texts))
        firewall.apply(Ruleset.parse({"version": 1, "rules": [rule.to_json() for rule in rules]}))
        number = xdp_query(site.host.index("veth0")).ids[0]
        with Program.open_id(number) as program:
            got = [program.test_run(frame, out_size=0).retval == XDP_DROP for frame in frames]
        counted = [(rule.packets, rule.bytes) for rule in firewall.rules().rules]
    wrong = np.flatnonzero(np.array(got) != wanted.dropped)
    assert not len(wrong), [
        (frames[i].hex(), rules[d].text if (d := wanted.decider[i]) >= 0 else "policy")
        for i in wrong[:5]
    ]
    right = list(zip(wanted.packets.tolist(), wanted.bytes.tolist(), strict=True))
    differ = [
        (rules[i].text, c, r) for i, (c, r) in enumerate(zip(counted, right, strict=True)) if c != r
    ]
    assert not differ, differ[:5]
    # Not vacuous: many of the rules that decided name sets.
    by_set = [i for i in np.unique(wanted.decider) if i >= 0 and "@" in rules[i].text]
    assert len(by_set) > 50
