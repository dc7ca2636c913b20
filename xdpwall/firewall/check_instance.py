"""Check a ruleset on this host: with the sets and attachments there are where it states none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdpwall.attach.wanted import planned_attachments
from xdpwall.changes.transactions import reading
from xdpwall.ruleset.set_references import sets_named_by

if TYPE_CHECKING:
    from xdpwall.instance.instance import Instance
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.entries import Entries
    from xdpwall.store.records import Snapshot
    from xdpwall.views.check import CheckReport


class CheckMethods:
    """The facade's method that checks rulesets, which Firewall inherits (firewall.py)."""

    _instance: Instance

    def check(self, ruleset: Ruleset | None = None) -> CheckReport:
        """What is wrong with a ruleset, or with the one in force."""
        with reading(self._instance) as now:
            return check_instance(self._instance, now, ruleset)


def check_instance(instance: Instance, now: Snapshot, wanted: Ruleset | None) -> CheckReport:
    """Check `wanted`, or what is in force."""
    from .check import check_ruleset  # NumPy

    clock = instance.clock
    if wanted is None:
        rules, policy = [entry.rule for entry in now.ruleset.entries], now.ruleset.policy
    else:
        rules, policy = list(wanted.rules), wanted.policy
    stated = None if wanted is None else wanted.sets
    numbers = {row.name: row.number for row in now.ruleset.sets}
    sets: dict[str, Entries | None] = {}
    for name in {name for rule in rules for _, name in sets_named_by(rule)}:
        if stated is not None and name in stated:
            sets[name] = stated[name].entries
        elif name in numbers:
            sets[name] = (
                instance.store.sets.read_set(numbers[name]).unexpired(clock.seconds()).all()
            )
        else:
            sets[name] = None
    attachments = now.attachments
    if wanted is not None and wanted.attachments is not None:
        attachments = tuple(planned_attachments(wanted.attachments))
    return check_ruleset(rules, policy, sets, attachments, clock.now_text())
