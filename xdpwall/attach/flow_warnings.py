"""Warnings about flows: interfaces that show them by one direction only, and rulesets without any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES, state_bits
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.policy import KEEP, Policy
from xdpwall.values.terms import Direction, Place

from .causes import concerns

STATELESS = (
    "the ruleset is stateless: under a drop policy answers to connections made from here need accept "
    "rules of their own, or `accept state established,related` and `policy set egress accept keep`"
)
_OTHER: dict[Direction, tuple[Direction, Place, str]] = {
    "ingress": ("egress", "tc-egress", " --hook tc --direction egress"),
    "egress": ("ingress", "xdp", ""),
}


def policy_warnings(policy: Policy, rules: Iterable[Rule] = ()) -> list[str]:
    """A drop policy also drops answers to connections from here, unless a rule accepts them as such."""
    if "drop" not in (policy.ingress, policy.egress) or any(map(_accepts_answers, rules)):
        return []
    return [STATELESS]


def _accepts_answers(rule: Rule) -> bool:
    established = 1 << STATES.index("established")
    if rule.action != "accept" or not rule.enabled or rule.state is None:
        return False
    return bool(state_bits(rule.state) & established)


def flow_warnings(
    rules: Iterable[Rule], policy: Policy, attachments: Sequence[Attachment]
) -> list[str]:
    """Interfaces with programs in one direction only, where rules with `state` or `keep`, or a policy
    with `keep`, want both: what the other direction would show is not known there."""
    tracking = [rule for rule in rules if rule.enabled and (rule.keep or rule.state is not None)]
    seen: dict[str, dict[Direction, Attachment]] = {}
    for one in attachments:
        seen.setdefault(one.iface, {})[one.direction] = one
    warnings = []
    for iface, there in seen.items():
        if len(there) == 2:
            continue
        ((direction, only),) = there.items()
        keeping = KEEP in (policy.ingress, policy.egress)
        if not (keeping or any(concerns(rule, only) for rule in tracking)):
            continue
        other, place, options = _OTHER[direction]
        warnings.append(
            f"{iface}: flows are seen by its {direction} alone, so that no answer is known as one but "
            f"those to TCP sockets of this host, until its {other} is attached: xdpwall attach "
            f"{iface}{options} (REST: PUT /api/v1/interfaces/{iface}/attachments/{place})"
        )
    return warnings
