"""Let rules on ports:docker0 and container:web follow which interfaces these are: compile them anew when one
joins or leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from xdpwall.attach.relations import container_addresses, with_relations
from xdpwall.closing import Closing
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.file_watch import FileWatch
from xdpwall.rule.iface_selector import is_of_container
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few

from .generations import is_compiled_for, reload_ruleset, waiting_rulesets
from .transactions import writing

log = logging.getLogger("xdpwall.attachments")
_TOLD = 5
"""Selectors that one entry of the audit trail names."""
_Meant = Mapping[str, frozenset[str]]
"""By selector: the attachments of interfaces that it means, and a container's addresses."""


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


class RelationsLook(Closing):
    """The look of a watching thread at what interfaces are to others. `changed` is called after rules have
    followed; `by` is the author in the audit trail."""

    def __init__(self, instance: Instance, changed: Callable[[], None], by: Author) -> None:
        self._instance = instance
        self._changed = changed
        self._by = by
        self._known: _Meant | None = None
        self._places: frozenset[tuple[int, int]] = frozenset()
        self._refusal = ""
        self._names: FileWatch | None = None

    @property
    def descriptors(self) -> list[int]:
        """Those that are readable when it is time for a look."""
        return [] if self._names is None else [self._names.descriptor]

    def close(self) -> None:
        """End the watch of the containers' names."""
        if self._names is not None:
            self._names.close()
            self._names = None

    def look(self) -> None:
        """Let the rules follow where something is another than at the last look. What fails is told once,
        and tried again by the next look."""
        try:
            with self._instance.lock.threads:
                selectors = _selectors(self._instance)
                self._watch_names(any(map(is_of_container, selectors)))
                rows, containers = self._instance.attachments, self._instance.settings.containers
                now = _meant(rows, selectors, containers)
                places = frozenset((row.number, row.index) for row in rows)
                behind = bool(selectors) and self._is_behind()
            if behind or (now, places) != (self._known, self._places):
                self._follow(now)
                self._places = places
        except XdpwallError as error:
            if error.message != self._refusal:
                self._refusal = error.message
                log.warning("rules do not follow the interfaces: %s", error)

    def _is_behind(self) -> bool:
        """Whether a change was compiled for what was so between two looks, and is not any more."""
        dataplane = self._instance.dataplane()
        if dataplane is None or dataplane.generations.active is None:
            return False
        return not is_compiled_for(self._instance, dataplane)

    def _follow(self, now: _Meant) -> None:
        before = self._known
        with writing(self._instance, while_waiting=True):
            followed = follow_relations(self._instance)
            news = list(_news(before or {}, now))
            if before is not None and (told := [one for one in news if is_of_container(one)]):
                self._instance.store.note(
                    by=self._by,
                    action=first_few(told, _TOLD),
                    now=self._instance.clock.now_text(),
                )
        self._known, self._refusal = now, ""
        for words in news:
            log.info("%s", words)
        if followed:
            self._changed()

    def _watch_names(self, wanted: bool) -> None:
        if self._names is not None and wanted:
            self._names.drain()
        elif wanted:
            with suppress(OSError):  # no folder yet: looked at each second
                self._names = FileWatch(self._instance.settings.containers)
        else:
            self.close()


def _news(before: _Meant, now: _Meant) -> Iterator[str]:
    """ "container:web is veth1 tc-ingress now", of each selector that means other interfaces."""
    for selector in sorted(now):
        if before.get(selector) != now[selector]:
            names = first_few(sorted(now[selector]), _TOLD) if now[selector] else "nothing"
            yield f"{selector} is {names} now, to the rules on it"


def _selectors(instance: Instance) -> set[str]:
    """The selectors with a colon in the rulesets that packets may be judged by."""
    rulesets = waiting_rulesets(instance) or (instance.ruleset,)
    return {selector for one in rulesets for selector in one.index.relations}


def _meant(rows: Sequence[Attachment], selectors: Collection[str], containers: Path) -> _Meant:
    related = with_relations(rows, selectors, containers)
    addresses, sure = container_addresses(selectors, containers)
    return {
        selector: frozenset(
            f"{row.words} (perhaps)" if selector in row.relations.unsure else row.words
            for row in related
            if selector in (*row.relations.sure, *row.relations.unsure)
        ).union(addresses.get(selector, ()), () if sure else ("(names are lost)",))
        for selector in selectors
    }
