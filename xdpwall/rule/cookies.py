"""What `cookie` demands of a rule's other fields: only a SYN that comes in has an answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xdpwall.values.inputs import invalid


def check_cookie(rule: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a rule with `cookie` that could answer no SYN."""
    for problem, wanted in _problems(rule):
        raise invalid("cookie", rule["cookie"], problem, wanted)


def _problems(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(what is wrong, what would be right)"""
    action, proto = rule["action"], rule.get("proto")
    if action != "accept":
        yield (
            f"stands on a rule that says {action}: only a SYN that it accepts is answered",
            "cookie on an accept rule",
        )
    if "ethertype" in rule:
        yield (
            f"cannot stand beside ethertype {rule['ethertype']}, which is about frames, not TCP",
            "cookie or ethertype, not both",
        )
    if proto is None:
        yield "stands without a protocol", "proto: tcp beside it"
    if proto != "tcp":
        yield f"stands beside proto {proto}, which has no SYN", "proto: tcp beside it"
    if "dport" not in rule:
        yield "stands without the ports of a service", "dport beside it, like tcp/443"
    if "state" in rule:
        yield (
            f"cannot stand beside state {rule['state']}: the packet that brings a cookie back has none",
            "cookie or state, not both",
        )
    if rule.get("direction") == "egress":
        yield "cannot stand beside direction egress: SYNs come in", "direction ingress, or none"
