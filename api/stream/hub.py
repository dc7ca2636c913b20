"""The one reader behind GET /events: it looks at the firewall once a second for all clients.

What it sends is made once, whatever the number of clients. While nobody listens it only looks
every ten seconds, for the times of last hits; its last published look is kept, so that a client
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

from xdpwall.api.rule_json import RuleTexts
from xdpwall.api.stream.packets import PacketFeed
from xdpwall.api.stream.ring import Ring, frame
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
"""Seconds between two looks while somebody listens."""
IDLE = 10.0
"""The same while nobody does."""
NEAREST = 0.1
"""Seconds between two looks at the least, however many changes are made."""
SLOW = 5.0
"""Seconds between two looks at interfaces and warnings when nothing hints at a change."""
SNAPSHOT_AGE = 5.0
"""Seconds for which a snapshot serves those who come, while nothing but counters changes."""

log = logging.getLogger("xdpwall.api")
_NAMES = {model: name for name, model in EVENTS.items()}


@dataclass(frozen=True, slots=True)
class _Scene:
    """What was published last."""

    seen: Observation
    counted: Observation
    """As of the last `counters` event."""
    status: Status
    interfaces: list[InterfaceView]
    names: list[tuple[int, str]]
    looked_around: float


@dataclass(frozen=True, slots=True)
class _Snapshot:
    number: int
    made: float
    event: bytes

    @property
    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self.made


class Hub:
    """Clients wait here; `listening` around each of them keeps the reader going."""

    def __init__(self, firewall: ServiceFacade) -> None:
        self._firewall = firewall
        self.ring = Ring()
        self.packets = PacketFeed(firewall, self._tell)
        self.texts = RuleTexts()
        self.listeners = 0
        self.closed = asyncio.Event()
        self._limiter = CapacityLimiter(1)
        self._scene: _Scene | None = None
        self._begun = 0
        self._done = 0
        """Looks: the latest that began, and the latest that was published."""
        self._changed = 0
        """The number of the latest event that is not about counters."""
        self._told: str | None = None
        self._snapshot: _Snapshot | None = None
        self._making = asyncio.Lock()
        self._wake = asyncio.Event()
        self._news: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # -- the life of the reader ------------------------------------------------------------------
    def start(self) -> None:
        """Begin to look; within a running event loop."""
        if self._task is None and not self.closed.is_set():
            self._task = asyncio.ensure_future(self._run())
            self.packets.start()

    def close(self) -> None:
        """Let every client end; the reader ends with the loop."""
        self.closed.set()
        self.packets.close()
        if self._task is not None:
            self._task.cancel()
        self._tell()

    def wake(self) -> None:
        """Somebody changed something: look now."""
        self._wake.set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Around one client's stream."""
        self.start()
        self.listeners += 1
        if self.listeners == 1:
            self.wake()
        try:
            yield
        finally:
            self.listeners -= 1

    # -- what clients ask ------------------------------------------------------------------------
    async def news(self) -> None:
        """Wait until there is something new in the ring, or the end has come."""
        if self.closed.is_set():
            return
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._news)

    async def snapshot(self) -> tuple[int, bytes]:
        """Everything, as an event, and the number after which the ring goes on from it.

        It is no older than the call: who makes a change and then asks sees that change.
        """
        wanted = self._begun + 1
        self.wake()
        while self._done < wanted and not self.closed.is_set():
            await self.news()
        async with self._making:
            known = self._snapshot
            if known and known.number >= self._changed and known.age < SNAPSHOT_AGE:
                return known.number, known.event
            if self._scene is None:
                return 0, b""
            number, scene, made = self.ring.newest, self._scene, time.monotonic()
            data = await self._in_thread(_snapshot_of, scene, self.texts)
            event = frame("snapshot", data, self.ring.id_of(number))
            self._snapshot = _Snapshot(number, made, event)
            return number, event

    # -- the reader ------------------------------------------------------------------------------
    async def _run(self) -> None:
        while not self.closed.is_set():
            began = time.monotonic()
            self._wake.clear()
            try:
                await (self._look() if self.listeners else self._glance())
            except XdpwallError as error:
                self._fail(error.message)
            except Exception as error:  # the reader must outlive a defect
                log.exception("events: unexpected error")
                self._fail(f"unexpected {type(error).__name__}")
            await asyncio.sleep(NEAREST)
            # A wake by a change that no client is there to see would be for nothing.
            while (left := began + (INTERVAL if self.listeners else IDLE) - time.monotonic()) > 0:
                if await _within(left, self._wake.wait()) and self.listeners:
                    break
                self._wake.clear()

    async def _glance(self) -> None:
        """For the times of last hits, and so that who comes first waits less for the rules."""
        seen = await self._in_thread(self._firewall.observe, None)
        await self._in_thread(self.texts.rules, seen)

    async def _look(self) -> None:
        self._begun += 1
        begun = self._begun
        scene, events = await self._in_thread(_look, self._firewall, self._scene)
        for name, data in events:
            self._publish(name, data)
        self._scene = scene
        self._done = begun
        self._told = None
        self._tell()

    def _publish(self, name: str, data: bytes) -> None:
        self.ring.append(name, data)
        if name != "counters":
            self._changed = self.ring.newest

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await to_thread.run_sync(work, *arguments, limiter=self._limiter)

    def _fail(self, message: str) -> None:
        """Say once what keeps the reader from reading."""
        if message == self._told:
            return
        self._told = message
        log.warning("events: %s", message)
        warning = WarningsChanged(warnings=[f"the counters cannot be read: {message}"])
        self._publish("warnings", warning.model_dump_json().encode())
        if self._scene is not None:
            # What comes next is another list of warnings again, and is told.
            status = self._scene.status.model_copy(update={"warnings": warning.warnings})
            self._scene = replace(self._scene, status=status)
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


async def _within(seconds: float, wait: Awaitable[T]) -> bool:
    """Whether it came within that time."""
    try:
        await asyncio.wait_for(wait, seconds)
    except TimeoutError:
        return False
    return True


def _look(firewall: ServiceFacade, old: _Scene | None) -> tuple[_Scene, list[tuple[str, bytes]]]:
    """One look, in a thread: what is now, and the events that lead there."""
    seen = firewall.observe(old.seen if old else None)
    names = socket.if_nameindex()
    if old is None:
        return _Scene(seen, seen, firewall.status(), _interfaces(firewall), names, seen.time), []
    events: list[View | None] = [
        observation.rules_changed(old.seen, seen),
        observation.policy_changed(old.seen, seen),
        observation.switch_changed(old.seen, seen),
    ]
    scene = _Scene(seen, old.counted, old.status, old.interfaces, names, old.looked_around)
    hinted = any(events) or seen.trail or names != old.names or _places(seen) != _places(old.seen)
    if hinted or seen.time - old.looked_around >= SLOW:
        status, interfaces = firewall.status(), _interfaces(firewall)
        scene = _Scene(seen, old.counted, status, interfaces, names, seen.time)
        if _still(status.attachments, interfaces) != _still(old.status.attachments, old.interfaces):
            events.append(
                AttachmentsChanged(
                    attachments=status.attachments,
                    interfaces=interfaces,
                    by=observation.attachment_changes(seen.trail),
                )
            )
        if status.warnings != old.status.warnings:
            events.append(WarningsChanged(warnings=status.warnings))
    if seen.time - old.counted.time >= INTERVAL - NEAREST:
        events.append(observation.counters_now(old.counted, seen))
        scene = replace(scene, counted=seen)
    return scene, [(_NAMES[type(one)], _json(one)) for one in events if one is not None]


def _interfaces(firewall: ServiceFacade) -> list[InterfaceView]:
    return firewall.interfaces().interfaces


def _places(seen: Observation) -> list[tuple[str, str]]:
    return [(one.iface, one.place) for one in seen.attachments]


def _still(
    attachments: list[AttachmentView], interfaces: list[InterfaceView]
) -> tuple[list[AttachmentView], list[InterfaceView]]:
    """The same without what moves by itself."""
    none = {"totals": Totals()}
    mine = [one.model_copy(update=none) for one in attachments]
    return mine, [
        one.model_copy(
            update={"attachments": [each.model_copy(update=none) for each in one.attachments]}
        )
        for one in interfaces
    ]


def _snapshot_of(scene: _Scene, texts: RuleTexts) -> bytes:
    seen = scene.seen
    head = {
        "revision": seen.ruleset.revision,
        "on": seen.on,
        "rules": len(seen.ruleset.entries),
        "enabled_rules": sum(entry.rule.enabled for entry in seen.ruleset.entries),
        "policy": seen.ruleset.policy,
        "service": True,
    }
    # EventsSnapshot, its rules written by who does that faster.
    parts = (
        b'{"status":' + _json(scene.status.model_copy(update=head)),
        b'"rules":' + texts.rules(seen),
        b'"interfaces":[' + b",".join(_json(one) for one in scene.interfaces) + b"]",
        b'"counters":' + _json(observation.counters_now(None, seen)) + b"}",
    )
    return b",".join(parts)


def _json(view: View) -> bytes:
    return view.model_dump_json(exclude_none=True, by_alias=True).encode()
