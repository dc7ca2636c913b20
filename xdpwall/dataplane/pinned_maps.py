"""The pinned maps of one instance: those that live as long as it does, and the newest map set."""

from __future__ import annotations

import os
from pathlib import Path

from xdpwall import abi
from xdpwall.compiler.generation import Generation
from xdpwall.compiler.sizes import Sizes
from xdpwall.errors import Conflict, Failed
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.cpus import cpu_ids
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map

from .map_set import SHARED_MAPS, MapSet
from .pinned_counters import other_version_error


class PinnedMaps:
    """The maps of one instance, open."""

    def __init__(self, folder: Path, shared: dict[str, Map], map_set: MapSet, number: int) -> None:
        """`shared` are the maps of SHARED by name, `number` is that of maps-N."""
        self.folder = folder
        self.shared = shared
        self.map_set = map_set
        self.number = number

    @classmethod
    def create(cls, folder: Path) -> PinnedMaps:
        """Create maps that accept everything, revision 0, and pin them. Conflict "maps-exist"."""
        if maps_alive(folder):
            raise Conflict(f"{folder} holds maps already", code="maps-exist")
        bpffs.ensure_mounted(folder)
        for name in bpffs.pin_names(folder):
            if name == "maps" or name.startswith("maps-"):
                bpffs.remove_tree(folder / name)  # left by a start that did not finish
        map_set, shared = MapSet.create(Sizes(), {})
        map_set.write(0, _accept_everything())
        map_set.write(1, _accept_everything())
        map_set.pin(folder, 1)
        bpffs.ensure_mounted(folder / "maps")
        for name in reversed(SHARED_MAPS):  # control last: with it, the instance is alive
            shared[name].pin(folder / "maps" / name)
        return cls(folder, shared, map_set, 1)

    @classmethod
    def open(cls, folder: Path) -> PinnedMaps:
        """Open the pinned maps. Failed "no-maps" or "other-version"."""
        number = _newest(folder)
        if number is None or not maps_alive(folder):
            raise Failed(f"no maps are pinned in {folder}", code="no-maps")
        found = set(bpffs.pin_names(folder / "maps"))
        shared = {
            name: Map.open_pinned(folder / "maps" / name) for name in SHARED_MAPS if name in found
        }
        control, counters, totals = (shared[n].info for n in ("control", "counters", "totals"))
        if len(shared) < len(SHARED_MAPS) or (
            control.max_entries,
            (counters.type, counters.max_entries),
            counters.value_size,
            totals.max_entries,
            totals.value_size,
        ) != (
            abi.CONTROL_WORDS,
            (MapType.ARRAY, cpu_ids()),
            abi.SLOTS * abi.COUNT.itemsize,
            abi.ATTACHMENTS,
            abi.TOTALS.itemsize,
        ):
            raise other_version_error(folder)
        return cls(folder, shared, MapSet.open(folder, number), number)

    def grow(self, need: Sizes, copy: int) -> MapSet:
        """Copy the map set, with the ruleset in `copy`, into a larger one, and pin that.

        Returns the map set that was in use, which stays pinned and open. Raises Full.
        """
        old, number = self.map_set, (_newest(self.folder) or 0) + 1
        larger = old.copy_grown(old.sizes.grown_to(need), self.shared, copy)
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


def maps_alive(folder: Path) -> bool:
    """Whether the maps of the instance are pinned."""
    return bool(bpffs.pin_numbers(folder, "maps-")) and control_pin(folder) is not None


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
