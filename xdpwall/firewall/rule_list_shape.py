"""The shape of a list of rules as JSON, checked without models. Pure; a test holds it to RuleView."""

from __future__ import annotations

from typing import Any

from xdpwall.rule.field_names import READ_ONLY_FIELDS, RULE_FIELDS
from xdpwall.rule.sentence_words import ACTIONS

REQUIRED_TYPES: dict[str, type] = {
    "id": str,
    "action": str,
    "enabled": bool,
    "keep": bool,
    "cookie": bool,
    "log": bool,
    "text": str,
    "position": int,
    "packets": int,
    "bytes": int,
    "created": str,
    "expired": bool,
}
"""The fields that every rule of a list has, and their types."""

VIEW_FIELDS = frozenset({*RULE_FIELDS, *READ_ONLY_FIELDS})
"""All the fields that a rule of a list may have."""


def is_rule_list(body: Any) -> bool:
    """Whether it has the shape of `RuleList`."""
    if not isinstance(body, dict) or body.keys() != {"revision", "rules"}:
        return False
    return isinstance(body["rules"], list) and all(map(_is_rule, body["rules"]))


def _is_rule(rule: Any) -> bool:
    return (
        isinstance(rule, dict)
        and rule.keys() <= VIEW_FIELDS
        and all(isinstance(rule.get(name), kind) for name, kind in REQUIRED_TYPES.items())
        and rule["action"] in ACTIONS
    )
