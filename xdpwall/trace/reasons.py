"""The names of drop reasons, from BTF, so that they are those of this kernel."""

from __future__ import annotations

from collections.abc import Mapping

from xdpwall.values.inputs import did_you_mean, invalid

PREFIX = "SKB_DROP_REASON_"
NO_DROP = frozenset({"SKB_NOT_DROPPED_YET", "SKB_CONSUMED"})
"""Values of enum skb_drop_reason for packets that were not dropped."""
_LIMITS = frozenset({"SKB_DROP_REASON_MAX", "SKB_DROP_REASON_SUBSYS_MASK"})
_SUBSYSTEM_SHIFT = 16
_SUBSYSTEM = "SKB_DROP_REASON_SUBSYS_"


class Reasons:
    """Names of enum skb_drop_reason, and of enum skb_drop_reason_subsys where there is one."""

    def __init__(self, values: Mapping[str, int], subsystems: Mapping[str, int]) -> None:
        self._names = {
            number: name.removeprefix(PREFIX)
            for name, number in values.items()
            if name not in NO_DROP | _LIMITS
        }
        self.no_drop = sorted(values[name] for name in NO_DROP if name in values)
        self._subsystems = {
            number: name.removeprefix(_SUBSYSTEM) for name, number in subsystems.items()
        }

    def name(self, number: int) -> str:
        """`NETFILTER_DROP`; for a subsystem's own reason `OPENVSWITCH_3`."""
        known = self._names.get(number)
        if known:
            return known
        subsystem = self._subsystems.get(number >> _SUBSYSTEM_SHIFT)
        if number >> _SUBSYSTEM_SHIFT and subsystem:
            return f"{subsystem}_{number & 0xFFFF}"
        return f"reason {number}"

    def numbers(self, names: tuple[str, ...]) -> list[int]:
        """Of names in any case, with or without the prefix. InvalidInput names an unknown one."""
        by_name = {name: number for number, name in self._names.items()}
        found = []
        for given in names:
            name = given.upper().removeprefix(PREFIX)
            if name not in by_name:
                raise invalid(
                    "reason",
                    given,
                    "is no drop reason of this kernel",
                    "one like NETFILTER_DROP (xdpwall trace --reasons lists them)",
                    hint=did_you_mean(name, by_name),
                )
            found.append(by_name[name])
        return found

    def all_names(self) -> list[str]:
        """All names, by number."""
        return [self._names[number] for number in sorted(self._names)]
