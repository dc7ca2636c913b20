"""A packet of which only some fields are known, and whether a rule matches it. Pure.

For what is asked before a packet comes: what a rule would cut off, what a policy would drop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges

from .iface_selector import may_mean
from .match import Match
from .states import STATES

Address = IPv4Address | IPv6Address
Holds = Callable[[str, Address], bool | None]
"""Whether the set of that name holds an address; None where it is not known."""


class KnownPacket(NamedTuple):
    """An IP packet, whole and no fragment, or with `ethertype` a frame that is not IP.

    None is a value that is not known.
    """

    egress: bool
    iface: str | None = None
    family: int | None = None
    proto: int | None = None
    src: Address | None = None
    dst: Address | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    tcp_flags: int | None = None
    ethertype: int | None = None
    state: str | None = None

    def answer(self) -> KnownPacket:
        """The same in the other direction: addresses and ports change places."""
        return self._replace(
            egress=not self.egress,
            src=self.dst,
            dst=self.src,
            sport=self.dport,
            dport=self.sport,
            state=None,
        )


def no_set_known(name: str, address: Address) -> None:
    """A Holds for where nobody can tell what sets hold."""


def matches(match: Match, packet: KnownPacket, holds: Holds = no_set_known) -> bool | None:
    """Whether the fields match; None where that hangs on what is not known of the packet."""
    unsure = False
    for answer in _answers(match, packet, holds):
        if answer is False:
            return False
        unsure = unsure or answer is None
    return None if unsure else True


def _answers(match: Match, packet: KnownPacket, holds: Holds) -> Iterator[bool | None]:
    if match.ethertype is None:
        yield packet.ethertype is None
    elif match.ethertype != "any":
        yield packet.ethertype == match.ethertype
    if match.egress is not None:
        yield match.egress == packet.egress
    if match.iface is not None:
        negated, name = match.iface
        yield _negate(negated, None if packet.iface is None else may_mean(name, packet.iface))
    if match.family is not None:
        yield _same(match.family, packet.family)
    if match.proto is not None:
        yield _same(match.proto, packet.proto)
    for side, in_set, address in (
        (match.src, match.src_set, packet.src),
        (match.dst, match.dst_set, packet.dst),
    ):
        if side is not None:
            yield _inside(side, address)
        if in_set is not None:
            negated, name = in_set
            yield _negate(negated, None if address is None else holds(name, address))
    for wanted, port in ((match.sport, packet.sport), (match.dport, packet.dport)):
        if wanted is not None:
            yield _listed(wanted, port)
    if match.icmp_type is not None:
        yield _same(match.icmp_type, packet.icmp_type)
    if match.icmp_code is not None:
        yield _same(match.icmp_code, packet.icmp_code)
    if match.tcp_flags is not None:
        want, mask = match.tcp_flags
        yield None if packet.tcp_flags is None else packet.tcp_flags & mask == want
    if match.fragment is not None:
        yield match.fragment == "none"
    if match.rate is not None:
        yield None
    if match.state is not None:
        known = packet.state
        yield None if known is None else bool(match.state >> STATES.index(known) & 1)
    if (match.vlan, match.length, match.ttl) != (None, None, None):
        yield None


def _same(wanted: object, known: object) -> bool | None:
    return None if known is None else wanted == known


def _negate(negated: bool, answer: bool | None) -> bool | None:
    return None if answer is None else answer != negated


def _inside(wanted: tuple[bool, Prefix], address: Address | None) -> bool | None:
    """A negated prefix is about its own family only, which the rule's family says."""
    negated, prefix = wanted
    if address is None:
        return None if prefix.length else not negated
    if prefix.family != address.version:
        return False
    shift = address.max_prefixlen - prefix.length
    return (int(address) >> shift == prefix.address >> shift) != negated


def _listed(wanted: tuple[bool, Ranges], port: int | None) -> bool | None:
    negated, ranges = wanted
    if port is None:
        return None
    return any(first <= port <= last for first, last in ranges) != negated
