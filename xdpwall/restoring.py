"""`xdpwall restore`: what a reboot, or an interface made anew, took away comes back."""

from __future__ import annotations

from .attachments import attach
from .changes import loaded, reload_programs, spec_of
from .errors import XdpwallError
from .facade import Author
from .instance import Instance
from .orphans import orphans, words
from .views import RestoreOutcome


def restore(instance: Instance, *, by: Author) -> RestoreOutcome:
    """Load the committed ruleset and attach what was attached; goes on past one that fails."""
    # Programs of a version that is gone may judge by what was unpinned.
    reload_programs(instance, loaded(instance))
    outcome: dict[str, list[str]] = {"attached": [], "already": [], "failed": []}
    lost = orphans(instance, instance.attachments)
    for row in instance.attachments:
        if row in lost:
            # Beside an orphan a second filter would judge each packet twice, by two rulesets.
            outcome["failed"].append(words(row))
            continue
        try:
            _, changed = attach(instance, spec_of(row), by=by)
        except XdpwallError as error:
            outcome["failed"].append(f"{row.words}: {error.message}")
        else:
            outcome["attached" if changed else "already"].append(row.words)
    instance.attacher.prune()
    state, on = instance.state, instance.store.read().on
    return RestoreOutcome(
        revision=state.revision,
        rules=len(state.entries),
        warnings=[] if on else ["the firewall is switched off: everything passes (xdpwall on)"],
        **outcome,
    )
