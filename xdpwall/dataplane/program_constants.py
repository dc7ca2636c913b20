"""The constants that a program was loaded with, read back from the map that the kernel keeps them in.

That map has an id and no name on the bpffs; to open it by the id takes CAP_SYS_ADMIN, which the service does
without. So it is pinned as constants/<id> below the instance's folder.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from xdpwall.errors import NeedsPrivileges, NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import object_path, read_btf
from xdpwall.kernel.bpf.programs import Program

from .lost_pins import pinned_programs

FOLDER = "constants"
MOST_IDLE = 16
"""Pins of programs that have gone, before they are looked for: that opens every program."""


def keep_constants(folder: Path, constants: Map) -> None:
    """Pin the constants of a program that was loaded; those of programs without a pin are forgotten, when
    there are many."""
    own = bpffs.ensure_mounted(folder / FOLDER)
    names = bpffs.pin_names(own)
    if len(names) >= len(bpffs.pin_names(folder / "progs")) + MOST_IDLE:
        used = {number for ids in pinned_programs(folder) for number in ids}
        for name in names:
            if int(name) not in used:
                bpffs.unlink(own / name)
    constants.pin(own / str(constants.info.id))


def read_constant(folder: Path, program: Program, name: str) -> int | None:
    """A constant that a program of ours was loaded with (bpf/maps.h). None when it is gone, or was loaded by a
    release that did not pin it and this process may not ask for it."""
    source = object_path("xdp" if program.info.name.startswith("xdpwall_xdp") else "tc")
    place = read_btf(source).section(".rodata")[name]
    for number in program.map_ids:
        with suppress(NotFound, NeedsPrivileges), _opened(folder, number) as one:
            if one.info.name.endswith(".rodata") and (value := one.lookup(0)):
                found = value[place.offset : place.offset + place.size]
                return int.from_bytes(found, "little")
    return None


def _opened(folder: Path, number: int) -> Map:
    try:
        return Map.open_pinned(folder / FOLDER / str(number))
    except NotFound:
        return Map.open_id(number)
