"""What the figures should be. Nothing fails by them: a shared machine is not a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from .result import Result
from .rounds import OURS, PEER, Cell, Hook, Times, dearest, ratio, row
from .rules import CASES, Family

RATIO = 1.4
HELP = 0.25
LIST = 0.4
RESIDENT = 100e6
MEMORY = 8e6
_PLACES: tuple[tuple[Hook, Family], ...] = (
    ("xdp", "ipv4"),
    ("xdp", "ipv6"),
    ("tc", "ipv4"),
    ("tc", "ipv6"),
)


@dataclass(frozen=True)
class Aim:
    """`found` and `wanted` in words."""

    what: str
    found: str
    wanted: str
    met: bool


def aims(result: Result) -> list[Aim]:
    """Each aim against this run."""
    commands = result.commands
    ten = next(m for m in result.memory if m.family == "ipv4" and m.rules == 10)
    return [
        *(_below_peer(result.times, family) for family in ("ipv4", "ipv6")),
        *(_flat(result.times, hook, family) for hook, family in _PLACES),
        _under("`xdpwall --help`", commands.help, HELP, "s"),
        _under("`rule list`, 100 rules, service off", commands.list_off, LIST, "s"),
        _under("`rule list`, 100 rules, service on", commands.list_on, LIST, "s"),
        _under("service idle, resident", commands.idle, RESIDENT, "B"),
        _under("maps of 10 rules", ten.bytes, MEMORY, "B"),
    ]


def _below_peer(times: Mapping[Cell, Times], family: Family) -> Aim:
    """Our dearest case with 1,000 rules, and the peer's one rule hit."""
    ours = dearest(times, row(OURS, "xdp", family, 1_000))
    assert ours is not None
    found = median(times[ours])
    peer = median(times[Cell(PEER, "xdp", family, 1, "first")])
    what = f"XDP {_NAMES[family]}, 1,000 rules, dearest case ({ours.case})"
    wanted = f"below xdp-filter's 1 rule, {peer:.0f} ns"
    return Aim(what, f"{found:.0f} ns", wanted, found < peer)


def _flat(times: Mapping[Cell, Times], hook: Hook, family: Family) -> Aim:
    """The worst of: last of 1,000 hit to the only one hit, first likewise, miss to miss."""
    ratios = []
    for case in CASES:
        base = Cell(OURS, hook, family, 1, "miss" if case == "miss" else "first")
        ratios.append(ratio(times[Cell(OURS, hook, family, 1_000, case)], times[base]))
    worst = max(ratios)
    name = "XDP" if hook == "xdp" else hook
    what = f"{name} {_NAMES[family]}, 1,000 rules to 1 rule, dearest case"
    return Aim(what, f"{worst:.2f} x", f"at most {RATIO} x", worst <= RATIO)


def _under(what: str, found: float, limit: float, unit: str) -> Aim:
    if unit == "B":
        return Aim(what, f"{found / 1e6:.1f} MB", f"under {limit / 1e6:.0f} MB", found < limit)
    return Aim(what, f"{found:.2f} s", f"under {limit:.2f} s", found < limit)


_NAMES: Mapping[Family, str] = {"ipv4": "IPv4", "ipv6": "IPv6"}
