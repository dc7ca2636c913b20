"""Which interfaces rules mean by `container:web` and `network:backend`, as the engine and the kernel tell.

A container's port is found by the kernel's word on the far end of a link, never by an address. What is not
known counts as for a field that cannot be read: drop rules hold there, others do not. That is a port of one of
the engine's bridges that is no known container's, as between a container's start and the engine's word of it;
and all that was known, once nobody keeps it up to date.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from xdpwall.containers.now import containers_now
from xdpwall.errors import XdpwallError
from xdpwall.kernel.net.link_list import BriefLink
from xdpwall.rule.iface_selector import NETWORK, NO_RELATIONS, Relations
from xdpwall.values.addresses import CONTAINER

if TYPE_CHECKING:
    from xdpwall.views.containers import ContainerList

log = logging.getLogger("xdpwall.containers")
_last: dict[Path, ContainerList] = {}
"""By file: what could be read of it last."""


def names_now(path: Path) -> ContainerList:
    """The containers that were told last; where the file cannot be read, what this process read last, not
    complete."""
    try:
        _last[path] = containers_now(path)
    except XdpwallError as error:
        known = _last.get(path)
        if known is None:
            from xdpwall.views.containers import ContainerList

            known = ContainerList(complete=False)
        if error.message not in known.problems:
            log.warning("containers: %s", error.message)
        _last[path] = known.model_copy(
            update={
                "complete": False,
                "problems": list(dict.fromkeys([error.message, *known.problems])),
            }
        )
    return _last[path]


def container_relations(
    found: ContainerList, links: Collection[BriefLink], selectors: Collection[str]
) -> dict[int, Relations]:
    """By interface index: those of `selectors` that mean it, and that may."""
    bridges = {one.bridge: f"{NETWORK}{one.name}" for one in found.networks if one.bridge}
    owners: dict[int, set[str]] = {}
    for view in found.containers:
        for port in view.ports:
            owners.setdefault(port.index, set()).add(f"{CONTAINER}{view.container.name}")
    asked = {one for one in selectors if one.startswith(CONTAINER)}
    result = {}
    for link in links:
        known = {*owners.get(link.index, ())}
        known |= {bridges[name] for name in (link.name, link.master) if name in bridges}
        known &= set(selectors)
        nobodys = (
            link.master in bridges and link.index not in owners and link.peer_netns is not None
        )
        unsure = asked if nobodys else set()
        if not found.complete:
            known, unsure = set(), unsure | known
        result[link.index] = Relations(frozenset(known), frozenset(unsure))
    return {index: one for index, one in result.items() if one != NO_RELATIONS}


def addresses_now(found: ContainerList) -> dict[str, tuple[str, ...]]:
    """The addresses of the containers, by container:NAME."""
    return {
        f"{CONTAINER}{view.container.name}": tuple(
            sorted(
                address
                for end in view.container.networks
                for address in (end.address, end.address6)
                if address is not None
            )
        )
        for view in found.containers
    }


def told_selectors(found: ContainerList) -> set[str]:
    """The selectors by which rules may mean an interface that is there, and CONTAINER alone where an engine
    was ever asked."""
    if found.engine is None:
        return set()
    words = {f"{NETWORK}{one.name}" for one in found.networks if one.bridge}
    words |= {f"{CONTAINER}{one.container.name}" for one in found.containers if one.ports}
    return words | {CONTAINER}
