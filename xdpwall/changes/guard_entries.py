"""The lock-out guard at changes of single entries of sets. Called with the instance's lock held.

They come by the thousand and are in force one by one: it looks at the two ends of the asker's own
connection alone, and at nothing where neither comes into the set nor goes out of it. While a change
waits it looks at what that may be reverted to as well, for that comes without being asked. What the classifier would then say of
the asker's packets is worked out from the rules, since no copy has the set as it would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.attach.relations import container_addresses, relations_by_name
from xdpwall.instance.instance import Instance
from xdpwall.rule.iface_selector import NO_RELATIONS
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.set_references import sets_named_by
from xdpwall.sets.entries import AddressEntry, Entries, address_entry
from xdpwall.sets.membership import entries_containing
from xdpwall.sets.names import find_set
from xdpwall.values.addresses import CONTAINER
from xdpwall.values.author import Author

from .generations import waiting_rulesets
from .guard import guard_own

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.explaining import Answer
    from xdpwall.explain.guard import Spot
    from xdpwall.explain.near_miss import Holds, ReadPacket
    from xdpwall.ruleset.index import RuleEntry
    from xdpwall.ruleset.policy import Policy


def guard_entries(
    instance: Instance,
    dataplane: Dataplane,
    name: str,
    add: Sequence[AddressEntry],
    remove: Sequence[AddressEntry],
    *,
    by: Author,
) -> None:
    """Guard entries that come and go. Raises LockOut."""
    if by.session is None:
        return
    ends = [address_entry(one) for one in (by.session.peer, by.session.local)]
    if not any(entry.contains(end) for entry in (*add, *remove) for end in ends):
        return
    _guard_ruleset(instance, dataplane, instance.ruleset, name, add, remove, by=by)
    waiting = waiting_rulesets(instance)
    if waiting is not None and any(row.name == name for row in waiting[1].sets):
        _guard_ruleset(instance, dataplane, waiting[1], name, add, remove, by=by, waiting=True)


def _guard_ruleset(
    instance: Instance,
    dataplane: Dataplane,
    ruleset: CommittedRuleset,
    name: str,
    add: Sequence[AddressEntry],
    remove: Sequence[AddressEntry],
    *,
    by: Author,
    waiting: bool = False,
) -> None:
    """Guard them in one copy: `waiting`, in the one that the change that waits may be reverted to."""
    assert by.session is not None
    ends = [address_entry(one) for one in (by.session.peer, by.session.local)]
    sets = _ChangedSets(instance, ruleset, name, add, remove)
    if all(sets.holds(name, end) == sets.held(name, end) for end in ends):
        return

    def after_change(answer: Answer, spot: Spot) -> Answer:
        from xdpwall.explain.near_miss import packet_of

        selectors, names = ruleset.index.relations, instance.settings.containers
        relations = relations_by_name([spot.iface], selectors, names).get(spot.iface, NO_RELATIONS)
        packet = packet_of(answer.record, spot.iface, spot.place == "tc-egress", relations)
        return _judged_again(instance, ruleset, name, answer, packet, sets.holds_address)

    guard_own(instance, dataplane, ruleset, after_change, by=by, waiting=waiting)


class _ChangedSets:
    """What sets hold on disk, and what they will."""

    def __init__(
        self,
        instance: Instance,
        ruleset: CommittedRuleset,
        name: str,
        add: Sequence[AddressEntry],
        remove: Sequence[AddressEntry],
    ) -> None:
        self._instance = instance
        self._ruleset = ruleset
        self._changed = name
        self._add = add
        self._remove = frozenset(remove)
        self._entries: dict[str, Entries] = {}

    def held(self, name: str, address: AddressEntry) -> bool:
        """Whether the set holds it now."""
        return bool(self._containing(name, address))

    def holds(self, name: str, address: AddressEntry) -> bool:
        """Whether the set will hold it."""
        found = self._containing(name, address)
        if name != self._changed:
            return bool(found)
        return any(entry.contains(address) for entry in self._add) or bool(found - self._remove)

    def holds_address(self, name: str, family: int, address: int) -> bool:
        """The same, as near_miss.Holds asks."""
        bits = 32 if family == 4 else 128
        return self.holds(name, AddressEntry(4 if family == 4 else 6, address, bits))

    def _containing(self, name: str, address: AddressEntry) -> frozenset[AddressEntry]:
        if name not in self._entries and name.startswith(CONTAINER):
            names = self._instance.settings.containers
            self._entries[name] = Entries.of(container_addresses([name], names)[0].get(name, ()))
        if name not in self._entries:
            row = find_set(self._ruleset.sets, name)
            content = self._instance.store.sets.read_set(row.number)
            self._entries[name] = content.unexpired(self._instance.clock.seconds()).all()
        return frozenset(entries_containing(self._entries[name], address))


def _judged_again(
    instance: Instance,
    ruleset: CommittedRuleset,
    name: str,
    answer: Answer,
    packet: ReadPacket,
    holds: Holds,
) -> Answer:
    """The answer when the set holds something else: rules in front of the one that decided match now if
    they name the set; if it does not match any more, those behind it decide."""
    from xdpwall import abi
    from xdpwall.dataplane.explaining import MatchingRule
    from xdpwall.explain.near_miss import differences

    entries, now = ruleset.entries, instance.clock.now_text()
    slot = None if answer.by is None else answer.by.slot
    decided = next((n for n, one in enumerate(entries) if one.slot == slot), len(entries))
    for index, entry in enumerate(entries):
        rule = entry.rule
        if not rule.enabled or rule.action == "count" or (rule.expires or now) < now:
            continue
        if index < decided and not _names(entry, name):
            continue
        if (
            rule.over is not None
        ):  # what is within the rate, as a person's packets are, is none of it
            continue
        if not differences(rule, packet, holds):
            action = abi.Action.DROP if rule.action == "drop" else abi.Action.ACCEPT
            by = MatchingRule(entry.slot, action, rule.log, expired=False)
            return replace(answer, dropped=rule.action == "drop", by=by)
    return replace(answer, dropped=_policy_drops(ruleset.policy, answer, packet), by=None)


def _names(entry: RuleEntry, name: str) -> bool:
    return any(named == name for _, named in sets_named_by(entry.rule))


def _policy_drops(policy: Policy, answer: Answer, packet: ReadPacket) -> bool:
    if packet.family is None:
        return policy.non_ip == "drop"
    if answer.neighbor_discovery and policy.neighbor_discovery == "accept":
        return False
    return (policy.egress if packet.egress else policy.ingress) == "drop"
