"""Merging of packets by the card, which Linux turns off for generic XDP and never turns on again."""

from __future__ import annotations

from collections.abc import Mapping

from xdpwall.kernel.net.ethtool import Ethtool, Offload

MERGING = {"rx-gro-hw": "rx-gro-hw", "rx-lro": "lro"}
"""The features by the kernel's name, with that of `ethtool -K`."""


def merging_of(iface: str) -> dict[str, Offload]:
    """What the card of an interface has of them, as the driver says now."""
    with Ethtool() as ethtool:
        found = ethtool.features(iface)
    return {name: found[name] for name in MERGING if name in found}


def turned_off(iface: str, before: Mapping[str, Offload], now: Mapping[str, Offload]) -> list[str]:
    """Say which of what was on before generic XDP came is off now, and what turns it on again."""
    gone = [name for name, one in before.items() if one.on and name in now and not now[name].on]
    if not gone:
        return []
    words = f"Linux turned {_names(gone)} off for generic XDP, and leaves it off after a detach"
    return [f"{iface}: {words}; then: {_command(iface, gone)}"]


def left_off(iface: str, now: Mapping[str, Offload]) -> list[str]:
    """Say after generic XDP which of what the card can do is off."""
    gone = [name for name, one in now.items() if one.changeable and not one.on]
    if not gone:
        return []
    words = f"{_names(gone)} is off; Linux turns it off for generic XDP and not on again"
    return [f"{iface}: {words}: {_command(iface, gone)}"]


def _names(names: list[str]) -> str:
    return " and ".join(MERGING[name] for name in names)


def _command(iface: str, names: list[str]) -> str:
    return f"ethtool -K {iface} " + " ".join(f"{MERGING[name]} on" for name in names)
