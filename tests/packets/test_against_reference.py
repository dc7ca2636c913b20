"""Random rulesets and frames, judged by the programs and by the reference: no difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.duel.draw import draw_case
from tests.support.oracle.duel.duel import Duel, rulings
from tests.support.oracle.duel.shrink import Shrinker
from tests.support.oracle.reference.decode import NESTED
from tests.support.oracle.reference.judge import Ruling, judge
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.packets import frames as f
from xdpwall.compiler import address_table6
from xdpwall.dataplane.map_set import TRIES
from xdpwall.rule.field_names import MATCH_FIELDS
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

SEED = 20_261_121
CASES = 210
FRAMES = 20_000
HIDERS = (
    "behind a third VLAN tag",
    "a VLAN tag is cut off",
    "the IPv4 header is cut off",
    "the IPv4 header says version 6",
    "the IPv4 header says that it has 4 words",
    "the IPv4 total length is below the header's",
    "the IPv6 header is cut off",
    "the IPv6 header says version 4",
    "a jumbogram's length is in an option",
    "more than 8 extension headers",
    "an extension header is cut off",
    "an authentication header of under 12 bytes",
    NESTED,
    "the first fragment was not seen",
    "a TCP fragment at 8 bytes would overwrite the flags",
    "the ports are cut off",
    "the TCP flags are cut off",
    "the ICMP header is cut off",
)


def test_flags_that_the_first_fragment_hid_are_counted_as_malformed(bench: KernelBench) -> None:
    first = f.ether(f.ipv4(f.raw(6, b"\x04\0\0\x50"), more=True))
    later = f.ether(f.ipv4(f.raw(6, bytes(24)), offset=3))
    case = Case((), Policy(), (Step("xdp", first), Step("xdp", later)))
    assert Duel(bench).run(case) is None


def test_programs_and_reference_agree(bench: KernelBench) -> None:
    duel = Duel(bench)
    reached: Counter[str] = Counter()
    for seed in range(SEED, SEED + CASES):
        case = draw_case(seed)
        wanted = rulings(case, bench.iface, duel.by)
        if duel.run(case, wanted) is not None:
            least = Shrinker(lambda smaller: duel.run(smaller) is not None).shrink(case)
            pytest.fail(f"seed {seed}: {duel.run(least)}\n{least.as_code()}")
        _note(reached, case, wanted)
    assert reached["frames"] >= FRAMES
    rare = {name: reached[name] for name in _wanted() if reached[name] < 5}
    assert not rare, f"the random cases hardly reach these any more: {rare}"


def test_tries_agree_too(bench: KernelBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPv6 prefixes that would need too many blocks stand in longest-prefix tries."""
    monkeypatch.setattr(address_table6, "MAX_BLOCKS", 0)
    duel, tries = Duel(bench), 0
    for seed in range(SEED + CASES, SEED + CASES + 25):
        case = draw_case(seed)
        assert duel.run(case) is None, f"seed {seed}"
        maps = bench.dataplane.map_set.maps
        tries += any(next(iter(maps[name].keys()), None) is not None for name in TRIES)
    assert tries > 5


def _note(reached: Counter[str], case: Case, wanted: Sequence[Ruling]) -> None:
    """What the random cases came to, so that they cannot quietly stop testing something."""
    for ruling in wanted:
        packet = ruling.packet
        reached["frames"] += 1
        reached.update(set(packet.hidden.values()))
        for index in ruling.counted:
            reached.update(list(case.rules[index].to_json()))
        if ruling.rule is not None:
            hidden = " on what can't be read" if "can't be read" in ruling.why else ""
            reached[f"{case.rules[ruling.rule].action}{hidden}"] += 1
        if packet.fragment == "later" and not packet.hidden:
            reached["a later fragment with its first"] += 1
        if "neighbour discovery" in ruling.why:
            listener = packet.ttl == 1
            reached["listener discovery" if listener else "neighbour discovery"] += 1
        elif packet.ttl == 1 and packet.icmp_type in (130, 131, 132, 143):
            reached["almost listener discovery"] += ruling.policy_dropped
        if packet.fragment == "later" and NESTED in packet.hidden.values():
            reached["a later fragment behind an atomic fragment header"] += 1
        reached["dropped by policy"] += ruling.policy_dropped
        reached["not IP, dropped by policy"] += ruling.policy_dropped and packet.family is None


def _wanted() -> list[str]:
    return [
        # No match of a frame alone: `log` is not one, of rates the time decides (test_rates.py), and states
        # have a reference of their own (test_flows_property.py).
        *(name for name in MATCH_FIELDS if name not in ("log", "limit", "over", "state")),
        *HIDERS,
        "drop",
        "accept",
        "drop on what can't be read",
        "a later fragment with its first",
        "neighbour discovery",
        "listener discovery",
        "almost listener discovery",
        "a later fragment behind an atomic fragment header",
        "dropped by policy",
        "not IP, dropped by policy",
    ]


def _blind_to_ttl(frame: bytes, rules: Sequence[Rule], *rest: Any) -> Ruling:
    return judge(frame, [rule.changed({"ttl": None}) for rule in rules], *rest)


def _forgetful(frame: bytes, rules: Sequence[Rule], policy: Any, where: Any, _: Any) -> Ruling:
    return judge(frame, rules, policy, where, FragmentMemory())


@pytest.mark.parametrize(
    ("planted", "most_rules", "steps"), [(_blind_to_ttl, 1, 1), (_forgetful, 1, 2)]
)
def test_a_planted_fault_is_found_and_shrunk(
    bench: KernelBench, planted: Any, most_rules: int, steps: int
) -> None:
    """The comparison sees a fault, and what is printed of it is small enough to read."""
    wrong, right = Duel(bench, planted), Duel(bench)

    def fails(case: Case) -> bool:
        return wrong.run(case) is not None and right.run(case) is None

    failing = next(case for seed in range(100) if fails(case := draw_case(seed)))
    least = Shrinker(fails, seconds=300).shrink(failing)
    assert len(least.steps) == steps
    assert len(least.rules) <= most_rules
    assert least == Case.from_json(least.to_json())
    names = {"Case": Case, "Step": Step, "Rule": Rule, "Policy": Policy}
    assert eval(least.as_code(), names) == least
