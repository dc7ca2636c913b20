"""The connections that the lock-out guard looks at: the asker's own, those from addresses that are logged
in, and some of all others; each only where the change may drop its packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from xdpwall.explain.connections import GuardedConnection, Whose, known_packets
from xdpwall.explain.suspects import Suspects
from xdpwall.kernel.logins import logged_in_addresses
from xdpwall.kernel.net.tcp_connections import TcpConnection, connections, listening_ports
from xdpwall.values.author import Author

MOST_OTHERS = 256
"""Connections of others that are looked at."""


def own_connection(by: Author) -> list[GuardedConnection]:
    """The one by which it is asked for, if it is known."""
    if by.session is None:
        return []
    mine = by.session
    ends = mine.peer, mine.peer_port, mine.local, mine.local_port
    return [GuardedConnection(*ends, "own", inbound=True)]


class GuardedConnections:
    """The connections of this network namespace, as one change meets them. OSError of the kernel."""

    def __init__(self, by: Author, suspects: Suspects) -> None:
        self._suspects = suspects
        self._own = own_connection(by)
        self._protected = {_ends(one) for one in self._own}
        self.looked_at = 0
        """Others that were looked at."""
        self.looked_at_all = True
        """There are no more of them."""

    def protected(self) -> list[GuardedConnection]:
        """The asker's own, and those from addresses that are logged in."""
        return self._suspicious([*self._own, *self._of_logins()])

    def others(self) -> list[GuardedConnection]:
        """Up to MOST_OTHERS others; after protected()."""
        left = (one for one in connections() if _ends(one) not in self._protected)
        found = [*islice(left, MOST_OTHERS + 1)]
        self.looked_at_all = len(found) <= MOST_OTHERS
        found = found[:MOST_OTHERS]
        self.looked_at = len(found)
        return self._suspicious(_connection(one, "other") for one in found)

    def _of_logins(self) -> Iterator[GuardedConnection]:
        listening: set[int] | None = None
        for peer, user in logged_in_addresses().items():
            for one in connections(peer):
                if _ends(one) in self._protected:
                    continue
                self._protected.add(_ends(one))
                listening = listening_ports() if listening is None else listening
                inbound = one.local_port in listening
                yield _connection(one, "login", inbound=inbound, user=user)

    def _suspicious(self, found: Iterable[GuardedConnection]) -> list[GuardedConnection]:
        return [one for one in found if self._suspects.may_drop(known_packets(one))]


def _ends(one: TcpConnection | GuardedConnection) -> tuple[object, ...]:
    """What tells it from others; a scope is only in what sshd says."""
    return int(one.peer), one.peer_port, int(one.local), one.local_port


def _connection(
    one: TcpConnection, whose: Whose, *, inbound: bool = True, user: str | None = None
) -> GuardedConnection:
    return GuardedConnection(
        one.peer, one.peer_port, one.local, one.local_port, whose, inbound, user, one.bound
    )
