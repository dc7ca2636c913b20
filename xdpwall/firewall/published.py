"""What containers publish to the outside, and which rules decide who comes to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from xdpwall.attach.causes import concerns
from xdpwall.attach.wanted import all_links
from xdpwall.kernel.net.addresses import InterfaceAddress, interface_addresses
from xdpwall.rule.rule import Rule
from xdpwall.views.check import CheckRule
from xdpwall.views.containers import ContainerList, PublishedCover, PublishedList, PublishedPort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdpwall.ruleset.attachment import Attachment
    from xdpwall.ruleset.policy import Policy
    from xdpwall.sets.entries import Entries


def published_list(
    found: ContainerList,
    rules: Sequence[Rule],
    policy: Policy,
    sets: Mapping[str, Entries | None],
    judged: Mapping[str, Attachment],
    *,
    on: bool,
) -> PublishedList:
    """Every published port at every interface by which the outside comes to it. `judged`: by interface, the
    attachment on what comes in, with its relations, where the kernel has it; `on`: whether it judges."""
    outside = outside_addresses(found)
    ports = [
        PublishedCover(
            container=view.container.name,
            port=port,
            iface=iface,
            verdict="not filtered",
            cure="xdpwall on" if iface in judged else f"xdpwall attach {iface}",
        )
        for view in found.containers
        for port in view.container.published
        for iface in _reached_by(port, outside)
    ]
    if on:
        ports = [
            _judged(one, rules, policy, sets, judged[one.iface]) if one.iface in judged else one
            for one in ports
        ]
    return PublishedList(
        engine=found.engine, complete=found.complete, problems=found.problems, ports=ports
    )


def unfiltered_words(found: PublishedList) -> list[str]:
    """A sentence for each published port that comes in where no program of ours judges."""
    return [
        f"{one.port.protocol}/{one.port.port} of container {one.container} comes in by {one.iface}, and"
        f" nothing filters it: {one.cure}"
        for one in found.ports
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


def _judged(
    one: PublishedCover,
    rules: Sequence[Rule],
    policy: Policy,
    sets: Mapping[str, Entries | None],
    row: Attachment,
) -> PublishedCover:
    """What becomes there of the first packet of a connection, and who decides."""
    from xdpwall.check.deciders import deciders
    from xdpwall.check.members import Members
    from xdpwall.check.search import GaveUp

    # As that interface has them: those about others are disabled there.
    here = [
        rule.model_copy(update={"iface": None} if concerns(rule, row) else {"enabled": False})
        for rule in rules
    ]
    try:
        found = deciders(here, policy, Members(sets), _first_packets(one.port))
    except GaveUp:
        return one.model_copy(update={"verdict": "undecided", "cure": None})
    drops = {rules[n].action == "drop" for n in found.rules}
    if found.policy:
        drops.add(policy.ingress == "drop")
    decide = [CheckRule(position=n + 1, id=rules[n].id, text=rules[n].text) for n in found.rules]
    verdict = "in part" if len(drops) > 1 else "closed" if True in drops else "open"
    return one.model_copy(
        update={"verdict": verdict, "rules": decide, "policy": found.policy, "cure": None}
    )


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
