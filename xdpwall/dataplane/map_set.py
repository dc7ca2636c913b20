"""A map set: the maps that hold two generations of the classifier, and the entries of the sets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xdpwall import abi
from xdpwall.compiler.arrays import IndexSet, Pool
from xdpwall.compiler.generation import Generation, Touched, Trie
from xdpwall.compiler.row_growing import grow_rows
from xdpwall.compiler.sizes import Sizes
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.cpus import cpu_ids
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import MapSize, load_object, object_path
from xdpwall.values.arrays import Array

from .event_maps import EVENT_MAPS
from .flow_maps import FLOW_MAPS, flow_constants, flow_map_sizes, places_of, timeout_ticks
from .rate_maps import (
    LIMITED,
    PLACES,
    RATE_MAPS,
    SOURCE,
    RateMaps,
    rates_bytes,
    rates_held,
)
from .set_hash4 import SET4_MAPS, SetHash4, bucket_count, table_bytes
from .trace_taps import TAP_MAPS

TRIES = ("src6_0", "src6_1", "dst6_0", "dst6_1")
SHARED_MAPS = ("control", "counters", "totals", "numbers", "fragments", *EVENT_MAPS, *TAP_MAPS)
SET_MAPS = (*SET4_MAPS, "set6", "set4_prefixes", "set6_prefixes", "classes", "occupied")
MAP_SET_MAPS = (
    "tables", "blocks", "leaves", "leaves4", "rows", "whole_rows", "rules", "expiries",
    "class_rows",
    *TRIES, *SET_MAPS, *RATE_MAPS, *FLOW_MAPS,
)  # fmt: skip


_MANY = 8
"""Write all elements of a range when at least one of so many changes."""


class MapSet:
    """The maps of one map set. Array maps are memory-mapped, and have an element for each copy."""

    def __init__(self, maps: Mapping[str, Map], sizes: Sizes) -> None:
        self.maps = dict(maps)
        self.sizes = sizes
        self._memory: dict[str, memoryview] = {}

    @classmethod
    def create(
        cls, sizes: Sizes, shared: Mapping[str, Map], kept: Mapping[str, Map] | None = None
    ) -> tuple[MapSet, dict[str, Map]]:
        """Create maps; the shared ones too when `shared` is empty. Returns both. Raises Full.

        `kept` are maps of another map set that this one goes on using.
        """
        reuse = {**shared, **(kept or {})}
        loaded = load_object(object_path("tc"), sizes=map_sizes(sizes), reuse=reuse, programs=())
        own = {name: loaded.maps.pop(name) for name in MAP_SET_MAPS}
        rest = dict(shared)
        if not shared:
            for name in SHARED_MAPS:
                rest[name] = loaded.maps.pop(name)
        loaded.close()
        return cls(own, sizes), rest

    @classmethod
    def of(cls, maps: Mapping[str, Map]) -> MapSet:
        """Take maps that are open, by name."""
        positions = maps["rules"].info.value_size // 4
        one = Sizes(positions=positions)
        sizes = Sizes(
            positions=positions,
            rows=maps["rows"].info.value_size // one.row_bytes,
            whole=maps["whole_rows"].info.value_size // one.word_bytes,
            blocks=maps["blocks"].info.value_size // 1024,
            leaves=maps["leaves"].info.value_size // abi.LEAVES.itemsize,
            leaves4=maps["leaves4"].info.value_size // abi.LEAVES4.itemsize,
            prefixes6=maps["src6_0"].info.max_entries,
            class_rows=maps["class_rows"].info.value_size // abi.CLASS_ROWS.itemsize,
            set4=maps["set4_rest"].info.max_entries,
            set6=maps["set6"].info.max_entries,
            rates=rates_held(maps["rates"].info.value_size),
            rate_lines=maps["sources"].info.value_size // (PLACES * SOURCE.itemsize),
            flows=places_of(maps),
        )
        return cls(maps, sizes)

    def pin(self, folder: Path, number: int) -> None:
        """Pin as maps-<number>, all maps or none: in a folder that is then renamed."""
        target = folder / f"maps-{number}"
        making = folder / "maps-new"
        bpffs.remove_tree(making)
        bpffs.ensure_mounted(making)
        for name, m in self.maps.items():
            m.pin(making / name)
        bpffs.rename(making, target)

    def close(self) -> None:
        """Let go of descriptors and mappings."""
        self._memory.clear()
        for m in self.maps.values():
            m.close()

    @property
    def constants(self) -> dict[str, int | bytes]:
        """The constants in .rodata that follow from the maps (bpf/maps.h)."""
        s = self.sizes
        return {
            "positions": s.positions,
            "segment_words": s.segment_words,
            "row_mask": s.rows - 1,
            "row_bytes": s.row_bytes,
            "packed": int(s.packed),
            "whole_mask": s.whole - 1,
            "block_mask": s.blocks - 1,
            "leaf_mask": s.leaves - 1,
            "leaf4_mask": s.leaves4 - 1,
            "class_mask": s.class_rows - 1,
            "bucket_mask": bucket_count(s.set4) - 1,
            "hash_factor": self.addresses.factor,
            **self.rates.constants,
            **flow_constants(self.maps),
        }

    @property
    def addresses(self) -> SetHash4:
        """The hash table of the IPv4 addresses in sets."""
        return SetHash4.of(self.maps)

    @property
    def rates(self) -> RateMaps:
        """The rates of rules, and their buckets."""
        return RateMaps(self.maps, {name: self._mapped(name) for name in RATE_MAPS})

    @property
    def map_sizes(self) -> dict[str, MapSize]:
        """The size of each map, for loading an object on these maps."""
        return map_sizes(self.sizes)

    def write(self, copy: int, compiled: Generation) -> None:
        """Write a whole generation, of as many positions, into one copy. The caller has waited
        until no program reads that copy."""
        for of, pool, _ in self._pools(compiled, compiled.touched):
            as_integers(of(copy))[: pool.count] = as_integers(pool.data)
        self._class_rows(copy)[: len(compiled.class_rows)] = compiled.class_rows
        self._array("tables", copy, abi.TABLES)[0] = compiled.tables
        self._write_rules(copy, slice(len(compiled.rules)), compiled.rules)
        self.rates.write(compiled)
        self._timeouts(copy)[:] = timeout_ticks(compiled.timeouts)
        for name, trie in (("src6", compiled.src6), ("dst6", compiled.dst6)):
            self._write_trie(self.maps[f"{name}_{copy}"], trie)

    def write_attachments(self, compiled: Generation) -> None:
        """Write the rows of attachments into both copies; those of numbers in use are as they were."""
        for copy in (0, 1):
            self._array("tables", copy, abi.TABLES)["attachment"][0] = compiled.tables["attachment"]

    def write_touched(self, copy: int, compiled: Generation, touched: Touched) -> None:
        """Write the touched parts of a generation into one copy, which equals it in all others. The
        caller has waited until no program reads that copy."""
        for of, pool, numbers in self._pools(compiled, touched):
            if numbers:
                write_elements(of(copy), pool.data, numbers)
        for name in touched.tables:
            self._array("tables", copy, abi.TABLES)[name][0] = compiled.tables[name]
        at = list(touched.positions)
        self._write_rules(copy, at, compiled.rules[at])
        self.rates.write(compiled)

    def _pools(
        self, compiled: Generation, touched: Touched
    ) -> list[tuple[Callable[[int], Array], Pool, Collection[int]]]:
        """(array of a copy, pool, touched indices) for each pool of a generation."""
        kernel = compiled.kernel_rows
        return [
            (self._rows, kernel.rows, touched.rows),
            (self._whole, kernel.whole, touched.whole),
            (self._blocks, compiled.blocks, touched.blocks),
            (self._leaves, compiled.leaves, touched.leaves),
            (self._leaves4, compiled.leaves4, touched.leaves4),
        ]

    def copy_from(self, other: MapSet, copy: int, rows: Array, whole: Array) -> None:
        """Copy one copy of a smaller map set into the copy of the same number. `rows` and `whole`
        are its rows, converted to this size."""
        old = other.sizes
        self._rows(copy)[: len(rows)] = rows
        self._whole(copy)[: len(whole)] = whole
        self._blocks(copy)[: old.blocks] = other._blocks(copy)
        self._leaves(copy)[: old.leaves] = other._leaves(copy)
        self._leaves4(copy)[: old.leaves4] = other._leaves4(copy)
        self._class_rows(copy)[: old.class_rows] = other._class_rows(copy)
        self._array("tables", copy, abi.TABLES)[0] = other._array("tables", copy, abi.TABLES)[0]
        self._rules(copy)[: old.positions] = other._rules(copy)
        self._expiries(copy)[: old.positions] = other._expiries(copy)
        self._timeouts(copy)[:] = other._timeouts(copy)
        for name in (f"src6_{copy}", f"dst6_{copy}"):
            keys, values = other.maps[name].lookup_batch()
            if len(keys):
                self.maps[name].update_batch(keys, values, len(keys))

    def copy_grown(self, sizes: Sizes, shared: Mapping[str, Map], copy: int) -> MapSet:
        """Create larger maps with the same ruleset, in the copy of the same number, and the same
        sets. Those maps of the sets that are large enough, and not worn, go on in the new set.
        Raises Full."""
        tables = self._array("tables", copy, abi.TABLES)[0]
        rows, whole = grow_rows(self._rows(copy), self._whole(copy), tables, self.sizes, sizes)
        sizes = sizes.grown_to(replace(sizes, whole=len(whole)))
        before, after = map_sizes(self.sizes), map_sizes(sizes)
        stay = {name for name in (*SET_MAPS, *RATE_MAPS) if before[name] == after[name]}
        # A larger flow table is a new one: connections are known by their sockets meanwhile.
        same = self.sizes.flows == sizes.flows
        stay |= {*FLOW_MAPS} if same else {"flow_counts"}
        if self.addresses.worn or not stay.issuperset(SET4_MAPS):
            stay.difference_update(SET4_MAPS)
        bigger, _ = MapSet.create(sizes, shared, {name: self.maps[name] for name in stay})
        try:
            bigger.copy_from(self, copy, rows, whole)
            if "set4" not in stay:
                self.addresses.copy_to(bigger.addresses)
            for name in {*SET_MAPS} - {*SET4_MAPS} - stay:
                _copy_all(self.maps[name], bigger.maps[name])
        except BaseException:
            bigger.close()
            raise
        return bigger

    def policy_bits(self, copy: int) -> int:
        """The policy that one copy was compiled with (abi.PolicyBit)."""
        return int(self._array("tables", copy, abi.TABLES)["policy"][0])

    def _array(self, name: str, copy: int, dtype: Any) -> Array:
        """One copy of an array map as a NumPy array of `dtype`."""
        stride = self.maps[name].stride
        part = self._mapped(name)[copy * stride : (copy + 1) * stride]
        size = np.dtype(dtype).itemsize
        return np.frombuffer(part[: len(part) // size * size], dtype=dtype)

    def _write_rules(self, copy: int, at: slice | list[int], rules: Array) -> None:
        self._expiries(copy)[at] = rules["expires"]
        self._rules(copy)[at] = abi.kernel_rules(rules)

    def _rules(self, copy: int) -> Array:
        return self._array("rules", copy, "<u4")

    def _expiries(self, copy: int) -> Array:
        return self._array("expiries", copy, "<u8")

    def _timeouts(self, copy: int) -> Array:
        return self._array("flow_timeouts", copy, "<u4")

    def _blocks(self, copy: int) -> Array:
        found: Array = self._array("blocks", copy, "<u4").reshape(self.sizes.blocks, -1)
        return found

    def _leaves(self, copy: int) -> Array:
        return self._array("leaves", copy, abi.LEAVES)

    def _leaves4(self, copy: int) -> Array:
        return self._array("leaves4", copy, abi.LEAVES4)

    def _rows(self, copy: int) -> Array:
        s = self.sizes
        if s.packed:
            return self._array("rows", copy, abi.ROW)
        found: Array = self._array("rows", copy, "<u8").reshape(s.rows, -1)
        return found

    def _whole(self, copy: int) -> Array:
        found: Array = self._array("whole_rows", copy, "<u8").reshape(self.sizes.whole, -1)
        return found

    def _class_rows(self, copy: int) -> Array:
        return self._array("class_rows", copy, abi.CLASS_ROWS)

    def _mapped(self, name: str) -> memoryview:
        if name not in self._memory:
            self._memory[name] = self.maps[name].mmap()
        return self._memory[name]

    @staticmethod
    def _write_trie(m: Map, trie: Trie) -> None:
        wanted = {
            bits.to_bytes(4, "little") + address: row.to_bytes(4, "little")
            for (bits, address), row in trie.items()
        }
        keys, values = m.lookup_batch()
        present = {k.tobytes(): v.tobytes() for k, v in zip(keys, values, strict=True)}
        stale = [k for k in present if k not in wanted]
        if stale:
            m.delete_batch(b"".join(stale), len(stale))
        fresh = [(k, v) for k, v in wanted.items() if present.get(k) != v]
        if fresh:
            m.update_batch(b"".join(k for k, _ in fresh), b"".join(v for _, v in fresh), len(fresh))


def write_elements(there: Array, data: Array, numbers: Collection[int]) -> None:
    """Copy the elements at `numbers` from `data`. When they are many, the whole range: a slice
    takes a tenth of the time of single elements, and those between are equal anyway."""
    at = numbers.numbers() if isinstance(numbers, IndexSet) else np.array(list(numbers))
    there, data = as_integers(there), as_integers(data)
    if _MANY * len(at) > len(data):
        first, end = int(at.min()), int(at.max()) + 1
        there[first:end] = data[first:end]
    else:
        there[at] = data[at]


def as_integers(elements: Array) -> Array:
    """View elements as unsigned integers: NumPy copies structures 30 times slower."""
    if elements.dtype.names is None:
        return elements
    size = 8 if elements.itemsize % 8 == 0 else 4
    return elements.view(f"<u{size}").reshape(len(elements), elements.itemsize // size)


def _copy_all(old: Map, new: Map) -> None:
    """Copy all entries of a map of the sets; of an array, all that the old one has."""
    if old.info.type == MapType.ARRAY:
        memory = old.mmap()
        new.mmap()[: len(memory)] = memory
        return
    keys, values = old.lookup_batch()
    if len(keys):
        new.update_batch(keys, values, len(keys))


def map_sizes(sizes: Sizes) -> dict[str, MapSize]:
    """The value_size or max_entries of each map whose size varies."""
    return {
        "rows": MapSize(value_size=sizes.rows * sizes.row_bytes),
        "blocks": MapSize(value_size=sizes.blocks * 1024),
        "whole_rows": MapSize(value_size=sizes.whole * sizes.word_bytes),
        "leaves": MapSize(value_size=sizes.leaves * abi.LEAVES.itemsize),
        "leaves4": MapSize(value_size=sizes.leaves4 * abi.LEAVES4.itemsize),
        "counters": MapSize(max_entries=cpu_ids()),
        "rules": MapSize(value_size=4 * sizes.positions),
        "expiries": MapSize(value_size=8 * sizes.positions),
        **{name: MapSize(max_entries=sizes.prefixes6) for name in TRIES},
        "class_rows": MapSize(value_size=sizes.class_rows * abi.CLASS_ROWS.itemsize),
        "set4": MapSize(value_size=table_bytes(sizes.set4)),
        "set4_rest": MapSize(max_entries=sizes.set4),
        "set6": MapSize(max_entries=sizes.set6),
        "set4_prefixes": MapSize(max_entries=abi.SET_PREFIXES if sizes.sets else 1),
        "set6_prefixes": MapSize(max_entries=abi.SET_PREFIXES if sizes.sets else 1),
        "classes": MapSize(max_entries=abi.CLASSES if sizes.sets else 1),
        "rates": MapSize(value_size=rates_bytes(sizes.rates)),
        "limited": MapSize(max_entries=cpu_ids(), value_size=LIMITED.itemsize * sizes.rates),
        "sources": MapSize(value_size=PLACES * SOURCE.itemsize * sizes.rate_lines),
        **flow_map_sizes(sizes.flows),
        "occupied": MapSize(max_entries=abi.OCCUPIED.itemsize // 8 if sizes.sets else 1),
    }
