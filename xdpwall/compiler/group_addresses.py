"""The groups of source and of destination addresses: prefixes that rules name, and sets. Pure.

The row of a prefix is for its addresses that no longer prefix covers. It is the row of its parent,
the longest prefix around it, with the bits of the rules on this prefix set, and those of the rules on
all addresses but this prefix (`!192.0.2.0/24`) cleared.
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
from xdpwall.values.nesting import nested_ends, nesting_levels

from .address_insert import insert_prefix
from .address_table4 import fill_table4
from .address_table6 import MAX_BLOCKS, TooManyBlocks, fill_table6
from .columns import Columns
from .generation import NO_ROW, Generation, Group, KernelSets

AddressField = Literal["src", "dst"]
FEATURES = {"src": Feature.SRC, "dst": Feature.DST}
"""One feature for both families. Without prefixes of a family, its lookup ends at the first table;
with a feature for each, the classifier would be compiled for more shapes of rulesets."""
_MAX_BLOCKS_PER_PREFIX = 14
"""Blocks that inserting one IPv6 prefix can take: one for each 8 bits after the first 16."""
_NONE = -1
"""In place of a prefix's index: none."""
_TRIES = {"src": abi.SRC6_TRIE, "dst": abi.DST6_TRIE}


def prefixes_of(columns: Columns, name: AddressField) -> Sequence[tuple[bool, Prefix] | None]:
    """(negated, prefix) by rule, None where it names no prefix."""
    return columns.values(name)


def sets_of(columns: Columns, name: AddressField) -> Sequence[tuple[bool, str] | None]:
    """(negated, set name) by rule, None where it names no set."""
    return columns.values(f"{name}_set")


def address_fields(name: AddressField) -> tuple[str, str]:
    """The fields of Match for the source or the destination."""
    return name, f"{name}_set"


def any_address(columns: Columns, name: AddressField) -> Array:
    """(n,) bool: the rules that name neither a prefix nor a set."""
    found: Array = columns.absent(name) & columns.absent(f"{name}_set")
    return found


class HiddenAddressGroup(Group):
    """One row, for an address that cannot be read: rules that drop are satisfied."""

    def __init__(self, generation: Generation, columns: Columns, name: AddressField) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        generation.tables[f"{name}_hidden"] = generation.rows.count
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        satisfied: Array = any_address(columns, self._name) | columns.drop
        return satisfied[None]

    def can_add(self, columns: Columns) -> bool:
        return True


class _PrefixColumns(NamedTuple):
    """Prefixes of one family as columns, to compare one prefix with all of them."""

    address: Array
    """(k, 2) u64: the address in 128 bits; IPv4 has the first 32."""
    length: Array
    """(k,) i8; -1 stands for the addresses that no prefix covers."""


class PrefixGroup(Group):
    """The prefixes of one family that rules name, and the rows of all other addresses."""

    def __init__(
        self, generation: Generation, columns: Columns, name: AddressField, family: Literal[4, 6]
    ) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        self.family: Literal[4, 6] = family
        self.width = 32 if family == 4 else 128
        self.in_trie = False
        values = prefixes_of(columns, name)
        own = [n for n, value in enumerate(values) if value and value[1].family == family]
        named = [value[1][1:] for n in own if (value := values[n])]
        keys, first, which = np.unique(
            _keys(named, self.width), return_index=True, return_inverse=True
        )
        node = np.full(len(columns), _NONE)  # by rule: index of its prefix in `keys`
        node[own] = which.ravel()
        negated = np.zeros(len(columns), dtype=bool)
        negated[[n for n in own if (value := values[n]) and value[0]]] = True
        outside = generation.add_rows(
            generation.row_words((any_address(columns, name) | negated)[None])
        )
        prefixes = [named[n] for n in first.tolist()]
        self.row_of: dict[tuple[int, int], int] = dict(zip(prefixes, count(outside + 1)))
        """(address, length) -> row number."""
        self.outside = outside
        """The row of addresses that no prefix covers."""
        self._table_outside = outside if generation.rows.data[outside].any() else NO_ROW
        """The row that the tables have for these: `outside`, or NO_ROW if it is empty, with which the
        classifier need not look at other rows."""
        if prefixes:
            generation.features |= FEATURES[name]
            self._fill(generation, keys, node, negated)
        blocks = generation.blocks.count
        self._write_table(generation, prefixes)
        self._blocks = generation.blocks.count - blocks
        self.rows = np.arange(outside, generation.rows.count)
        self._columns = _prefix_columns([(0, -1), *prefixes], self.width)
        generation.groups.append(self)

    def _fill(self, generation: Generation, keys: Array, node: Array, negated: Array) -> None:
        """Fill the rows of all prefixes, parents before children. `keys` are sorted; `node` and `negated`
        are by rule."""
        words = generation.capacity // 64
        parent, by_depth = nesting_levels(nested_ends(keys))
        first = generation.rows.take(len(keys))
        add = generation.rows.data[first:]
        above = generation.rows.data[self.outside]
        if above.any():
            add[by_depth[0]] = above
        position = np.array(generation.positions)
        bits = np.uint64(1) << (position % 64).astype(np.uint64)
        at = node * words + position // 64
        # Each rule has its own bit, and NumPy adds faster than it ORs.
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
        table[...] = self._table_outside
        if self.family == 4:
            numbers = np.array(prefixes, dtype=np.int64).reshape(-1, 2)
            fill_table4(generation, table, numbers[:, 0], numbers[:, 1], rows)
            return
        generation.tables[f"{self._name}6_row"] = self._table_outside
        blocks, leaves = generation.blocks.count, generation.leaves.count
        prefix_rows = [(*prefix, row) for prefix, row in zip(prefixes, rows.tolist(), strict=True)]
        try:
            fill_table6(generation, table, prefix_rows, self._table_outside)
        except TooManyBlocks:
            generation.blocks.drop_to(blocks)
            generation.leaves.drop_to(leaves)
            self._use_trie(generation, prefix_rows)

    def _use_trie(
        self, generation: Generation, prefix_rows: Sequence[tuple[int, int, int]]
    ) -> None:
        self.in_trie = True
        generation.features |= Feature.TRIES
        generation.tables["tries"] |= _TRIES[self._name]
        trie = generation.src6 if self._name == "src" else generation.dst6
        for address, length, row in prefix_rows:
            trie[length, address.to_bytes(16, "big")] = row

    # -- insert rules ----------------------------------------------------------------------------

    def _own_prefixes(self, columns: Columns) -> list[tuple[bool, Prefix] | None]:
        """prefixes_of(), with None for those of the other family."""
        return [
            value if value is not None and value[1].family == self.family else None
            for value in prefixes_of(columns, self._name)
        ]

    def _new(self, columns: Columns) -> set[tuple[int, int]]:
        """The prefixes, as (address, length), that no rule has named so far. Each is looked up: a
        difference of sets would walk all that exist."""
        named = {
            (value[1].address, value[1].length) for value in self._own_prefixes(columns) if value
        }
        return {prefix for prefix in named if prefix not in self.row_of}

    def can_add(self, columns: Columns) -> bool:
        new = self._new(columns)
        if self.in_trie:
            return not new
        return self.family == 4 or self._blocks + _MAX_BLOCKS_PER_PREFIX * len(new) <= MAX_BLOCKS

    def prepare(self, generation: Generation, columns: Columns) -> None:
        if self._table_outside == NO_ROW and self.satisfied(columns)[0].any():
            self._table_outside = self.outside
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
            old = self._table_outside if parent == self.outside else parent
            insert_prefix(generation, table, self.family, (address, length), old, row)
            self._blocks += generation.blocks.count - blocks
            self.row_of[address, length] = row
            self.rows = np.append(self.rows, row)
            one = _prefix_columns([(address, length)], self.width)
            self._columns = _PrefixColumns(
                np.concatenate([self._columns.address, one.address]),
                np.append(self._columns.length, one.length),
            )

    def _parent(self, address: int, length: int) -> int:
        """The row of the longest shorter prefix around this one, or `outside`."""
        for shorter in range(length - 1, -1, -1):
            shift = self.width - shorter
            found = self.row_of.get((address >> shift << shift, shorter))
            if found is not None:
                return found
        return self.outside

    def satisfied(self, columns: Columns) -> Array:
        satisfied = np.zeros((len(self.rows), len(columns)), dtype=bool)
        satisfied[:, any_address(columns, self._name)] = True
        for i, value in enumerate(self._own_prefixes(columns)):
            if value is not None:
                negated, prefix = value
                mask = _prefix_columns(
                    [((1 << self.width) - (1 << (self.width - prefix.length)), 0)], self.width
                )
                wanted = _prefix_columns([(prefix.address, prefix.length)], self.width)
                same = ((self._columns.address & mask.address) == wanted.address).all(axis=1)
                satisfied[:, i] = (same & (self._columns.length >= prefix.length)) != negated
        return satisfied


def _keys(prefixes: Sequence[tuple[int, int]], width: int) -> Array:
    """(address, length)s as keys of values/nesting.py."""
    if width == 32:
        return np.array([address << 8 | length for address, length in prefixes], dtype="<u8")
    raw = b"".join(address.to_bytes(16, "big") + bytes([length]) for address, length in prefixes)
    return np.frombuffer(raw, "S17")


def _prefix_columns(prefixes: Sequence[tuple[int, int]], width: int) -> _PrefixColumns:
    raw = b"".join((a << (128 - width)).to_bytes(16, "big") for a, _ in prefixes)
    return _PrefixColumns(
        np.frombuffer(raw, ">u8").reshape(-1, 2).astype(np.uint64),
        np.array([length for _, length in prefixes], dtype=np.int64),
    )


class SetGroup(Group):
    """The rows of classes of addresses that the same sets list (KernelSets), with class 0 first.

    A class's row has the rules on its sets, `@set` and `!@set` alike; one more row has all rules on
    `!@set`. The classifier XORs them (address_word() in bpf/row_words.h).
    """

    def __init__(
        self, generation: Generation, columns: Columns, name: AddressField, sets: KernelSets
    ) -> None:
        self._name: AddressField = name
        self.fields = address_fields(name)
        self._sets = sets
        naming = [value for value in sets_of(columns, name) if value is not None]
        self.used = bool(naming)
        self._negated = any(no for no, _ in naming)
        self._classes = list(sets.classes) if self.used else []
        first = generation.rows.count
        generation.class_rows[name] = self._unlisted = first
        for n, number in enumerate(self._classes, 1):
            generation.class_rows[name][number] = first + n
        if self.used:
            generation.features |= Feature.SRC_SET if name == "src" else Feature.DST_SET
            if sets.timed:
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
        if generation.tables[field] == NO_ROW and any_address(columns, self._name).any():
            generation.tables[field] = self._unlisted
            generation.touched.tables.add(field)

    def concerns(self, columns: Columns) -> bool:
        # The row of negated sets has no bits of rules that name neither field.
        return self._negated or super().concerns(columns)

    def satisfied(self, columns: Columns) -> Array:
        c = columns
        satisfied = np.zeros((1 + len(self._classes) + self._negated, len(c)), dtype=bool)
        satisfied[: 1 + len(self._classes)] = any_address(c, self._name)
        values = sets_of(c, self._name)
        for i in np.flatnonzero(~c.absent(f"{self._name}_set")).tolist():
            value = values[i]
            assert value is not None
            number = self._sets.numbers[value[1]]
            for n, members in enumerate(map(self._sets.classes.__getitem__, self._classes), 1):
                satisfied[n, i] = number in members
            if self._negated:
                satisfied[-1, i] = value[0]
        return satisfied

    def can_add(self, columns: Columns) -> bool:
        naming = [value for value in sets_of(columns, self._name) if value is not None]
        return not naming or (
            self.used
            and (self._negated or not any(no for no, _ in naming))
            and all(name in self._sets.numbers for _, name in naming)
        )
