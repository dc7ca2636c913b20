"""The event hub behind GET /events: it observes the firewall once a second for all clients.

An event is serialized once, whatever the number of clients. While nobody listens the hub observes
every ten seconds, for the times of last hits; it keeps the last published state, so that a client
that comes back gets what has changed since.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from xdpwall.api.rule_json import RuleJsonCache
from xdpwall.api.stream.packets import PacketFeed
from xdpwall.api.stream.ring import EventRing, sse_frame
from xdpwall.errors import XdpwallError
from xdpwall.firewall import observation
from xdpwall.firewall.facade import ServiceFacade
from xdpwall.firewall.observation import Observation
from xdpwall.views.attachments import AttachmentView, InterfaceView, Totals
from xdpwall.views.base import View
from xdpwall.views.status import Status
from xdpwall.views.stream import EVENTS, AttachmentsChanged, WarningsChanged

T = TypeVar("T")

INTERVAL = 1.0
"""Seconds between two observations while somebody listens."""
IDLE_INTERVAL = 10.0
"""Seconds between two observations while nobody listens."""
MIN_INTERVAL = 0.1
"""Least seconds between two observations, however many changes are made."""
SLOW_INTERVAL = 5.0
"""Seconds between two reads of interfaces and warnings when nothing hints at a change."""
MAX_SNAPSHOT_AGE = 5.0
"""Seconds for which a snapshot serves new clients, while nothing but counters changes."""

log = logging.getLogger("xdpwall.api")
_EVENT_NAMES = {model: name for name, model in EVENTS.items()}


@dataclass(frozen=True, slots=True)
class _Published:
    """The state that was published last."""

    seen: Observation
    counted: Observation
    """As of the last `counters` event."""
    status: Status
    interfaces: list[InterfaceView]
    names: list[tuple[int, str]]
    surveyed: float
    """When interfaces and warnings were read, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    number: int
    made: float
    event: bytes

    @property
    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self.made


class EventHub:
    """Observes the firewall and publishes changes; a client's stream runs in `listening()`."""

    def __init__(self, firewall: ServiceFacade) -> None:
        self._firewall = firewall
        self.ring = EventRing()
        self.packets = PacketFeed(firewall, self._notify)
        self.rule_json = RuleJsonCache()
        self.listeners = 0
        self.closed = asyncio.Event()
        self._limiter = CapacityLimiter(1)
        self._published: _Published | None = None
        self._looks_begun = 0
        self._looks_done = 0
        """Numbers of the latest observation that began, and of the latest that was published."""
        self._changed = 0
        """The number of the latest event that is not about counters."""
        self._reported: str | None = None
        self._snapshot: _Snapshot | None = None
        self._snapshot_lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._news: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # -- the life of the reader ------------------------------------------------------------------
    def start(self) -> None:
        """Start the reader task; call it within a running event loop."""
        if self._task is None and not self.closed.is_set():
            self._task = asyncio.ensure_future(self._run())
            self.packets.start()

    def close(self) -> None:
        """End every client's stream and the reader."""
        self.closed.set()
        self.packets.close()
        if self._task is not None:
            self._task.cancel()
        self._notify()

    def look_now(self) -> None:
        """Observe at once: something was changed."""
        self._wake.set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count one client while its stream runs."""
        self.start()
        self.listeners += 1
        if self.listeners == 1:
            self.look_now()
        try:
            yield
        finally:
            self.listeners -= 1

    # -- what clients ask ------------------------------------------------------------------------
    async def wait_for_news(self) -> None:
        """Wait until the ring has a new event, or the hub is closed."""
        if self.closed.is_set():
            return
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._news)

    async def snapshot(self) -> tuple[int, bytes]:
        """The number of the newest event, and a snapshot event of everything up to it.

        It is no older than the call: a client that makes a change and then asks sees the change.
        """
        wanted = self._looks_begun + 1
        self.look_now()
        while self._looks_done < wanted and not self.closed.is_set():
            await self.wait_for_news()
        async with self._snapshot_lock:
            known = self._snapshot
            if known and known.number >= self._changed and known.age < MAX_SNAPSHOT_AGE:
                return known.number, known.event
            if self._published is None:
                return 0, b""
            number, state, made = self.ring.newest, self._published, time.monotonic()
            data = await self._in_thread(_snapshot_of, state, self.rule_json)
            event = sse_frame("snapshot", data, self.ring.id_of(number))
            self._snapshot = _Snapshot(number, made, event)
            return number, event

    # -- the reader ------------------------------------------------------------------------------
    async def _run(self) -> None:
        while not self.closed.is_set():
            began = time.monotonic()
            self._wake.clear()
            try:
                await (self._publish_changes() if self.listeners else self._read_ahead())
            except XdpwallError as error:
                self._fail(error.message)
            except Exception as error:  # the reader must outlive a defect
                log.exception("events: unexpected error")
                self._fail(f"unexpected {type(error).__name__}")
            await asyncio.sleep(MIN_INTERVAL)
            # A change that no client is there to see needs no observation.
            while (
                left := began + (INTERVAL if self.listeners else IDLE_INTERVAL) - time.monotonic()
            ) > 0:
                if await _comes_within(left, self._wake.wait()) and self.listeners:
                    break
                self._wake.clear()

    async def _read_ahead(self) -> None:
        """Observe for the times of last hits; serialize the rules for the first client to come."""
        seen = await self._in_thread(self._firewall.observe, None)
        await self._in_thread(self.rule_json.rules_json, seen)

    async def _publish_changes(self) -> None:
        self._looks_begun += 1
        begun = self._looks_begun
        state, events = await self._in_thread(_observe, self._firewall, self._published)
        for name, data in events:
            self._publish(name, data)
        self._published = state
        self._looks_done = begun
        self._reported = None
        self._notify()

    def _publish(self, name: str, data: bytes) -> None:
        self.ring.append(name, data)
        if name != "counters":
            self._changed = self.ring.newest

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await to_thread.run_sync(work, *arguments, limiter=self._limiter)

    def _fail(self, message: str) -> None:
        """Publish a warning, once, that the firewall cannot be observed."""
        if message == self._reported:
            return
        self._reported = message
        log.warning("events: %s", message)
        warning = WarningsChanged(warnings=[f"the counters cannot be read: {message}"])
        self._publish("warnings", warning.model_dump_json().encode())
        if self._published is not None:
            # The next list of warnings differs from this one, so it will be published.
            status = self._published.status.model_copy(update={"warnings": warning.warnings})
            self._published = replace(self._published, status=status)
        self._notify()

    def _notify(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


async def _comes_within(seconds: float, wait: Awaitable[T]) -> bool:
    """Whether `wait` ended within that time."""
    try:
        await asyncio.wait_for(wait, seconds)
    except TimeoutError:
        return False
    return True


def _observe(
    firewall: ServiceFacade, old: _Published | None
) -> tuple[_Published, list[tuple[str, bytes]]]:
    """Observe once, in a thread: the new state, and the events that lead to it."""
    seen = firewall.observe(old.seen if old else None)
    names = socket.if_nameindex()
    if old is None:
        return _Published(
            seen, seen, firewall.status(), _interfaces(firewall), names, seen.time
        ), []
    events: list[View | None] = [
        observation.rules_changed(old.seen, seen),
        observation.policy_changed(old.seen, seen),
        observation.switch_changed(old.seen, seen),
        observation.pending_changed(old.seen, seen),
    ]
    state = _Published(seen, old.counted, old.status, old.interfaces, names, old.surveyed)
    hinted = any(events) or seen.trail or names != old.names or _places(seen) != _places(old.seen)
    if hinted or seen.time - old.surveyed >= SLOW_INTERVAL:
        status, interfaces = firewall.status(), _interfaces(firewall)
        state = _Published(seen, old.counted, status, interfaces, names, seen.time)
        attachments_now = _without_totals(status.attachments, interfaces)
        before = _without_totals(old.status.attachments, old.interfaces)
        if (attachments_now, status.wanted) != (before, old.status.wanted):
            events.append(
                AttachmentsChanged(
                    attachments=status.attachments,
                    interfaces=interfaces,
                    wanted=status.wanted,
                    by=observation.attachment_changes(seen.trail),
                )
            )
        if status.warnings != old.status.warnings:
            events.append(WarningsChanged(warnings=status.warnings))
    if seen.time - old.counted.time >= INTERVAL - MIN_INTERVAL:
        events.append(observation.counters_now(old.counted, seen))
        state = replace(state, counted=seen)
    return state, [(_EVENT_NAMES[type(one)], _json(one)) for one in events if one is not None]


def _interfaces(firewall: ServiceFacade) -> list[InterfaceView]:
    return firewall.interfaces().interfaces


def _places(seen: Observation) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    return [(one.iface, one.place) for one in seen.attachments], seen.out_of_place


def _without_totals(
    attachments: list[AttachmentView], interfaces: list[InterfaceView]
) -> tuple[list[AttachmentView], list[InterfaceView]]:
    """The same without totals, which change by themselves."""
    none = {"totals": Totals()}
    mine = [one.model_copy(update=none) for one in attachments]
    return mine, [
        one.model_copy(
            update={"attachments": [each.model_copy(update=none) for each in one.attachments]}
        )
        for one in interfaces
    ]


def _snapshot_of(state: _Published, rules: RuleJsonCache) -> bytes:
    seen = state.seen
    head = {
        "revision": seen.ruleset.revision,
        "on": seen.on,
        "rules": len(seen.ruleset.entries),
        "enabled_rules": sum(entry.rule.enabled for entry in seen.ruleset.entries),
        "policy": seen.ruleset.policy,
        "pending": seen.pending,
        "service": True,
    }
    # views.stream.EventsSnapshot by hand: the rules are serialized by the cache.
    parts = (
        b'{"status":' + _json(state.status.model_copy(update=head)),
        b'"rules":' + rules.rules_json(seen),
        b'"interfaces":[' + b",".join(_json(one) for one in state.interfaces) + b"]",
        b'"counters":' + _json(observation.counters_now(None, seen)) + b"}",
    )
    return b",".join(parts)


def _json(view: View) -> bytes:
    return view.model_dump_json(exclude_none=True, by_alias=True).encode()
