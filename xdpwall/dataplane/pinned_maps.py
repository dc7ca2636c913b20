"""The pinned maps of one instance: those that live as long as it does, and the newest map set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from xdpwall import abi
from xdpwall.compiler.generation import Generation
from xdpwall.compiler.sizes import Sizes
from xdpwall.errors import Conflict, Failed
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map

from .flow_maps import FLOW_TABLES, places_of
from .kept_maps import are_counters, programs_hash
from .lost_pins import find_maps, missing_pins_error, open_found, pins_in
from .map_set import MAP_SET_MAPS, SHARED_MAPS, MapSet
from .pinned_counters import other_version_error
from .set_hash4 import table_bytes


class PinnedMaps:
    """The maps of one instance, open."""

    def __init__(
        self,
        folder: Path,
        shared: dict[str, Map],
        map_set: MapSet,
        number: int,
        lost: Sequence[Path] = (),
    ) -> None:
        """`shared` are the maps of SHARED by name, `number` is that of maps-N."""
        self.folder = folder
        self.shared = shared
        self.map_set = map_set
        self.number = number
        self.lost = list(lost)
        """Pins that were removed; the maps are open, by the ids that our programs tell."""

    @classmethod
    def create(cls, folder: Path, kept: Mapping[str, Map] | None = None) -> PinnedMaps:
        """Create maps that accept everything, revision 0, and pin them. Conflict "maps-exist".

        `kept` are maps of an earlier version, which go on as they are; they stay the caller's.
        """
        if maps_alive(folder):
            raise Conflict(f"{folder} holds maps already", code="maps-exist")
        bpffs.ensure_mounted(folder)
        unpin_maps(folder)  # left by a start that did not finish
        tracked = kept is not None and kept.keys() >= {*FLOW_TABLES}
        sizes = Sizes(flows=places_of(kept)) if kept is not None and tracked else Sizes()
        map_set, shared = MapSet.create(sizes, {}, kept)
        shared["control"].update(abi.CONTROL_PROGRAMS, programs_hash().to_bytes(8, "little"))
        map_set.write(0, _accept_everything())
        map_set.write(1, _accept_everything())
        map_set.pin(folder, 1)
        bpffs.ensure_mounted(folder / "maps")
        for name in reversed(SHARED_MAPS):  # control last: with it, the instance is alive
            shared[name].pin(folder / "maps" / name)
        return cls(folder, shared, map_set, 1)

    @classmethod
    def open(cls, folder: Path) -> PinnedMaps:
        """Open the pinned maps, and those whose pin was removed where a program of ours uses them.
        Failed "no-maps", "other-version", or "missing-pin" where no program does."""
        bpffs.check_trusted(folder)
        number = _newest(folder) or 1
        places = {name: folder / "maps" / name for name in SHARED_MAPS}
        places |= {name: folder / f"maps-{number}" / name for name in MAP_SET_MAPS}
        there = {*pins_in(folder / "maps", SHARED_MAPS)}
        there.update(pins_in(folder / f"maps-{number}", MAP_SET_MAPS))
        lost = [path for path in places.values() if path not in there]
        found = find_maps(folder, there) if lost else {}
        if not (found or maps_alive(folder)):
            raise Failed(f"no maps are pinned in {folder}", code="no-maps")
        opened: dict[str, Map] = {}
        try:
            for name, path in places.items():
                one = Map.open_pinned(path) if path in there else open_found(found, name)
                if one is not None:
                    opened[name] = one
            missing = [path for name, path in places.items() if name not in opened]
            # A program of ours has every map of its version, so those it lacks are of another one.
            if (missing and found) or not _laid_out_as_here(opened):
                raise other_version_error(folder)
            if missing:
                raise missing_pins_error(missing)
        except BaseException:
            for one in opened.values():
                one.close()
            raise
        shared = {name: opened[name] for name in SHARED_MAPS}
        return cls(folder, shared, MapSet.of({n: opened[n] for n in MAP_SET_MAPS}), number, lost)

    def pin_lost(self) -> None:
        """Pin again what was found without its pin."""
        for name in ("maps", f"maps-{self.number}"):
            bpffs.ensure_mounted(self.folder / name)
        maps = {**self.map_set.maps, **self.shared}
        for path in reversed(self.lost):  # control last, as in create()
            maps[path.name].pin(path)
        self.lost = []

    def grow(self, need: Sizes, copy: int) -> MapSet:
        """Copy the map set, with the ruleset in `copy`, into a larger one, and pin that.

        Returns the map set that was in use, which stays pinned and open. Raises Full.
        """
        old = self.map_set
        return self._use(old.copy_grown(old.sizes.grown_to(need), self.shared, copy))

    def rewrite(self, need: Sizes, copies: Mapping[int, Generation]) -> MapSet:
        """grow(), and each of the two copies is written anew before anything reads it."""
        old = self.map_set
        larger = old.copy_grown(old.sizes.grown_to(need), self.shared, min(copies))
        try:
            for copy, compiled in copies.items():
                larger.write(copy, compiled)
        except BaseException:
            larger.close()
            raise
        return self._use(larger)

    def _use(self, larger: MapSet) -> MapSet:
        old, number = self.map_set, (_newest(self.folder) or 0) + 1
        larger.pin(self.folder, number)
        self.map_set, self.number = larger, number
        return old

    def unpin_outgrown(self) -> None:
        """Unpin all map sets but the newest; only when no program of ours is on the others."""
        newest = _newest(self.folder)
        for name in bpffs.pin_names(self.folder):
            if name.startswith("maps-") and name != f"maps-{newest}":
                bpffs.remove_tree(self.folder / name)

    def close(self) -> None:
        """Let go of descriptors and mappings; the pins stay."""
        for m in self.shared.values():
            m.close()
        self.map_set.close()


def unpin_maps(folder: Path) -> None:
    """Remove the pins of all maps, `control` first: then nothing is alive that is half there."""
    bpffs.unlink(folder / "maps" / "control")
    for name in bpffs.pin_names(folder):
        if name == "maps" or name.startswith("maps-"):
            bpffs.remove_tree(folder / name)


def maps_alive(folder: Path) -> bool:
    """Whether the maps of the instance are in the kernel: pinned, or used by a program of ours."""
    numbers = bpffs.pin_numbers(folder, "maps-")
    if numbers and control_pin(folder) is not None:
        return True
    pinned = pins_in(folder / "maps", SHARED_MAPS)
    pinned += pins_in(folder / f"maps-{max(numbers, default=1)}", MAP_SET_MAPS)
    return bool(find_maps(folder, pinned))


def _laid_out_as_here(maps: Mapping[str, Map]) -> bool:
    """Whether those of the maps that are there are of this version: made for the same programs."""
    control = maps.get("control")
    if control is not None:
        info = control.info
        if (info.type, info.max_entries, info.value_size) != (MapType.ARRAY, abi.CONTROL_WORDS, 8):
            return False
        made_for = control.lookup(abi.CONTROL_PROGRAMS)
        if made_for is None or int.from_bytes(made_for, "little") != programs_hash():
            return False
    if "set4_rest" in maps and "set4" in maps:
        size = maps["set4"].info.value_size
        if size != table_bytes(maps["set4_rest"].info.max_entries):
            return False
    return are_counters(maps)


def control_pin(folder: Path) -> int | None:
    """The inode of the pin of `control`, the last to be made, by which maps that were made anew are
    told apart; None when there is none."""
    try:
        return os.stat(f"{folder}/maps/control").st_ino
    except (OSError, ValueError):
        return None


def _newest(folder: Path) -> int | None:
    return max(bpffs.pin_numbers(folder, "maps-"), default=None)


def _accept_everything() -> Generation:
    from xdpwall.compiler.compile import compile_ruleset
    from xdpwall.ruleset.policy import Policy

    return compile_ruleset([], Policy(), [])
