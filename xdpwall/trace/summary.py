"""Count drops by who dropped them, why and where. Pure."""

from __future__ import annotations

from xdpwall.views.drops import Drop, DropCount, DropSummary


class DropCounter:
    """Counts drops by rule, reason and function."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str | None, str | None, str | None], tuple[int, str]] = {}

    def add(self, drop: Drop) -> None:
        """Count one drop; a super-packet counts as the packets in it."""
        # The offset says where in a function: with it one cause could make several lines.
        function = drop.function.partition("+")[0] if drop.function else None
        key = (drop.by, drop.rule, drop.reason, function)
        packets, _ = self._counts.get(key, (0, ""))
        self._counts[key] = packets + (drop.packets or 1), drop.time

    def summary(self, seconds: float, lost: int) -> DropSummary:
        """After `seconds`; `lost` drops were not seen."""
        counted = sorted(self._counts.items(), key=lambda one: -one[1][0])
        drops = [
            DropCount.model_construct(
                by=by, rule=rule, reason=reason, function=function, packets=packets, last=last
            )
            for (by, rule, reason, function), (packets, last) in counted
        ]
        return DropSummary(
            seconds=round(seconds, 3),
            drops=drops,
            packets=sum(one.packets for one in drops),
            lost=lost,
        )
