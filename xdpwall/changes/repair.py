"""`xdpwall repair`: make a database that is damaged, gone or older than it was anew from its second copy.

The kernel goes on as it is. The new file is complete, and on disk, before it takes the old one's place,
which is kept beside it; whoever dies on the way has left a repair to do again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.errors import ANOTHER_STATE, Failed, Refused, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.set_references import negated_sets
from xdpwall.sets.entries import Entries
from xdpwall.sets.timed import TimedEntries
from xdpwall.store.rebuild import Rebuild
from xdpwall.values.author import Author
from xdpwall.views.status import RepairOutcome

from .attachments import record_found
from .crashpoints import crash_point
from .ownership import kernel_standing
from .recovery import recover

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def repair(instance: Instance, *, by: Author) -> RepairOutcome:
    """Put the state folder right; nothing is done to one that is. Called inside `mending`.

    The fault itself where there is no second copy, and Failed "newer-store". Refused "empty-set" where entries are lost without
    which a rule would match more than it did.
    """
    store = instance.store
    fault = store.examine()
    if fault is None:
        return _outcome(instance, repaired=False)
    if fault.code == "newer-store":
        raise fault  # nothing is wrong with it, and the copy may be of before
    rebuild = Rebuild(store)
    try:
        rebuild.save()
        crash_point("repair-saved")
        if not rebuild.needed():
            _begin_anew(instance)
            return _outcome(instance, repaired=True)
        missing = rebuild.build()
    except XdpwallError as error:
        if error.code not in ("no-copy", "corrupt"):
            raise
        raise store.fault() or fault from error
    said = []
    if missing:
        names = {row.number: row.name for row in instance.ruleset.sets}
        for number, content in _read_back(instance, missing).items():
            rebuild.put_set(number, content)
            said.append(
                f"set {names[number]}: {len(content):,} entries were read back from the kernel"
            )
            missing.remove(number)
        lost = [names[number] for number in missing]
        _check_no_negated(instance, lost)
        for number in missing:
            rebuild.put_set(number, TimedEntries(Entries.empty(), {}))
        said += [f"set {name}: its entries are lost (xdpwall set load {name})" for name in lost]
    crash_point("repair-built")
    kept = rebuild.take_place(crash_point)
    _begin_anew(instance)
    words = "repair from the second copy" + "".join(f"; {one}" for one in said)
    store.note(by=by, action=words, now=instance.clock.now_text())
    return _outcome(instance, repaired=True, kept=kept, said=said, by=by)


def set_aside(instance: Instance) -> None:
    """Keep a damaged database under another name, and begin an empty one; its second copy goes."""
    Rebuild(instance.store).set_aside()
    _begin_anew(instance)


def _begin_anew(instance: Instance) -> None:
    instance.drop_dataplane()
    instance.store.reopen()
    instance.sets.invalidate()


def _outcome(
    instance: Instance,
    *,
    repaired: bool,
    kept: str | None = None,
    said: list[str] | None = None,
    by: Author | None = None,
) -> RepairOutcome:
    """What is on disk now; and where the kernel holds another revision, how to go on."""
    warnings = list(said or ())
    try:
        if repaired:
            recover(instance)
            if by is not None and instance.dataplane() is not None:
                record_found(instance, by)
    except XdpwallError as error:
        if error.code != ANOTHER_STATE and not isinstance(error, Failed):
            raise
        warnings.append(f"{error.message}; {error.hint}" if error.hint else error.message)
    if fault := instance.store.fault():
        raise fault
    ruleset = instance.ruleset
    return RepairOutcome(
        repaired=repaired,
        revision=ruleset.revision,
        rules=len(ruleset.entries),
        kept=kept,
        warnings=warnings,
    )


def _read_back(instance: Instance, numbers: list[int]) -> dict[int, TimedEntries]:
    """Those of the sets whose entries the kernel still has."""
    with suppress(XdpwallError):
        dataplane = instance.dataplane()
        if dataplane is not None and _is_ours(instance, dataplane):
            from .set_read_back import read_back

            return read_back(instance, dataplane, numbers)
    return {}


def _is_ours(instance: Instance, dataplane: Dataplane) -> bool:
    return kernel_standing(dataplane, instance.store.read()) != "another"


def _check_no_negated(instance: Instance, lost: list[str]) -> None:
    for name, rule_id in negated_sets(entry.rule for entry in instance.ruleset.entries):
        if name in lost:
            raise Refused(
                f"rule {rule_id} is about `not @{name}`, and the entries of the set {name} are lost",
                code="empty-set",
                field="sets",
                value=name,
                hint="xdpwall apply FILE --adopt, with a file that states what it holds",
            )
