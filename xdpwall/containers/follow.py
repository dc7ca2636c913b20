"""Follow an engine: read everything, then again whenever an event tells that something changed.

Events are subscribed to before everything is read, so that no change falls between the two; when they
are silent for a minute both are done anew, so that a lost one is made good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from xdpwall.closing import Closing
from xdpwall.values.inputs import printable
from xdpwall.values.times import now, time_text
from xdpwall.views.containers import Container, ContainerSnapshot

from .answers import Problems, Unreadable, container, container_ids, networks
from .engine import Engine, EngineFailed
from .processes import is_process_of

SILENCE = 60.0
"""Seconds of silence after which everything is read anew."""
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
"""Seconds until the next attempt after one that failed, doubled each time."""
_ABOUT = frozenset(
    {"start", "die", "destroy", "rename", "connect", "disconnect", "create", "restart", "update"}
)
"""Events after which something of ours may be otherwise; health checks and exec are many and are not."""


class Follower(Closing):
    """A thread from start() to close(). `publish` is called by it with each snapshot that differs from the
    last, and once at the beginning."""

    def __init__(
        self,
        engine: Engine,
        publish: Callable[[ContainerSnapshot], None],
        silence: float = SILENCE,
        last: ContainerSnapshot | None = None,
    ) -> None:
        """`last` is what another told before, which stands until the engine answers."""
        self._engine, self._publish, self._silence = engine, publish, silence
        self._ending = threading.Event()
        self._known: dict[str, Container] = {}
        self._last = None if last is None or last.engine != str(engine.path) else last

    def close(self) -> None:
        """Let run() return after what it waits for."""
        self._ending.set()

    def run(self) -> None:
        """Follow until close()."""
        wait = _FIRST_WAIT
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                self._follow()
            except EngineFailed as error:
                self._tell_failure(error)
                if time.monotonic() - began > _LONGEST_WAIT:
                    wait = _FIRST_WAIT
                self._ending.wait(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                wait = _FIRST_WAIT

    def _follow(self) -> None:
        with self._engine.events(self._silence) as events:
            self._known.clear()
            self._tell(self._read())
            for changed in _changes(events):
                if self._ending.is_set():
                    return
                for identity in changed:
                    self._known.pop(identity, None)
                self._tell(self._read())

    def _read(self) -> ContainerSnapshot:
        problems = Problems()
        try:
            ids = container_ids(self._engine.get("/containers/json"))
            nets = networks(self._engine.get("/networks"), problems)
        except Unreadable as error:
            raise EngineFailed(f"{self._engine.path}: {error}") from error
        for identity in self._known.keys() - set(ids):
            del self._known[identity]
        for identity in ids:
            if identity not in self._known and (found := self._ask(identity, problems)):
                self._known[identity] = found
        return ContainerSnapshot(
            engine=str(self._engine.path),
            taken="",
            complete=not problems,
            problems=list(problems),
            containers=sorted(self._known.values(), key=lambda one: (one.name, one.id)),
            networks=nets,
        )

    def _ask(self, identity: str, problems: Problems) -> Container | None:
        """None for one that has ended meanwhile, and for one that cannot be read, which is noted."""
        try:
            found = container(self._engine.get(f"/containers/{quote(identity)}/json"))
            if found is not None and not is_process_of(found.process, identity):
                problems.add(
                    f"container {found.name} is left out: process {found.process} is not of it here; an "
                    "engine in another pid namespace?"
                )
                return None
            return found
        except Unreadable as error:
            problems.add(f"container {identity[:12]} is left out: {error}")
        except EngineFailed as error:
            if "answered 404" not in error.message:
                raise
        return None

    def _tell(self, snapshot: ContainerSnapshot) -> None:
        if self._last is not None and snapshot == self._last:
            return
        self._last = snapshot
        self._publish(snapshot.model_copy(update={"taken": time_text(now())}))

    def _tell_failure(self, error: EngineFailed) -> None:
        """What was told last, and that it may be old."""
        before = self._last or ContainerSnapshot(
            engine=str(self._engine.path), taken="", complete=False
        )
        said = printable(error.message)[:300]
        self._tell(before.model_copy(update={"complete": False, "problems": [said]}))


def _changes(events: Iterator[dict[str, Any]]) -> Iterator[set[str]]:
    """The ids of containers that events are about; those that concern nothing of ours are passed over."""
    for event in events:
        action = str(event.get("Action", event.get("status", ""))).partition(":")[0]
        actor = event.get("Actor")
        if action not in _ABOUT or not isinstance(actor, dict):
            continue
        about = {str(actor.get("ID", ""))}
        attributes = actor.get("Attributes")
        if isinstance(attributes, dict) and "container" in attributes:
            about.add(str(attributes["container"]))
        yield about
