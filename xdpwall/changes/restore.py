"""`xdpwall restore`: what a reboot, or an interface made anew, took away comes back."""

from __future__ import annotations

from xdpwall.attach.orphans import describe_orphan, orphans
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.values.author import Author
from xdpwall.views.status import SWITCHED_OFF, RestoreOutcome

from .attachments import attach_interface
from .bringup import ensure_loaded
from .programs import reload_programs


def restore(instance: Instance, *, by: Author) -> RestoreOutcome:
    """Load the committed ruleset and attach what was attached; goes on past one that fails."""
    # Programs of a version that is gone may judge by what was unpinned.
    reload_programs(instance, ensure_loaded(instance))
    outcome: dict[str, list[str]] = {"attached": [], "already": [], "failed": []}
    lost = orphans(instance.attacher, instance.attachments)
    for row in instance.attachments:
        if row in lost:
            # Beside an orphan a second filter would judge each packet twice, by two rulesets.
            outcome["failed"].append(describe_orphan(row))
            continue
        try:
            _, changed = attach_interface(instance, row.spec, by=by)
        except XdpwallError as error:
            outcome["failed"].append(f"{row.words}: {error.message}")
        else:
            outcome["attached" if changed else "already"].append(row.words)
    instance.attacher.prune()
    ruleset, on = instance.ruleset, instance.store.read().on
    return RestoreOutcome(
        revision=ruleset.revision,
        rules=len(ruleset.entries),
        warnings=[] if on else [SWITCHED_OFF],
        **outcome,
    )
