"""The states of a packet that a rule may name (`state established,related`). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdpwall.values.inputs import did_you_mean, invalid, split_negation

STATES = ("new", "established", "related", "invalid", "untracked")
"""In the order of enum xw_state, from its 1 on."""
_WANTED = "one or more of " + ", ".join(STATES) + ", with an optional ! in front"


def parse_state(value: Any) -> str:
    """`established,related` or `!new`, in the order of STATES; a list is taken too."""
    if isinstance(value, str):
        negated, body = split_negation(value)
        names: Sequence[Any] = [name.strip() for name in body.split(",")]
    elif isinstance(value, (list, tuple)) and value:
        negated, names = False, value
    else:
        raise invalid("state", value, "is not a state", _WANTED)
    for name in names:
        if name not in STATES:
            hint = did_you_mean(name, STATES) if isinstance(name, str) else None
            if name in ("any", "all"):
                hint = "what a rule does not name is any: leave state out"
            elif name == "keep":
                hint = "keep stands alone, without state: accept tcp/22 keep"
            problem = f"holds {str(name)[:20]!r}, which is not a state"
            raise invalid("state", value, problem, _WANTED, hint=hint)
    if negated and len(set(names)) == len(STATES):
        raise invalid("state", value, "leaves no state, so nothing could match", _WANTED)
    return ("!" if negated else "") + ",".join(name for name in STATES if name in names)


def state_bits(text: str) -> int:
    """The states that a canonical `state` accepts: bit n is STATES[n]."""
    negated, body = split_negation(text)
    names = body.split(",")
    return sum(1 << n for n, name in enumerate(STATES) if (name in names) != negated)


def why_invalid(
    proto: str | int | None, tcp_flags: str | None, icmp_type: str | int | None, one_end: bool
) -> str:
    """What makes a packet `invalid`, by its fields in a rule's words; `one_end`: from and to the same one."""
    if one_end:
        return "from and to one endpoint"
    if icmp_type == "echo-reply":
        return "nobody asked for it"
    if icmp_type in ("redirect", "source-quench"):
        return f"a {icmp_type} belongs to no flow"
    if icmp_type is not None:
        return "an error about no flow"
    if proto == "tcp":
        return f"{' '.join(['TCP', *filter(None, [tcp_flags])]).upper()}, no flow, no socket"
    return "no flow"
