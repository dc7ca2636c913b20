"""Find XDP programs of ours wherever they are: an interface keeps its program when it is moved to another
network namespace, where it may have another name and index, and the program goes on judging there.

tc filters do not: the kernel removes an interface's qdiscs when it is moved.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xdpwall.kernel.net.attached import XdpLink, xdp_links
from xdpwall.kernel.net.namespaces import known_ids, namespaces, run_in

_HOME = Path("/proc/thread-self/ns/net")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The interface that carries a program."""

    iface: str
    index: int
    """The index there."""
    namespace: str
    """For people: "network namespace box"."""
    path: Path | None
    """By which it can be entered; None when the kernel tells of the interface, but nothing leads to
    its namespace."""
    here: bool = False
    """Whether that is this thread's namespace."""

    @property
    def words(self) -> str:
        """ "veth0 in network namespace box"."""
        return self.iface if self.here else f"{self.iface} in {self.namespace}"


def find_programs(
    ids: Collection[int], *, thorough: bool = False, elsewhere: bool = False
) -> dict[int, Whereabouts]:
    """Search all network namespaces for XDP programs of these ids; `elsewhere`: all but this thread's.
    `thorough`: also namespaces that only a descriptor or another mount namespace holds, at the price of
    looking at every descriptor of every process."""
    found: dict[int, Whereabouts] = {}
    wanted = set(ids)
    if not wanted:
        return found
    for known in _reachable(thorough=thorough, here=not elsewhere):
        for program_id in wanted & known.keys():
            found[program_id] = known[program_id]
        if wanted <= found.keys():
            return found
    for known in _by_id():
        for program_id in (wanted & known.keys()) - found.keys():
            found[program_id] = known[program_id]
    if not thorough and any(one.path is None for one in found.values()):
        return found | find_programs(
            [program_id for program_id, one in found.items() if one.path is None],
            thorough=True,
            elsewhere=elsewhere,
        )
    return found


def _reachable(*, thorough: bool, here: bool) -> Iterator[dict[int, Whereabouts]]:
    home = os.stat(_HOME).st_ino
    if here:
        yield _carriers(xdp_links(), "this network namespace", _HOME, here=True)
    for space in namespaces(thorough=thorough):
        if space.inode != home:
            with suppress(OSError):  # gone meanwhile, or not ours to enter
                yield _carriers(run_in(space.path, xdp_links), space.words, space.path)


def _by_id() -> Iterator[dict[int, Whereabouts]]:
    with suppress(OSError):
        for number in known_ids():
            with suppress(OSError):
                words = f"the network namespace with id {number}, to which no path was found"
                yield _carriers(xdp_links(number), words, None)


def _carriers(
    links: list[XdpLink], words: str, path: Path | None, *, here: bool = False
) -> dict[int, Whereabouts]:
    return {
        program_id: Whereabouts(link.name, link.index, words, path, here)
        for link in links
        for program_id in link.ids
    }
