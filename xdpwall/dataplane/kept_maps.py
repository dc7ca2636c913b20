"""Maps that outlive those around them: an upgrade makes the others anew, by other programs.

BPFFS/kept-ID/   second pins of the maps of KEPT, from when the others are given up until the new ones have them.
                 ID is the instance's: the slots that they count by, and flows tell, are those of its store

Counters go on where both versions count alike, flows where both versions have the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

from xdpwall import abi
from xdpwall.errors import NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.cpus import cpu_ids
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import PROGRAM_OBJECTS, object_path

from .flow_maps import FLOW_COUNTS, FLOW_TABLES, is_flow_table

COUNTERS = ("counters", "totals")
FLOWS = (*FLOW_TABLES, FLOW_COUNTS)
KEPT = (*COUNTERS, *FLOWS)
_PREFIX = "kept-"


@cache
def programs_hash() -> int:
    """64 bits of the programs that this process loads. Maps made for others are laid out, or read, otherwise."""
    digest = blake2b(digest_size=8)
    for name in PROGRAM_OBJECTS:
        with suppress(FileNotFoundError):  # which load_object() tells
            digest.update(object_path(name).read_bytes())
    return int.from_bytes(digest.digest(), "little")


def are_counters(maps: Mapping[str, Map]) -> bool:
    """Whether those of COUNTERS that are there have the elements that the programs of this version count in."""
    wanted = {
        "counters": (MapType.ARRAY, cpu_ids(), abi.SLOTS * abi.COUNT.itemsize),
        "totals": (MapType.PERCPU_ARRAY, abi.NUMBERS, abi.TOTALS.itemsize),
    }
    infos = {name: maps[name].info for name in COUNTERS if name in maps}
    return all(
        (info.type, info.max_entries, info.value_size) == wanted[name]
        for name, info in infos.items()
    )


def keep_maps(folder: Path, identity: str) -> None:
    """Pin a second time, before the maps of an instance are unpinned, those that this version goes on with."""
    forget_kept(folder)
    newest = max(bpffs.pin_numbers(folder, "maps-"), default=1)
    places = {name: folder / "maps" / name for name in COUNTERS}
    places |= {name: folder / f"maps-{newest}" / name for name in FLOWS}
    with ExitStack() as stack:
        found = _usable(places, stack)
        if not found:
            return
        making = bpffs.ensure_mounted(folder / f"{_PREFIX}new")
        for name, one in found.items():
            one.pin(making / name)
        bpffs.rename(making, folder / f"{_PREFIX}{identity}")


def has_kept_counters(folder: Path, identity: str | None) -> bool:
    """Whether counters were kept for the instance with this id."""
    with ExitStack() as stack:
        return "counters" in open_kept(folder, identity, stack)


def open_kept(folder: Path, identity: str | None, stack: ExitStack) -> Mapping[str, Map]:
    """Open what was kept for an instance, until the stack is closed; nothing where nothing was."""
    if identity is None:
        return {}
    source = folder / f"{_PREFIX}{identity}"
    return _usable({name: source / name for name in KEPT}, stack)


def _usable(places: Mapping[str, Path], stack: ExitStack) -> dict[str, Map]:
    """The counters, and the flows, that are there as a whole and laid out as here."""
    usable: dict[str, Map] = {}
    for names, fits in ((COUNTERS, are_counters), (FLOWS, is_flow_table)):
        found: dict[str, Map] = {}
        for name in names:
            with suppress(NotFound):
                found[name] = stack.enter_context(Map.open_pinned(places[name]))
        if found.keys() == set(names) and fits(found):
            usable |= found
    return usable


def forget_kept(folder: Path) -> None:
    """Take off the second pins."""
    for name in bpffs.pin_names(folder):
        if name.startswith(_PREFIX):
            bpffs.remove_tree(folder / name)
