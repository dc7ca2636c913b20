"""Warnings about rules whose flows are not what they seem, each shown by a packet. Pure.

A packet that a rule decides is found by search, its answer is judged by the rules in order. So nothing
is said that no packet shows; of a rule that is right for the packet that was found, and wrong for others,
nothing is said either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import KEEP, Policy, asks_for_flows
from xdpwall.values.addresses import Prefix
from xdpwall.values.terms import Direction

from .dimension import Spans, runs_of
from .members import Members
from .rule_verdicts import FAMILIES, Family, RuleVerdicts
from .search import GaveUp
from .witness import Witness

Advice = Literal["drops-cookies", "forged-flows", "no-flow", "elsewhere"]
"""drops-cookies: `drop state invalid` in front of a stateless accept;
forged-flows: a UDP service whose answers, to forged sources too, make flows;
no-flow: a stateless accept, or a policy, lets pass what is answered, and only a flow would let the answer in;
elsewhere: it asks what is answered from elsewhere, which no flow knows."""

MOST = 100
"""Findings of one kind: a ruleset that was written without flows has a fault in every other rule."""
MOST_FOLLOWERS = 64
"""Accept rules behind a `drop state invalid` that are looked at."""
_TCP, _UDP = 6, 17
_NEW, _ESTABLISHED, _INVALID = (STATES.index(one) for one in ("new", "established", "invalid"))
_ACK, _SYN_ACK, _SYN = 0x10, 0x12, 0x02
_ACKED = runs_of(flags for flags in range(256) if flags & 0x15 == _ACK)
"""With ACK, without RST and FIN: a SYN-ACK, and what answers one."""
_ECHO: dict[Family, tuple[int, int, int]] = {"ipv4": (1, 8, 0), "ipv6": (58, 128, 129)}
"""Protocol, type of a request and of its reply."""
_OTHER: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}
_DIRECTIONS: tuple[Direction, ...] = ("egress", "ingress")


class ElsewhereAnswer(NamedTuple):
    """From and to which UDP port such answers go, where that is known."""

    name: str
    sport: int | None = None
    dport: int | None = None


ELSEWHERE: Mapping[int, ElsewhereAnswer] = {
    67: ElsewhereAnswer("DHCP", 67, 68),
    547: ElsewhereAnswer("DHCPv6", 547, 546),
    69: ElsewhereAnswer("TFTP"),
    1900: ElsewhereAnswer("SSDP", 1900),
    5353: ElsewhereAnswer("multicast DNS", 5353),
}
"""By the port that is asked: RFC 2131, RFC 8415, RFC 1350 (a port of its own for each transfer), UPnP
Device Architecture 2.0 section 1.3, RFC 6762."""
_MANY = (Prefix(4, 0xE0 << 24, 4), Prefix(6, 0xFF << 120, 8), Prefix(4, 0xFFFFFFFF, 32))
"""Multicast of both families, and the broadcast of the link."""
_CLIENTS = {68, 546}
"""UDP ports on which nobody answers strangers."""


@dataclass(frozen=True, slots=True)
class FlowFinding:
    """One warning. Rules are named by their index."""

    advice: Advice
    rule: int
    because: tuple[int, ...] = ()
    """Rules that are a reason; of `no-flow` the one that would know the answer, then the one that drops it."""
    policy: Direction | None = None
    """The policy of this direction is a reason too."""
    by_policy: bool = False
    """Of `no-flow`: the policy of the other direction lets pass without keep, not the rule."""
    witness: Witness | None = None
    answer: ElsewhereAnswer | None = None


def flow_findings(
    rules: Sequence[Rule], policy: Policy, members: Members, about: Iterable[int] | None = None
) -> list[FlowFinding]:
    """The warnings about a ruleset, in the order of the rules that they are about.

    `about`: only those of which one of these rules is a part. None where nothing asks for flows.
    """
    numbers = [n for n, rule in enumerate(rules) if rule.enabled]
    alive = [rules[n] for n in numbers]
    if not asks_for_flows(alive, policy):
        return []
    wanted = None if about is None else set(about)
    # A rule without state and keep has its own findings alone, or is behind a drop.
    asked = {
        place
        for place, number in enumerate(numbers)
        if wanted is None
        or number in wanted
        or rules[number].action == "drop"
        or any(_tracks(rules[n]) for n in wanted)
    }
    found = []
    for one in _Advisor(alive, policy, members).findings(asked):
        rule, *because = (numbers[n] for n in (one.rule, *one.because))
        if wanted is None or not wanted.isdisjoint((rule, *because)):
            found.append(replace(one, rule=rule, because=tuple(because)))
    return found


def _tracks(rule: Rule) -> bool:
    return rule.keep or rule.state is not None


class _Advisor:
    """The enabled rules of one ruleset."""

    def __init__(self, rules: Sequence[Rule], policy: Policy, members: Members) -> None:
        self._rules = rules
        self._policy = policy
        self._asked = RuleVerdicts(rules, policy, members)

    def findings(self, asked: Collection[int]) -> Iterator[FlowFinding]:
        """In the order of the rules; at most MOST of one kind. `asked`: the rules to look at."""
        said = Counter[Advice]()
        by_policy = self._policies_without_flows()
        for number in range(len(self._rules)):
            found = [one for one in by_policy if one.rule == number]
            if number in asked:
                found += self._about(number, said)
            for one in found:
                said[one.advice] += 1
                yield one

    def _about(self, number: int, said: Counter[Advice]) -> list[FlowFinding]:
        rule, found = self._rules[number], list[FlowFinding]()
        with suppress(GaveUp):
            if rule.action == "drop" and said["drops-cookies"] < MOST:
                found += self._drops_cookies(number)
            elif rule.action == "accept" and rule.keep and said["elsewhere"] < MOST:
                found += self._elsewhere(number)
            elif rule.action == "accept" and not _tracks(rule):
                if said["forged-flows"] < MOST:
                    found += self._forged_flows(number)
                if said["no-flow"] < MOST:
                    found += self._no_flow(number)
        return found

    # -- drop state invalid ----------------------------------------------------------------------

    def _drops_cookies(self, number: int) -> Iterator[FlowFinding]:
        """What answers a SYN cookie has neither flow nor socket, and so has a connection whose other
        packets take another way. A stateless accept behind would let it in."""
        state = match_of(self._rules[number]).state
        if state is None or not state >> _INVALID & 1:
            return
        values = _values(proto=_TCP, state=_INVALID) | {"flags": _ACKED}
        deciding = self._asked.deciding
        followers = [
            n
            for n, rule in enumerate(self._rules)
            if n > number and rule.action == "accept" and not _tracks(rule)
        ]
        for kind in FAMILIES:
            for other in followers[:MOST_FOLLOWERS]:
                avoid = deciding & (1 << other) - 1 & ~(1 << number)
                witness = self._asked.met_by_both(kind, number, other, values, avoid)
                if witness is not None:
                    yield FlowFinding("drops-cookies", number, (other,), witness=witness)
                    return
            for direction in _DIRECTIONS:
                if self._of(direction) == "accept":
                    only = values | _values(direction=int(direction == "egress"))
                    avoid = deciding & ~(1 << number)
                    witness = self._asked.met(kind, number, only, avoid)
                    if witness is not None:
                        yield FlowFinding(
                            "drops-cookies", number, policy=direction, witness=witness
                        )
                        return

    # -- UDP services ----------------------------------------------------------------------------

    def _forged_flows(self, number: int) -> Iterator[FlowFinding]:
        rule, match = self._rules[number], match_of(self._rules[number])
        if rule.proto != "udp" or match.dport is None or match.sport is not None:
            return
        negated, ranges = match.dport
        if not negated and all(low == high and low in _CLIENTS for low, high in ranges):
            return
        if rule.direction == "egress" or not _is_public(rule):
            return
        for kind in FAMILIES:
            values = _values(proto=_UDP, state=_NEW, direction=0)
            asks = self._asked.decided_by(kind, number, values)
            if asks is None:
                continue
            made = self._asked.verdict(_answer(asks, "new"))
            if made.outcome == KEEP:
                because = () if made.rule is None else (made.rule,)
                policy: Direction | None = "egress" if made.rule is None else None
                yield FlowFinding("forged-flows", number, because, policy, witness=asks)
                return

    # -- what makes no flow ----------------------------------------------------------------------

    def _no_flow(self, number: int) -> Iterator[FlowFinding]:
        rule = self._rules[number]
        for direction in _DIRECTIONS:
            if rule.direction not in (None, direction):
                continue
            if direction == "ingress" and self._keeps("egress"):
                continue  # where it is forwarded, what leaves may make the flow
            for kind in FAMILIES:
                for values in self._questions(kind, rule, direction):
                    asks = self._asked.decided_by(kind, number, values)
                    found = None if asks is None else self._unanswered(asks)
                    if found is not None:
                        yield replace(found, rule=number)
                        return

    def _questions(self, kind: Family, rule: Rule, direction: Direction) -> list[dict[str, Spans]]:
        """Packets that open something. TCP of this host is known by its sockets as well: it is asked about
        where the rule is for this direction, and the other makes no flows of what is forwarded."""
        proto, request, _ = _ECHO[kind]
        way = int(direction == "egress")
        found = [
            _values(proto=proto, state=_NEW, direction=way)
            | {"icmp": ((request << 8, request << 8),)}
        ]
        if rule.direction is not None or rule.sport is None:  # else it is about answers
            found.append(_values(proto=_UDP, state=_NEW, direction=way))
        if rule.direction is not None and not self._keeps(_OTHER[direction]):
            found.append(_values(proto=_TCP, state=_NEW, flags=_SYN, direction=way))
        return found

    def _keeps(self, direction: Direction) -> bool:
        """Whether packets of that direction make flows by some rule or the policy."""
        return self._of(direction) == KEEP or any(
            rule.keep and rule.direction in (None, direction) for rule in self._rules
        )

    def _unanswered(self, asks: Witness) -> FlowFinding | None:
        """Whether its answer would pass by a rule with state, and is dropped as it stands."""
        known = self._asked.verdict(_answer(asks, "established"))
        if known.rule is None or self._rules[known.rule].state is None or known.outcome == "drop":
            return None
        stranger = self._asked.verdict(_answer(asks, "new" if asks.proto == _UDP else "invalid"))
        if stranger.outcome != "drop":
            return None
        if stranger.rule is None:
            return FlowFinding("no-flow", 0, (known.rule,), _OTHER[asks.direction], witness=asks)
        return FlowFinding("no-flow", 0, (known.rule, stranger.rule), witness=asks)

    def _policies_without_flows(self) -> list[FlowFinding]:
        """One for each policy that accepts without keep, at the rule that would know the answers."""
        found = []
        for direction in _DIRECTIONS:
            if self._of(direction) != "accept":
                continue
            for kind in FAMILIES:
                values = _values(proto=_UDP, state=_NEW, direction=int(direction == "egress"))
                one = None
                with suppress(GaveUp):
                    asks = self._asked.met(kind, None, values, self._asked.deciding)
                    one = None if asks is None else self._unanswered(asks)
                if one is not None:
                    rule, *because = one.because
                    found.append(replace(one, rule=rule, because=tuple(because), by_policy=True))
                    break
        return found

    # -- answers from elsewhere ------------------------------------------------------------------

    def _elsewhere(self, number: int) -> Iterator[FlowFinding]:
        rule = self._rules[number]
        answer = _answered_from_elsewhere(rule)
        if answer is None or rule.direction == "ingress":
            return
        for kind in FAMILIES:
            values = _values(proto=_UDP, state=_NEW, direction=1)
            asks = self._asked.decided_by(kind, number, values)
            if asks is None or self._policy.ingress != "drop":
                continue
            wanted = {"proto": _UDP, "state": _NEW, "direction": 0}
            if answer.sport is not None:
                wanted["sport"] = answer.sport
            if answer.dport is not None:
                wanted["dport"] = answer.dport
            if not self._asked.accepting(kind, wanted):
                yield FlowFinding(
                    "elsewhere", number, policy="ingress", witness=asks, answer=answer
                )
                return

    def _of(self, direction: Direction) -> str:
        return self._policy.ingress if direction == "ingress" else self._policy.egress


def _values(**single: int) -> dict[str, Spans]:
    return {name: ((value, value),) for name, value in single.items()}


def _is_public(rule: Rule) -> bool:
    """Whether anybody may be its source: none is named, or only who may not."""
    return rule.src is None or rule.src.startswith("!") or rule.src.endswith("/0")


def _answered_from_elsewhere(rule: Rule) -> ElsewhereAnswer | None:
    if rule.proto != "udp":
        return None
    match = match_of(rule)
    ports = () if match.dport is None or match.dport[0] else match.dport[1]
    single = ports[0][0] if len(ports) == 1 and ports[0][0] == ports[0][1] else None
    if single is not None and single in ELSEWHERE:
        return ELSEWHERE[single]
    if match.dst is None or match.dst[0] or not any(_within(match.dst[1], one) for one in _MANY):
        return None
    return ElsewhereAnswer("a group or a broadcast", single)


def _within(inner: Prefix, outer: Prefix) -> bool:
    if inner.family != outer.family or inner.length < outer.length:
        return False
    shift = (32 if inner.family == 4 else 128) - outer.length
    return inner.address >> shift == outer.address >> shift


def _answer(asks: Witness, state: str) -> Witness:
    """The packet that answers, in that state."""
    icmp, flags = asks.icmp_type, asks.tcp_flags
    if icmp is not None:
        icmp = _ECHO["ipv4" if asks.kind == "ipv4" else "ipv6"][2]
    return replace(
        asks,
        direction=_OTHER[asks.direction],
        src=asks.dst,
        dst=asks.src,
        sport=asks.dport,
        dport=asks.sport,
        icmp_type=icmp,
        tcp_flags=None if flags is None else _SYN_ACK,
        state=state,
    )
