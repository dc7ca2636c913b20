"""Compile rulesets into generations, and put these into the kernel."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from xdpwall.attach.relations import container_addresses, with_relations
from xdpwall.errors import Full
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset, Step
from xdpwall.ruleset.index import RuleEntry
from xdpwall.values.addresses import CONTAINER

from .crashpoints import crash_point
from .programs import check_replaceable, prepare_generation, reload_programs

if TYPE_CHECKING:
    from xdpwall.compiler.columns import CompilerRule
    from xdpwall.compiler.containers import ContainerAddresses
    from xdpwall.compiler.generation import Generation, KernelSets, NumberedAttachment
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.ruleset.flow_timeouts import FlowTimeouts
    from xdpwall.ruleset.policy import Policy


class _Basis(NamedTuple):
    """What a generation is compiled for, beside its rules."""

    policy: Policy
    attachments: list[NumberedAttachment]
    sets: KernelSets
    timeouts: FlowTimeouts
    flow_places: int
    """0 is the default."""
    containers: ContainerAddresses
    """Of the containers whose addresses rules name."""


def next_generation(
    instance: Instance, dataplane: Dataplane, old: CommittedRuleset, new: CommittedRuleset
) -> Generation:
    """Compile the ruleset that follows `old`: by edits of the active generation, in place, when few
    rules differ; else as a whole. Raises Full."""
    from xdpwall.compiler.compile import check_memory
    from xdpwall.compiler.delta import apply_edit, plan_edits

    basis, now = _basis(instance, new), dataplane.generations.active
    # A rule on a container's addresses is several of the compiler's, or none.
    one_by_one = not any(
        one.startswith(CONTAINER) for one in new.index.relations | old.index.relations
    )
    same = now is not None and now.basis == basis
    if now is not None and same and one_by_one and new.step and new.step.since is now.source:
        try:
            compile_rules = partial(_entries, instance.clock.offset)
            few = plan_edits(*_kernel_step(new.step, old), compile_rules)
            if few is not None and all(apply_edit(now, edit) for edit in few):
                check_memory(now)
                now.source = new.entries
                return now
        except Full:
            pass
        except BaseException:
            dataplane.generations.forget_active()
            raise
        # Of two edits the first may have been made.
        dataplane.generations.forget_active()
    least = dataplane.map_set.sizes.positions
    return _compile(new, basis, least=least, boot=instance.clock.offset)


def _kernel_step(step: Step, old: CommittedRuleset) -> tuple[int, list[RuleEntry], list[RuleEntry]]:
    """Restrict a step to enabled rules, which are those in the kernel: (index, gone, come)."""
    at = step.at
    if at < len(old.entries):
        at -= bisect_left(old.index.disabled, old.entries[at].rank)
    else:
        at -= len(old.index.disabled)
    gone, come = ([e for e in entries if e.rule.enabled] for entries in (step.gone, step.come))
    return at, gone, come


def compile_committed(
    instance: Instance, ruleset: CommittedRuleset, *, least: int = 0
) -> Generation:
    """Compile a ruleset as a whole, for the present attachments and set classes, to at least so
    many positions. Raises Full."""
    return _compile(ruleset, _basis(instance, ruleset), least=least, boot=instance.clock.offset)


def _basis(instance: Instance, ruleset: CommittedRuleset) -> _Basis:
    places = _numbered(instance, ruleset)
    sets = instance.sets.kernel_sets(ruleset)
    flow_places = instance.store.read().flow_places
    addresses = _addresses(instance, ruleset)
    return _Basis(ruleset.policy, places, sets, ruleset.timeouts, flow_places, addresses)


def _addresses(instance: Instance, ruleset: CommittedRuleset) -> ContainerAddresses:
    from xdpwall.compiler.containers import ContainerAddresses

    return ContainerAddresses(
        *container_addresses(ruleset.index.relations, instance.settings.containers)
    )


def _numbered(instance: Instance, ruleset: CommittedRuleset) -> list[NumberedAttachment]:
    """The attachments as the rules of a ruleset may name them."""
    from xdpwall.compiler.generation import NumberedAttachment

    return [
        NumberedAttachment(row.number, row.iface, row.place == "tc-egress", row.relations)
        for row in with_relations(
            instance.attachments, ruleset.index.relations, instance.settings.containers
        )
    ]


def is_compiled_for(instance: Instance, dataplane: Dataplane) -> bool:
    """Whether the generation in force is known to be compiled for the present interfaces."""
    active = dataplane.generations.active
    if active is None or not isinstance(active.basis, _Basis):
        return False
    if active.basis.containers != _addresses(instance, instance.ruleset):
        return False
    return set(_numbered(instance, instance.ruleset)) <= set(active.basis.attachments)


def _compile(
    ruleset: CommittedRuleset,
    basis: _Basis,
    *,
    least: int,
    boot: int,
) -> Generation:
    from xdpwall.compiler.compile import compile_ruleset

    enabled = [entry for entry in ruleset.entries if entry.rule.enabled]
    rules = _entries(boot, enabled, basis.containers)
    compiled = compile_ruleset(
        rules, basis.policy, basis.attachments, basis.sets, least=least, timeouts=basis.timeouts
    )
    if basis.flow_places:
        compiled.flow_places = basis.flow_places
    compiled.basis, compiled.source = basis, ruleset.entries
    return compiled


def _entries(
    boot: int, enabled: Sequence[RuleEntry], containers: ContainerAddresses | None = None
) -> list[CompilerRule]:
    from xdpwall.compiler.compile import entries_of

    rules = [(entry.rule, entry.slot) for entry in enabled]
    if containers is None:
        return entries_of(rules, boot=boot)
    return entries_of(rules, boot=boot, containers=containers)


def reload_ruleset(
    instance: Instance, dataplane: Dataplane, *, revision: int | None = None
) -> None:
    """Compile the committed ruleset for the present attachments and classes, and activate it; under
    another revision than its own while more is to follow. While a change waits for its confirmation,
    both copies are compiled."""
    if dataplane.control.read().pending:
        rewrite_both_copies(instance, dataplane)
        return
    ruleset = instance.ruleset
    compiled = compile_committed(instance, ruleset, least=dataplane.map_set.sizes.positions)
    activate_generation(
        instance, dataplane, compiled, ruleset.revision if revision is None else revision
    )


def place_members(instance: Instance, dataplane: Dataplane, rows: Sequence[Attachment]) -> None:
    """Let the active generation know attachments of shared programs, which no packet meets yet: in place,
    where no rule tells them from others, else as reload_ruleset() does."""
    active = dataplane.generations.active
    if active is None or dataplane.control.read().pending:
        reload_ruleset(instance, dataplane)
        return
    from xdpwall.compiler.group_attachment import AttachmentGroup

    basis, numbers = _basis(instance, instance.ruleset), {row.number for row in rows}
    new = [one for one in basis.attachments if one.number in numbers]
    groups = [group for group in active.groups if isinstance(group, AttachmentGroup)]
    if (
        not isinstance(active.basis, _Basis)
        or active.basis.containers != basis.containers
        or not {*basis.attachments} <= {*active.basis.attachments, *new}
        or not all(group.place(active, one) for group in groups for one in new)
    ):
        reload_ruleset(instance, dataplane)
        return
    if groups:
        dataplane.map_set.write_attachments(active)
    active.basis = basis


def rewrite_both_copies(
    instance: Instance, dataplane: Dataplane, *, set4: int = 0, set6: int = 0
) -> None:
    """While a change waits for its confirmation: compile its ruleset and the one it may be reverted to
    for the present attachments, classes and clock, in maps with room for so many addresses of sets. No
    verdict changes. Raises Full; Conflict "change-pending" where the disk does not have both.

    Packets read both copies, so neither is written in place: programs are put on other maps instead.
    """
    rulesets = waiting_rulesets(instance)
    if rulesets is None:
        from xdpwall.dataplane.generations import fallback_kept

        raise fallback_kept()
    check_replaceable(instance, dataplane)
    sizes = dataplane.map_set.sizes
    judging, fallback = (
        compile_committed(instance, one, least=sizes.positions) for one in rulesets
    )
    need = replace(sizes, set4=max(set4, sizes.set4), set6=max(set6, sizes.set6))
    wanted = dataplane.programs.wanted
    try:
        with dataplane.generations.rewriting(judging, fallback, need):
            crash_point("rewrite-pinned")
            reload_programs(instance, dataplane)
            crash_point("rewrite-swapped")
    except BaseException:
        dataplane.programs.wanted = wanted
        raise


def waiting_rulesets(instance: Instance) -> tuple[CommittedRuleset, CommittedRuleset] | None:
    """The ruleset that waits for its confirmation, and the one it may be reverted to; None without
    one."""
    disk = instance.store.read()
    if disk.unconfirmed is None or disk.pending is not None:
        return None
    newest = list(islice(instance.store.history.rulesets(), 2))
    return (newest[0], newest[1]) if len(newest) == 2 else None


def activate_generation(
    instance: Instance, dataplane: Dataplane, compiled: Generation, revision: int
) -> None:
    """Write a generation and switch to it, after growing maps and reloading programs if need be.
    Raises Full."""
    prepare_generation(instance, dataplane, compiled)
    dataplane.generations.fill(compiled)
    dataplane.generations.switch(revision)
