"""Reload the programs of attachments when maps grow or features change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.attach.interfaces import interface_names, link_kind
from xdpwall.attach.orphans import unrecorded_pins
from xdpwall.attach.removal import swap_moved
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment

from .mutes import mute_program

if TYPE_CHECKING:
    from xdpwall.compiler.generation import Generation
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.kernel.bpf.programs import Program


def tidy_instance(instance: Instance) -> None:
    """Do what a change may leave for later: sync the idle copy, drop unused features."""
    dataplane = instance.dataplane()
    if dataplane is not None:
        dataplane.generations.sync_idle_copy()
        drop_unused_features(instance, dataplane)


def drop_unused_features(instance: Instance, dataplane: Dataplane) -> None:
    """Reload programs that have more features than the active generation needs."""
    from xdpwall.compiler.delta import used_features

    active = dataplane.generations.active
    if active is not None and active.shrunk:
        active.features, active.shrunk = used_features(active), False
    if dataplane.generations.drop_unused_features():
        reload_programs(instance, dataplane)


def prepare_generation(instance: Instance, dataplane: Dataplane, compiled: Generation) -> None:
    """Grow the maps for a generation, or reload programs that lack its features, so that fill() and
    switch() may follow. No verdict changes. Raises Full."""
    dataplane.generations.expect(compiled)
    if not dataplane.map_set.sizes.holds(compiled.needed_sizes):
        with dataplane.generations.growing(compiled.needed_sizes):
            reload_programs(instance, dataplane)
    elif dataplane.generations.wants_reload():
        reload_programs(instance, dataplane)


def reserve_addresses(
    instance: Instance, dataplane: Dataplane, *, set4: int = 0, set6: int = 0
) -> None:
    """Grow the maps for so many IPv4 and IPv6 addresses in all sets together, and rebuild a worn
    table of IPv4 addresses. No verdict changes. Raises Full."""
    sizes = dataplane.map_set.sizes
    need = replace(sizes, set4=set4, set6=set6)
    if not sizes.holds(need) or dataplane.map_set.addresses.worn:
        with dataplane.generations.growing(need):
            reload_programs(instance, dataplane)


def reload_programs(instance: Instance, dataplane: Dataplane) -> None:
    """Replace programs that are on other maps or have other features; packets always meet one.

    A program on outgrown maps must be gone before the next switch: all map sets share the control
    word, and the idle copy of an outgrown one is stale.
    """
    attacher = instance.attacher
    for row in instance.attachments:
        found = attacher.find(row.index, row.place)
        if found is None or not found.ours:
            _reload_moved(instance, dataplane, row)
            continue
        with attacher.pins.open(found.program_id) or nullcontext() as program:
            if program is not None and not _outdated(instance, dataplane, program):
                continue
        attacher.swap(row.spec, row.index, found.mode, loader_for(dataplane, row))
    _reload_unrecorded(instance, dataplane)


def _outdated(instance: Instance, dataplane: Dataplane, program: Program) -> bool:
    if dataplane.programs.runs_on_these_maps(program):
        return not dataplane.programs.is_current(program)
    # Its maps were unpinned, and it filters by them until the present ones hold the ruleset.
    return dataplane.control.read().revision == instance.ruleset.revision


def _reload_moved(instance: Instance, dataplane: Dataplane, row: Attachment) -> None:
    """Replace the program of an interface that was moved to another network namespace, and mute it where
    that cannot be done: it would judge by a copy that is being written."""
    pins = instance.attacher.pins
    program = pins.open_attached(row.index, row.place)
    with program or nullcontext():
        if program is None or not _outdated(instance, dataplane, program):
            return
        where = instance.attacher.whereabouts(row.index, row.place)
        if where is None:
            return
        try:
            swap_moved(pins, where, row.spec, row.index, loader_for(dataplane, row))
        except XdpwallError:
            mute_program(instance, program.id)


def _reload_unrecorded(instance: Instance, dataplane: Dataplane) -> None:
    """Replace programs of ours that the store has no attachment for (the state folder was lost):
    they filter by the same maps."""
    for row in unrecorded_attachments(instance):
        program = instance.attacher.pins.open_attached(row.index, row.place)
        with program or nullcontext():
            if program is None or not _outdated(instance, dataplane, program):
                continue
        instance.attacher.swap(row.spec, row.index, row.mode, loader_for(dataplane, row))


def unrecorded_attachments(instance: Instance) -> list[Attachment]:
    """The attachments of which only the kernel tells, since the state folder was lost, as rows:
    with the number that their program was loaded with, and since when it was."""
    attacher, found = instance.attacher, []
    pins = unrecorded_pins(attacher, instance.attachments)
    names = {index: name for name, index in interface_names().items()} if pins else {}
    for index, place in pins:
        there = attacher.find(index, place)
        if there is None or not there.ours:
            continue
        program = attacher.pins.open_attached(index, place)
        if program is None:
            continue
        from xdpwall.dataplane.program_loader import ProgramLoader

        with program:
            number = ProgramLoader.constant(program, "number") or 0
            since = instance.clock.text_at(program.info.load_time)
        iface = names.get(index, f"index{index}")
        found.append(
            Attachment(
                iface,
                place,
                index,
                None,
                number,
                since,
                there.mode,
                link_kind(index),
            )
        )
    return found


def loader_for(dataplane: Dataplane, row: Attachment) -> Callable[[bool], Program]:
    """Return the function `load(frags)` that the attacher calls for a program."""
    return lambda frags: dataplane.programs.load(row.place, row.number, frags=frags)
