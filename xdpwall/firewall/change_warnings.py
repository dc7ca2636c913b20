"""The warnings in the answer to a change: about its rules, and of attachments not in place."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from xdpwall.attach.answering import cookie_warnings
from xdpwall.attach.flow_warnings import flow_warnings
from xdpwall.attach.in_place import place_warnings
from xdpwall.attach.relations import related, words_for_interfaces
from xdpwall.attach.warnings import (
    concerned,
    expired_warnings,
    rule_warnings,
    unsure_warnings,
)
from xdpwall.instance.instance import Instance
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.switched_off import SWITCHED_OFF

from .flow_advice import advice_warnings


def rule_change_warnings(instance: Instance, rules: Sequence[Rule]) -> list[str]:
    """Warn about changed rules that are enabled, and of attachments that should judge by them."""
    # Only a rule that names an interface wants to know which there are.
    attachments = related(instance.attachments, rules, instance.settings.containers)
    there = words_for_interfaces(rules, attachments, instance.settings.containers)
    return [
        *off_warnings(instance),
        *rule_warnings(rules, attachments, there, beside=_at_ports(instance)),
        *unsure_warnings(attachments),
        *expired_warnings(rules, instance.clock.now_text()),
        *place_warnings(instance.attacher, concerned(rules, attachments)),
        *flow_warnings(rules, Policy(), attachments),
        *_advice(instance, rules),
        *cookie_warnings(rules, attachments),
    ]


def _at_ports(instance: Instance) -> list[Rule]:
    """The rules in force on ports of bridges; they are looked for only where there are some."""
    ruleset = instance.ruleset
    if not ruleset.index.relations:
        return []
    return [one.rule for one in ruleset.entries if ":" in (one.rule.iface or "")]


def _advice(instance: Instance, changed: Sequence[Rule]) -> list[str]:
    ruleset = instance.ruleset
    rules = [entry.rule for entry in ruleset.entries]
    return advice_warnings(rules, ruleset.policy, {rule.id for rule in changed})


def off_warnings(instance: Instance) -> list[str]:
    """Say that nothing of the change shows while the firewall is switched off."""
    dataplane = instance.dataplane()
    return [] if dataplane is None or dataplane.control.read().on else [SWITCHED_OFF]


def policy_change_warnings(instance: Instance, changed: Collection[str]) -> list[str]:
    """Warn of attachments that should judge by the changed parts of the policy."""
    directions = {"ingress", "egress"}
    wanted = directions.intersection(changed) if directions.issuperset(changed) else directions
    return [
        *off_warnings(instance),
        *place_warnings(
            instance.attacher, [one for one in instance.attachments if one.direction in wanted]
        ),
    ]
