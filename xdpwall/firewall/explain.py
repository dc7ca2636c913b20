"""Explain packets on this host, by the ruleset in force or by one that is handed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from xdpwall.attach.relations import (
    container_addresses,
    relations_by_name,
    selectors_of,
    with_relations,
)
from xdpwall.attach.stripped_tags import may_strip_tags
from xdpwall.attach.wanted import planned_attachments
from xdpwall.changes.transactions import reading
from xdpwall.errors import Conflict, NotFound
from xdpwall.rule.iface_selector import NO_RELATIONS
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.set_references import containers_named_by, sets_named_by
from xdpwall.values.addresses import CONTAINER
from xdpwall.values.inputs import quoted
from xdpwall.values.terms import Place

from .container_names import behind

if TYPE_CHECKING:
    from xdpwall.explain.explain import Asked, Ground
    from xdpwall.explain.near_miss import Holds
    from xdpwall.instance.instance import Instance
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.entries import Entries
    from xdpwall.settings import Settings
    from xdpwall.store.records import Snapshot
    from xdpwall.views.explain import ExplainReport, PacketInput

_ATTEMPTS = 5


class ExplainMethods:
    """The facade's method that explains packets, which Firewall inherits (firewall.py)."""

    _instance: Instance
    _settings: Settings

    def explain(
        self,
        packets: Sequence[PacketInput],
        ruleset: Ruleset | None = None,
        *,
        rules: Sequence[str] = (),
    ) -> ExplainReport:
        """What becomes of packets by a ruleset, or by the one in force; nothing is counted. Behind them, of
        a packet for each of `rules` (ids): one that it decides, or else matches."""
        for _ in range(_ATTEMPTS):
            with reading(self._instance) as now:
                report = _Explanation(self._instance, now, ruleset).report(packets, rules)
            if report is not None:
                return _with_names(report, behind(self._settings.containers)[0])
        raise Conflict(
            "the ruleset was changed while it was asked, again and again",
            code="busy",
            hint="try again",
        )


def _with_names(report: ExplainReport, names: Mapping[str, str]) -> ExplainReport:
    """The report with what lies behind the packets' interfaces."""
    packets = [
        one.model_copy(update={"behind": names.get(one.iface or "")}) for one in report.packets
    ]
    return report.model_copy(update={"packets": packets}) if names else report


class _Explanation:
    """One request, at one moment of the instance."""

    def __init__(self, instance: Instance, now: Snapshot, wanted: Ruleset | None) -> None:
        self._instance = instance
        self._now = now
        self._wanted = wanted
        self._sets: dict[str, Entries] = {}
        self._attached: dict[tuple[str, Place], Attachment] = {}
        self._names = instance.settings.containers
        self._selectors = selectors_of(self._rules())
        for row in with_relations(self._attachments(), self._selectors, self._names):
            self._attached[row.iface, row.place] = row

    def report(
        self, packets: Sequence[PacketInput], rules: Sequence[str] = ()
    ) -> ExplainReport | None:
        """The answer; None where the kernel has gone on to another revision."""
        from xdpwall.explain.explain import explain_packet
        from xdpwall.explain.request import asked_of
        from xdpwall.views.explain import ExplainReport

        alone = {iface for iface, _ in self._attached}
        only = alone.pop() if len(alone) == 1 else None
        shown = [self._packet_for(rule_id) for rule_id in rules]
        asked = [asked_of(one, only) for one in (*packets, *shown)]
        with ExitStack() as stack:
            in_force = self._in_force(stack)
            planned = self._planned(stack, asked)
            found = [
                explain_packet(
                    one,
                    [place for iface, place in self._attached if iface == one.iface],
                    in_force,
                    planned,
                    self._strips,
                )
                for one in asked
            ]
        dataplane = self._instance.dataplane()
        if in_force is not None and dataplane is not None:
            revision = dataplane.control.read().revision
            if revision != self._now.ruleset.revision:
                return None
        told = self._now.ruleset.revision if self._wanted is None else None
        return ExplainReport(revision=told, packets=found)

    def _attachments(self) -> Sequence[Attachment]:
        if self._wanted is not None and self._wanted.attachments is not None:
            return planned_attachments(self._wanted.attachments)
        return self._now.attachments

    def _strips(self, iface: str) -> bool:
        row = self._attached.get((iface, "xdp"))
        return row is not None and may_strip_tags(row)

    def _packet_for(self, rule_id: str) -> str:
        """A packet for a rule, in words. NotFound; Conflict "no-packet" where there is none."""
        from xdpwall.check.members import Members
        from xdpwall.check.rule_packet import Side, packet_of_rule

        now = self._instance.clock.now_text()
        rules = [
            rule.model_copy(update={"enabled": False})
            if rule.expires is not None and rule.expires <= now
            else rule
            for rule in self._rules()
        ]
        number = next((n for n, rule in enumerate(rules) if rule.id == rule_id), None)
        if number is None:
            raise NotFound(
                f"no rule with the id {quoted(rule_id)}",
                field="rules",
                value=rule_id,
                hint="see the ids with: xdpwall rule list",
            )
        before = rules[: number + 1]
        named = {name for rule in before for _, name in sets_named_by(rule)}
        named |= {name for rule in before for name in containers_named_by(rule)}
        members = Members({name: self._entries(name) for name in named})
        sides = [
            Side(iface, place == "tc-egress", row.relations.sure)
            for (iface, place), row in self._attached.items()
        ]
        found = packet_of_rule(rules, number, members, sides)
        if found is None:
            raise Conflict(
                f"rule {number + 1} ({rules[number].text}) matches no packet",
                code="no-packet",
                field="rules",
                value=rule_id,
                hint="`xdpwall check` says why, and of which other rules it is true",
            )
        return found.text

    def _rules(self) -> Sequence[Rule]:
        if self._wanted is not None:
            return self._wanted.rules
        return [entry.rule for entry in self._now.ruleset.entries]

    # -- grounds -----------------------------------------------------------------------------------
    def _in_force(self, stack: ExitStack) -> Ground | None:
        """What is attached; None for a ruleset that is not in force, or without maps."""
        from xdpwall.explain.classifier import InForce
        from xdpwall.explain.explain import Ground

        dataplane = self._instance.dataplane()
        if self._wanted is not None or dataplane is None:
            return None
        numbers = {key: row.number for key, row in self._attached.items()}
        entries = self._now.ruleset.entries
        rules = [entry.rule for entry in entries]
        by_slot = {entry.slot: index for index, entry in enumerate(entries) if entry.rule.enabled}
        return Ground(
            classifier=stack.enter_context(InForce(dataplane, numbers)),
            rules=rules,
            index_of=by_slot.get,
            policy=self._now.ruleset.policy,
            off=not dataplane.control.read().on,
            holds=self._holds(),
            now=self._instance.clock.now_text(),
            relations={row.iface: row.relations for row in self._attached.values()},
        )

    def _planned(self, stack: ExitStack, asked: Sequence[Asked]) -> Callable[[], Ground]:
        made: list[Ground] = []

        def planned() -> Ground:
            if not made:
                made.append(self._make_planned(stack, asked))
            return made[0]

        return planned

    def _make_planned(self, stack: ExitStack, asked: Sequence[Asked]) -> Ground:
        from xdpwall.explain.classifier import Planned
        from xdpwall.explain.explain import Ground

        rules = list(self._rules())
        policy = (self._now.ruleset if self._wanted is None else self._wanted).policy
        named = {name for rule in rules if rule.enabled for _, name in sets_named_by(rule)}
        names = sorted({one.iface or "" for one in asked})
        relations = dict.fromkeys(names, NO_RELATIONS) | relations_by_name(
            names, self._selectors, self._names
        )
        classifier = Planned(
            rules,
            policy,
            {name: self._entries(name) for name in named},
            relations,
            self._instance.clock.offset,
            container_addresses(self._selectors, self._names),
        )
        return Ground(
            classifier=stack.enter_context(classifier),
            rules=rules,
            index_of=lambda slot: slot,
            policy=policy,
            holds=self._holds(),
            now=self._instance.clock.now_text(),
            relations=relations,
        )

    # -- sets --------------------------------------------------------------------------------------
    def _entries(self, name: str) -> Entries:
        """What a set holds now, as the ruleset states it or as it is here."""
        if name not in self._sets:
            self._sets[name] = self._read_entries(name)
        return self._sets[name]

    def _read_entries(self, name: str) -> Entries:
        if name.startswith(CONTAINER):
            from xdpwall.sets.entries import Entries

            addresses, _ = container_addresses([name], self._names)
            return Entries.of(addresses.get(name, ()))
        stated: Mapping[str, object] = {}
        if self._wanted is not None and self._wanted.sets is not None:
            stated = self._wanted.sets
            if name in stated:
                return self._wanted.sets[name].entries
        for row in self._now.ruleset.sets:
            if row.name == name:
                content = self._instance.store.sets.read_set(row.number)
                return content.unexpired(self._instance.clock.seconds()).all()
        raise NotFound(f"no set called {name}, which a rule names", field="sets", value=name)

    def _holds(self) -> Holds:
        from functools import cache

        from xdpwall.sets.entries import AddressEntry
        from xdpwall.sets.membership import entries_containing

        @cache
        def holds(name: str, family: int, address: int) -> bool:
            bits = 32 if family == 4 else 128
            one = AddressEntry(4 if family == 4 else 6, address, bits)
            return bool(entries_containing(self._entries(name), one))

        return holds
