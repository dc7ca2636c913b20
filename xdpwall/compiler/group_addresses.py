"""Source and destination addresses: the rows of the rules' own prefixes, and those of sets.

A prefix's row holds what its addresses satisfy that no longer prefix covers: its parent's row with
the bits of its own rules set, or taken out where a rule is about the addresses outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Literal, NamedTuple

import numpy as np

from xdpwall import abi
from xdpwall.abi import Feature
from xdpwall.values.addresses import Prefix
from xdpwall.values.arrays import Array
from xdpwall.values.nesting import levels, stops

from .address_insert import insert_prefix
from .address_table4 import fill_table4
from .address_table6 import MAX_BLOCKS, TooManyBlocks, fill_table6
from .columns import Columns
from .generation import NO_ROW, Generation, Group, KernelSets

AddressField = Literal["src", "dst"]
FEATURES = {"src": Feature.SRC, "dst": Feature.DST}
"""Of both families, whose tables are filled in any case: one of them without prefixes ends at its
first look, and the classifier has fewer kinds to be compiled for."""
_DEEPEST = 14
"""Blocks that one IPv6 prefix more can need."""
_NONE = -1
"""The place of no prefix."""
_TRIES = {"src": abi.SRC6_TRIE, "dst": abi.DST6_TRIE}


def prefixes_of(columns: Columns, name: AddressField) -> Sequence[tuple[bool, Prefix] | None]:
    """The field's (negated, prefix) by rule."""
    return columns.values(name)


def sets_of(columns: Columns, name: AddressField) -> Sequence[tuple[bool, str] | None]:
    """The field's (negated, set name) by rule."""
    return columns.values(f"{name}_set")


def address_fields(name: AddressField) -> tuple[str, str]:
    """The fields by which a rule is about source or destination."""
    return name, f"{name}_set"


def open_to_all(columns: Columns, name: AddressField) -> Array:
    """The rules that do not name the field."""
    answer: Array = columns.free(name) & columns.free(f"{name}_set")
    return answer


class HiddenAddressGroup(Group):
    """The row of an address that cannot be read: it counts as matching for drop and as not matching
    for accept and count."""

    def __init__(self, generation: Generation, columns: Columns, name: AddressField) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        generation.tables[f"{name}_hidden"] = generation.rows.count
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        answer: Array = open_to_all(columns, self._name) | columns.drop
        return answer[None]

    def admits(self, columns: Columns) -> bool:
        return True


class _Family(NamedTuple):
    """The prefixes of a ruleset in one family, as one rule's prefix is held against them all."""

    address: Array
    """(k, 2) u64: the address in 128 bits, IPv4's in the first 32."""
    length: Array
    """-1: outside all."""


class PrefixGroup(Group):
    """The rules' own prefixes of one family."""

    def __init__(
        self, generation: Generation, columns: Columns, name: AddressField, family: Literal[4, 6]
    ) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        self.family: Literal[4, 6] = family
        self.width = 32 if family == 4 else 128
        self.in_trie = False
        values = prefixes_of(columns, name)
        mine = [n for n, value in enumerate(values) if value and value[1].family == family]
        named = [value[1][1:] for n in mine if (value := values[n])]
        keys, first, which = np.unique(
            _keys(named, self.width), return_index=True, return_inverse=True
        )
        node = np.full(len(columns), _NONE)  # by rule: which of the keys it names
        node[mine] = which.ravel()
        negated = np.zeros(len(columns), dtype=bool)
        negated[[n for n in mine if (value := values[n]) and value[0]]] = True
        outside = generation.add_rows(
            generation.words((open_to_all(columns, name) | negated)[None])
        )
        prefixes = [named[n] for n in first.tolist()]
        self.nodes: dict[tuple[int, int], int] = dict(zip(prefixes, count(outside + 1)))
        self.outside = outside
        self._lead = outside if generation.rows.data[outside].any() else NO_ROW
        """The row of other addresses in the tables: with NO_ROW, a program looks no further."""
        if prefixes:
            generation.features |= FEATURES[name]
            self._fill(generation, keys, node, negated)
        blocks = generation.blocks.count
        self._write_table(generation, prefixes)
        self._blocks = generation.blocks.count - blocks
        self.rows = np.arange(outside, generation.rows.count)
        self._known = _family([(0, -1), *prefixes], self.width)
        generation.groups.append(self)

    def _fill(self, generation: Generation, keys: Array, node: Array, negated: Array) -> None:
        """The rows, parents before children."""
        words = generation.capacity // 64
        parent, by_depth = levels(stops(keys))
        first = generation.rows.take(len(keys))
        add = generation.rows.data[first:]
        above = generation.rows.data[self.outside]
        if above.any():
            add[by_depth[0]] = above
        position = np.array(generation.positions)
        bits = np.uint64(1) << (position % 64).astype(np.uint64)
        at = node * words + position // 64
        # Each rule has its own bit, and numpy adds faster than it ORs.
        rules = (node != _NONE) & ~negated
        np.add.at(add.reshape(-1), at[rules], bits[rules])
        take: Array | None = None
        if negated.any():
            take = np.zeros((len(keys), words), dtype="<u8")
            np.add.at(take.reshape(-1), at[negated], bits[negated])
        for depth, some in enumerate(by_depth):
            if depth:
                add[some] |= add[parent[some]]
            if take is not None:
                add[some] &= ~take[some]

    def _write_table(self, generation: Generation, prefixes: list[tuple[int, int]]) -> None:
        table = generation.tables[f"{self._name}{self.family}"]
        rows = np.arange(self.outside + 1, self.outside + 1 + len(prefixes))
        table[...] = self._lead
        if self.family == 4:
            numbers = np.array(prefixes, dtype=np.int64).reshape(-1, 2)
            fill_table4(generation, table, numbers[:, 0], numbers[:, 1], rows)
            return
        generation.tables[f"{self._name}6_row"] = self._lead
        blocks, leaves = generation.blocks.count, generation.leaves.count
        placed = [(*prefix, row) for prefix, row in zip(prefixes, rows.tolist(), strict=True)]
        try:
            fill_table6(generation, table, placed, self._lead)
        except TooManyBlocks:
            generation.blocks.drop_to(blocks)
            generation.leaves.drop_to(leaves)
            self._use_trie(generation, placed)

    def _use_trie(self, generation: Generation, placed: Sequence[tuple[int, int, int]]) -> None:
        self.in_trie = True
        generation.features |= Feature.TRIES
        generation.tables["tries"] |= _TRIES[self._name]
        trie = generation.src6 if self._name == "src" else generation.dst6
        for address, length, row in placed:
            trie[length, address.to_bytes(16, "big")] = row

    # -- a rule that joins -----------------------------------------------------------------------

    def _mine(self, columns: Columns) -> list[tuple[bool, Prefix] | None]:
        return [
            value if value is not None and value[1].family == self.family else None
            for value in prefixes_of(columns, self._name)
        ]

    def _new(self, columns: Columns) -> set[tuple[int, int]]:
        """Prefixes that no rule has named so far. Asked one by one: taking away all that there are
        would walk thousands."""
        named = {(value[1].address, value[1].length) for value in self._mine(columns) if value}
        return {prefix for prefix in named if prefix not in self.nodes}

    def admits(self, columns: Columns) -> bool:
        new = self._new(columns)
        if self.in_trie:
            return not new
        return self.family == 4 or self._blocks + _DEEPEST * len(new) <= MAX_BLOCKS

    def prepare(self, generation: Generation, columns: Columns) -> None:
        if self._lead == NO_ROW and self.satisfied(columns)[0].any():
            self._lead = self.outside
            insert_prefix(
                generation, f"{self._name}{self.family}", self.family, (0, 0), NO_ROW, self.outside
            )
            if self.family == 6:
                generation.tables[f"{self._name}6_row"] = self.outside
                generation.touched.tables.add(f"{self._name}6_row")
        if not self.concerns(columns):
            return
        for address, length in sorted(self._new(columns), key=lambda prefix: prefix[1]):
            parent = self._parent(address, length)
            row = generation.copy_row(parent)
            table = f"{self._name}{self.family}"
            blocks = generation.blocks.count
            old = self._lead if parent == self.outside else parent
            insert_prefix(generation, table, self.family, (address, length), old, row)
            self._blocks += generation.blocks.count - blocks
            self.nodes[address, length] = row
            self.rows = np.append(self.rows, row)
            one = _family([(address, length)], self.width)
            self._known = _Family(
                np.concatenate([self._known.address, one.address]),
                np.append(self._known.length, one.length),
            )

    def _parent(self, address: int, length: int) -> int:
        for shorter in range(length - 1, -1, -1):
            shift = self.width - shorter
            found = self.nodes.get((address >> shift << shift, shorter))
            if found is not None:
                return found
        return self.outside

    def satisfied(self, columns: Columns) -> Array:
        free = open_to_all(columns, self._name)
        answer = np.zeros((len(self.rows), len(columns)), dtype=bool)
        answer[:, free] = True
        for i, value in enumerate(self._mine(columns)):
            if value is not None:
                negated, prefix = value
                mask = _family(
                    [((1 << self.width) - (1 << (self.width - prefix.length)), 0)], self.width
                )
                wanted = _family([(prefix.address, prefix.length)], self.width)
                same = ((self._known.address & mask.address) == wanted.address).all(axis=1)
                answer[:, i] = (same & (self._known.length >= prefix.length)) != negated
        return answer


def _keys(prefixes: Sequence[tuple[int, int]], width: int) -> Array:
    """(address, length)s as nesting.py takes them."""
    if width == 32:
        return np.array([address << 8 | length for address, length in prefixes], dtype="<u8")
    raw = b"".join(address.to_bytes(16, "big") + bytes([length]) for address, length in prefixes)
    return np.frombuffer(raw, "S17")


def _family(prefixes: Sequence[tuple[int, int]], width: int) -> _Family:
    raw = b"".join((a << (128 - width)).to_bytes(16, "big") for a, _ in prefixes)
    return _Family(
        np.frombuffer(raw, ">u8").reshape(-1, 2).astype(np.uint64),
        np.array([length for _, length in prefixes], dtype=np.int64),
    )


class SetGroup(Group):
    """The rows of classes: the rules that name one of a class's sets, negated or not."""

    def __init__(
        self, generation: Generation, columns: Columns, name: AddressField, world: KernelSets
    ) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        self._world = world
        naming = [value for value in sets_of(columns, name) if value is not None]
        self.used = bool(naming)
        self._negated = any(no for no, _ in naming)
        self._classes = list(world.classes) if self.used else []
        first = generation.rows.count
        generation.class_rows[name] = self._unlisted = first
        for n, number in enumerate(self._classes, 1):
            generation.class_rows[name][number] = first + n
        if self.used:
            generation.features |= Feature.SRC_SET if name == "src" else Feature.DST_SET
            if world.timed:
                generation.features |= Feature.TIMED_SET
        if self._negated:
            generation.features |= Feature.NEGATED_SET
            generation.tables[f"{name}_negated"] = first + 1 + len(self._classes)
        else:
            generation.tables[f"{name}_negated"] = NO_ROW
        generation.add_group(self, columns)
        generation.tables[f"{name}_unlisted"] = (
            first if generation.rows.data[first].any() else NO_ROW
        )

    def prepare(self, generation: Generation, columns: Columns) -> None:
        field = f"{self._name}_unlisted"
        if generation.tables[field] == NO_ROW and open_to_all(columns, self._name).any():
            generation.tables[field] = self._unlisted
            generation.touched.tables.add(field)

    def concerns(self, columns: Columns) -> bool:
        # The row of negated sets has those rules alone.
        return self._negated or super().concerns(columns)

    def satisfied(self, columns: Columns) -> Array:
        c = columns
        answer = np.zeros((1 + len(self._classes) + self._negated, len(c)), dtype=bool)
        answer[: 1 + len(self._classes)] = open_to_all(c, self._name)
        values = sets_of(c, self._name)
        for i in np.flatnonzero(~c.free(f"{self._name}_set")).tolist():
            value = values[i]
            assert value is not None
            number = self._world.numbers[value[1]]
            for n, members in enumerate(map(self._world.classes.__getitem__, self._classes), 1):
                answer[n, i] = number in members
            if self._negated:
                answer[-1, i] = value[0]
        return answer

    def admits(self, columns: Columns) -> bool:
        naming = [value for value in sets_of(columns, self._name) if value is not None]
        return not naming or (
            self.used
            and (self._negated or not any(no for no, _ in naming))
            and all(name in self._world.numbers for _, name in naming)
        )
