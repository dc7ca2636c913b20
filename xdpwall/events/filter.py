"""Filter events by the conditions of a reader; the conditions on a packet serve drops too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any, ClassVar, Self

from xdpwall.rule.fields import parse_one_iface, parse_proto
from xdpwall.values.addresses import Prefix, parse_prefix
from xdpwall.values.inputs import parse_choice, split_negation
from xdpwall.views.events import PacketEvent
from xdpwall.views.packet import PacketFields

AddressCondition = tuple[bool, Prefix]
"""(negated, prefix), as parse_prefix() returns it."""


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Conditions on one packet, all of which must hold; None is no condition.

    A packet whose field could not be read meets no condition on that field.
    """

    src: AddressCondition | None = None
    dst: AddressCondition | None = None
    iface: str | None = None
    proto: str | int | None = None

    PARSERS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "src": partial(parse_prefix, "src"),
        "dst": partial(parse_prefix, "dst"),
        "iface": parse_one_iface,
        "proto": parse_proto,
    }

    @classmethod
    def parse(cls, **given: Any) -> Self:
        """From text as in a rule; `!` in front of src, dst and iface negates. InvalidInput."""
        texts = {name: given[name] for name in cls.PARSERS if given.get(name) is not None}
        return cls(**{name: cls.PARSERS[name](text) for name, text in texts.items()})

    def meets(self, packet: PacketFields, iface: str) -> bool:
        """Whether addresses, protocol and interface are among those wanted."""
        return (
            (self.proto is None or self.proto == packet.proto)
            and (self.iface is None or _is_iface(self.iface, iface))
            and (self.src is None or _contains(self.src, packet.src))
            and (self.dst is None or _contains(self.dst, packet.dst))
        )


def _verdict(text: str) -> str:
    """drop or pass; a rule's word for pass is taken too."""
    return parse_choice("verdict", "pass" if text == "accept" else text, ("drop", "pass"))


@dataclass(frozen=True, slots=True)
class EventFilter(PacketFilter):
    """Conditions on an event."""

    rule: str | None = None
    """The id of the rule that decided, or whose `log` made the event."""
    verdict: str | None = None
    """drop or pass."""

    PARSERS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "rule": str,
        **PacketFilter.PARSERS,
        "verdict": _verdict,
    }

    def wants(self, event: PacketEvent) -> bool:
        """Whether the event meets every condition."""
        return (
            (self.rule is None or self.rule in (event.rule, event.log))
            and (self.verdict is None or self.verdict == event.verdict)
            and self.meets(event, event.iface)
        )


def _is_iface(wanted: str, iface: str) -> bool:
    negated, name = split_negation(wanted)
    return (iface == name) is not negated


def _contains(wanted: AddressCondition, text: str | None) -> bool:
    if text is None:
        return False
    negated, prefix = wanted
    address = ip_address(text)
    if address.version != prefix.family:
        return False
    host_bits = address.max_prefixlen - prefix.length
    return (int(address) >> host_bits == prefix.address >> host_bits) is not negated
