"""Which events somebody wants to see. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

from xdpwall.rule.fields import parse_iface, parse_proto
from xdpwall.values.addresses import Prefix, parse_prefix
from xdpwall.values.inputs import parse_choice, split_negation
from xdpwall.views.events import PacketEvent

_Address = tuple[bool, Prefix]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """All that is given must hold. A packet without the field meets no filter on it."""

    rule: str | None = None
    """Decided by it, or reported by its `log`."""
    src: _Address | None = None
    dst: _Address | None = None
    iface: str | None = None
    verdict: str | None = None
    proto: str | int | None = None

    @classmethod
    def parse(cls, **given: Any) -> Self:
        """From text as a rule has it; `!` in front of src, dst and iface turns them round."""
        found: dict[str, Any] = {"rule": given.get("rule")}
        for name in ("src", "dst"):
            if given.get(name) is not None:
                found[name] = parse_prefix(name, given[name])
        if given.get("iface") is not None:
            found["iface"] = parse_iface(given["iface"])
        if given.get("verdict") is not None:
            found["verdict"] = parse_choice("verdict", given["verdict"], ("drop", "pass"))
        if given.get("proto") is not None:
            found["proto"] = parse_proto(given["proto"])
        return cls(**found)

    def wants(self, event: PacketEvent) -> bool:
        """Does the packet meet all of it?"""
        return (
            (self.rule is None or self.rule in (event.rule, event.log))
            and (self.verdict is None or self.verdict == event.verdict)
            and (self.proto is None or self.proto == event.proto)
            and (self.iface is None or named(self.iface, event.iface))
            and (self.src is None or within(self.src, event.src))
            and (self.dst is None or within(self.dst, event.dst))
        )


def named(wanted: str, iface: str) -> bool:
    """Is it `wanted`, or with `!` in front any other?"""
    negated, name = split_negation(wanted)
    return (iface == name) is not negated


def within(wanted: _Address, text: str | None) -> bool:
    """Is the address one that parse_prefix() found? Never, when there is none."""
    if text is None:
        return False
    negated, prefix = wanted
    address = ip_address(text)
    if address.version != prefix.family:
        return False
    inside = int(address) >> (address.max_prefixlen - prefix.length) == prefix.address >> (
        address.max_prefixlen - prefix.length
    )
    return inside is not negated
