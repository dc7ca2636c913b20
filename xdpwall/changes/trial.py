"""Attach and detach as changes that have to be confirmed. Called with the instance's lock held.

A program is attached behind the switch to the generation that has it, and passes everything in the
fallback; one that is to go stays on, passes everything meanwhile, and is detached by the confirmation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from xdpwall.attach.interfaces import index_of
from xdpwall.errors import InvalidInput, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few

from .attachments import new_attachment, record_attached
from .bringup import ensure_loaded
from .commit import commit
from .confirm import take_back
from .crashpoints import crash_point
from .detach import check_detachable
from .set_aside import setting_aside


def attach_on_trial(instance: Instance, spec: AttachmentSpec, *, by: Author) -> Attachment:
    """Attach to an interface that has no attachment at that place. Raises what Attacher.attach()
    raises, and nothing is changed then."""
    instance.attacher.check(spec, index_of(spec.iface))
    with attaching(instance, [spec], by=by) as rows:
        commit(
            instance, _same(instance.ruleset), by=by, action=f"attach {rows[0].words}", coming=rows
        )
    return next(row for row in instance.attachments if row.number == rows[0].number)


def detach_on_trial(instance: Instance, rows: Sequence[Attachment], *, by: Author) -> None:
    """Let every packet of these attachments pass, and detach them when that is confirmed."""
    check_detachable(instance, rows)
    words = first_few([row.words for row in rows])
    commit(instance, _same(instance.ruleset), by=by, action=f"detach {words}", leaving=rows)


@contextmanager
def attaching(
    instance: Instance, specs: Sequence[AttachmentSpec], *, by: Author
) -> Iterator[list[Attachment]]:
    """Record attachments, for the body to commit a ruleset that has them, and attach them behind it.
    When one fails, the commit is taken back."""
    rows = [new_attachment(instance, spec, index_of(spec.iface)) for spec in specs]
    try:
        yield rows
        crash_point("trial-switched")
        dataplane = ensure_loaded(instance)
        for row in rows:
            with setting_aside(instance, dataplane) as aside:
                aside.clear_for(row.place, row.index)
                load = dataplane.programs.loader(row.place, row.number)
                done = instance.attacher.attach(row.spec, row.index, load)
            record_attached(instance, replace(row, mode=done.mode), by)
            crash_point("trial-attached")
    except BaseException as error:
        found, waits = instance.dataplane(), instance.store.read().unconfirmed
        if waits is not None and found is not None:
            take_back(instance, found, waits, by=by, why=f"could not be made ({error})")
        for row in rows:
            with suppress(XdpwallError):
                instance.store.attachments.delete(row)
        raise


def refuse_to_confirm(by: Author, what: str) -> None:
    """InvalidInput where the author wants to confirm a change that cannot be taken back."""
    if by.confirm is not None:
        raise InvalidInput(
            f"confirm: {what} cannot be taken back by the kernel",
            field="confirm",
            value=by.confirm,
            hint="make that change by itself, without --confirm",
        )


def _same(ruleset: CommittedRuleset) -> CommittedRuleset:
    """The next revision, with the same rules."""
    return replace(ruleset, revision=ruleset.revision + 1, step=None)
