"""Which rules a drop policy needs so that what this host does now goes on, as sentences. Pure.

First match over the rules in Python, for packets of which a few fields are known: a help before the
switch, not a proof. What a rule drops is meant to be dropped, and no rule is missing for it.

Answers are told by flows where these can be: TCP's by the sockets of this host, all others on interfaces
with both directions attached, if what asks makes a flow. Elsewhere each takes a rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

from xdpwall.rule.known_packet import Holds, KnownPacket, matches, no_set_known
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import KEEP, Policy

if TYPE_CHECKING:
    from .rule_index import Deciding

LOOPBACK = "lo"
KNOWN = "accept state established,related"
"""The rule by which answers pass."""
FlowPart = Literal["asks", "answer", "connected", "error", "serves"] | None
"""asks: what this host asks, which makes a flow; answer: what comes back; connected: of a TCP connection
that is there; error: about a packet of a flow; serves: what a UDP service answers, which is to make none."""
MOST_WORDED = 12
"""Missing rules that are worded as warnings; one more sentence says how many there are."""
WHAT_IS_KNOWN = "answers to what this host asks, and connections that are there"
NOT_KEPT = (
    "answers to what this host asks are told by its flows, and none are made: "
    "xdpwall policy set egress accept keep"
)
MOST = 100
"""Missing rules in one answer."""

_KEPT = "kept"
_FEW = 2
"""More peers of one service than these get one rule for all of them."""
_LOOKS = 5
"""Looks at all needs, each with the rules that those before have found."""
_LOOKED_AT = 50
"""Peers of one service that are looked at."""
_TCP, _ICMPV6 = 6, 58
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
    flow: FlowPart = None
    """What they are of a flow, if they are something."""
    asks: Need | None = None
    """Of an answer: what it answers."""

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
    rank: int = 0
    """Before those of a higher one: services are not looked up, if they stand before KNOWN."""

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


@dataclass(frozen=True, slots=True)
class Offer:
    """What is to be added so that a policy ends nothing that this host does."""

    rules: list[MissingRule]
    """In the order in which it is told, at most MOST."""
    keeps: bool = False
    """And `policy set egress accept keep`."""

    @property
    def sentences(self) -> list[str]:
        """The rules in the order in which they are to be put behind those that are there."""
        return [one.sentence for one in sorted(self.rules, key=lambda one: one.rank)]

    @property
    def policy(self) -> dict[str, str]:
        """The change of policy that belongs to them."""
        return {"egress": KEEP} if self.keeps else {}

    @property
    def warnings(self) -> list[str]:
        """No more than a person reads."""
        kept = [NOT_KEPT] if self.keeps else []
        return kept + warnings_of(self.rules)


def make_offer(
    needs: Iterable[Need],
    rules: Iterable[Rule],
    policy: Policy,
    places: Iterable[tuple[str, bool]],
    holds: Holds = no_set_known,
    *,
    attached: Iterable[tuple[str, bool]] | None = None,
    may_keep: bool = True,
) -> Offer:
    """The rules to add behind `rules` so that the policy drops none of these packets.

    `places`: (interface, whether egress) of each attachment that is asked about; `attached`: of all there
    are. `may_keep`: the policy for egress may be offered to keep, where answers need that.
    """
    some, rows, wanted = list(needs), list(rules), list(dict.fromkeys(places))
    there = list(wanted if attached is None else attached)
    as_it_is = _missing(some, _Judge(rows, policy, wanted, holds, there))
    if not (may_keep and as_it_is and policy.egress == "accept" and policy.ingress == "drop"):
        return Offer(as_it_is[:MOST])
    keeping = policy.model_copy(update={"egress": KEEP})
    kept = _missing(some, _Judge(rows, keeping, wanted, holds, there))
    # Without answers of its own a host needs no flows.
    keeps = any(one.sentence == KNOWN for one in kept) or len(kept) < len(as_it_is)
    tracked = bool(_tracked(there))
    return Offer(kept[:MOST], keeps=True) if keeps and tracked else Offer(as_it_is[:MOST])


def _missing(needs: Iterable[Need], judge: _Judge) -> list[MissingRule]:
    """Until nothing is missing: what is said for many peers may leave one who needs a rule of his own."""
    several: dict[Need, list[Need]] = {}
    found: list[MissingRule] = []
    some = list(needs)
    for _ in range(_LOOKS):
        before, widened = len(found), False
        several.clear()
        found += _missing_at_once(some, judge, several)
        for wider, alike in several.items():
            widened |= len(alike) > _FEW
            for need in [wider] if len(alike) > _FEW else alike:
                found += judge.missing(_everywhere(need, alike))
        if not widened or len(found) == before or len(found) > MOST:
            break
    return found


def _missing_at_once(
    needs: Iterable[Need], judge: _Judge, several: dict[Need, list[Need]]
) -> Iterator[MissingRule]:
    """Those of needs that stand for themselves; the others are gathered by what is wider."""
    looked_at: dict[Need, int] = {}
    for need in needs:
        if need.wider is None:
            yield from judge.missing(need)
            continue
        looked_at[need.wider] = looked_at.get(need.wider, 0) + 1
        alike = several.setdefault(need.wider, [])
        if len(alike) <= _FEW and looked_at[need.wider] <= _LOOKED_AT and judge.where(need):
            alike.append(need)


def _tracked(attached: Iterable[tuple[str, bool]]) -> set[str]:
    """The interfaces of which both directions are seen."""
    there = set(attached)
    return {iface for iface, egress in there if (iface, not egress) in there}


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
        places: Sequence[tuple[str, bool]],
        holds: Holds,
        attached: Iterable[tuple[str, bool]],
    ) -> None:
        # Imported here, so that a command without a question does not import NumPy.
        from .rule_index import RuleIndex

        self._policy = policy
        self._places = places
        self._tracked = _tracked(attached)
        self._holds = holds
        self._index = RuleIndex([one for rule in rules for one in _deciding(rule)])
        self._added: dict[int, list[Deciding]] = {0: [], 1: [], 2: []}
        """By rank, as they will stand."""

    def where(self, need: Need) -> list[str]:
        """The interfaces on which the policy drops any of the packets, or keeps what is to make no flow."""
        return [iface for iface in self._concerned(need) if self._lost(need, iface)]

    def missing(self, need: Need) -> list[MissingRule]:
        """The rules that the need lacks; they count as being there from now on."""
        found = []
        while ifaces := self.where(need):
            known = [iface for iface in ifaces if self._is_known(need, iface)]
            if known:
                found.append(self._add(WHAT_IS_KNOWN, KNOWN, rank=1))
                continue
            alone = len(ifaces) < len(self._concerned(need))
            for iface in ifaces if alone else [None]:
                at = f" on {iface}" if iface else ""
                keep = need.flow == "asks" and not self._tracked.isdisjoint(ifaces)
                sentence = f"{need.sentence}{at}{' keep' if keep else ''}"
                words = need.words
                if need.flow == "serves" and self._policy.egress == KEEP:
                    words += ", which would make flows for forged sources"
                found.append(
                    self._add(words + at, sentence, rank=0 if need.flow in (None, "serves") else 2)
                )
            break
        return found

    def _add(self, words: str, sentence: str, *, rank: int) -> MissingRule:
        rule = Rule.parse(sentence)
        self._added[rank] += _deciding(rule)
        return MissingRule(words, rule.text, rank)

    def _concerned(self, need: Need) -> list[str]:
        return [i for i, egress in self._places if egress == need.egress and need.passes(i)]

    def _is_known(self, need: Need, iface: str) -> bool:
        """Whether KNOWN accepts all of these packets there."""
        states = {self._state(need, packet, iface) for packet in need.packets}
        return states <= {"established", "related"}

    def _state(self, need: Need, packet: KnownPacket, iface: str) -> str | None:
        if need.flow in ("connected", "answer") and packet.proto == _TCP:
            return "established"  # by its socket
        if need.flow == "error":
            kept = iface in self._tracked and self._policy.egress == KEEP
            return "related" if kept else "invalid"
        if need.flow == "answer":
            asks = need.asks
            kept = iface in self._tracked and asks is not None and self._keeps(asks, iface)
            return "established" if kept else "new"
        return None

    def _keeps(self, asks: Need, iface: str) -> bool:
        """Whether these packets make flows, or will by the rule that is missing for them."""
        verdicts = {self._verdict(one._replace(iface=iface), False) for one in asks.packets}
        return verdicts <= {KEEP, _KEPT, "policy"}

    def _lost(self, need: Need, iface: str) -> bool:
        """By family of the packets: with no peer in sight, one that is accepted is enough."""
        lost: dict[int | None, bool] = {}
        for packet in need.packets:
            if self._default(packet) == "accept":
                lost[packet.family] = lost.get(packet.family, False)
                continue
            state = self._state(need, packet, iface)
            verdict = self._verdict(packet._replace(iface=iface, state=state), need.any_peer)
            if verdict == "rule":
                return False
            gone = verdict == "policy" or (need.flow == "serves" and verdict == _KEPT)
            lost[packet.family] = lost.get(packet.family, False) or gone
        return all(lost.values()) if need.any_peer else any(lost.values())

    def _verdict(self, packet: KnownPacket, any_peer: bool) -> str:
        """What is decided: "accept", "accept keep", _KEPT by the policy, or by whom it is dropped, a "rule"
        or the "policy"."""
        for verdict, match in chain(self._index.about(packet, any_peer), *self._added.values()):
            accepts = verdict != "drop"
            if matches(match, packet, self._holds):
                return verdict if accepts else "rule"
            if accepts and any_peer and matches(_for_everybody(match), packet):
                return verdict
        return self._default(packet)

    def _default(self, packet: KnownPacket) -> str:
        if packet.ethertype is not None:
            default: str = self._policy.non_ip
        else:
            default = self._policy.egress if packet.egress else self._policy.ingress
        exempt = self._policy.neighbor_discovery == "accept"
        if exempt and packet.proto == _ICMPV6 and packet.icmp_type in _DISCOVERY:
            return "accept"
        return {"drop": "policy", KEEP: _KEPT}.get(default, default)


def _deciding(rule: Rule) -> Iterator[Deciding]:
    """With a rate at rest: a `limit` matches, and an `over` does not."""
    if not rule.enabled or rule.action == "count" or (rule.over and rule.action == "drop"):
        return
    match = match_of(rule)
    if rule.limit:
        match = match._replace(rate=None)
    yield (KEEP if rule.keep else rule.action), match


def _for_everybody(match: Match) -> Match:
    return match._replace(src=None, dst=None, src_set=None, dst_set=None)
