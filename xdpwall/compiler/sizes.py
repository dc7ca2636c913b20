"""The sizes of a generation: how many elements each of its maps has. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter, ge

from xdpwall.abi import FLOW_BUCKET, MIN_POSITIONS, PACKED_POSITIONS, ROW


@dataclass(frozen=True, slots=True)
class Sizes:
    """Elements of one generation's maps; every number is a power of two."""

    positions: int = MIN_POSITIONS
    rows: int = 256
    blocks: int = 64
    leaves: int = 64
    leaves4: int = 64
    whole: int = 1
    """Rows stored in full, from which the packed ones differ."""
    prefixes6: int = 1
    class_rows: int = 1
    set4: int = 1
    """IPv4 addresses of all sets together; 1 means that there are none."""
    set6: int = 1
    """IPv6 addresses of all sets together; 1 means that there are none."""
    rates: int = 1
    """Rates of rules, by slot, and what they kept from matching or answered; 1 means that no rule has a
    rate or `cookie`."""
    rate_lines: int = 1
    """Lines of sources with a bucket; 1 means that no rule has one for each source."""
    flows: int = FLOW_BUCKET
    """Places of a family in the flow table; one bucket means that nothing is tracked."""

    @property
    def packed(self) -> bool:
        """Whether a row in the kernel is a ROW, and not all of its words."""
        return self.positions >= PACKED_POSITIONS

    @property
    def segment_words(self) -> int:
        """Words of 64 positions in a segment."""
        return 1 if self.positions <= 64 * 64 else 4

    @property
    def word_bytes(self) -> int:
        """Bytes of a row's words."""
        return self.positions // 8

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in the kernel."""
        return ROW.itemsize if self.packed else 8 * (self.positions > 64) + self.word_bytes

    @property
    def sets(self) -> bool:
        """Whether there is room for the addresses of a set."""
        return self.set4 > 1 or self.set6 > 1

    def holds(self, other: Sizes) -> bool:
        """Whether tables of the other's size fit."""
        return all(map(ge, _numbers(self), _numbers(other)))

    def grown_to(self, other: Sizes) -> Sizes:
        """The smallest sizes that hold both: maps never shrink while programs run on them."""
        return Sizes(*map(max, _numbers(self), map(power_of_two, _numbers(other))))

    def to_json(self) -> dict[str, int]:
        """The numbers by name."""
        return dict(zip(_SIZES, _numbers(self), strict=True))


_SIZES = tuple(field.name for field in fields(Sizes))
_numbers: Callable[[Sizes], tuple[int, ...]] = attrgetter(*_SIZES)
"""dataclasses.astuple() takes thirty times as long."""


def power_of_two(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << max(0, n - 1).bit_length()
