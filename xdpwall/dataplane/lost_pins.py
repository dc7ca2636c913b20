"""Maps whose pin was removed, found again by the programs of ours that use them.

A map lives as long as a program uses it, and packets are judged by it as before. What is lost with its
pin is only the name by which a command finds it.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from xdpwall.errors import MISSING_PIN, Failed, NotFound, XdpwallError
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.attached import Place, attached_ids

_PLACES: tuple[Place, ...] = ("xdp", "tc-ingress", "tc-egress")
_NAME = 15
"""Characters that the kernel keeps of a map's name."""


def find_maps(folder: Path, pinned: Collection[Path]) -> dict[str, int]:
    """name -> id of the maps that our programs use; empty when none is left that tells.

    `pinned` are the pins of maps that are there: a program of ours is on some of them, and is pinned
    below `folder` or attached in this network namespace.
    """
    known = {number for path in pinned if (number := _id_of(path)) is not None}
    if not known:
        return {}
    used = [ids for ids in pinned_programs(folder) if known.intersection(ids)]
    if not used:
        used = [ids for ids in _attached_programs() if known.intersection(ids)]
    if not used:
        return {}
    found = {}
    for number in max(used, key=lambda ids: len(known.intersection(ids))):
        with suppress(NotFound), Map.open_id(number) as one:
            found[one.info.name] = number
    return found


def open_found(found: dict[str, int], name: str) -> Map | None:
    """Open a map that find_maps() found."""
    number = found.get(name[:_NAME])
    return None if number is None else Map.open_id(number)


def missing_pins_error(paths: Collection[Path]) -> Failed:
    """Make the error for a change where pins were removed."""
    names = ", ".join(str(path) for path in paths)
    what = f"the pin {names} is missing" if len(paths) == 1 else f"the pins {names} are missing"
    return Failed(
        f"{what}; what is attached filters as before",
        code=MISSING_PIN,
        value=[str(path) for path in paths],
        hint="`xdpwall restore` (the service's start does it too) pins it again, or loads what is on "
        "disk where nothing is attached; off, on and detach work without",
    )


def _id_of(path: Path) -> int | None:
    with suppress(XdpwallError), Map.open_pinned(path) as one:
        return one.info.id
    return None


def pinned_programs(folder: Path) -> Iterator[tuple[int, ...]]:
    """The ids of the maps of each program that has a pin."""
    for name in bpffs.pin_names(folder / "progs"):
        with suppress(NotFound), Program.open_pinned(folder / "progs" / name) as program:
            yield program.map_ids


def _attached_programs() -> Iterator[tuple[int, ...]]:
    """The ids of the maps of each program on a hook of this network namespace, whoever's it is."""
    asked: set[int] = set()
    for index, _ in socket.if_nameindex():
        for place in _PLACES:
            try:
                ids = attached_ids(index, place)
            except OSError:  # no such interface any more, or no qdisc
                continue
            for number in ids - asked:
                asked.add(number)
                with suppress(XdpwallError), Program.open_id(number) as program:
                    yield program.map_ids


def pins_in(folder: Path, names: Collection[str]) -> list[Path]:
    """The pins of those names that are in the folder."""
    there = set(bpffs.pin_names(folder))
    return [folder / name for name in names if name in there]
