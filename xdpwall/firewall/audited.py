"""Refused and failed changes in the audit trail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from xdpwall.changes.transactions import writing
from xdpwall.errors import Conflict, Failed, Refused, Unsupported, XdpwallError
from xdpwall.values.author import Author
from xdpwall.values.times import epoch_seconds

if TYPE_CHECKING:
    from xdpwall.instance.instance import Instance

MOST, SECONDS = 10, 60
"""Most entries about refused and failed changes in a row within so many seconds: a program that tries
again and again must not push out what else is told."""
_LONGEST = 300
"""Characters of an error that are kept."""
_TOLD = (Conflict, Failed, Refused, Unsupported)
"""Not what is wrong with a request by itself: a word that is misspelled is no change."""
_BUSY = "busy"
_PATIENCE = 1.0
"""Seconds to wait for the lock: an answer is not to be late by its entry."""

C = TypeVar("C", bound=type[Any])


def audited(*names: str) -> Callable[[C], C]:
    """Decorate a class with `_instance`: its methods of these names, which take `by`, write an entry of the
    audit trail when they raise. The error goes on."""

    def decorate(cls: C) -> C:
        inside = threading.local()
        for name in names:
            setattr(cls, name, _audited(getattr(cls, name), inside))
        return cls

    return decorate


def _audited(method: Callable[..., Any], inside: threading.local) -> Callable[..., Any]:
    what = method.__name__.replace("_", " ")

    @wraps(method)
    def run(self: Any, *args: Any, **named: Any) -> Any:
        if getattr(inside, "depth", 0) or named.get("dry_run"):
            return method(self, *args, **named)
        inside.depth = 1
        try:
            return method(self, *args, **named)
        except _TOLD as error:
            # Nothing about the entry may hide the error itself.
            with suppress(XdpwallError):
                _tell(self._instance, what, error, named.get("by") or Author())
            raise
        finally:
            inside.depth = 0

    return run


def _tell(instance: Instance, what: str, error: XdpwallError, by: Author) -> None:
    if error.code == _BUSY:
        return  # the entry would have to wait as long again
    with writing(instance, in_need=True, seconds=_PATIENCE):
        told = _told_in_a_row(instance)
        if told >= MOST:
            return
        kind = "failed" if isinstance(error, Failed) else "refused"
        rest = f" (more within {SECONDS} s are not told)" if told == MOST - 1 else ""
        action = f"{kind}: {what}: {error.message[:_LONGEST]}{rest}"
        instance.store.note(by=by, action=action, now=instance.clock.now_text())


def _told_in_a_row(instance: Instance) -> int:
    """How many of the newest entries are about refused and failed changes of the last SECONDS."""
    since, count = instance.clock.seconds() - SECONDS, 0
    for _, entry, _ in instance.store.audit.listed(MOST):
        if not entry.action.startswith(("refused", "failed")) or epoch_seconds(entry.time) < since:
            break
        count += 1
    return count
