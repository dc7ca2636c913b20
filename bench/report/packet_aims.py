"""Aims for the cost of a packet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import median

from bench.packets.rounds import (
    DROP,
    OURS,
    WAITING,
    XDP_FILTER,
    Cell,
    Hook,
    Path,
    Times,
    baseline,
    difference,
    own_baseline,
    ratio,
)
from bench.packets.rulesets import Case, Family
from bench.report.speed import at_this_speed, by_test_run, over_the_veth

ONE_RULE = 1.3
MANY_RULES = 2.0
SET: Mapping[tuple[str, Case], float] = {
    ("addresses", "hit"): 2.0,
    ("addresses", "miss"): 1.2,
    ("prefixes", "hit"): 4.0,
    ("prefixes", "miss"): 1.2,
}
IPV6 = 1.3
TC = 1.2
PENDING = 20.0
"""ns of a packet while a change waits for its confirmation; nothing else costs it anything then."""
BPFILTER_RULE = 95.0
"""ns of bpfilter's one rule by test-run. This and the next two, ns over a bare drop on the wire, were
measured once, on the machine of speed.py."""
BPFILTER_WIRE_RULE = 71.0
BPFILTER_WIRE_SET = 97.0

_PATHS: Mapping[Path, str] = {"run": "by test-run", "wire": "over the veth"}
Found = tuple[str, str, str, bool, str]
"""The fields of an Aim: what, found, wanted, met, here."""


def packet_aims(times: Mapping[Cell, Times]) -> Iterator[Found]:
    """The aims whose cells were measured."""
    yield from _rules(times)
    for (kind, case), limit in SET.items():
        cell = Cell(OURS, "xdp", "ipv4", kind, 1_000_000, case)
        yield from _ratio(
            times, f"set of 1,000,000 {kind}, {case}", cell, own_baseline(cell), limit
        )
    six, four = (_many("xdp", family) for family in ("ipv6", "ipv4"))
    yield from _ratio(times, "IPv6 to IPv4, access list of 10,000, random hits", six, four, IPV6)
    yield from _extra(times)
    yield from _waiting(times)
    for kind in ("hosts", "acl"):
        cell = Cell(OURS, "xdp", "ipv4", kind, 10_000, "random", "wire")
        yield from _wire(times, f"10,000 rules ({kind})", cell, BPFILTER_WIRE_RULE)
    cell = Cell(OURS, "xdp", "ipv4", "addresses", 100_000, "hit", "wire")
    yield from _wire(times, "a set of 100,000", cell, BPFILTER_WIRE_SET)


def _rules(times: Mapping[Cell, Times]) -> Iterator[Found]:
    one = Cell(OURS, "xdp", "ipv4", "acl", 1, "first")
    yield from _ratio(times, "1 rule", one, own_baseline(one), ONE_RULE)
    for kind in ("acl", "fw", "ipc"):
        cell = _many("xdp", "ipv4", kind)
        what = f"10,000 rules ({kind}), random hits"
        yield from _ratio(times, what, cell, own_baseline(cell), MANY_RULES)
    many, peer = _many("xdp", "ipv4"), Cell(XDP_FILTER, "xdp", "ipv4", "hosts", 1, "first")
    if many in times and peer in times:
        found, theirs = median(times[many]), median(times[peer])
        what = "10,000 rules (acl), random hits"
        wanted = f"below xdp-filter's 1 rule, {theirs:.0f} ns"
        yield what, f"{found:.0f} ns", wanted, found < theirs, ""
        wanted = f"below bpfilter's 1 rule, {BPFILTER_RULE:.0f} ns"
        here = at_this_speed(found, BPFILTER_RULE, by_test_run(times), _ns)
        yield what, f"{found:.0f} ns", wanted, found < BPFILTER_RULE, here


def _many(hook: Hook, family: Family, kind: str = "acl") -> Cell:
    return Cell(OURS, hook, family, kind, 10_000, "random")


def _ratio(
    times: Mapping[Cell, Times], what: str, cell: Cell, base: Cell, limit: float
) -> Iterator[Found]:
    if cell in times and base in times:
        found = ratio(times, cell, base)
        yield what, f"{found:.2f} x", f"at most {limit} x", found <= limit, ""


def _extra(times: Mapping[Cell, Times]) -> Iterator[Found]:
    """The ratio of tc's cost over a bare drop at tc to XDP's over one at XDP."""
    for path, where in _PATHS.items():
        extra = []
        for hook in ("xdp", "tc"):
            cell = Cell(OURS, hook, "ipv4", "acl", 10_000, "random", path)
            base = baseline(cell, DROP)
            if cell in times and base in times:
                extra.append(difference(times, cell, base))
        if len(extra) == 2:
            found = extra[1] / extra[0]
            what = f"tc's extra cost to XDP's, 10,000 rules (acl), {where}"
            yield what, f"{found:.2f} x", f"at most {TC} x", found <= TC, ""


def _waiting(times: Mapping[Cell, Times]) -> Iterator[Found]:
    """What a packet pays more while a change waits for its confirmation, beside the same rules."""
    for cell in times:
        if cell.contender == WAITING:
            found = difference(times, cell, replace(cell, contender=OURS))
            what = f"while a change waits, {cell.size} rules (acl), {cell.hook}, more"
            here = at_this_speed(found, PENDING, by_test_run(times), _ns)
            yield what, _ns(found), f"at most {_ns(PENDING)}", found <= PENDING, here


def _wire(times: Mapping[Cell, Times], what: str, cell: Cell, limit: float) -> Iterator[Found]:
    base = baseline(cell, DROP)
    if cell in times and base in times:
        found = difference(times, cell, base)
        here = at_this_speed(found, limit, over_the_veth(times), _ns)
        what = f"{what} over the veth, over a bare drop"
        yield what, _ns(found), f"at most {_ns(limit)}", found <= limit, here


def _ns(found: float) -> str:
    return f"{found:.0f} ns"
