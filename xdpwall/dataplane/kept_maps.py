"""Counters that outlive the maps around them: an upgrade makes the others anew, by other programs.

BPFFS/kept-ID/   second pins of the maps of KEPT, from when the others are given up until the new ones have them.
                 ID is the instance's: the slots that they count by are those of its store
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

KEPT = ("counters", "totals")
_PREFIX = "kept-"


@cache
def programs_hash() -> int:
    """64 bits of the programs that this process loads. Maps made for others are laid out, or read, otherwise."""
    digest = blake2b(digest_size=8)
    for name in PROGRAM_OBJECTS:
        with suppress(FileNotFoundError):  # which load_object() tells
            digest.update(object_path(name).read_bytes())
    return int.from_bytes(digest.digest(), "little")


def is_laid_out_as_here(name: str, one: Map) -> bool:
    """Whether a map of KEPT has the elements that the programs of this version count in."""
    wanted = {
        "counters": (MapType.ARRAY, cpu_ids(), abi.SLOTS * abi.COUNT.itemsize),
        "totals": (MapType.PERCPU_ARRAY, abi.NUMBERS, abi.TOTALS.itemsize),
    }
    info = one.info
    return (info.type, info.max_entries, info.value_size) == wanted[name]


def keep_maps(folder: Path, identity: str) -> None:
    """Pin the counters a second time, before the maps of an instance are unpinned; all of them or none, and
    only where this version counts likewise."""
    forget_kept(folder)
    with ExitStack() as stack:
        found: dict[str, Map] = {}
        for name in KEPT:
            with suppress(NotFound):
                found[name] = stack.enter_context(Map.open_pinned(folder / "maps" / name))
        if found.keys() != set(KEPT) or not all(map(is_laid_out_as_here, found, found.values())):
            return
        making = bpffs.ensure_mounted(folder / f"{_PREFIX}new")
        for name, one in found.items():
            one.pin(making / name)
        bpffs.rename(making, folder / f"{_PREFIX}{identity}")


def has_kept(folder: Path, identity: str | None) -> bool:
    """Whether counters were kept for the instance with this id."""
    return identity is not None and bool(bpffs.pin_names(folder / f"{_PREFIX}{identity}"))


def open_kept(folder: Path, identity: str | None) -> Mapping[str, Map]:
    """Open the counters that were kept for an instance; nothing where none were."""
    if not has_kept(folder, identity):
        return {}
    source = folder / f"{_PREFIX}{identity}"
    return {name: Map.open_pinned(source / name) for name in KEPT}


def forget_kept(folder: Path) -> None:
    """Take off the second pins."""
    for name in bpffs.pin_names(folder):
        if name.startswith(_PREFIX):
            bpffs.remove_tree(folder / name)
