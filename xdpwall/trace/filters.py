"""Filter drops by the conditions of a tracer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from xdpwall.events.filter import PacketFilter
from xdpwall.values.inputs import parse_number
from xdpwall.views.drops import Drop


def _parse_dport(text: Any) -> int:
    return parse_number("dport", text, 0, 65535, "a port, 0 to 65535")


@dataclass(frozen=True, slots=True)
class DropFilter(PacketFilter):
    """Conditions on a drop."""

    dport: int | None = None
    reasons: frozenset[str] = frozenset()
    """Names as this kernel spells them (tracer.known_reasons); none is any."""

    PARSERS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        **PacketFilter.PARSERS,
        "dport": _parse_dport,
        "reasons": frozenset,
    }

    def wants(self, drop: Drop) -> bool:
        """Whether the drop meets every condition."""
        return (
            (not self.reasons or drop.reason in self.reasons)
            and (self.dport is None or self.dport == drop.dport)
            and self.meets(drop, drop.iface or "")
        )
