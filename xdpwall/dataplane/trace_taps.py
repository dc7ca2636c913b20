"""The maps of taps: ring buffers of up to abi.TAPS `trace` processes for packets that we drop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xdpwall import abi

if TYPE_CHECKING:
    from xdpwall.kernel.bpf.maps import Map

TAP_MAPS = ("taps", "tap_rings")
_LENGTH = abi.TAP.itemsize


@dataclass(frozen=True, slots=True)
class TapFilter:
    """The packets that a tap gets; None is any. Addresses as (family, number, prefix length)."""

    src: tuple[int, int, int] | None = None
    dst: tuple[int, int, int] | None = None
    proto: int | None = None
    dport: int | None = None

    def pack(self) -> bytes:
        """Pack as a struct xw_tap that is in use."""
        tap = np.zeros(1, dtype=abi.TAP)
        tap["in_use"] = 1
        tap["proto"] = abi.TAP_ANY if self.proto is None else self.proto
        tap["dport"] = abi.TAP_ANY if self.dport is None else self.dport
        kinds = 0b11
        for name, prefix in (("src", self.src), ("dst", self.dst)):
            if prefix is None:
                continue
            family, address, length = prefix
            kinds &= 0b01 if family == 4 else 0b10
            size = 4 if family == 4 else 16
            mask = ((1 << length) - 1) << (size * 8 - length)
            tap[name][0] = _words(address, size)
            tap[f"{name}_mask"][0] = _words(mask, size)
        tap["kinds"] = abi.TAP_ANY if self == TapFilter() else kinds
        return tap.tobytes()


def _words(number: int, size: int) -> Any:
    """An address as in struct packet: four u32 in network order, IPv4 in the first."""
    return np.frombuffer(number.to_bytes(size).ljust(16, b"\0"), dtype="<u4")


class TapMaps:
    """Reads and writes the maps of taps, which the data plane owns."""

    def __init__(self, shared: Mapping[str, Map]) -> None:
        self._taps, self._rings = shared["taps"], shared["tap_rings"]

    def in_use(self) -> list[int]:
        """List the slots in use, including those of processes that died."""
        return [n for n in range(abi.TAPS) if self._read(n)["in_use"]]

    def lost(self, slot: int) -> int:
        """Number of records that did not fit into the slot's ring buffer."""
        return int(self._read(slot)["lost"])

    def set(self, slot: int, ring: Map, wanted: TapFilter) -> None:
        """Report dropped packets that match `wanted` in the ring buffer `ring`."""
        self._rings.update(slot, ring.fileno().to_bytes(4, "little"))
        self._taps.update(slot, wanted.pack())

    def clear(self, slot: int) -> None:
        """Free a slot."""
        self._taps.update(slot, bytes(_LENGTH))
        self._rings.delete(slot.to_bytes(4, "little"))

    def _read(self, slot: int) -> Any:
        return np.frombuffer(self._taps.lookup(slot) or bytes(_LENGTH), dtype=abi.TAP)[0]
