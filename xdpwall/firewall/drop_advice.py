"""Which rules a drop policy needs so that what this host does now goes on, as sentences. Pure.

First match over the rules in Python, for packets of which a few fields are known: a help before the
switch, not a proof. What a rule drops is meant to be dropped, and no rule is missing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from xdpwall.rule.known_packet import Holds, KnownPacket, matches, no_set_known
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

if TYPE_CHECKING:
    from .rule_index import Deciding

LOOPBACK = "lo"
MOST_WORDED = 12
"""Missing rules that are worded as warnings; one more sentence says how many there are."""
MOST = 100
"""Missing rules in one answer."""

_FEW = 2
"""More peers of one service than these get one rule for all of them."""
_LOOKED_AT = 50
"""Peers of one service that are looked at."""
_ICMPV6 = 58
_DISCOVERY = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})
"""ICMPv6 types of neighbour and listener discovery: RFC 4861, RFC 2710, RFC 3810."""


@dataclass(frozen=True, slots=True)
class Need:
    """Packets of one direction that this host takes or sends, and the rule that accepts them."""

    words: str
    sentence: str
    packets: tuple[KnownPacket, ...]
    ifaces: frozenset[str] | None = None
    """Where they pass; None is every interface but loopback."""
    any_peer: bool = False
    """Nobody knows from where they come: a rule for some of the peers is somebody's decision."""
    wider: Need | None = None
    """The same for all peers."""

    @property
    def egress(self) -> bool:
        """Whether this host sends them."""
        return self.packets[0].egress

    def passes(self, iface: str) -> bool:
        """Whether these packets pass an interface."""
        return iface != LOOPBACK if self.ifaces is None else iface in self.ifaces


@dataclass(frozen=True, slots=True)
class MissingRule:
    """What no rule accepts, and the sentence of the rule that would."""

    words: str
    sentence: str

    @property
    def warning(self) -> str:
        """Both in one sentence, with the call to paste."""
        return f"no rule accepts {self.words}: xdpwall rule add {self.sentence}"


def warnings_of(missing: Sequence[MissingRule]) -> list[str]:
    """No more than a person reads."""
    found = [one.warning for one in missing[:MOST_WORDED]]
    if len(missing) > MOST_WORDED:
        found.append(
            f"missing rules not shown: {len(missing) - MOST_WORDED}; `missing_rules` of -o json has all"
        )
    return found


def missing_rules(
    needs: Iterable[Need],
    rules: Iterable[Rule],
    policy: Policy,
    places: Iterable[tuple[str, bool]],
    holds: Holds = no_set_known,
) -> list[MissingRule]:
    """The rules to add behind `rules` so that the policy drops none of these packets.

    `places`: (interface, whether egress) of each attachment. At most MOST.
    """
    judge = _Judge(rules, policy, places, holds)
    several: dict[Need, list[Need]] = {}
    looked_at: dict[Need, int] = {}
    found: list[MissingRule] = []
    for need in needs:
        if need.wider is None:
            found += judge.missing(need)
            continue
        looked_at[need.wider] = looked_at.get(need.wider, 0) + 1
        alike = several.setdefault(need.wider, [])
        if len(alike) <= _FEW and looked_at[need.wider] <= _LOOKED_AT and judge.where(need):
            alike.append(need)
    for wider, alike in several.items():
        for need in [wider] if len(alike) > _FEW else alike:
            found += judge.missing(_everywhere(need, alike))
    return found[:MOST]


def _everywhere(need: Need, alike: Sequence[Need]) -> Need:
    """With the interfaces of all of them; their fields are known, so their packets stay."""
    if need in alike:
        return need
    places = [one.ifaces for one in alike]
    ifaces = None if None in places else frozenset().union(*(p for p in places if p is not None))
    return replace(need, ifaces=ifaces)


class _Judge:
    """The rules in force, and those that were found missing so far behind them."""

    def __init__(
        self,
        rules: Iterable[Rule],
        policy: Policy,
        places: Iterable[tuple[str, bool]],
        holds: Holds,
    ) -> None:
        # Imported here, so that a command without a question does not import NumPy.
        from .rule_index import RuleIndex

        self._policy = policy
        self._places = list(dict.fromkeys(places))
        self._holds = holds
        deciding = [rule for rule in rules if rule.enabled and rule.action != "count"]
        self._index = RuleIndex([(rule.action == "accept", match_of(rule)) for rule in deciding])
        self._added: list[Deciding] = []

    def where(self, need: Need) -> list[str]:
        """The interfaces on which the policy drops any of the packets."""
        return [iface for iface in self._concerned(need) if self._dropped(need, iface)]

    def missing(self, need: Need) -> list[MissingRule]:
        """The rules that the need lacks; they count as being there from now on."""
        ifaces = self.where(need)
        if not ifaces:
            return []
        alone = len(ifaces) < len(self._concerned(need))
        found = []
        for iface in ifaces if alone else [None]:
            at = f" on {iface}" if iface else ""
            rule = Rule.parse(need.sentence + at)
            self._added.append((True, match_of(rule)))
            found.append(MissingRule(need.words + at, rule.text))
        return found

    def _concerned(self, need: Need) -> list[str]:
        return [i for i, egress in self._places if egress == need.egress and need.passes(i)]

    def _dropped(self, need: Need, iface: str) -> bool:
        """By family of the packets: with no peer in sight, one that is accepted is enough."""
        lost: dict[int | None, bool] = {}
        for packet in need.packets:
            verdict = self._verdict(packet._replace(iface=iface), need.any_peer)
            if verdict == "rule":
                return False
            lost[packet.family] = lost.get(packet.family, False) or verdict == "policy"
        return all(lost.values()) if need.any_peer else any(lost.values())

    def _verdict(self, packet: KnownPacket, any_peer: bool) -> str:
        """Who decides: "accepted", a "rule" that drops, or the "policy" that drops."""
        if not self._default_drops(packet):
            return "accepted"
        for accepts, match in chain(self._index.about(packet, any_peer), self._added):
            if matches(match, packet, self._holds):
                return "accepted" if accepts else "rule"
            if accepts and any_peer and matches(_for_everybody(match), packet):
                return "accepted"
        return "policy"

    def _default_drops(self, packet: KnownPacket) -> bool:
        if packet.ethertype is not None:
            return self._policy.non_ip == "drop"
        exempt = self._policy.neighbor_discovery == "accept"
        if exempt and packet.proto == _ICMPV6 and packet.icmp_type in _DISCOVERY:
            return False
        return (self._policy.egress if packet.egress else self._policy.ingress) == "drop"


def _for_everybody(match: Match) -> Match:
    return match._replace(src=None, dst=None, src_set=None, dst_set=None)
