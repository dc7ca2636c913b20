"""Tables of the cost of a packet, by test-run and over the veth, beside other filters and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from bench.packets.rounds import (
    DROP,
    IPTABLES,
    NFT,
    OURS,
    PARSE,
    WAITING,
    XDP_FILTER,
    XDP_FILTER_IPV4,
    Cell,
    Hook,
    Times,
    baseline,
    difference,
    own_baseline,
    ratio,
)
from bench.packets.rulesets import CASES, Case, Family
from bench.report.table import table

NAMES = (DROP, PARSE, OURS, WAITING, XDP_FILTER, XDP_FILTER_IPV4, NFT, IPTABLES)
KINDS = ("", "hosts", "acl", "fw", "ipc")
SETS = ("addresses", "prefixes")
SET_CASES: tuple[Case, ...] = ("hit", "miss", "near")
PLACES: Mapping[tuple[Hook, Family], str] = {
    ("xdp", "ipv4"): "XDP, IPv4",
    ("xdp", "ipv6"): "XDP, IPv6",
    ("tc", "ipv4"): "tc and behind it, IPv4",
    ("tc", "ipv6"): "tc and behind it, IPv6",
}
Key = tuple[Hook, Family, str, str, int | None]


def rules_table(times: Mapping[Cell, Times]) -> str:
    """Every ruleset measured, a row for each contender."""
    head = ("", "rules", "n", *CASES, "x own", "x parse", *_WIRE)
    rows = []
    for place, title in PLACES.items():
        mine = [key for key in _keys(times, KINDS) if (key[0], key[1]) == place]
        if mine:
            rows.append((f"**{title}**", *[""] * (len(head) - 1)))
            rows += [_row(times, key, CASES, "random") for key in mine]
    return table(head, rows)


def sets_table(times: Mapping[Cell, Times]) -> str:
    """Every set measured, a row for each contender; a bare drop is the baseline of its stream."""
    head = ("", "set of", "n", *SET_CASES, "x own", "x parse", *_WIRE, "miss: over drop")
    rows = []
    for place, title in PLACES.items():
        mine = [key for key in _keys(times, SETS) if (key[0], key[1]) == place]
        if mine:
            rows.append((f"**{title}**", *[""] * (len(head) - 1)))
            rows += [
                (*_row(times, key, SET_CASES, "hit"), _wire(times, key, "miss")[1]) for key in mine
            ]
    return table(head, rows)


_WIRE = ("veth ns", "over drop", "Mpps", "x drop")


def _keys(times: Mapping[Cell, Times], kinds: tuple[str, ...]) -> list[Key]:
    found = {(c.hook, c.family, c.contender, c.what, c.size) for c in times if c.what in kinds}
    order = {name: number for number, name in enumerate(NAMES)}
    return sorted(found, key=lambda k: (kinds.index(k[3]), order[k[2]], k[4] or 0))


def _row(
    times: Mapping[Cell, Times], key: Key, cases: tuple[Case, ...], main: Case
) -> tuple[str, ...]:
    hook, family, name, what, size = key
    cells = [Cell(name, hook, family, what, size, case) for case in cases]
    shown = [f"{median(times[cell]):.0f}" if cell in times else "-" for cell in cells]
    by_main = [cell for cell in cells if cell in times and cell.case == main]
    known = by_main or [cell for cell in cells if cell in times]
    ratios = ["-", "-"]
    if known:
        for place, base in enumerate((own_baseline(known[0]), baseline(known[0], PARSE))):
            if base in times:
                ratios[place] = f"{ratio(times, known[0], base):.2f}"
    number = "-" if size is None else f"{size:,}"
    return (name, what or "-", number, *shown, *ratios, *_wire(times, key, main))


def _wire(times: Mapping[Cell, Times], key: Key, main: Case) -> tuple[str, str, str, str]:
    hook, family, name, what, size = key
    for case in (main, "none"):
        cell = Cell(name, hook, family, what, size, case, "wire")
        base = baseline(cell, DROP, "xdp")
        if cell in times and base in times:
            ns = median(times[cell])
            return (
                f"{ns:,.0f}",
                f"{difference(times, cell, base):,.0f}",
                f"{1000 / ns:.3g}",
                f"{ratio(times, cell, base):.2f}",
            )
    return ("-", "-", "-", "-")
