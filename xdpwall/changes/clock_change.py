"""Compute anew when rules and entries end, after the time of day has changed.

Called with the instance's lock held. Packets compare endings with a clock that nobody sets, so each
ending in the kernel is right for one time of day; which one is kept beside the maps.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few
from xdpwall.values.times import duration_text, epoch_text

from .crashpoints import crash_point
from .generations import reload_ruleset, waiting_rulesets

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def follow_clock(instance: Instance, dataplane: Dataplane, *, by: Author) -> None:
    """Write all endings by the present time of day where they were computed by another, and tell the
    audit trail what is over now or in force again."""
    clock, before = instance.clock, instance.clock.kept
    if not clock.moved:
        clock.keep(dataplane.clock)
        return
    # While a change waits for its confirmation, what it may be reverted to ends by the clock too.
    held = waiting_rulesets(instance) or (instance.ruleset,)
    rules, *fallback = [_endings(ruleset) for ruleset in held]
    in_kernel = bool(rules or any(fallback))
    timed = instance.sets.has_maps(dataplane) and instance.sets.classes.has_timed
    if in_kernel or timed:
        clock.spoil(dataplane.clock)
        crash_point("clock-begun")
        if timed:
            instance.sets.maps(dataplane).write_endings(instance.sets.classes)
        if in_kernel:
            reload_ruleset(instance, dataplane)
        crash_point("clock-written")
    clock.keep(dataplane.clock)
    if before is None or not before.offset or not (rules or timed):
        return
    now = clock.now_ns()
    was = now - clock.offset + before.offset
    first, last = sorted((was // 10**9, now // 10**9))
    after, until = epoch_text(first), epoch_text(last)
    turned = [name for name, ends in rules.items() if after < ends <= until]
    words = f"the time of day went {duration_text(last - first)} {'on' if now > was else 'back'}"
    words += f" to {clock.now_text()}: endings computed anew"
    parts = [f"rules {first_few(turned)}"] if turned else []
    with suppress(XdpwallError):  # a full disk must not keep the kernel from the right time
        if timed and (count := instance.store.sets.count_ending(first, last)):
            parts.append(f"{count} entries of sets")
        if not parts and last - first <= 1:
            return  # the newest change on disk is known to the second
        if parts:
            words += f"; {'over now' if now > was else 'in force again'}: {', '.join(parts)}"
        # In the service's log, or on the terminal of whoever came first.
        logging.getLogger("xdpwall").warning("%s", words)
        instance.store.note(by=by, action=words, now=clock.now_text())


def _endings(ruleset: CommittedRuleset) -> dict[str, str]:
    """Id -> expiry of its enabled rules that end."""
    rules = [entry.rule for entry in ruleset.entries if entry.rule.enabled]
    return {rule.id or "": rule.expires for rule in rules if rule.expires is not None}
