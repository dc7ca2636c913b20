"""python -m tests.fuzz.lock_out --rounds N --seed S: random rulesets x changes, with a live session.

Each change is asked for from a TCP session between two namespaces. One that is made must leave the session
alive: small and full packets both ways, a new connection, and the neighbour found anew. One that the guard
refuses is forced, tried in the same way, and taken back: if all came through, it was harmless. Exits 1 after
a lock-out, or when more than 1 % of the harmless changes were refused.
"""

from __future__ import annotations

import argparse
import random
import select
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.lock_out_changes import Change, draw_change, draw_ruleset
from tests.support.net.netns import PATIENCE, Lab
from xdpwall.errors import Conflict, LockOut, XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.settings import Settings
from xdpwall.values.author import Author
from xdpwall.values.session import read_session

HOST, BOX, PORT = "10.9.0.1", "10.9.0.2", 22
SIZES = (1, 198, 1200)
"""Bytes of data: of packets that rules about lengths tell apart."""
ALLOWED = 0.01


@dataclass(slots=True)
class Tally:
    """What came of the changes."""

    rounds: int = 0
    made: int = 0
    refused: int = 0
    invalid: int = 0
    lock_outs: list[str] = field(default_factory=list)
    false_refusals: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def harmless(self) -> int:
        """Changes that cut nothing."""
        return self.made + len(self.false_refusals)

    @property
    def share(self) -> float:
        """Of the harmless changes, those that were refused."""
        return len(self.false_refusals) / max(1, self.harmless)

    def __str__(self) -> str:
        lines = [
            f"{self.rounds} changes: {self.made} made, {self.refused} refused, {self.invalid} not valid",
            f"lock-outs: {len(self.lock_outs)}",
            f"harmless and refused: {len(self.false_refusals)} of {self.harmless} ({self.share:.2%})",
            f"by kind: {dict(self.kinds.most_common())}",
        ]
        lines += [f"LOCKED OUT by {one}" for one in self.lock_outs]
        lines += [f"refused for nothing: {one}" for one in self.false_refusals]
        return "\n".join(lines)


class Hall:
    """The two namespaces, the firewall of the host, and the session."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.host, self.box = lab.namespace("host"), lab.namespace("box")
        lab.veth(
            self.host, "veth0", self.box, "eth0", address=f"{HOST}/24", peer_address=f"{BOX}/24"
        )
        for space in (self.host, self.box):  # no discovery, whose drops would be counted
            space.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        with self.host.inside():
            self.listener = socket.create_server((HOST, PORT), backlog=64)
            self.firewall = Firewall(
                Settings(folder / "state", lab.bpffs / "fuzz", folder / "socket")
            )
        self.client, self.server = self._connected()
        self.by = Author("fuzz", session=self._session())
        self.forced = Author("fuzz", session=self.by.session, force=True)

    def close(self) -> None:
        """Take everything off."""
        with self.host.inside():
            self.firewall.detach(None)
            self.firewall.close()
        for one in (self.client, self.server, self.listener):
            one.close()

    def _connected(self) -> tuple[socket.socket, socket.socket]:
        with self.box.inside():
            client = socket.create_connection((HOST, PORT), PATIENCE)
        server, _ = self.listener.accept()
        return client, server

    def _session(self) -> Any:
        peer, here = self.server.getpeername(), self.server.getsockname()
        return read_session(f"{peer[0]} {peer[1]} {here[0]} {here[1]}")

    def lives(self) -> bool:
        """Whether all that a session needs comes through; False once a packet of it is dropped."""
        for space in (self.host, self.box):
            space.ip("neigh flush all")
        ways = (self.client, self.server), (self.server, self.client)
        return self._opens() and all(
            self._crosses(one, other, size) for size in SIZES for one, other in ways
        )

    def heal(self) -> None:
        """Have what was sent again come through, once packets pass."""
        for one, other in ((self.client, self.server), (self.server, self.client)):
            one.sendall(b"\n")
            other.settimeout(PATIENCE)
            while not other.recv(1 << 16).endswith(b"\n"):
                pass

    def _crosses(self, one: socket.socket, other: socket.socket, size: int) -> bool:
        before, left = self._dropped(), size
        one.sendall(bytes(size))
        while left:
            if not select.select([other], [], [], 0.02)[0]:
                if self._dropped() > before:
                    return False
                continue
            left -= len(other.recv(left))
        return True

    def _opens(self) -> bool:
        before = self._dropped()
        with self.box.inside():
            made = socket.socket()
        with closing(made):
            made.setblocking(False)
            made.connect_ex((HOST, PORT))
            while not select.select([], [made], [], 0.02)[1]:
                if self._dropped() > before:
                    return False
        if select.select([self.listener], [], [], PATIENCE)[0]:
            self.listener.accept()[0].close()
        return True

    def _dropped(self) -> int:
        with self.host.inside():
            return sum(one.totals.dropped.packets for one in self.firewall.stats().attachments)


@contextmanager
def hall(folder: Path, name: str = "fuzz/lock_out") -> Iterator[Hall]:
    """The two namespaces and what is in them, removed at the end."""
    lab = Lab(name)
    lab.clean()
    try:
        made = Hall(lab, folder)
        try:
            yield made
        finally:
            made.close()
    finally:
        lab.clean()


def run(here: Hall, rounds: int, seed: int, show: Callable[[str], None] = lambda _: None) -> Tally:
    """So many changes."""
    rng, tally = random.Random(seed), Tally()
    while tally.rounds < rounds:
        if not _begin(here, rng):
            continue
        for _ in range(10):
            one_change(here, draw_change(rng), tally)
        show(f"{tally.rounds} changes, {tally.refused} refused")
    return tally


def _begin(here: Hall, rng: random.Random) -> bool:
    """Put a random ruleset in force with which the session lives; False where it does not."""
    wanted = draw_ruleset(rng)
    with here.host.inside():
        here.firewall.set_switch(True, by=here.forced)
        here.firewall.apply(Ruleset.parse(wanted), by=here.forced)
    if here.lives():
        return True
    _empty(here)
    return False


def _empty(here: Hall) -> None:
    with here.host.inside():
        here.firewall.apply(Ruleset.parse({"version": 1, "rules": []}), by=here.forced)
    here.heal()


def one_change(here: Hall, change: Change, tally: Tally) -> None:
    """Make one change, and see what became of the session."""
    tally.rounds += 1
    with here.host.inside():
        before = here.firewall.ruleset(sets=True)[1]
    try:
        with here.host.inside():
            change.make(here.firewall, here.by)
    except LockOut as error:
        tally.refused += 1
        tally.kinds[f"refused {change.kind}"] += 1
        _try_refused(here, change, before, error, tally)
        return
    except Conflict:
        tally.invalid += 1
        return
    except XdpwallError:
        tally.invalid += 1
        return
    tally.kinds[f"made {change.kind}"] += 1
    if here.lives():
        tally.made += 1
        return
    with here.host.inside():
        tally.lock_outs.append(f"{change.words}; before: {before.to_json()}")
    _empty(here)


def _try_refused(here: Hall, change: Change, before: Ruleset, error: LockOut, tally: Tally) -> None:
    """Force it, and take it back."""
    with here.host.inside():
        change.make(here.firewall, here.forced)
    if here.lives():
        tally.false_refusals.append(f"{change.words}: {error.message}; before: {before.to_json()}")
        return
    with here.host.inside():
        here.firewall.apply(before, by=here.forced)
    here.heal()


def main() -> int:
    """The command line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder, hall(Path(folder)) as here:
        tally = run(here, options.rounds, options.seed, lambda words: print(words, flush=True))
    print(tally)
    return 1 if tally.lock_outs or tally.share > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
