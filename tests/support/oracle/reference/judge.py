"""Fields to verdict: the rules in order, then the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType

from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.members import SetMembers, Sets
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.oracle.reference.packet import Field, Hidden, Packet
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges
from xdpwall.values.terms import Direction


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one frame met. Rules are named by their index, from 0."""

    dropped: bool
    rule: int | None
    """The rule that decided; None: the policy did."""
    counted: tuple[int, ...]
    """The rules whose counters rise, in order: `count` rules met on the way, then the decider."""
    policy_dropped: bool
    why: str
    packet: Packet
    """What was read of the frame, with what an earlier fragment said."""

    @property
    def malformed(self) -> bool:
        """Something of it can't be read."""
        return bool(self.packet.hidden)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a frame is judged."""

    iface: str
    direction: Direction


def judge(
    frame: bytes,
    rules: Sequence[Rule],
    policy: Policy,
    where: Attachment,
    memory: FragmentMemory,
    *,
    stripped: int | None = None,
    now: float = 0.0,
    date: datetime | None = None,
    sets: Sets = MappingProxyType({}),
) -> Ruling:
    """Judge one frame. `now`: seconds for the fragment memory; `date`: for rules that expire.

    `stripped`: the id of a VLAN tag beside the frame, as tc may meet it.
    """
    packet = memory.meet(decode(frame, stripped), now)
    date = date or datetime.now(UTC)
    counted: list[int] = []
    for index, rule in enumerate(rules):
        if not in_force(rule, date):
            continue
        reason = matches(rule, packet, where, sets)
        if reason is None:
            continue
        counted.append(index)
        if rule.action != "count":
            dropped = rule.action == "drop"
            why = f"rule {index + 1} ({rule.text}) {rule.action}s it: {reason}"
            return Ruling(dropped, index, tuple(counted), False, why, packet)
    dropped, why = by_policy(packet, policy, where)
    return Ruling(dropped, None, tuple(counted), dropped, f"no rule decides; {why}", packet)


def in_force(rule: Rule, date: datetime) -> bool:
    """Enabled, and not expired."""
    if not rule.enabled:
        return False
    return rule.expires is None or date < datetime.fromisoformat(rule.expires)


def matches(
    rule: Rule, packet: Packet, where: Attachment, sets: Sets = MappingProxyType({})
) -> str | None:
    """Why the rule matches, in words, or None.

    What can't be read matches for drop, and does not match for accept and count; a field that can
    be read and differs makes any rule not match.
    """
    unreadable = []
    for name, answer in answers(match_of(rule), packet, where, sets):
        if answer is False:
            return None
        if isinstance(answer, Hidden):
            unreadable.append(f"{name} can't be read ({answer.why})")
    if not unreadable:
        return "every field agrees"
    return "; ".join(unreadable) if rule.action == "drop" else None


def answers(
    m: Match, packet: Packet, where: Attachment, sets: Sets
) -> Iterator[tuple[str, bool | Hidden]]:
    """Each field that the rule names, and whether the packet's agrees."""
    if m.iface is not None:
        negated, name = m.iface
        yield "iface", fnmatchcase(where.iface, name) != negated
    if m.egress is not None:
        yield "direction", (where.direction == "egress") == m.egress
    if m.vlan is not None:
        negated, number = m.vlan
        yield "vlan", _ask(packet.vlan, lambda vlan: (vlan == number) != negated)
    if m.ethertype == "any":
        return
    if m.ethertype is not None:
        yield "ethertype", _ask(packet.ethertype, lambda ethertype: ethertype == m.ethertype)
        return
    yield "family", _ask(packet.family, lambda family: family in (4, 6))
    if m.family is not None:
        yield "family", _ask(packet.family, lambda family: family == m.family)
    for name, chosen in (("src", m.src_set), ("dst", m.dst_set)):
        if chosen is not None:
            negated, wanted = chosen
            held = _held(sets[wanted], packet.family, negated)
            yield name, _ask(getattr(packet, name), held)
    yield from _internet(m, packet)


def _internet(m: Match, packet: Packet) -> Iterator[tuple[str, bool | Hidden]]:
    for name, prefix in (("src", m.src), ("dst", m.dst)):
        if prefix is not None:
            yield name, _ask(packet.family, _is(prefix[1].family))
            yield name, _ask(getattr(packet, name), _within(*prefix))
    for name, span in (("length", m.length), ("ttl", m.ttl)):
        if span is not None:
            yield name, _ask(getattr(packet, name), _between(*span))
    if m.fragment is not None:
        kinds = {"any": ("first", "later")}.get(m.fragment, (m.fragment,))
        yield "fragment", _ask(packet.fragment, lambda kind: kind in kinds)
    if m.proto is not None:
        yield "proto", _ask(packet.proto, _is(m.proto))
    for name, ports in (("sport", m.sport), ("dport", m.dport)):
        if ports is not None:
            yield name, _ask(getattr(packet, name), _among(*ports))
    for name, wanted in (("icmp_type", m.icmp_type), ("icmp_code", m.icmp_code)):
        if wanted is not None:
            yield name, _ask(getattr(packet, name), _is(wanted))
    if m.tcp_flags is not None:
        want, mask = m.tcp_flags
        yield "tcp_flags", _ask(packet.tcp_flags, _flagged(want, mask))


def _ask(value: Field, question: Callable[[int | str | None], bool]) -> bool | Hidden:
    return value if isinstance(value, Hidden) else question(value)


def _is(wanted: int) -> Callable[[int | str | None], bool]:
    return lambda value: value == wanted


def _between(low: int, high: int) -> Callable[[int | str | None], bool]:
    return lambda value: value is not None and low <= int(value) <= high


def _flagged(want: int, mask: int) -> Callable[[int | str | None], bool]:
    return lambda value: value is not None and int(value) & mask == want


def _among(negated: bool, ranges: Ranges) -> Callable[[int | str | None], bool]:
    return lambda value: (
        value is not None and any(low <= int(value) <= high for low, high in ranges) != negated
    )


def _within(negated: bool, prefix: Prefix) -> Callable[[int | str | None], bool]:
    host_bits = (32 if prefix.family == 4 else 128) - prefix.length

    def question(value: int | str | None) -> bool:
        if value is None:
            return False
        return (int(value) >> host_bits == prefix.address >> host_bits) != negated

    return question


def _held(members: SetMembers, family: Field, negated: bool) -> Callable[[int | str | None], bool]:
    def question(value: int | str | None) -> bool:
        if value is None or not isinstance(family, int):
            return False
        return members.holds(family, int(value)) != negated

    return question


def by_policy(packet: Packet, policy: Policy, where: Attachment) -> tuple[bool, str]:
    """(dropped, why) for a frame that no rule decides."""
    if packet.family is None:
        return policy.non_ip == "drop", f"the policy for frames that are not IP: {policy.non_ip}"
    if packet.neighbor_discovery and policy.neighbor_discovery == "accept":
        return False, "IPv6 neighbour discovery is accepted"
    verdict = policy.egress if where.direction == "egress" else policy.ingress
    return verdict == "drop", f"the policy for {where.direction}: {verdict}"
