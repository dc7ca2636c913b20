"""A check in every test: threads share an instance's database and maps, so whoever uses them holds its lock.

Looked at are the calls of Firewall's methods and of background threads, in this process. A test that reaches
into `_instance` beside such threads takes the lock too: `with firewall._instance.lock.threads:`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

from xdpwall.changes.background import Background
from xdpwall.firewall.firewall import Firewall
from xdpwall.instance.instance import Instance
from xdpwall.store.database import Database
from xdpwall.store.store import Store

NOT_HELD = "the instance's lock is not held (tests/support/lock_held.py)"
_USES = ("transaction", "read", "data_version", "check", "stretch")
"""Methods of the database that run statements on its one connection; whoever wants the maps asks for the
database's version first."""
_instances: WeakKeyDictionary[Database, ReferenceType[Instance]] = WeakKeyDictionary()
"""By database, the instance that has it open. Which has the database, and would be kept, with its mapped maps."""
_shared: WeakSet[Instance] = WeakSet()
"""Those that background threads use."""


class _Depth(threading.local):
    """How many calls of a firewall's methods this thread is in."""

    calls = 0


_depth = _Depth()


def check_locks() -> None:
    """Check from now on, as long as this process runs."""
    Instance.store = property(_remember_lock(Instance.store.fget))  # type: ignore[attr-defined,method-assign,assignment]
    for name in _USES:
        setattr(Database, name, _checked(getattr(Database, name)))
    Background.__init__ = _shares(Background.__init__)  # type: ignore[method-assign,assignment]
    for owner in Firewall.__mro__:
        for name, method in list(vars(owner).items()):
            if not name.startswith("_") and callable(method) and not isinstance(method, type):
                setattr(owner, name, _facade(method))


def _remember_lock(opened: Callable[[Instance], Store]) -> Callable[[Instance], Store]:
    def store(self: Instance) -> Store:
        there = opened(self)
        _instances[there._database] = ref(self)
        return there

    return store


def _shares(
    begun: Callable[[Background, Instance], None],
) -> Callable[[Background, Instance], None]:
    def __init__(self: Background, instance: Instance) -> None:
        _shared.add(instance)
        begun(self, instance)

    return __init__


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def run(self: Database, *args: Any, **named: Any) -> Any:
        known = _instances.get(self)
        instance = None if known is None else known()
        if instance is not None and (_depth.calls or instance in _shared):
            lock: Any = instance.lock.threads
            assert lock._is_owned(), NOT_HELD
        return method(self, *args, **named)

    return run


def _facade(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def run(*args: Any, **named: Any) -> Any:
        _depth.calls += 1
        try:
            return method(*args, **named)
        finally:
            _depth.calls -= 1

    return run
