"""nftables as a judge of states: counters of each state at each place, before the NAT of what comes in and after
that of what goes out."""

from __future__ import annotations

from collections.abc import Sequence

from xdpwall.rule.states import STATES

IN_PRIORITY = -150
"""Behind connection tracking (-200), in front of DNAT (-100)."""


def state_counters(sides: Sequence[str], noise: str, out_priority: int) -> str:
    """What goes into a table: counters `SIDE_in_STATE` and `SIDE_out_STATE`, and the chains that count. What
    `noise` matches, in nft's words, is counted by none; `out_priority` is where postrouting is looked at."""
    ways = (
        ("in", "iifname", "prerouting", IN_PRIORITY),
        ("out", "oifname", "postrouting", out_priority),
    )
    lines = [
        f"counter {side}_{way}_{state} {{}}"
        for side in sides
        for way, *_ in ways
        for state in STATES
    ]
    for way, key, hook, priority in ways:
        lines.append(f"chain {way} {{ type filter hook {hook} priority {priority};")
        lines.append(f"{noise} accept" if noise else "")
        lines += [
            f"{key} {side} ct state {state} counter name {side}_{way}_{state}"
            for side in sides
            for state in STATES
        ]
        lines.append("}")
    return "\n".join(lines) + "\n"
