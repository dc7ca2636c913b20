"""Which interfaces of this host lead to which container.

That is found by the kernel's word, never by an address, which a container may forge: it says of a veth's end
here to which network namespace its other end belongs, and of a process in which it is.
"""

from __future__ import annotations

from collections import defaultdict

from xdpwall.kernel.net.link_list import BriefLink, brief_links
from xdpwall.kernel.net.namespaces import id_of_process
from xdpwall.views.containers import (
    ContainerList,
    ContainerPort,
    ContainerSnapshot,
    ContainerView,
)


def with_ports(snapshot: ContainerSnapshot | None) -> ContainerList:
    """The containers with the interfaces that the kernel says lead into their network namespaces; OSError of
    the kernel. Containers that share a namespace share its interfaces; one in the host's has none."""
    if snapshot is None:
        return ContainerList(complete=False)
    links: dict[int | None, list[BriefLink]] = defaultdict(list)
    for link in brief_links():  # which is what gives the other namespaces their ids
        if link.peer_netns is not None and link.peer_netns >= 0:
            links[link.peer_netns].append(link)
    ids = {one.process: id_of_process(one.process) for one in snapshot.containers}
    bridges = {one.bridge: one.name for one in snapshot.networks if one.bridge}
    return ContainerList(
        engine=snapshot.engine,
        complete=snapshot.complete,
        taken=snapshot.taken,
        problems=snapshot.problems,
        networks=snapshot.networks,
        containers=[
            ContainerView(
                container=one,
                ports=[
                    ContainerPort(
                        iface=link.name,
                        index=link.index,
                        bridge=link.master,
                        network=bridges.get(link.master or ""),
                    )
                    for link in links.get(ids[one.process], ())
                ],
            )
            for one in snapshot.containers
        ],
    )


def behind_words(found: ContainerList) -> dict[str, str]:
    """For each interface what lies behind it, in words: "container web (nginx:1)", "network backend"."""
    words = {one.bridge: f"network {one.name}" for one in found.networks if one.bridge}
    for view in found.containers:
        for port in view.ports:
            said = f"container {view.container.name} ({view.container.image})"
            words[port.iface] = f"{words[port.iface]}, {said}" if port.iface in words else said
    return words
