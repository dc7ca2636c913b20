"""Give attachments at XDP another mode. Called with the instance's lock held.

The kernel has one mode at a time on an interface, so the program is taken off and attached in the other
mode. Meanwhile a filter at tc ingress judges in its place, as for programs that are set aside
(set_aside.py): no packet passes unjudged; one that comes while both are in place is counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from xdpwall.attach.interfaces import index_of
from xdpwall.errors import Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.values.author import Author

from .attachments import attach_interface, record_attached
from .bringup import ensure_loaded
from .crashpoints import crash_point
from .detach import detach_interface
from .set_aside import setting_aside


@dataclass(frozen=True, slots=True)
class ModeChange:
    """An attachment before and after, and why packets passed unjudged for a moment, if they did."""

    before: Attachment
    now: Attachment
    warning: str | None = None


def change_modes(
    instance: Instance, wanted: Sequence[tuple[Attachment, AttachmentSpec]], *, by: Author
) -> list[ModeChange]:
    """Give each attachment the mode of its specification. When one fails, by what Attacher.attach()
    raises, all have their former mode again."""
    done: list[ModeChange] = []
    try:
        for row, spec in wanted:
            done.append(_change_mode(instance, row, spec, by=by))
    except BaseException:
        change_back(instance, done, by=by)
        raise
    return done


def change_back(instance: Instance, changes: Sequence[ModeChange], *, by: Author) -> None:
    """Give the attachments their former mode again, as far as the kernel lets."""
    for one in reversed(changes):
        with suppress(XdpwallError):
            back = _change_mode(instance, one.now, _as_it_was(one.before), by=by).now
            instance.store.attachments.put(replace(back, wanted=one.before.wanted))


def _as_it_was(row: Attachment) -> AttachmentSpec:
    return AttachmentSpec(row.iface, row.hook, row.direction, row.mode or "auto")


def _change_mode(
    instance: Instance, row: Attachment, spec: AttachmentSpec, *, by: Author
) -> ModeChange:
    attacher, index = instance.attacher, index_of(row.iface)
    there = attacher.find(index, row.place)
    if index != row.index or there is None or not there.ours:
        return _attach_lost(instance, row, spec, by=by)
    dataplane, warning = ensure_loaded(instance), None
    load = dataplane.programs.loader(row.place, row.number)
    with setting_aside(instance, dataplane) as aside:
        aside.clear_for(row.place, index)
        try:
            judging = dataplane.programs.loader("tc-ingress", row.number)
            attacher.stand_ins.put(row.iface, index, judging)
        except Conflict as error:
            warning = (
                f"{row.words}: its packets passed unjudged for a moment, since no filter at tc could "
                f"judge them while the mode was changed: {error.message}"
            )
        crash_point("mode-judged")
        attacher.lift(index)
        crash_point("mode-off")
        try:
            done = attacher.attach(spec, index, load)
        except BaseException:
            # Where even this fails, the filter goes on judging, and the next command tries again.
            attacher.attach(_as_it_was(row), index, load)
            attacher.stand_ins.end(index)
            raise
        crash_point("mode-changed")
        changed = replace(row, wanted=spec.mode, mode=done.mode, why_generic=done.why_generic)
        now = record_attached(instance, changed, by)
        attacher.stand_ins.end(index)
    return ModeChange(row, now, warning)


def _attach_lost(
    instance: Instance, row: Attachment, spec: AttachmentSpec, *, by: Author
) -> ModeChange:
    """Attach one whose program is not in place, so that nothing judges meanwhile as nothing did before."""
    detach_interface(instance, row, by=by)
    try:
        return ModeChange(row, attach_interface(instance, spec, by=by)[0])
    except BaseException:
        with suppress(XdpwallError):
            back, _ = attach_interface(instance, _as_it_was(row), by=by)
            instance.store.attachments.put(replace(back, wanted=row.wanted))
        raise
