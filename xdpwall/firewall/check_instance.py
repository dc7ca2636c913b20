"""Check a ruleset on this host: with the sets and attachments there are where it states none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdpwall.attach.wanted import planned_attachments
from xdpwall.changes.transactions import reading
from xdpwall.ruleset.set_references import sets_named_by

if TYPE_CHECKING:
    from xdpwall.instance.instance import Instance
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.entries import Entries
    from xdpwall.store.records import Snapshot
    from xdpwall.views.check import CheckReport


class CheckMethods:
    """The facade's method that checks rulesets, which Firewall inherits (firewall.py)."""

    _instance: Instance

    @abstractmethod
    def _unfiltered(self, now: Snapshot) -> list[str]: ...

    def check(self, ruleset: Ruleset | None = None) -> CheckReport:
        """What is wrong with a ruleset, or with the one in force."""
        with reading(self._instance) as now:
            report = check_instance(self._instance, now, ruleset)
            unfiltered = self._unfiltered(now) if ruleset is None else []
        return report.model_copy(update={"unfiltered": unfiltered})


def check_instance(instance: Instance, now: Snapshot, wanted: Ruleset | None) -> CheckReport:
    """Check `wanted`, or what is in force."""
    from .check import check_ruleset  # NumPy

    clock = instance.clock
    if wanted is None:
        rules, policy = [entry.rule for entry in now.ruleset.entries], now.ruleset.policy
    else:
        rules, policy = list(wanted.rules), wanted.policy
    sets = sets_held(instance, now, rules)
    for name, stated in ((wanted and wanted.sets) or {}).items():
        if name in sets:
            sets[name] = stated.entries
    attachments = now.attachments
    if wanted is not None and wanted.attachments is not None:
        attachments = tuple(planned_attachments(wanted.attachments))
    return check_ruleset(
        rules, policy, sets, attachments, instance.settings.containers, clock.now_text()
    )


def sets_held(
    instance: Instance, now: Snapshot, rules: Sequence[Rule]
) -> dict[str, Entries | None]:
    """What the sets that these rules name hold now; None for one that there is not."""
    numbers = {row.name: row.number for row in now.ruleset.sets}
    seconds = instance.clock.seconds()
    return {
        name: instance.store.sets.read_set(numbers[name]).unexpired(seconds).all()
        if name in numbers
        else None
        for name in {name for rule in rules for _, name in sets_named_by(rule)}
    }
