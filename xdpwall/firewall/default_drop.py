"""What the policy of an instance would drop of what this host does, in the answers to a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from xdpwall.changes.transactions import reading
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.rule.known_packet import Address, Holds
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

from .drop_advice import Offer, make_offer

if TYPE_CHECKING:
    from xdpwall.sets.content import SetContent

_SMALL = 1000
"""A set of a file that is not applied yet is searched up to this size."""


def missing_now(
    instance: Instance,
    policy: Policy,
    rules: Iterable[Rule],
    places: Iterable[tuple[str, bool]],
    sets: Mapping[str, SetContent] | None = None,
    *,
    attached: Iterable[tuple[str, bool]] | None = None,
    may_keep: bool = True,
) -> tuple[Offer, list[str]]:
    """What is missing, and what could not be read. Raises nothing: the change is in force.

    `places`: (interface, whether egress) of each attachment that is asked about, `attached` of all there
    are. `sets` stands for those on the disk. `may_keep`: the policy for egress may be offered to keep.
    """
    wanted = list(dict.fromkeys(places))
    dropping = "drop" in (policy.ingress, policy.egress, policy.non_ip)
    if not wanted or not dropping:
        return Offer([]), []
    from .host_use import host_needs_now

    now = instance.clock.now_text()
    there = [rule for rule in rules if rule.expires is None or rule.expires > now]
    try:
        needs = host_needs_now()
        offer = make_offer(
            needs,
            there,
            policy,
            wanted,
            _holds(instance, sets),
            attached=attached,
            may_keep=may_keep,
        )
        return offer, []
    except (XdpwallError, OSError, ValueError) as error:
        return Offer([]), [
            f"what this host uses cannot be read, so what the policy drops is open: {error}"
        ]


def _holds(instance: Instance, sets: Mapping[str, SetContent] | None) -> Holds:
    """Remembers its answers: a set is read anew for each address."""
    known: dict[tuple[str, Address], bool | None] = {}

    def ask(name: str, address: Address) -> bool | None:
        from xdpwall.sets.entries import parse_entry

        from .set_views import membership_view

        entry = parse_entry(str(address))
        if sets is not None:
            content = sets.get(name)
            if content is None or len(content) > _SMALL:
                return None
            return any(one.contains(entry) for one in content.entries.part())
        with reading(instance) as now:
            row = next((row for row in now.ruleset.sets if row.name == name), None)
            return (
                None
                if row is None
                else membership_view(
                    instance.store.sets, row, entry, instance.clock.seconds()
                ).found
            )

    def holds(name: str, address: Address) -> bool | None:
        key = name, address
        if key not in known:
            known[key] = ask(name, address)
        return known[key]

    return holds
