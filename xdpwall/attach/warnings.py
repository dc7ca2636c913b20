"""Warnings about rules and attachments that are valid and may not do what is expected. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Occupant

from .coverage import coverage, some_words

STATELESS = (
    "the firewall is stateless: under a drop policy answers to connections made from here need "
    "accept rules of their own"
)

MOST = 20
"""Warnings about rules in one answer; one more sentence says how many there were."""


def rule_warnings(
    rules: Iterable[Rule], attachments: Sequence[Attachment], interfaces: Collection[str]
) -> list[str]:
    """The warnings about these rules with these attachments, each once, at most MOST and a count of
    the others."""
    found: dict[str, None] = {}
    counts: dict[tuple[str | None, str | None, bool], int] = {}
    more = 0
    for rule in rules:
        # The warnings depend on these alone, which most rules have in common.
        kind = rule.iface, rule.direction, rule.vlan is None
        count = counts.get(kind)
        if count == 0:
            continue
        if count is not None and len(found) > MOST and rule.id is not None:
            more += count  # each names its rule, so they are others than those before
            continue
        warnings = _about_rule(rule, attachments, interfaces)
        counts[kind] = len(warnings)
        found.update(dict.fromkeys(warnings))
    return _some(list(found), more)


def _some(warnings: list[str], more: int = 0) -> list[str]:
    """The first MOST, and a sentence that counts the others and `more`."""
    if len(warnings) <= MOST:
        return warnings
    more += len(warnings) - MOST
    return [*warnings[:MOST], f"... and {more} more warnings about rules"]


def policy_warnings(policy: Policy) -> list[str]:
    """A drop policy also drops answers to connections from here."""
    return [STATELESS] if "drop" in (policy.ingress, policy.egress) else []


def expired_warnings(rules: Iterable[Rule], now: str) -> list[str]:
    """Rules whose time is over at `now`, a canonical time."""
    return _some(
        [
            f"{_name(rule)}: its time, {rule.expires}, is over: it matches no packet"
            for rule in rules
            if rule.expires is not None and rule.expires <= now
        ]
    )


def hook_warnings(attachments: Iterable[Attachment]) -> list[str]:
    """Interfaces with XDP and tc ingress attached at once."""
    places: dict[str, set[Place]] = {}
    for attachment in attachments:
        places.setdefault(attachment.iface, set()).add(attachment.place)
    return [
        f"{iface} has xdp and tc ingress attached: both judge and both count each packet"
        for iface, there in places.items()
        if {"xdp", "tc-ingress"} <= there
    ]


def generic_warnings(attachments: Iterable[Attachment]) -> list[str]:
    """Network cards that `auto` took in generic mode, and why; that a bridge has no other is no news."""
    return [
        f"{one.iface} {one.place}: attached in generic mode, which is slower: {one.why_generic}"
        for one in attachments
        if one.why_generic is not None and one.kind is None
    ]


def bypass_warnings(iface: str, others: Iterable[Occupant]) -> list[str]:
    """Others' programs and filters on an interface that may let packets pass before ours."""
    places: dict[str, list[Occupant]] = {}
    for other in others:
        if other.bypasses_us:
            places.setdefault(f"tc-{other.place.partition('-')[2]}", []).append(other)
    return [
        f"{iface} {place}: may be bypassed by {some_words(found)}, which runs before ours: "
        f"`tc filter show dev {iface} {place.removeprefix('tc-')}`, `bpftool net`"
        for place, found in places.items()
    ]


def concerned(rules: Iterable[Rule], attachments: Sequence[Attachment]) -> list[Attachment]:
    """The attachments whose packets any of these rules is about."""
    kinds = {(rule.iface, rule.direction): rule for rule in rules}.values()
    return [
        attachment
        for attachment in attachments
        if any(
            _concerns(rule, attachment.iface) and rule.direction in (None, attachment.direction)
            for rule in kinds
        )
    ]


def vlan_warnings(rules: Iterable[Rule], attachments: Sequence[Attachment]) -> list[str]:
    """Rules with `vlan` that meet packets at XDP, at most MOST and a count of the others."""
    found = []
    for rule in rules:
        if rule.vlan is None or rule.direction == "egress":
            continue
        for attachment in attachments:
            if attachment.place == "xdp" and _concerns(rule, attachment.iface):
                found.append(
                    f"{_name(rule)} names vlan: XDP on {attachment.iface} cannot see a tag that "
                    f"the driver stripped; tc can: xdpwall attach {attachment.iface} --hook tc"
                )
    return _some(found)


def attach_command(iface: str, place: Place) -> str:
    """The call that attaches, for the shell and for REST."""
    options = {"xdp": "", "tc-ingress": " --hook tc", "tc-egress": " --hook tc --direction egress"}
    return (
        f"xdpwall attach {iface}{options[place]} "
        f"(REST: PUT /api/v1/interfaces/{iface}/attachments/{place})"
    )


def _about_rule(
    rule: Rule, attachments: Sequence[Attachment], interfaces: Collection[str]
) -> list[str]:
    name = _name(rule)
    iface = rule.iface if rule.iface and not rule.iface.startswith("!") else None
    where = [attachment for attachment in attachments if _concerns(rule, attachment.iface)]
    wanted: Place = "tc-egress" if rule.direction == "egress" else "xdp"
    warnings = []
    if iface and iface not in interfaces:
        warnings.append(f"{name}: the interface {iface} does not exist (yet)")
    elif not where:
        place = f"to {iface}" if iface else "to any interface that it is about"
        call = attach_command(iface or "IFACE", wanted)
        warnings.append(f"{name}: nothing is attached {place}, it sees no packet until: {call}")
    elif rule.direction and not any(attachment.direction == rule.direction for attachment in where):
        names = ", ".join(dict.fromkeys(attachment.words for attachment in where))
        call = attach_command(iface or where[0].iface, wanted)
        warnings.append(
            f"{name} is about {rule.direction}, which {names} cannot see; this does: {call}"
        )
    elif iface and where[0].kind == "bridge":
        warnings += _about_bridge(name, rule, where)
    return warnings + vlan_warnings([rule], attachments)


def _about_bridge(name: str, rule: Rule, attachments: Sequence[Attachment]) -> list[str]:
    _, blind, _ = coverage("bridge", attachments)
    if rule.direction or not blind:
        return []
    return [f"{name} on the bridge {attachments[0].iface} does not see: {'; '.join(blind)}"]


def _name(rule: Rule) -> str:
    return "the rule" if rule.id is None else f"rule {rule.id}"


def _concerns(rule: Rule, iface: str) -> bool:
    if rule.iface is None:
        return True
    if rule.iface.startswith("!"):
        return rule.iface[1:] != iface
    return rule.iface == iface
