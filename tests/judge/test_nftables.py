"""nftables as a second reference: the same random rules and frames in two equal labs.

Three answers are compared for each frame and rule: ours at tc and at XDP, and nftables'. Ours must
be the reference classifier's. Where nftables differs, it must do so for a reason in known.py, and
exactly as nft_decode.py, which is written after Linux's source, says that it reads the frame.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import pytest

from tests.judge.attacks_fragments import FRAGMENTS
from tests.judge.attacks_headers import HEADERS
from tests.judge.bridge_watch import BridgeWatch
from tests.judge.known import KNOWN, reason
from tests.judge.nft import Nftables, spellings
from tests.judge.nft_decode import decode_as_nftables
from tests.judge.victim import one_cpu
from tests.support.kernel.attached_dataplane import AttachedDataplane
from tests.support.net.netns import Lab
from tests.support.oracle.duel.framedraw import draw_frames
from tests.support.oracle.duel.ruledraw import draw_rule
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.judge import Attachment, matches
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.oracle.reference.packet import Packet
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule


class Seen(NamedTuple):
    """One frame, as we see it and as nftables does."""

    frame: bytes
    ours: Packet
    theirs: Packet


SEED = 20261121
CASES = [(attack.rule, attack.frames) for attack in (*FRAGMENTS, *HEADERS)]
CASES += [(known.rule, known.frames) for known in KNOWN]
RULES, FRAMES = 120, 160
WHERE = Attachment("v0", "ingress")
LAST_PASSES = Rule.parse("accept ethertype 0x88b6")
NOTHING_ELSE = Rule.parse("drop ethertype any")


@pytest.fixture
def random() -> Random:
    return Random(SEED)


def draw_rules(random: Random) -> list[Rule]:
    """Rules that nftables can express, half drop, half accept; many about the upper layer."""
    drawn: list[Rule] = []
    while len(drawn) < 4 * RULES:
        rule = draw_rule(random).changed({"iface": None, "direction": None, "expires": None})
        if spellings(rule):
            drawn.append(rule)
    drawn.sort(key=lambda rule: not (rule.sport or rule.dport or rule.tcp_flags or rule.icmp_type))
    sentences = dict.fromkeys(rule for rule, _ in CASES)
    flags = [Rule.parse(f"drop tcp flags {flags}") for flags in ("fin", "syn/syn,ack", "none/rst")]
    actions = itertools.cycle(("drop", "accept"))
    return [
        *map(Rule.parse, sentences),
        *(rule.changed({"action": next(actions)}) for rule in flags + drawn[:RULES]),
    ]


def draw_burst(random: Random, rules: Sequence[Rule]) -> list[bytes]:
    """Those of the attacks and of the known disagreements, then random ones."""
    frames = [frame for number, (_, made) in enumerate(CASES) for frame in made(number)]
    for _ in range(FRAMES):
        frames += draw_frames(random, rules)
    return list(filter(_fit, frames))


def _fit(frame: bytes) -> bool:
    """Neither too short nor too long to be sent, and not cut off inside an address.

    Of those nftables reads what a prefix of whole bytes needs; test_attacks.py has them all.
    """
    seen = decode_as_nftables(frame)
    cut = seen.family is not None and seen.ttl is not None and seen.dst is None
    return 14 <= len(frame) <= 1500 and not cut


@pytest.fixture
def labs(lab: Lab) -> Iterator[dict[str, BridgeWatch]]:
    """Three equal labs."""
    with one_cpu():
        made = {name: BridgeWatch(lab, name) for name in ("tc", "xdp", "nft")}
        yield made
        for each in made.values():
            each.close()


def test_same_verdicts(lab: Lab, labs: dict[str, BridgeWatch], random: Random) -> None:
    rules = draw_rules(random)
    frames = draw_burst(random, rules)
    # A few are dropped by Linux ahead of every judge, such as those with a tag that is cut off.
    through = [watch.passed(frames) for watch in labs.values()]
    assert through[0] == through[1] == through[2]
    assert len(through[0]) > 0.9 * len(frames)
    frames = [frames[i] for i in sorted(through[0])]
    memory = FragmentMemory()
    ours = [memory.meet(decode(frame)) for frame in frames]
    theirs = [decode_as_nftables(frame) for frame in frames]

    reasons: Counter[str] = Counter()
    tally: Counter[str] = Counter()
    with (
        AttachedDataplane(labs["tc"].host, "v0", "tc ingress", lab.bpffs / "tc") as tc,
        AttachedDataplane(labs["xdp"].host, "v0", "xdp native", lab.bpffs / "xdp") as xdp,
    ):
        nftables = Nftables(labs["nft"].host, "v0")
        for rule in rules:
            ruleset = [LAST_PASSES, rule]
            ruleset += [NOTHING_ELSE] if rule.action == "accept" else []
            for judge in (tc, xdp, nftables):
                judge.load(ruleset)
            answers = {name: watch.passed(frames) for name, watch in labs.items()}
            accepting = rule.changed({"action": "accept"})
            for number, frame in enumerate(frames):
                seen = Seen(frame, ours[number], theirs[number])
                passed = {name: number in answer for name, answer in answers.items()}
                read = matches(accepting, seen.theirs, WHERE) is not None
                matched = matches(rule, seen.ours, WHERE) is not None
                accepts = rule.action == "accept"
                assert passed["tc"] == passed["xdp"] == (matched == accepts), f"{rule.text} {seen}"
                assert passed["nft"] == (read == accepts), f"{rule.text} {seen}"
                tally["all"] += 1
                tally["matched"] += matched
                if passed["nft"] == passed["tc"]:
                    tally["same"] += 1
                    continue
                name = reason(*seen)
                assert name is not None, f"{rule.text} {seen}"
                reasons[name] += 1
    assert set(reasons) == {known.name for known in KNOWN}, reasons
    # The comparison is about something: enough of both verdicts, and nearly always the same.
    assert tally["same"] > 0.8 * tally["all"]
    assert tally["matched"] > 0.1 * tally["all"]


def test_every_field_is_compared(random: Random) -> None:
    named = Counter(
        name
        for rule in draw_rules(random)
        for name in Match._fields
        if getattr(match_of(rule), name) is not None
    )
    # Rules about sets are held against the reference (tests/firewall/test_sets_at_size.py), of rates the
    # time decides (tests/packets/test_rates.py), and of states what went before (test_flows_property.py).
    wanted = {*Match._fields} - {"iface", "egress", "src_set", "dst_set", "rate", "state"}
    assert {name for name, count in named.items() if count >= 5} == wanted, named
