"""One generation: a ruleset compiled into the tables that the classifier reads. Pure.

The rules of bpf/match.h's example, and the rows that are compiled for them:

    position  rule                             group     class of values    found in       row 3210
    0         drop tcp/22 from 192.0.2.0/24    protocol  TCP                proto4[6]          0111
    1         count tcp                                  UDP                proto4[17]         1000
    2         accept tcp/22                              any other          proto4[1]          0000
    3         drop udp                         dport     22                 dport[22]          1111
                                                         any other          dport[80]          1010
                                               source    in 192.0.2.0/24    src4[0xc000]       1111
                                                         any other          src4[0xc633]       1110

position    A rule's bit in every row. Positions ascend in the rules' order and have gaps, in which
            delta.py inserts rules.
row         A bit vector over the positions, in words of 64 bits: the rules that one class of values
            satisfies. The classifier ANDs one row of each group.
class       Values of a group that satisfy the same rules, and therefore share a row. A value that
            cannot be read has a class of its own: there a rule that drops counts as satisfied, any
            other one does not.
group       Fields whose values are looked up together (class Group). A composed group has several
            fields and a row for each combination of their classes; its row number is a sum of
            entries, one for each field.
pattern     Which of two fields a rule names, 0 to 3 (row_patterns.py). The summaries in front of a
            row are made for each pattern.
plain rows  The kernel's rows of up to 1,024 positions: a summary (if there is more than one word)
            and the words.
packed row  The kernel's row of 2,048 positions or more (struct xw_row): its summaries, the number
            of a whole row, and the words in which it differs from that one, six at most.
whole row   A row with all of its words, in the map whole_rows, to which packed rows refer:

                words of the row      5 0 9 0        whole_rows[3]    5 0 8 0
                packed                whole 3, which 2, patch 9

`rows` below are always words; row_packing.py makes the kernel's rows of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from xdpwall import abi
from xdpwall.abi import FLOW_BUCKET, FLOW_PLACES, Feature
from xdpwall.rule.iface_selector import NO_RELATIONS, Relations
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.values.arrays import Array

from .arrays import IndexSet, Pool
from .columns import Columns, CompilerRule
from .row_packing import KernelRows, kernel_rows
from .row_patterns import pattern_fields, pattern_masks, patterns_of
from .sizes import Sizes

NO_ROW = 0
"""The row without a bit: the packet matches no rule, whatever the other rows are."""
NEUTRAL_ROW = 1
"""The row with the bits of all rules, for fields that no rule names."""

Trie = dict[tuple[int, bytes], int]
"""(prefix length, address in 16 bytes) -> row number, for the kernel's LPM tries."""


@dataclass(frozen=True, slots=True)
class NumberedAttachment:
    """An attachment as rules name it; `number` is its index in the table `attachment`."""

    number: int
    iface: str
    egress: bool
    relations: Relations = NO_RELATIONS


@dataclass(frozen=True, slots=True)
class KernelSets:
    """How the kernel numbers the sets that rules name."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    """Set name -> set number."""
    classes: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Class of addresses -> the numbers of the sets that list them; class 0, in no set, is left
    out."""
    timed: bool = False
    """Whether a class expires."""


@dataclass(slots=True)
class Touched:
    """What an edit has written. The rest equals the previous generation, which the kernel has.

    Indexes into the kernel's rows (`rows`, `whole`), blocks, leaves and rules (`positions`), and
    the names of fields of abi.TABLES.
    """

    rows: IndexSet = field(default_factory=IndexSet)
    whole: IndexSet = field(default_factory=IndexSet)
    tables: set[str] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    leaves: set[int] = field(default_factory=set)
    leaves4: set[int] = field(default_factory=set)
    positions: set[int] = field(default_factory=set)

    def __or__(self, other: Touched) -> Touched:
        return Touched(
            self.rows.union(other.rows),
            self.whole.union(other.whole),
            self.tables | other.tables,
            self.blocks | other.blocks,
            self.leaves | other.leaves,
            self.leaves4 | other.leaves4,
            self.positions | other.positions,
        )


class Group:
    """Fields whose values are looked up together, and the rows of their classes."""

    rows: Array
    """The numbers of the group's rows, (k,)."""
    fields: Collection[str] = ()
    """Fields of Match. A rule that names none of them has its bit in every row."""
    packed = True
    """The rows resemble each other, so the kernel stores them as differences (struct xw_row).
    Groups with packed = False store whole rows and must be added first; bpf/row_words.h reads
    these by unpatched_word()."""

    def concerns(self, columns: Columns) -> bool:
        """Whether satisfied() must be asked: otherwise these rules have their bits in every row."""
        return not columns.named_fields.isdisjoint(self.fields)

    def satisfied(self, columns: Columns) -> Array:
        """Which of the rules the values of each row satisfy: bool, (k, n)."""
        raise NotImplementedError

    def can_add(self, columns: Columns) -> bool:
        """Whether these rules need only classes that exist or that prepare() can make of them. If
        not, the ruleset has to be compiled."""
        raise NotImplementedError

    def prepare(self, generation: Generation, columns: Columns) -> None:
        """Split existing classes into those that these rules need, before their bits are set. It is
        also called for rules that do not concern the group."""


def initial_positions(count: int, capacity: int) -> list[int]:
    """Ascending positions for `count` rules, below `capacity`. A quarter of the free ones is in
    front of the rules and a quarter behind, where most rules are inserted, the rest in between."""
    spare = (capacity - count) // 4
    room = capacity - 2 * spare
    return [spare + i * room // count for i in range(count)]


class Generation:
    """The tables of one ruleset, to be written into maps of at least `needed_sizes`.

    compile_ruleset() fills it; delta.py may change it in place afterwards.
    """

    def __init__(self, entries: Sequence[CompilerRule], capacity: int) -> None:
        self._sizes = Sizes(positions=capacity)
        self.entries = list(entries)
        self.capacity = capacity
        """The number of positions, taken and free: a power of two."""
        self.positions = initial_positions(len(self.entries), capacity)
        """The position of each entry, ascending."""
        self.tables: Array = np.zeros((), dtype=abi.TABLES)
        """One abi.TABLES."""
        room = 512 + 3 * len(self.entries)
        self.rows = Pool("<u8", (capacity // 64,), room=room)
        """Each row's words, (rows, capacity / 64) u64."""
        self.rows.take()  # NO_ROW
        self.blocks = Pool("<u4", (256,), room=64 + 4 * len(self.entries))
        self.leaves = Pool(abi.LEAVES)
        self.leaves4 = Pool(abi.LEAVES4, room=64 + len(self.entries))
        self.rules: Array = np.zeros(capacity, dtype=abi.RULE)
        """By position, (capacity,); zeros where it is free."""
        self._patterns: Array = np.zeros(capacity, dtype="u1")
        """The pattern of the rule at each position, (capacity,)."""
        self._pattern_fields: tuple[str, ...] = ()
        self.class_rows: Array = np.zeros(1, dtype=abi.CLASS_ROWS)
        self.src6: Trie = {}
        self.dst6: Trie = {}
        self.features = Feature(0)
        self.flow_places = FLOW_PLACES
        """Places of a family in the flow table, if it tracks flows."""
        self.timeouts = FlowTimeouts()
        self.groups: list[Group] = []
        self.touched = Touched()
        self._changed_bits: dict[int, int] = {}
        """Word index -> mask of the bits that an edit may have changed, in any row."""
        self._copied_rows: dict[int, int] = {}
        """New row -> the row that it was copied from. Like the mask, for update_kernel_rows()."""
        self.kernel_rows: KernelRows
        """`rows` in the kernel's form."""
        self.basis: object = None
        """The policy, attachments and sets that it was compiled for, for the caller to compare."""
        self.source: object = None
        """The rules that it was compiled from, for the caller to compare."""
        self.deleted_rules = 0
        """Rules deleted since it was compiled. The classes that only they needed still exist."""
        self.shrunk = False
        """Rules were deleted, so that the rest may use less than `features`: see
        delta.used_features()."""
        self.build_kernel_rows()

    @property
    def needed_sizes(self) -> Sizes:
        """The smallest maps that hold it."""
        return Sizes(
            positions=self.capacity,
            rows=self.rows.count,
            blocks=max(self.blocks.count, 1),
            leaves=max(self.leaves.count, 1),
            leaves4=max(self.leaves4.count, 1),
            whole=max(self.kernel_rows.whole.count, 1),
            prefixes6=max(len(self.src6), len(self.dst6), 1),
            class_rows=len(self.class_rows),
            **self._rate_sizes(),
            flows=self.flow_places if self.features & Feature.FLOWS else FLOW_BUCKET,
        )

    def _rate_sizes(self) -> dict[str, int]:
        if not self.features & (Feature.RATES | Feature.COOKIES):
            return {}
        rates = [e.match.rate[1] for e in self.entries if e.match.rate is not None]
        each = any(rate.per_source for rate in rates)
        return {"rates": abi.SLOTS, "rate_lines": abi.RATE_LINES if each else 1}

    # -- rows ------------------------------------------------------------------------------------

    def row_words(self, satisfied: Array) -> Array:
        """The words of k rows, (k, capacity / 64) u64, of bool (k, n) by entry."""
        bits = np.zeros((len(satisfied), self.capacity), dtype=bool)
        bits[:, self.positions] = satisfied
        return np.packbits(bits, axis=1, bitorder="little").view("<u8")

    def add_rows(self, words: Array) -> int:
        """Add rows of these words, (k, capacity / 64) u64; returns the number of the first."""
        first = self.rows.take(len(words))
        self.rows.data[first:] = words
        return first

    def add_group(self, group: Group, columns: Columns) -> None:
        """Add a group with a row for each one of its satisfied(), with consecutive numbers."""
        first = self.add_rows(self.row_words(group.satisfied(columns)))
        group.rows = np.arange(first, self.rows.count)
        self.groups.append(group)

    def copy_row(self, row: int) -> int:
        """Add a row equal to `row`; returns its number."""
        new = self.rows.take()
        self.rewrite_row(new, row)
        return new

    def rewrite_row(self, row: int, source: int) -> None:
        """Overwrite a row by another one."""
        self.rows.data[row] = self.rows.data[source]
        self._copied_rows[row] = source

    # -- the kernel's form of the rows -----------------------------------------------------------

    def set_patterns(self, columns: Columns) -> None:
        """Choose the fields of the patterns and each rule's pattern; `columns` are all `entries`."""
        self._pattern_fields = pattern_fields(columns)
        self._patterns[self.positions] = patterns_of(columns, self._pattern_fields)

    def build_kernel_rows(self) -> None:
        """Make `kernel_rows` of all rows. Raises Full."""
        starts = [int(group.rows[0]) for group in self.groups if group.packed and len(group.rows)]
        patterns = pattern_masks(self._patterns)
        self.kernel_rows = kernel_rows(self.rows.data, self._sizes, patterns, starts)

    def update_kernel_rows(self) -> bool:
        """Bring `kernel_rows` up to date after edits. False (or Full raised): the generation is unusable,
        and the ruleset has to be compiled."""
        kernel = self.kernel_rows
        kernel.written, kernel.written_whole = self.touched.rows, self.touched.whole
        patterns = {
            word: pattern_masks(self._patterns[64 * word :][:64])[:, 0]
            for word in self._changed_bits
        }
        done = kernel.update(self.rows.data, self._changed_bits, self._copied_rows, patterns)
        self._changed_bits, self._copied_rows = {}, {}
        return done

    def widen(self, positions: int) -> None:
        """Add free positions at the end, up to as many as the maps have. Raises Full."""
        self._sizes = Sizes(positions=positions)
        words = self.rows.data
        self.rows = Pool("<u8", (positions // 64,), room=len(words))
        self.rows.take(len(words))
        self.rows.data[:, : words.shape[1]] = words
        self.rules = np.append(self.rules, np.zeros(positions - self.capacity, abi.RULE))
        self._patterns = np.append(self._patterns, np.zeros(positions - self.capacity, "u1"))
        self.capacity = positions
        self.build_kernel_rows()

    # -- single rules, for delta.py --------------------------------------------------------------

    def add_rule(self, columns: Columns, n: int, position: int, rows: Array) -> None:
        """Put rule `n` of `columns` at a free position and set its bit in these rows, by number."""
        entry = columns.entries[n]
        self.rules[position] = (entry.slot, entry.kernel_action, entry.expires)
        self._patterns[position] = patterns_of(columns, self._pattern_fields)[n]
        column = self.rows.data[:, position // 64]
        column[rows] |= np.uint64(1 << position % 64)
        self._touch(position)

    def remove_rule(self, position: int) -> None:
        """Remove the rule at a position: its bit from every row, and its entry in `rules`."""
        self.rows.data[:, position // 64] &= np.uint64(~(1 << position % 64) & (1 << 64) - 1)
        self.rules[position] = 0
        self._touch(position)

    def _touch(self, position: int) -> None:
        word = position // 64
        self._changed_bits[word] = self._changed_bits.get(word, 0) | 1 << position % 64
        self.touched.positions.add(position)

    def shift_rules(self, low: int, high: int, step: int) -> None:
        """Move the rules at positions low to high, all of them taken, by one (`step` 1 or -1) onto a
        free one."""
        first, last = min(low, low + step), max(high, high + step)
        w0, w1 = first // 64, last // 64
        part = self.rows.data[:, w0 : w1 + 1]
        # In words, not unpacked: with few gaps that would be 16 kB a row.
        moved = np.empty_like(part)
        one, top = np.uint64(1), np.uint64(63)
        if step > 0:
            np.left_shift(part, one, out=moved)
            moved[:, 1:] |= part[:, :-1] >> top
        else:
            np.right_shift(part, one, out=moved)
            moved[:, :-1] |= part[:, 1:] << top
        mask = np.zeros((w1 - w0 + 1) * 64, dtype=np.uint8)
        mask[first - w0 * 64 : last - w0 * 64 + 1] = 1
        mask[(low if step > 0 else high) - w0 * 64] = 0
        taken = np.packbits(mask, bitorder="little").view("<u8")
        mask[first - w0 * 64 : last - w0 * 64 + 1] = 1
        stay = ~np.packbits(mask, bitorder="little").view("<u8")
        moved &= taken
        part &= stay
        part |= moved
        self._changed_bits.update(dict.fromkeys(range(w0, w1 + 1), (1 << 64) - 1))
        for by_position in (self.rules, self._patterns):
            by_position[low + step : high + step + 1] = by_position[low : high + 1].copy()
        self.touched.positions.update(range(first, last + 1))
