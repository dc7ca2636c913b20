"""Reload the programs of attachments when maps grow or features change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.attach.removal import swap_moved
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.rtnl import interface_name
from xdpwall.ruleset.attachment import Attachment

from .answering import refresh_answering
from .mutes import mute_program
from .set_aside import setting_aside
from .unrecorded import number_of, unrecorded_attachments

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
    with _expecting(dataplane, compiled):
        if not dataplane.map_set.sizes.holds(compiled.needed_sizes):
            check_replaceable(instance, dataplane)
            with dataplane.generations.growing(compiled.needed_sizes):
                reload_programs(instance, dataplane)
        elif dataplane.generations.wants_reload():
            reload_programs(instance, dataplane)
        refresh_answering(instance, dataplane)


@contextmanager
def _expecting(dataplane: Dataplane, compiled: Generation) -> Iterator[None]:
    """Expect a generation; not any more after an error, so that no later change, which may need no
    other programs, fails by what this one needed."""
    wanted = dataplane.programs.wanted
    try:
        dataplane.generations.expect(compiled)
        yield
    except BaseException:
        dataplane.programs.wanted = wanted
        raise


def reserve_addresses(
    instance: Instance, dataplane: Dataplane, *, set4: int = 0, set6: int = 0
) -> None:
    """Grow the maps for so many IPv4 and IPv6 addresses in all sets together, and rebuild a worn
    table of IPv4 addresses. No verdict changes. Raises Full."""
    sizes = dataplane.map_set.sizes
    need = replace(sizes, set4=set4, set6=set6)
    if not sizes.holds(need) or dataplane.map_set.addresses.worn:
        check_replaceable(instance, dataplane)
        with dataplane.generations.growing(need):
            reload_programs(instance, dataplane)


def reload_programs(instance: Instance, dataplane: Dataplane) -> None:
    """Replace programs that are on other maps or have other features; packets always meet one.

    A program on outgrown maps must be gone before the next switch: all map sets share the control
    word, and the idle copy of an outgrown one is stale. So those that a dead process or a failure
    left standing in are replaced too; not muted ones, which read no copy. Below an interface with
    XDP a program cannot be replaced, so that one's is set aside before the first is touched.
    """
    attacher = instance.attacher
    for row in instance.attachments:
        dataplane.numbers.put(row.index, row.place, row.number)
    with setting_aside(instance, dataplane) as aside:
        outdated, known = [], dict[int, bool]()
        for row in _reloadable(instance):
            found = attacher.find(row.index, row.place)
            if found is None or not found.ours:
                _reload_moved(instance, dataplane, row)
                continue
            if found.program_id not in known:
                with attacher.pins.open(found.program_id) or nullcontext() as program:
                    known[found.program_id] = program is None or _outdated(
                        instance, dataplane, program
                    )
            if known[found.program_id]:
                outdated.append(row)
        for row in outdated:
            aside.clear_for(row.place, row.index)
        for row in outdated:
            found = attacher.find(row.index, row.place)
            if found is not None and found.ours:  # else it is aside
                load = dataplane.programs.loader(row.place, row.number)
                attacher.swap(row.spec, row.index, found.mode, load)
        for index in attacher.stand_ins.indexes():
            with attacher.stand_ins.open(index) or nullcontext() as program:
                if program is None or not _outdated(instance, dataplane, program):
                    continue
                load = dataplane.programs.own_loader("tc-ingress", number_of(instance, program))
            attacher.stand_ins.put(interface_name(index), index, load)


def check_replaceable(instance: Instance, dataplane: Dataplane) -> None:
    """Raise what reload_programs() would raise where the kernel refuses another program at XDP."""
    with setting_aside(instance, dataplane) as aside:
        for row in _reloadable(instance):
            found = instance.attacher.find(row.index, row.place)
            if row.place == "xdp" and found is not None and found.ours:
                aside.plan(row.index)


def _reloadable(instance: Instance) -> list[Attachment]:
    """The attachments, also those that the store does not have (the state folder was lost)."""
    return [*instance.attachments, *unrecorded_attachments(instance)]


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
            swap_moved(
                pins,
                where,
                row.spec,
                row.index,
                dataplane.programs.own_loader(row.place, row.number),
            )
        except XdpwallError:
            mute_program(instance, program.id)
