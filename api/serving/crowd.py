"""How many connections each user may hold, and which one goes when there are too many.

Whoever holds the most gives way to whoever holds fewer, so that no user of this host can shut the
others out, however many connections he opens and however many names he has.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, Protocol, TypeVar


class Rank(NamedTuple):
    """How worth keeping a connection is: the lowest goes first."""

    standing: int
    """WAITING, IDLE or BUSY."""
    since: float
    """When it came, or was last in use: the oldest goes first."""


WAITING, IDLE, BUSY = range(3)
"""Has shown no token yet; has, and asks nothing now; is being answered."""


class Ranked(Protocol):
    """A connection."""

    def rank(self) -> Rank: ...


M = TypeVar("M", bound=Ranked)
Owner = int | str | None
"""A user of this host by uid, a place elsewhere, or nobody who is known."""


class Crowd(Generic[M]):
    """The connections of one listening socket."""

    def __init__(self, most: int, of_one: int, waiting: int) -> None:
        """`most` in all, `of_one` of one owner but root, `waiting` of an owner without a token."""
        self._most = most
        self._of_one = of_one
        self._waiting = waiting
        self._members: dict[Owner, dict[M, None]] = {}
        self._owners: dict[M, Owner] = {}

    def enter(self, one: M, owner: Owner) -> M | None:
        """Count it in. The one that has to go for it, which may be itself, or None.

        None are those of whom nothing is known, as if they were one user.
        """
        mine = self._members.setdefault(owner, {})
        leaving = self._leaving(one, owner, mine)
        mine[one] = None
        self._owners[one] = owner
        if leaving is not None:
            self.leave(leaving)
        return leaving

    def leave(self, one: M) -> None:
        """Count it out; one that is out already may leave again."""
        if one not in self._owners:
            return
        owner = self._owners.pop(one)
        mine = self._members[owner]
        del mine[one]
        if not mine:
            del self._members[owner]

    def __len__(self) -> int:
        return len(self._owners)

    def _leaving(self, one: M, owner: Owner, mine: dict[M, None]) -> M | None:
        if len(mine) >= self._waiting:
            waiting = [other for other in mine if other.rank().standing == WAITING]
            if len(waiting) >= self._waiting:
                return min(waiting, key=lambda other: other.rank())
        if len(mine) >= self._of_one and owner != 0:
            return _weakest_but_busy(mine) or one
        if len(self._owners) < self._most:
            return None
        largest = max(self._members.values(), key=len)
        if len(largest) > len(mine) + 1:
            return min(largest, key=lambda other: other.rank())
        return _weakest_but_busy(mine) or one


def _weakest_but_busy(members: dict[M, None]) -> M | None:
    weakest = min(members, key=lambda other: other.rank(), default=None)
    return None if weakest is None or weakest.rank().standing == BUSY else weakest
