"""Which drops somebody wants to see. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from xdpwall.events.filter import named, within
from xdpwall.rule.fields import parse_iface, parse_proto
from xdpwall.values.addresses import Prefix, parse_prefix
from xdpwall.values.inputs import parse_number
from xdpwall.views.drops import Drop

_Address = tuple[bool, Prefix]


@dataclass(frozen=True, slots=True)
class DropFilter:
    """All that is given must hold. A drop without the field meets no filter on it."""

    src: _Address | None = None
    dst: _Address | None = None
    iface: str | None = None
    proto: str | int | None = None
    dport: int | None = None
    reasons: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, *, reasons: tuple[str, ...] = (), **given: Any) -> Self:
        """From text as a rule has it; `!` in front of src, dst and iface turns them round.

        `reasons` are names of this kernel (Reasons.canonical).
        """
        found: dict[str, Any] = {"reasons": frozenset(reasons)}
        for name in ("src", "dst"):
            if given.get(name) is not None:
                found[name] = parse_prefix(name, given[name])
        if given.get("iface") is not None:
            found["iface"] = parse_iface(given["iface"])
        if given.get("proto") is not None:
            found["proto"] = parse_proto(given["proto"])
        if given.get("dport") is not None:
            found["dport"] = parse_number("dport", given["dport"], 0, 65535, "a port, 0 to 65535")
        return cls(**found)

    def wants(self, drop: Drop) -> bool:
        """Does it meet all of it?"""
        return (
            (not self.reasons or drop.reason in self.reasons)
            and (self.dport is None or self.dport == drop.dport)
            and (self.proto is None or self.proto == drop.proto)
            and (self.iface is None or named(self.iface, drop.iface or ""))
            and (self.src is None or within(self.src, drop.src))
            and (self.dst is None or within(self.dst, drop.dst))
        )
