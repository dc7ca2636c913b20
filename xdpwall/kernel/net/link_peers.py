"""Interfaces whose other end lies in another network namespace, and which namespace that is.

A container is found by this, never by an address that it may forge: the kernel says of a veth's end
here to which namespace its other end belongs, and of a process in which namespace it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .link_attributes import each_link, number
from .names import name_text
from .namespaces import id_of_process

_IFLA_IFNAME, _IFLA_LINK, _IFLA_MASTER, _IFLA_LINK_NETNSID = 3, 5, 10, 37  # linux/if_link.h


@dataclass(frozen=True, slots=True)
class FarLink:
    """An interface here with its other end elsewhere."""

    name: str
    index: int
    namespace: int
    """The id that this network namespace gives to the other one (RTM_GETNSID)."""
    master: str | None
    """The bridge or bond that it is a port of."""


def far_links() -> list[FarLink]:
    """Those of this thread's network namespace; OSError of the kernel."""
    found = dict(each_link())
    names = {index: name_text(told.get(_IFLA_IFNAME, b"")) for index, told in found.items()}
    return [
        FarLink(names[index], index, namespace, names.get(number(told.get(_IFLA_MASTER)) or 0))
        for index, told in found.items()
        if _IFLA_LINK in told
        and (namespace := number(told.get(_IFLA_LINK_NETNSID))) is not None
        and namespace >= 0
    ]


def namespace_ids(processes: Iterable[int]) -> dict[int, int]:
    """For each pid of this pid namespace the id of its network namespace here; none for one that has ended,
    that is in this namespace, or to whose namespace nothing leads."""
    found = ((pid, id_of_process(pid)) for pid in processes)
    return {pid: one for pid, one in found if one is not None}
