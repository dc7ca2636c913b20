"""Load the programs of attachments anew, on the maps and with the features in use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.attach.orphans import unrecorded_pins
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment

if TYPE_CHECKING:
    from xdpwall.compiler.generation import Generation
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.kernel.bpf.programs import Program


def tidy_instance(instance: Instance) -> None:
    """After changes, when there is time: bring the copy left behind up to date, and give the
    attachments programs that do no more than the ruleset needs."""
    dataplane = instance.dataplane()
    if dataplane is not None:
        dataplane.generations.sync_idle_copy()
        drop_unused_features(instance, dataplane)


def drop_unused_features(instance: Instance, dataplane: Dataplane) -> None:
    """Programs that do no more than the ruleset in force needs."""
    from xdpwall.compiler.delta import used_features

    force = dataplane.generations.active
    if force is not None and force.shrunk:
        force.features, force.shrunk = used_features(force), False
    if dataplane.generations.drop_unused_features():
        reload_programs(instance, dataplane)


def prepare_generation(instance: Instance, dataplane: Dataplane, compiled: Generation) -> None:
    """Make the maps large enough for a generation, and give the attachments programs with its
    features; fill() and switch() may follow. No verdict changes. Raises Full."""
    dataplane.generations.expect(compiled)
    if not dataplane.map_set.sizes.holds(compiled.needed_sizes):
        with dataplane.generations.growing(compiled.needed_sizes):
            reload_programs(instance, dataplane)
    elif dataplane.generations.wants_reload():
        reload_programs(instance, dataplane)


def reserve_addresses(
    instance: Instance, dataplane: Dataplane, *, set4: int = 0, set6: int = 0
) -> None:
    """Make the maps large enough for so many IPv4 and IPv6 addresses in all sets together, and
    replace a worn table of IPv4 addresses. No verdict changes. Raises Full."""
    sizes = dataplane.map_set.sizes
    need = replace(sizes, set4=set4, set6=set6)
    if not sizes.holds(need) or dataplane.map_set.addresses.worn:
        with dataplane.generations.growing(need):
            reload_programs(instance, dataplane)


def reload_programs(instance: Instance, dataplane: Dataplane) -> None:
    """Give every attachment a program on the current maps, without a moment unfiltered.

    A program on outgrown maps must be gone before the next switch: the control word is common to
    all map sets, and the outgrown one's other copy is stale.
    """
    attacher = instance.attacher
    for row in instance.attachments:
        found = attacher.find(row.index, row.place)
        if found is None or not found.ours:
            continue
        with attacher.pins.open(found.program_id) or nullcontext() as program:
            if program is not None and not _outdated(instance, dataplane, program):
                continue
        attacher.swap(row.spec, row.index, found.mode, loader_for(dataplane, row))
    _reload_unknown(instance, dataplane)


def _outdated(instance: Instance, dataplane: Dataplane, program: Program) -> bool:
    if dataplane.programs.runs_on_these_maps(program):
        return not dataplane.programs.is_current(program)
    # It judges by maps that were unpinned, which the present ones may not replace before they hold
    # the ruleset.
    return dataplane.control.read().revision == instance.ruleset.revision


def _reload_unknown(instance: Instance, dataplane: Dataplane) -> None:
    """Likewise programs of ours that no row tells of (the state folder was lost): they judge by the
    same tables."""
    attacher = instance.attacher
    for index, place in unrecorded_pins(attacher, instance.attachments):
        found = attacher.find(index, place)
        if found is None or not found.ours:
            continue
        with attacher.pins.open(found.program_id) or nullcontext() as program:
            if program is None or not _outdated(instance, dataplane, program):
                continue
            number = dataplane.programs.constant(program, "number")
        row = Attachment(f"index{index}", place, index, None, number or 0, "")
        attacher.swap(row.spec, index, found.mode, loader_for(dataplane, row))


def loader_for(dataplane: Dataplane, row: Attachment) -> Callable[[bool], Program]:
    """What the attacher calls for a program: `load(frags)`."""
    return lambda frags: dataplane.programs.load(row.place, row.number, frags=frags)
