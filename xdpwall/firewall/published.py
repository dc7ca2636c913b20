"""What containers publish to the outside, and which rules decide who comes to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from xdpwall.attach.causes import concerns
from xdpwall.attach.wanted import all_links
from xdpwall.kernel.net.addresses import InterfaceAddress, interface_addresses
from xdpwall.rule.rule import Rule
from xdpwall.views.check import CheckRule
from xdpwall.views.containers import ContainerList, PublishedCover, PublishedPort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdpwall.check.deciders import Deciders
    from xdpwall.ruleset.attachment import Attachment
    from xdpwall.ruleset.policy import Policy
    from xdpwall.sets.entries import Entries


def published_ports(
    found: ContainerList, judged: Collection[str], *, on: bool
) -> list[PublishedCover]:
    """Every published port at every interface by which the outside comes to it, "not filtered" or not decided
    yet. `judged`: the interfaces where a program of ours is on what comes in, as the kernel tells it; `on`:
    whether it judges."""
    published = [
        (view.container.name, port)
        for view in found.containers
        for port in view.container.published
    ]
    outside = outside_addresses(found) if published else []
    return [
        PublishedCover(container=container, port=port, iface=iface, verdict="undecided")
        if on and iface in judged
        else PublishedCover(
            container=container,
            port=port,
            iface=iface,
            verdict="not filtered",
            cure="xdpwall on" if iface in judged else f"xdpwall attach {iface}",
        )
        for container, port in published
        for iface in _reached_by(port, outside)
    ]


def with_verdicts(
    ports: Sequence[PublishedCover],
    rules: Sequence[Rule],
    policy: Policy,
    sets: Mapping[str, Entries | None],
    judged: Mapping[str, Attachment],
) -> list[PublishedCover]:
    """Decide what becomes of the first packet of a connection to each of published_ports(), and by whom.
    `judged`: by interface, the attachment there, with its relations."""
    from xdpwall.check.deciders import deciders
    from xdpwall.check.members import Members

    found, members = list(ports), Members(sets)
    for iface, row in judged.items():
        asked = [
            n for n, one in enumerate(ports) if one.iface == iface and one.verdict != "not filtered"
        ]
        if not asked:
            continue
        # As that interface has them: those about others are disabled there.
        here = [
            rule.model_copy(update={"iface": None} if concerns(rule, row) else {"enabled": False})
            for rule in rules
        ]
        questions = [_first_packets(ports[n].port) for n in asked]
        for n, decide in zip(asked, deciders(here, policy, members, questions), strict=True):
            if decide is not None:
                found[n] = _decided(ports[n], rules, policy, decide)
    return found


def unfiltered_words(ports: Iterable[PublishedCover]) -> list[str]:
    """A sentence for each published port that comes in where no program of ours judges."""
    return [
        f"{one.port.protocol}/{one.port.port} of container {one.container} comes in by {one.iface}, and"
        f" nothing filters it: {one.cure}"
        for one in ports
        if one.verdict == "not filtered"
    ]


def outside_addresses(found: ContainerList) -> list[InterfaceAddress]:
    """The addresses of this host by which others may come: all but those of the loopback interface, and
    of the engine's networks and what is behind them."""
    bridges = {one.bridge for one in found.networks if one.bridge}
    inside = {port.iface for view in found.containers for port in view.ports} | bridges
    inside |= {link.name for link in all_links() if link.master in bridges}
    return [
        one
        for one in interface_addresses()
        if one.iface not in inside and one.iface != "lo" and not one.address.is_loopback
    ]


def _reached_by(port: PublishedPort, addresses: Sequence[InterfaceAddress]) -> Iterator[str]:
    """The interfaces by which a published port is reached. One at a single address of this host is reached
    by all that have an address of its family: the kernel takes packets to any of its addresses at each."""
    there = ip_address(port.address)
    if not there.is_loopback:
        yield from dict.fromkeys(
            one.iface for one in addresses if one.address.version == there.version
        )


def _decided(
    one: PublishedCover, rules: Sequence[Rule], policy: Policy, found: Deciders
) -> PublishedCover:
    drops = {rules[n].action == "drop" for n in found.rules}
    if found.policy:
        drops.add(policy.ingress == "drop")
    decide = [CheckRule(position=n + 1, id=rules[n].id, text=rules[n].text) for n in found.rules]
    verdict = "in part" if len(drops) > 1 else "closed" if True in drops else "open"
    return one.model_copy(update={"verdict": verdict, "rules": decide, "policy": found.policy})


def _first_packets(port: PublishedPort) -> Rule:
    """A rule that matches what comes to a published port."""
    there = ip_address(port.address)
    to_one = {} if there.is_unspecified else {"dst": port.address}
    return Rule.parse(
        {
            "action": "count",
            "family": f"ipv{there.version}",
            "proto": port.protocol,
            "dport": port.port,
            **to_one,
        }
    )
