"""Who decides one packet, and a packet that one rule decides: with states, and rates at rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Literal, NamedTuple

from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import KEEP, Policy

from .dimension import Spans, intersect
from .members import Members
from .search import find_frame, with_usual_values
from .space import FRAGMENTS, UNTAGGED, Space
from .witness import Witness, witness_of

Family = Literal["ipv4", "ipv6"]
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
_TCP = 6
_PROBES = (
    Match(egress=False, proto=_TCP, state=1, tcp_flags=(0x10, 0x15)),
    Match(proto=_TCP, sport=(False, ((0, 0),)), dport=(False, ((0, 0),)), tcp_flags=(2, 0xFF)),
)
"""Rules that count nothing: by them each space has the fields of a question."""


class Verdict(NamedTuple):
    """Who decides, None for the policy, and what: drop, accept or accept keep."""

    rule: int | None
    outcome: str


class RuleVerdicts:
    """The enabled rules of one ruleset in order, asked about packets. A rate is at rest: a `limit`
    matches, an `over` does not."""

    def __init__(self, rules: Sequence[Rule], policy: Policy, members: Members) -> None:
        self._rules = rules
        self._policy = policy
        self._members = members
        matches = [*map(match_of, rules), *_PROBES]
        self._spaces = {kind: Space(kind, matches, members) for kind in FAMILIES}
        self.deciding = sum(
            1 << n
            for n, rule in enumerate(rules)
            if rule.action != "count" and not (rule.action == "drop" and rule.over is not None)
        )
        """The bits of the rules that decide what they match."""

    def decided_by(self, kind: Family, rule: int, values: Mapping[str, Spans]) -> Witness | None:
        """A packet with these values that the rule decides. Raises GaveUp, as all of these do."""
        return self.met(kind, rule, values, self.deciding & (1 << rule) - 1)

    def met(
        self, kind: Family, rule: int | None, values: Mapping[str, Spans], avoid: int
    ) -> Witness | None:
        """A packet of the rule, of any for None, with these values, that no rule of `avoid` matches."""
        space = self._spaces[kind]
        if rule is not None and not space.here[rule]:
            return None
        box = [d.whole for d in space.dimensions] if rule is None else space.box(rule)
        return self._in(space, space.limited(box, values), avoid)

    def met_by_both(
        self, kind: Family, one: int, other: int, values: Mapping[str, Spans], avoid: int
    ) -> Witness | None:
        """A packet that both rules match and none of `avoid`."""
        space = self._spaces[kind]
        if not (space.here[one] and space.here[other]):
            return None
        pairs = zip(space.box(one), space.box(other), strict=True)
        return self._in(space, space.limited([intersect(*pair) for pair in pairs], values), avoid)

    def _in(self, space: Space, box: list[Spans], avoid: int) -> Witness | None:
        avoid = avoid & space.present | space.impossible
        choice = find_frame(space, box, avoid)
        if choice is None:
            return None
        return witness_of(space, with_usual_values(space, box, avoid, choice), self._members)

    def verdict(self, packet: Witness) -> Verdict:
        """Who decides that packet."""
        space = self._spaces["ipv4" if packet.kind == "ipv4" else "ipv6"]
        bits = self.deciding & space.present
        for dimension in space.dimensions:
            value = self._value(space, dimension.name, packet)
            bits &= dimension.row(dimension.class_of(value))
        if bits:
            number = (bits & -bits).bit_length() - 1
            rule = self._rules[number]
            return Verdict(number, KEEP if rule.keep else rule.action)
        egress = packet.direction == "egress"
        return Verdict(None, self._policy.egress if egress else self._policy.ingress)

    def accepting(self, kind: Family, values: Mapping[str, int]) -> int:
        """The bits of accept rules that match some packet with these values."""
        space = self._spaces[kind]
        bits = self.deciding & space.present
        for dimension in space.dimensions:
            if dimension.name in values:
                bits &= dimension.row(dimension.class_of(values[dimension.name]))
        return bits & sum(1 << n for n, rule in enumerate(self._rules) if rule.action == "accept")

    def _value(self, space: Space, name: str, packet: Witness) -> int:
        side, _, held = name.partition("@")
        if side in ("src", "dst"):
            address = ip_address(str(getattr(packet, side)))
            if held:
                return self._members.holds(held, address.version, int(address))
            return int(address)
        known = {
            "iface": lambda: space.interfaces.index(packet.interface),
            "direction": lambda: int(packet.direction == "egress"),
            "vlan": lambda: UNTAGGED if packet.vlan is None else packet.vlan,
            "flags": lambda: packet.tcp_flags or 0,
            "icmp": lambda: (packet.icmp_type or 0) << 8 | (packet.icmp_code or 0),
            "fragment": lambda: FRAGMENTS.index(packet.fragment),
            "state": lambda: STATES.index(str(packet.state)),
            "length": lambda: 100 if packet.length is None else packet.length,
            "ttl": lambda: 64 if packet.ttl is None else packet.ttl,
        }
        ask = known.get(name)
        return ask() if ask else int(getattr(packet, name) or 0)
