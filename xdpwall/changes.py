"""A change of the ruleset in its fixed order: compile, record, write, switch, commit.

Called with the instance's lock held. Whatever fails, kernel and disk are left with the ruleset
that was in force before.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from . import ruleset
from .errors import Failed, Full, XdpwallError
from .facade import Author
from .faults import crash_point
from .instance import Instance, now_text
from .model import AttachmentSpec
from .ruleindex import RuleEntry
from .ruleset import State, Step
from .store import AttachmentRow

if TYPE_CHECKING:
    from .columns import CompilerRule
    from .dataplane import Dataplane
    from .generation import Compiled, AttachmentNumber, SetWorld
    from .kernel.programs import Program
    from .views import Policy

FEW = 64
"""Rules that come or go in a change that is recorded before it is compiled, as in delta.py."""


def commit(instance: Instance, new: State, *, by: Author, action: str) -> State:
    """Put `new` into force; gives the state that is in force then (the old when nothing differs).

    `action` is for the audit trail. Raises Full when it does not fit, Failed when it broke.
    """
    old = instance.state
    if new.same_as(old):
        return old
    began = time.monotonic()
    # First the maps: to make them gives the sets' classes other numbers.
    dataplane = loaded(instance)
    # A few rules nearly always fit, and compiling them takes as long as the disk does.
    early = _few(new, old)
    try:
        if early:
            _record(instance, old, new, by, action, wait=False)
        compiled = next_generation(instance, dataplane, old, new)
        if slots := ruleset.new_slots(old, new):
            # Whoever used such a slot left in an earlier change; no packet may count there any
            # more.
            dataplane.settle()
            dataplane.zero_slot(slots)
        if not early:
            _record(instance, old, new, by, action, wait=True)
    except BaseException:
        dataplane.forget()
        if early:
            with suppress(XdpwallError):
                instance.store.drop_pending()
        raise
    crash_point("after-record")
    try:
        dataplane.write(compiled, lambda: reload_programs(instance, dataplane))
        instance.store.synced()
        crash_point("after-write")
        dataplane.switch(new.revision)
        crash_point("after-switch")
        took = time.monotonic() - began
        fill = compiled.need.to_json()
        instance.store.commit(new.revision, dataplane.read_counters, took=took, fill=fill)
    except BaseException as error:
        dataplane.forget()
        _undo(instance, dataplane, old, new.revision, error)
        raise
    crash_point("after-commit")
    return instance.state


def _few(new: State, old: State) -> bool:
    step = new.step
    return step is not None and step.since is old.entries and len(step.gone + step.come) <= FEW


def _record(
    instance: Instance, old: State, new: State, by: Author, action: str, *, wait: bool
) -> None:
    instance.store.record(old, new, by=by, action=action, now=now_text(), wait=wait)


def next_generation(instance: Instance, dataplane: Dataplane, old: State, new: State) -> Compiled:
    """The tables of a ruleset that is to follow the one in force: that one's, changed in place,
    when little differs; else compiled whole."""
    from .compiler import check_memory
    from .delta import apply
    from .edits import edits

    basis, now = _basis(instance, new), dataplane.in_force
    if now is not None and now.basis == basis and new.step and new.step.since is now.source:
        try:
            few = edits(*_kernel_step(new.step, old), _entries)
            if few is not None and all(apply(now, edit) for edit in few):
                check_memory(now)
                now.source = new.entries
                return now
        except Full:
            pass
        except BaseException:
            dataplane.forget()
            raise
        # Of two edits the first may have been made.
        dataplane.forget()
    return _compile(new, basis, least=dataplane.sets.sizes.positions)


def _kernel_step(step: Step, old: State) -> tuple[int, list[RuleEntry], list[RuleEntry]]:
    """The step among the enabled rules, which are those that the kernel has."""
    at = step.at
    if at < len(old.entries):
        at -= bisect_left(old.index.disabled, old.entries[at].rank)
    else:
        at -= len(old.index.disabled)
    gone, come = ([e for e in entries if e.rule.enabled] for entries in (step.gone, step.come))
    return at, gone, come


def compiled_for(instance: Instance, state: State, *, least: int = 0) -> Compiled:
    """The tables of a ruleset, for the attachments and the sets' classes as they are now; of at
    least so many positions."""
    return _compile(state, _basis(instance, state), least=least)


def _basis(instance: Instance, state: State) -> tuple[Policy, list[AttachmentNumber], SetWorld]:
    from .generation import AttachmentNumber

    places = [
        AttachmentNumber(row.number, row.iface, row.place == "tc-egress") for row in instance.attachments
    ]
    return state.policy, places, instance.sets.world(state)


def _compile(
    state: State, basis: tuple[Policy, list[AttachmentNumber], SetWorld], *, least: int = 0
) -> Compiled:
    from .compiler import compile_ruleset

    enabled = [entry for entry in state.entries if entry.rule.enabled]
    compiled = compile_ruleset(_entries(enabled), *basis, least=least)
    compiled.basis, compiled.source = basis, state.entries
    return compiled


def _entries(enabled: Sequence[RuleEntry]) -> list[CompilerRule]:
    from .compiler import entries_of

    rules = [(entry.rule, entry.slot) for entry in enabled]
    return entries_of(rules, now_boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def loaded(instance: Instance) -> Dataplane:
    """The maps, holding the committed ruleset: made when a reboot (or nobody yet) left none."""
    found = instance.dataplane()
    if found is not None:
        return found
    from .dataplane import Dataplane

    # The baselines belong to counters that are gone. First this, then the maps: a crash between
    # the two does no harm.
    instance.store.clear_baselines()
    crash_point("restore-cleared")
    made = Dataplane(instance.settings.bpffs)
    made.create()
    made.set_events(instance.store.read().events, logging=False)
    instance.use_dataplane(made)
    crash_point("restore-created")
    if not instance.store.read().on:
        made.set_switch(False)
    if instance.state.revision:
        refill(instance, made)
    crash_point("restore-loaded")
    return made


def refill(instance: Instance, dataplane: Dataplane) -> None:
    """Put the disk's sets and rules into maps that hold others, or none; only then are programs put
    on them that judge by maps which were unpinned."""
    from .setloads import restore_sets

    restore_sets(instance, dataplane)
    regenerate(instance, dataplane)
    if dataplane.sets.sizes.sets:
        instance.sets.known(dataplane)
    reload_programs(instance, dataplane)


def regenerate(instance: Instance, dataplane: Dataplane) -> None:
    """Load the committed ruleset again, for the attachments as they are now."""
    state = instance.state
    compiled = compiled_for(instance, state, least=dataplane.sets.sizes.positions)
    dataplane.commit(compiled, state.revision, lambda: reload_programs(instance, dataplane))


def tidy(instance: Instance) -> None:
    """After changes, when there is time: bring the copy left behind up to date, and give the
    attachments programs that do no more than the ruleset needs."""
    dataplane = instance.dataplane()
    if dataplane is not None:
        dataplane.prime()
        narrow(instance, dataplane)


def narrow(instance: Instance, dataplane: Dataplane) -> None:
    """Programs that do no more than the ruleset in force needs."""
    from .delta import used

    force = dataplane.in_force
    if force is not None and force.shrunk:
        force.features, force.shrunk = used(force), False
    dataplane.narrow(lambda: reload_programs(instance, dataplane))


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
        attacher.swap(spec_of(row), row.index, found.mode, loader(dataplane, row))
    _reload_unknown(instance, dataplane)


def _outdated(instance: Instance, dataplane: Dataplane, program: Program) -> bool:
    if dataplane.steers(program):
        return not dataplane.is_current(program)
    # It judges by maps that were unpinned, which the present ones may not replace before they hold
    # the ruleset.
    return dataplane.control.revision == instance.state.revision


def _reload_unknown(instance: Instance, dataplane: Dataplane) -> None:
    """Likewise programs of ours that no row tells of (the state folder was lost): they judge by the
    same tables."""
    attacher = instance.attacher
    known = {(row.index, row.place) for row in instance.attachments}
    for index, place in attacher.pins.entries():
        if (index, place) in known:
            continue
        found = attacher.find(index, place)
        if found is None or not found.ours:
            continue
        with attacher.pins.open(found.program_id) or nullcontext() as program:
            if program is None or not _outdated(instance, dataplane, program):
                continue
            number = dataplane.constant(program, "number")
        row = AttachmentRow(f"index{index}", place, index, None, number or 0, "")
        attacher.swap(spec_of(row), index, found.mode, loader(dataplane, row))


def loader(dataplane: Dataplane, row: AttachmentRow) -> Callable[[bool], Program]:
    """What attach.py calls for a program: `load(frags)`."""
    return lambda frags: dataplane.load_program(row.place, row.number, frags=frags)


def spec_of(row: AttachmentRow) -> AttachmentSpec:
    """What was asked for."""
    return AttachmentSpec(row.iface, row.hook, row.direction, row.wanted or "auto")


def _undo(
    instance: Instance, dataplane: Dataplane, old: State, revision: int, error: BaseException
) -> None:
    """Back to `old` in the kernel and on disk; what cannot be undone is said on the error."""
    try:
        if dataplane.control.revision == revision:
            compiled = compiled_for(instance, old, least=dataplane.sets.sizes.positions)
            dataplane.commit(compiled, old.revision, lambda: reload_programs(instance, dataplane))
    except XdpwallError as second:
        raise Failed(
            f"revision {revision} is in force in the kernel but could not be recorded: {error}",
            hint="the next command records it; make room on the disk if it is full",
            detail=str(second),
        ) from error
    # On a full disk even this may fail; the next writer drops it, since the kernel says so.
    with suppress(XdpwallError):
        instance.store.drop_pending()
