"""The source of a command's packet events: the running service, or else the ring buffer."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from xdpwall.cli.options import invocation
from xdpwall.errors import Failed, ServiceUnreachable
from xdpwall.views.events import PacketEvent

from .connect import find_service
from .http import PROBE_TIMEOUT, ServiceTransport

if TYPE_CHECKING:
    from xdpwall.firewall.facade import EventSource
    from xdpwall.views.events import EventsView


class PacketSource(Protocol):
    """A source of events from now on. `missed` counts those that the service left out."""

    missed: int
    kept: list[PacketEvent] | None
    """Those before now, where they were asked for and somebody keeps them."""

    def read(self, timeout: float) -> list[PacketEvent]:
        """Events, oldest first; [] when none came within `timeout` seconds."""
        ...

    def events_view(self) -> EventsView:
        """The settings and counters."""
        ...


@contextmanager
def event_source(*, kept: bool = False) -> Iterator[PacketSource]:
    """Open this instance's source; `kept`: with what the service kept. Conflict "events-taken" when
    another process reads the ring."""
    settings = invocation.get().settings()
    transport = find_service(settings)
    if transport is not None:
        with contextlib.closing(_ServiceSource(transport, kept)) as streamed:
            yield streamed
        return
    from xdpwall.firewall.firewall import Firewall

    with (
        Firewall.open(settings) as local,
        contextlib.closing(local.event_reader("xdpwall events")) as reader,
    ):
        yield _RingSource(reader, local.events)


class _RingSource:
    kept: list[PacketEvent] | None

    def __init__(self, reader: EventSource, events_view: ReadEventsView) -> None:
        self._reader = reader
        self.events_view = events_view
        self.missed = 0
        self.kept = None

    def read(self, timeout: float) -> list[PacketEvent]:
        return self._reader.decode(self._reader.read(timeout))


class ReadEventsView(Protocol):
    """The type of Facade.events."""

    def __call__(self) -> EventsView: ...


class _ServiceSource:
    """The `packets` events of GET /events?only=packets."""

    kept: list[PacketEvent] | None

    def __init__(self, transport: ServiceTransport, kept: bool) -> None:
        self._transport = transport
        self.missed = 0
        self.kept = None
        self._connection, self._rest = transport.open(
            "/events?only=packets&kept=true" if kept else "/events?only=packets"
        )
        while kept and self.kept is None:
            self._receive(PROBE_TIMEOUT)
            first, end, rest = self._rest.partition(b"\n\n")
            if end:
                self._rest = rest
                if b"event: packets" in first:
                    self.kept = self._take(first.decode())

    def events_view(self) -> EventsView:
        from .remote import RemoteFirewall

        return RemoteFirewall(self._transport).events()

    def read(self, timeout: float) -> list[PacketEvent]:
        found: list[PacketEvent] = []
        self._receive(timeout)
        *events, self._rest = self._rest.split(b"\n\n")
        for event in events:
            found += self._take(event.decode())
        return found

    def _receive(self, timeout: float) -> None:
        """Wait for more, unless a whole event is there; what does not come in time is no error."""
        if b"\n\n" in self._rest:
            return
        self._connection.settimeout(max(timeout, 0.001))
        try:
            data = self._connection.recv(1 << 18)
        except TimeoutError:
            return
        except OSError as error:
            raise _ended() from error
        if not data:
            raise _ended()
        self._rest += data

    def _take(self, event: str) -> list[PacketEvent]:
        lines = dict(line.partition(": ")[::2] for line in event.split("\n"))
        if lines.get("event") == "end":
            raise _ended(json.loads(lines["data"]).get("detail"))
        if lines.get("event") != "packets":
            return []
        try:
            body = json.loads(lines["data"])
            self.missed += int(body.get("missed", 0))
            return [PacketEvent.model_construct(**one) for one in body["events"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(
                "the service sent events that cannot be read", detail=str(error)
            ) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _ended(detail: str | None = None) -> ServiceUnreachable:
    return ServiceUnreachable(
        detail or "the service ended the stream of events",
        hint="filtering goes on; run the command again",
    )
