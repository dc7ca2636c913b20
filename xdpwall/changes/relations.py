"""Let rules on ports:docker0 follow which interfaces are its ports: compile them anew when one joins or leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from xdpwall.attach.relations import with_relations
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment

from .generations import is_compiled_for, reload_ruleset, waiting_rulesets
from .transactions import writing

log = logging.getLogger("xdpwall.attachments")


def follow_relations(instance: Instance) -> bool:
    """Compile the ruleset anew where its rules ask what interfaces are to others, and that is another or may
    be. Called with the instance's lock held. Returns whether it was compiled."""
    if not _selectors(instance):
        return False
    dataplane = instance.dataplane()
    if dataplane is None or is_compiled_for(instance, dataplane):
        return False
    reload_ruleset(instance, dataplane)
    return True


class RelationsLook:
    """The look of a watching thread at what interfaces are to others. `changed` is called after rules have
    followed."""

    def __init__(self, instance: Instance, changed: Callable[[], None]) -> None:
        self._instance = instance
        self._changed = changed
        self._known: dict[str, frozenset[str]] | None = None
        self._refusal = ""

    def look(self) -> None:
        """Let the rules follow where something is another than at the last look. What fails is told once,
        and tried again by the next look."""
        try:
            with self._instance.lock.threads:
                selectors = _selectors(self._instance)
                now = _meant(self._instance.attachments, selectors)
            if now == self._known:
                return
            with writing(self._instance, while_waiting=True):
                followed = bool(selectors) and follow_relations(self._instance)
        except XdpwallError as error:
            if error.message != self._refusal:
                self._refusal = error.message
                log.warning("rules do not follow the interfaces: %s", error)
            return
        before, self._known, self._refusal = self._known, now, ""
        if followed:
            for selector in sorted(now):
                if before is None or before.get(selector) != now[selector]:
                    names = ", ".join(sorted(now[selector])) or "no interface"
                    log.info("rules on %s are about %s now", selector, names)
            self._changed()


def _selectors(instance: Instance) -> set[str]:
    """The selectors with a colon in the rulesets that packets may be judged by."""
    rulesets = waiting_rulesets(instance) or (instance.ruleset,)
    return {selector for one in rulesets for selector in one.index.relations}


def _meant(rows: Sequence[Attachment], selectors: Collection[str]) -> dict[str, frozenset[str]]:
    """By selector: the attachments of interfaces that it means."""
    related = with_relations(rows, selectors)
    return {
        selector: frozenset(row.words for row in related if selector in row.relations)
        for selector in selectors
    }
