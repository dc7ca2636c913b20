"""A thread of the service that watches over the attachments: it attaches an interface that appears, lets
rules follow the ports of a bridge, and tells of a program that someone took off.

What rtnetlink says are hints; what is in place is read from the kernel, at the latest each second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from xdpwall.attach.in_place import Placement, out_of_place, placement
from xdpwall.attach.interfaces import interface_names
from xdpwall.attach.wanted import (
    WantedPlace,
    all_links,
    gone_members,
    is_member,
    wanted_places,
    wanting,
)
from xdpwall.errors import NotFound, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.link_watch import LinkNews, LinkWatch
from xdpwall.kernel.net.rtnl import interface_name
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.attachment_pattern import AttachmentPattern
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few
from xdpwall.values.terms import Place
from xdpwall.views.attachments import OpenSpell
from xdpwall.views.metrics import PatternSpells

from .answering import AnsweringLook
from .attachments import attach_interface
from .background import Background
from .member_programs import prepare_members
from .mutes import muted_numbers
from .patterns import attach_matching
from .relations import RelationsLook
from .transactions import writing

log = logging.getLogger("xdpwall.attachments")
WATCHER = Author("service", "watcher")
_LOOK = 1.0
"""Seconds between two looks when nothing is heard: not every removal of a program is told."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0
"""Seconds until the next attempt after one that failed, doubled each time."""
_TOLD = 5
"""Interfaces that one entry of the audit trail names."""
_TAKEN_OFF, _RECREATED = "someone took our program off", "it was recreated"
_CAME_BACK = "it came back"
Key = tuple[str, Place]


@dataclass(slots=True)
class _Sight:
    """One attachment, as the watcher saw it last."""

    state: str
    index: int
    since: str
    open_since: float | None = None
    """When packets began to pass unjudged, by the monotonic clock; None while none do."""
    appeared: bool = False
    """The interface has come (back) since our program was on it, or the attachment is held: to be attached."""
    why: str = "it appeared"
    """Why it is not in place, for people."""
    retry_at: float = 0.0
    wait: float = _FIRST_WAIT
    refusal: str = ""

    def put_off(self, seconds: float | None = None) -> None:
        """Try again later, and later each time; or in so many seconds."""
        self.retry_at = time.monotonic() + (self.wait if seconds is None else seconds)
        self.wait = min(2 * self.wait, _LONGEST_WAIT)


class Watcher(Background):
    """Runs in the network namespace of the thread that makes it. `changed` is called after it has
    attached."""

    name = "xdpwall-watch"

    def __init__(self, instance: Instance, changed: Callable[[], None] = lambda: None) -> None:
        self._watch = LinkWatch()
        self._changed = changed
        self._seen: dict[Key, _Sight] = {}
        self._waiting: dict[Key, _Sight] = {}
        self._open: dict[Key, float] = {}
        self._spells: dict[Key, OpenSpell] = {}
        self._by_pattern: dict[str, PatternSpells] = {}
        self._patterns: Sequence[AttachmentPattern] = ()
        self._relations = RelationsLook(instance, changed, WATCHER)
        self._answering = AnsweringLook(instance)
        super().__init__(instance)

    def close(self) -> None:
        """End the thread and the subscription."""
        self._ending = True
        self._watch.wake()
        super().close()
        self._relations.close()
        self._watch.close()

    def wake(self) -> None:
        """Let the thread look now."""
        self._watch.wake()

    def open_seconds(self, iface: str, place: Place) -> float:
        """For how long in all the interface was there without our program, as this thread saw it."""
        key, total = (iface, place), self._open.get((iface, place), 0.0)
        sight = self._seen.get(key)
        if sight is not None and sight.open_since is not None:
            total += time.monotonic() - sight.open_since
        return total

    def last_open(self, iface: str, place: Place) -> OpenSpell | None:
        """The last time that the interface was there without our program, and is not any more."""
        return self._spells.get((iface, place))

    def pattern_spells(self) -> dict[str, PatternSpells]:
        """For how long interfaces were there before a pattern attached them, by the pattern's words."""
        return dict(self._by_pattern)

    def _run(self) -> None:
        first, news = True, LinkNews()
        heard = emptied = time.monotonic()
        while not self._ending:
            try:
                self._look(news, heard, first=first)
                first = False
            except (XdpwallError, OSError) as error:
                log.warning("the attachments cannot be looked at: %s", error)
            news = self._watch.wait(self._seconds_left(), self._relations.descriptors)
            now = time.monotonic()
            # What had come during the look came at some time of it: the earliest is told.
            heard, emptied = emptied if news.waited else now, now

    def _seconds_left(self) -> float:
        retried = [one for one in self._seen.values() if one.appeared]
        left = [one.retry_at - time.monotonic() for one in (*retried, *self._waiting.values())]
        return max(0.0, min([_LOOK, *left]))

    def _look(self, news: LinkNews, heard: float, *, first: bool) -> None:
        self._match(news, heard)
        rows = self._settled()
        names, ours = interface_names(), cache(self._instance.attacher.pins.ids)
        for known in (self._seen, self._open, self._spells):
            for key in known.keys() - rows.keys():
                del known[key]
        for key, row in rows.items():
            now = placement(self._instance.attacher, row, names, ours, search=False)
            if now.state == "attached" and now.index != row.index:
                self._attach(key, row, _Sight("moved", now.index, self._instance.clock.now_text()))
            elif now.state == "attached":
                self._in_place(key, row, now)
            # A detach or a swap may have come between the two reads.
            elif self._settled().get(key) == row:
                self._out_of_place(key, row, now, names.get(row.iface), news, heard, first=first)
        self._relations.look()
        self._answering.look(heard=bool(news.changed))
        prepare_members(self._instance)

    def _match(self, news: LinkNews, heard: float) -> None:
        """Attach interfaces that appeared and are wanted by policy, and end the attachments of those that
        have left."""
        with self._instance.lock.threads:
            now = self._instance.store.read()
        self._patterns = now.patterns
        if not now.patterns:
            self._waiting.clear()
            return
        links, attacher = all_links(), self._instance.attacher
        gone = gone_members(attacher, now.patterns, now.attachments, links)
        there = {(row.iface, row.place) for row in now.attachments if row not in gone}
        missing = {
            one.key: one for one in wanted_places(now.patterns, links) if one.key not in there
        }
        for key in self._waiting.keys() - missing.keys():
            del self._waiting[key]
        for key, one in missing.items():
            sight = self._waiting.get(key)
            if sight is None or sight.index != one.link.index:
                since = self._instance.clock.now_text()
                self._waiting[key] = _Sight("displaced", one.link.index, since, heard)
            elif one.link.index in news.changed:
                sight.retry_at = 0.0
        due = [key for key in missing if self._waiting[key].retry_at <= time.monotonic()]
        if due or gone:
            self._attach_matching({key: missing[key] for key in due})

    def _attach_matching(self, due: dict[Key, WantedPlace]) -> None:
        ended: dict[Key, float] = {}
        with writing(self._instance, while_waiting=True):
            done = attach_matching(
                self._instance,
                by=WATCHER,
                only={iface for iface, _ in due},
                attached=lambda row: ended.update({(row.iface, row.place): time.monotonic()}),
            )
            words = [self._attached(due[key], at) for key, at in ended.items() if key in due]
            if words:
                action = first_few(words, _TOLD)
                self._instance.store.note(
                    by=WATCHER, action=action, now=self._instance.clock.now_text()
                )
        for key in due.keys() - ended.keys():
            self._waiting[key].put_off()
        for text in done.failed:
            iface, place, *_ = text.split(" ")
            sight = self._waiting.get((iface, place.rstrip(":")))  # type: ignore[arg-type]
            if sight is not None and text != sight.refusal:
                sight.refusal = text
                log.warning("%s (not filtered since %s)", text, sight.since)
        if ended:
            self._changed()

    def _attached(self, one: WantedPlace, at: float) -> str:
        """Count for how long an interface that appeared was open, and say it."""
        sight = self._waiting.pop(one.key)
        seconds = at - (sight.open_since or at)
        spell = OpenSpell(since=sight.since, seconds=seconds, why=sight.why)
        self._spells[one.key] = spell
        self._open[one.key] = self._open.get(one.key, 0.0) + seconds
        before = self._by_pattern.get(one.pattern.words, PatternSpells())
        self._by_pattern[one.pattern.words] = before.with_one(seconds)
        words = spell.words(f"{one.spec.iface} {one.spec.place}")
        log.info("%s; attached by %s", words, one.pattern.selector)
        return words

    def _settled(self) -> dict[Key, Attachment]:
        with self._instance.lock.threads:
            rows = self._instance.attachments
        return {(row.iface, row.place): row for row in rows if row.intent == "attached"}

    def _in_place(self, key: Key, row: Attachment, now: Placement) -> None:
        before = self._seen.get(key)
        if before is not None and before.state == "attached" and before.index == now.index:
            return
        if before is not None and before.state != "attached":
            self._end_open(key, before, row)
        self._seen[key] = _Sight("attached", now.index, self._instance.clock.now_text())

    def _end_open(self, key: Key, before: _Sight, row: Attachment) -> None:
        if before.open_since is None:
            log.info("%s: attached again", row.words)
            return
        seconds = time.monotonic() - before.open_since
        self._open[key] = self._open.get(key, 0.0) + seconds
        self._spells[key] = OpenSpell(since=before.since, seconds=seconds, why=before.why)
        log.warning("%s: attached again; it was not filtered for %.3f s", row.words, seconds)

    def _out_of_place(
        self,
        key: Key,
        row: Attachment,
        now: Placement,
        index: int | None,
        news: LinkNews,
        heard: float,
        *,
        first: bool,
    ) -> None:
        """`index` is that of the interface of this name, None when there is none."""
        before = self._seen.get(key)
        if index is None:
            if not is_member(self._patterns, row):  # which the next look lets go
                self._absent(key, row, before, first=first)
            return
        sight = before
        if sight is None or sight.state != "displaced" or sight.index != index:
            appeared = index != row.index or row.index in news.gone
            appeared |= before is not None and before.state == "no interface"
            if not appeared and interface_name(index) != row.iface:
                return  # it is leaving at this moment, and its program went first
            why = _TAKEN_OFF
            if appeared:
                was_there = before is not None and before.state == "attached"
                why = _RECREATED if was_there or row.index in news.gone else _CAME_BACK
            sight = _Sight(
                "displaced", index, self._instance.clock.now_text(), heard, appeared, why
            )
            self._seen[key] = sight
            if not appeared and self._is_held(row):
                sight.appeared = True
                log.warning("%s: %s; it is held, and put back", row.words, why)
            elif not appeared and not first:
                log.warning("%s is not filtered since %s", _lost(row), sight.since)
        elif row.index in news.gone:
            sight.appeared = True
        if sight.appeared and time.monotonic() >= sight.retry_at:
            self._attach(key, row, sight)

    def _is_held(self, row: Attachment) -> bool:
        with self._instance.lock.threads:
            held = [one for one in self._instance.store.read().patterns if one.hold]
        return bool(held and wanting(held, row, all_links()))

    def _absent(self, key: Key, row: Attachment, before: _Sight | None, *, first: bool) -> None:
        if before is not None and before.state == "no interface":
            return
        if before is not None and before.open_since is not None:
            self._open[key] = self._open.get(key, 0.0) + time.monotonic() - before.open_since
        self._seen[key] = _Sight("no interface", row.index, self._instance.clock.now_text())
        where = self._instance.attacher.whereabouts(row.index, row.place)
        if where is not None:
            log.warning("%s", out_of_place(row.iface, row.place, "moved", where.words))
            return
        if not first:
            log.warning("%s: the interface has gone; it is attached when it comes back", row.words)
        with suppress(XdpwallError), writing(self._instance, while_waiting=True):
            self._instance.attacher.prune((row.index, row.place))
            dataplane = self._instance.dataplane()
            if dataplane is not None:
                muted_numbers(dataplane)

    def _attach(self, key: Key, row: Attachment, sight: _Sight) -> None:
        try:
            with writing(self._instance, while_waiting=True):
                if self._settled().get(key) != row:
                    return
                attach_interface(self._instance, row.spec, by=WATCHER)
        except NotFound:  # it has gone again
            return
        except XdpwallError as error:
            sight.put_off()
            if error.message != sight.refusal:
                sight.refusal = error.message
                log.warning(
                    "%s is not filtered since %s: %s", row.words, sight.since, error.message
                )
            return
        self._end_open(key, sight, row)
        self._seen[key] = _Sight("attached", sight.index, self._instance.clock.now_text())
        self._changed()


def _lost(row: Attachment) -> str:
    return f"{row.words}: someone took our program off (xdpwall restore puts it back); it"
