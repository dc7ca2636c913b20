"""What a list of rules looks like as JSON, for who lists them without models. Pure; a test holds it
to views.RuleView."""

from __future__ import annotations

from typing import Any

from xdpwall.rule.sentence_words import ACTIONS

SAID = (
    *("id", "action", "iface", "direction", "ethertype", "family", "proto", "src", "dst"),
    *("sport", "dport", "icmp_type", "icmp_code", "tcp_flags", "vlan", "length", "ttl"),
    *("fragment", "expires", "enabled", "log", "comment"),
)
"""What a rule says, in the order in which it is printed."""

KINDS: dict[str, type] = {
    "id": str,
    "action": str,
    "enabled": bool,
    "log": bool,
    "text": str,
    "position": int,
    "packets": int,
    "bytes": int,
    "created": str,
    "expired": bool,
}
"""What every rule of a list has, and of which type."""

FIELDS = frozenset({*SAID, *KINDS, "last_hit"})
"""All that one may have."""


def is_list(body: Any) -> bool:
    """Whether it has the shape of `views.RuleList`."""
    if not isinstance(body, dict) or body.keys() != {"revision", "rules"}:
        return False
    return isinstance(body["rules"], list) and all(map(_is_rule, body["rules"]))


def _is_rule(rule: Any) -> bool:
    return (
        isinstance(rule, dict)
        and rule.keys() <= FIELDS
        and all(isinstance(rule.get(name), kind) for name, kind in KINDS.items())
        and rule["action"] in ACTIONS
    )
