"""Entries of sets: addresses and prefixes of both families. Pure.

    AddressEntry    one entry, parsed
    Entries         many, each once, as sorted arrays with union and difference

A /32 or /128 is an address, never a prefix. numpy is imported inside functions, since a command
line that only names a set must not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton
from typing import TYPE_CHECKING, Any, Literal

from xdpwall.errors import Full, InvalidInput
from xdpwall.values.addresses import Prefix, parse_prefix, prefix_text
from xdpwall.values.inputs import invalid

if TYPE_CHECKING:
    from xdpwall.values.arrays import Array

MAX_ENTRIES = 16_777_216
"""The most entries of one set."""
_LENGTHS = {str(length): length for length in range(128)}
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """An address or a prefix; `address` in host order, its host bits zero."""

    family: Literal[4, 6]
    address: int
    length: int

    @property
    def exact(self) -> bool:
        """Whether it is one address."""
        return self.length == (32 if self.family == 4 else 128)

    @property
    def text(self) -> str:
        """The canonical spelling: `10.0.0.1`, `2001:db8::/32`."""
        return prefix_text(Prefix(self.family, self.address, self.length))

    def contains(self, other: AddressEntry) -> bool:
        """Whether `other` lies inside this entry, or is the same."""
        if self.family != other.family or self.length > other.length:
            return False
        bits = 32 if self.family == 4 else 128
        return (self.address ^ other.address) >> (bits - self.length) == 0


def address_entry(address: IPv4Address | IPv6Address) -> AddressEntry:
    """One address; its scope is left out."""
    return AddressEntry(4 if address.version == 4 else 6, int(address), address.max_prefixlen)


def parse_entry(text: object, field: str = "entry") -> AddressEntry:
    """One entry of a set. Raises InvalidInput under `field`."""
    if isinstance(text, str) and text.lstrip()[:1] in ("!", "@"):
        raise invalid(
            field, text, "is not an entry", "an address or a prefix; a rule negates a set"
        )
    _, prefix = parse_prefix(field, text)
    return AddressEntry(prefix.family, prefix.address, prefix.length)


def parse_entry_fast(text: str) -> tuple[int, int | bytes] | None:
    """(kind, key) of a well-formed entry, in a sixth of the time that parse_entry takes; None for
    text that parse_entry has to look at.

    Kinds are 0 to 3: v4, v6, p4, p6. A key is a number as in `Entries.v4` and `.p4`; for IPv6 it is
    the 16 bytes of the address, followed by the length if it is a prefix.
    """
    address, slash, size = text.partition("/")
    try:
        if ":" in address:
            raw = inet_pton(AF_INET6, address)
            if raw.startswith(_MAPPED):
                return None
            if not slash:
                return 1, raw
        else:
            raw = inet_pton(AF_INET, address)
            if not slash:
                return 0, int.from_bytes(raw, "big")
    except (OSError, ValueError):
        return None
    bits = 8 * len(raw)
    length = _LENGTHS.get(size, bits)
    number = int.from_bytes(raw, "big")
    if length >= bits or number & ((1 << (bits - length)) - 1):
        return None
    return (2, number << 8 | length) if bits == 32 else (3, raw + bytes((length,)))


def entry_key(entry: AddressEntry) -> tuple[int, int | bytes]:
    """(kind, key) of a parsed entry, as parse_entry_fast returns them."""
    if entry.family == 4:
        return (0, entry.address) if entry.exact else (2, entry.address << 8 | entry.length)
    raw = entry.address.to_bytes(16, "big")
    return (1, raw) if entry.exact else (3, raw + bytes((entry.length,)))


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Many entries, each once. The arrays are sorted and must not be written to.

    v4  (n,) u4, an address in host order
    v6  (n, 2) u8, high and low half in host order
    p4  (n,) u8, address << 8 | length, length 0 to 31
    p6  (n,) of (hi u8, lo u8, length u8), length 0 to 127
    """

    v4: Array
    v6: Array
    p4: Array
    p6: Array

    def __len__(self) -> int:
        return len(self.v4) + len(self.v6) + len(self.p4) + len(self.p6)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entries) and self.pack() == other.pack()

    def __hash__(self) -> int:
        return hash(self.pack())

    def __repr__(self) -> str:
        shown = ", ".join(self.texts(0, 5))
        return f"Entries({len(self)}: {shown}{', ...' if len(self) > 5 else ''})"

    @classmethod
    def empty(cls) -> Entries:
        """No entries."""
        return cls.from_entries(())

    @classmethod
    def of(cls, texts: Iterable[object], field: str = "entries") -> Entries:
        """Parse texts; repeated ones count once. Raises InvalidInput under the field `entries[i]`."""
        return cls._from_keys(
            (isinstance(text, str) and parse_entry_fast(text))
            or entry_key(parse_entry(text, f"{field}[{index}]"))
            for index, text in enumerate(texts)
        )

    @classmethod
    def from_entries(cls, entries: Iterable[AddressEntry]) -> Entries:
        """From parsed entries, in any order; repeated ones count once."""
        return cls._from_keys(map(entry_key, entries))

    @classmethod
    def _from_keys(cls, found: Iterable[tuple[int, int | bytes]]) -> Entries:
        from xdpwall.values.arrays import arrays_of_keys

        kinds: tuple[list[Any], ...] = ([], [], [], [])
        for kind, key in found:
            kinds[kind].append(key)
        return cls(*arrays_of_keys(*kinds))

    def part(self, start: int = 0, count: int | None = None) -> list[AddressEntry]:
        """Up to `count` entries from `start` on, in the order v4, p4, v6, p6."""
        found: list[AddressEntry] = []
        first = max(start, 0)
        last = len(self) if count is None else min(len(self), first + count)
        for array, read in ((self.v4, _exact4), (self.p4, _wide4), (self.v6, _exact6)):
            found += map(read, array[max(first, 0) : max(last, 0)].tolist())
            first, last = first - len(array), last - len(array)
        found += map(_wide6, self.p6[max(first, 0) : max(last, 0)].tolist())
        return found

    def texts(self, start: int = 0, count: int | None = None) -> list[str]:
        """The canonical texts of `part`."""
        return [entry.text for entry in self.part(start, count)]

    def pack(self) -> bytes:
        """Pack into bytes, for the store and for ruleset files."""
        from xdpwall.values.arrays import pack_arrays

        return pack_arrays(self.v4, self.v6, self.p4, self.p6)

    @classmethod
    def unpack(cls, data: bytes) -> Entries:
        """Unpack what `pack` packed. Raises InvalidInput under the field `packed` for other bytes."""
        from xdpwall.values.arrays import unpack_arrays

        try:
            return cls(*unpack_arrays(data))
        except ValueError as error:
            raise InvalidInput(f"packed: {error}", field="packed") from None

    def union(self, other: Entries) -> Entries:
        """The entries of either."""
        from xdpwall.values.arrays import union

        return Entries(*(union(a, b) for a, b in zip(self._arrays, other._arrays, strict=True)))

    def difference(self, other: Entries) -> Entries:
        """The entries that `other` does not have; a prefix in `other` removes no addresses inside it."""
        from xdpwall.values.arrays import difference

        parts = zip(self._arrays, other._arrays, strict=True)
        return Entries(*(difference(a, b) for a, b in parts))

    def covered(self) -> tuple[Entries, int]:
        """(the entries that no wider one contains, how many others there were)."""
        from xdpwall.values.arrays import uncovered

        rest = Entries(*uncovered(self.v4, self.v6, self.p4, self.p6))
        return rest, len(self) - len(rest)

    @property
    def _arrays(self) -> tuple[Array, ...]:
        return self.v4, self.v6, self.p4, self.p6


def _exact4(value: int) -> AddressEntry:
    return AddressEntry(4, value, 32)


def _wide4(value: int) -> AddressEntry:
    return AddressEntry(4, value >> 8, value & 255)


def _exact6(value: list[int]) -> AddressEntry:
    return AddressEntry(6, value[0] << 64 | value[1], 128)


def _wide6(value: tuple[int, int, int]) -> AddressEntry:
    return AddressEntry(6, value[0] << 64 | value[1], value[2])


def check_size(count: int, name: str) -> None:
    """Raise Full if `count` entries are too many for the set `name`."""
    if count > MAX_ENTRIES:
        raise Full(
            f"set {name}: {count:,} entries; one set holds at most {MAX_ENTRIES:,}",
            code="set-too-large",
        )
