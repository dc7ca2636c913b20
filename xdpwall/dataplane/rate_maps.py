"""The rates of rules in the kernel: buckets, what they kept from matching, and buckets of sources; and
the SYNs that rules with `cookie` answered.

A rule's rate hangs on its slot, as its counter does. Another rate is another match and takes another
slot, so what stands in a slot is written once, and its bucket is full then. bpf/gcra.h says what a
bucket is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xdpwall.abi import NUMBER_WORDS, SLOTS, Feature
from xdpwall.compiler.rates import kernel_rate
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.jiffies import jiffies_per_second
from xdpwall.values.arrays import Array

if TYPE_CHECKING:
    from xdpwall.compiler.generation import Generation

RATE_MAPS = ("rates", "limited", "sources")
"""The maps of this module: of one element each, until a rule has a rate."""

RATE = np.dtype(
    [
        ("bucket", "<u8"),
        ("token", "<u8"),
        ("depth", "<u8"),
        ("burst", "<u4"),
        ("shift", "u1"),
        ("bytes", "u1"),
        ("bits4", "u1"),
        ("bits6", "u1"),
        ("seed", "<u8"),
        ("before", "<u8"),
        ("answered_before", "<u8"),
        ("pad", "<u8"),
    ]
)
"""struct xw_rate."""

LIMITED = np.dtype(
    [("packets", "<u8"), ("bytes", "<u8"), ("forgotten", "<u8"), ("answered", "<u8")]
)
"""struct xw_limited."""

RATES_END = np.dtype([("source_factor", "<u8"), ("answering", "<u8", (NUMBER_WORDS,))])
"""struct xw_rates_end, behind the last rate."""

_BASELINES = {"packets": "before", "answered": "answered_before"}
"""By count of LIMITED: the field of RATE that has it as it was at the last reset."""

SOURCE = np.dtype([("key", "<u8"), ("bucket", "<u8")])
"""struct xw_source."""

PLACES = 4
"""Sources of a line."""


def rates_bytes(rates: int) -> int:
    """The value_size of `rates`: those of so many rules, and what stands behind them."""
    return RATE.itemsize * rates + RATES_END.itemsize


def rates_held(value_size: int) -> int:
    """Of how many rules a `rates` with this value_size has the rates: the inverse of rates_bytes()."""
    return (value_size - RATES_END.itemsize) // RATE.itemsize


class RateMaps:
    """The three maps of one map set."""

    def __init__(self, maps: Mapping[str, Map], memory: Mapping[str, memoryview]) -> None:
        """`memory`: each map, mapped."""
        count = rates_held(maps["rates"].info.value_size)
        self._rates: Array = np.frombuffer(memory["rates"], RATE, count)
        self._end: Array = np.frombuffer(memory["rates"], RATES_END, 1, self._rates.nbytes)
        if not self._end["source_factor"][0]:
            self._end["source_factor"] = secrets.randbits(64) | 1
        self.source_factor = int(self._end["source_factor"][0])
        self._limited = np.frombuffer(memory["limited"], LIMITED).reshape(-1, len(self._rates))
        self._sources: Array = np.frombuffer(memory["sources"], SOURCE)

    @property
    def constants(self) -> dict[str, int]:
        """The constants in .rodata that follow from the maps (bpf/rates.h)."""
        return {
            "rate_mask": len(self._rates) - 1,
            "source_mask": len(self._sources) // PLACES - 1,
            "source_factor": self.source_factor,
        }

    def write(self, generation: Generation) -> None:
        """Write the rates of a generation's rules where they are not there; those buckets are full."""
        if Feature.RATES not in generation.features:
            return
        hertz = jiffies_per_second()
        for entry in generation.entries:
            if entry.match.rate is not None:
                wanted = kernel_rate(entry.match.rate[1], hertz)
                found = self._rates[entry.slot]
                if any(found[name] != value for name, value in wanted.items()):
                    self.clear([entry.slot])
                    for name, value in {**wanted, "seed": secrets.randbits(64)}.items():
                        found[name] = value

    def clear(self, slots: Sequence[int]) -> None:
        """Fill the buckets of slots that no generation uses, after a grace period; zero the counts."""
        if len(self._rates) == SLOTS:
            self._rates[list(slots)] = 0
            self._limited[:, list(slots)] = 0

    def limited(self, slots: Sequence[int]) -> list[int]:
        """Packets that the rates of these slots kept from matching, since the last reset."""
        return self._since_reset(slots, "packets", "before")

    def answered(self, slots: Sequence[int]) -> list[int]:
        """SYNs that the rules of these slots answered, since the last reset."""
        return self._since_reset(slots, "answered", "answered_before")

    def limited_ever(self, slots: Sequence[int]) -> list[int]:
        """Packets that rates kept from matching, resets left out."""
        return self._counted(slots, "packets")

    def answered_ever(self, slots: Sequence[int]) -> list[int]:
        """SYNs that were answered, resets left out."""
        return self._counted(slots, "answered")

    def reset(self, slots: Iterable[int]) -> None:
        """Count from 0 on again."""
        if len(self._rates) == SLOTS:
            found = list(slots)
            for count, before in _BASELINES.items():
                self._rates[before][found] = self._counted(found, count)

    @property
    def answering(self) -> int:
        """One bit for each attachment, by number, whose programs may answer SYNs."""
        return int.from_bytes(self._end["answering"].tobytes(), "little")

    @answering.setter
    def answering(self, bits: int) -> None:
        words = bits.to_bytes(8 * NUMBER_WORDS, "little")
        self._end["answering"] = np.frombuffer(words, "<u8")

    def held(self) -> bytes:
        """All buckets, as they are at this moment."""
        return self._rates["bucket"].tobytes() + self._sources.tobytes()

    @property
    def forgotten(self) -> int:
        """Sources that owed something and whose place another one took."""
        return int(self._limited["forgotten"].sum())

    def _since_reset(self, slots: Sequence[int], count: str, before: str) -> list[int]:
        if len(self._rates) != SLOTS:
            return [0] * len(slots)
        baselines = self._rates[before][list(slots)].tolist()
        counts = self._counted(slots, count)
        return [max(0, n - base) for n, base in zip(counts, baselines, strict=True)]

    def _counted(self, slots: Sequence[int], count: str) -> list[int]:
        if len(self._rates) != SLOTS or not slots:
            return [0] * len(slots)
        found: list[int] = self._limited[count][:, list(slots)].sum(axis=0).tolist()
        return found
