"""Single maps of an instance, without the rest: for the ways out, which need few descriptors and no disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np

from xdpwall import abi
from xdpwall.compiler.compile import policy_of
from xdpwall.errors import NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.maps import Map
from xdpwall.ruleset.policy import Policy

from .lost_pins import find_maps, open_found, pinned_programs, pins_in
from .map_set import MAP_SET_MAPS, SHARED_MAPS
from .switch import Switch


def open_map(folder: Path, name: str) -> Map | None:
    """Open a map by its pin or, where that was removed, by the programs of ours that use it; None when
    neither tells of it."""
    newest = f"maps-{max(bpffs.pin_numbers(folder, 'maps-'), default=1)}"
    try:
        return Map.open_pinned(folder / ("maps" if name in SHARED_MAPS else newest) / name)
    except NotFound:
        there = [*pins_in(folder / "maps", SHARED_MAPS), *pins_in(folder / newest, MAP_SET_MAPS)]
        return open_found(find_maps(folder, there), name)


@contextmanager
def open_switch(folder: Path) -> Iterator[Switch | None]:
    """The switch of the instance; None when nothing is loaded in the kernel."""
    with ExitStack() as opened:
        table = open_map(folder, "control")
        yield None if table is None else opened.enter_context(Switch(opened.enter_context(table)))


@contextmanager
def open_other_switches(folder: Path, switch: Switch | None) -> Iterator[list[Switch]]:
    """The switches of programs of ours that are on other maps than the pinned ones: a process that
    died while it put maps in the place of others (`--adopt`, an upgrade) has left them there."""
    with ExitStack() as opened:
        found: dict[int, Switch] = {}
        known = set() if switch is None else {switch.map_id}
        for ids in pinned_programs(folder):
            if known.isdisjoint(ids):
                for number in ids:
                    with suppress(NotFound):
                        table = opened.enter_context(Map.open_id(number))
                        if table.info.name == "control":
                            found[number] = opened.enter_context(Switch(table))
                            known.add(number)
        yield list(found.values())


def read_policy(folder: Path, copy: int) -> Policy | None:
    """The policy of one copy of the tables; None when the maps are of another version, or gone."""
    table = open_map(folder, "tables")
    if table is None:
        return None
    with table:
        if table.info.value_size != abi.TABLES.itemsize:
            return None
        value = table.lookup(copy) or b""
    return policy_of(int(np.frombuffer(value, dtype=abi.TABLES)["policy"][0]))
