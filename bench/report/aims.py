"""Aims: what the figures should be at most. No test fails by them: times on a shared machine vary too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.changes import loading
from bench.report.packet_aims import packet_aims
from bench.report.result import Result
from bench.report.speed import at_this_speed, of_processes

HELP = 0.25
LIST = 0.4
RESIDENT = 100e6
MEMORY = 8e6
REST = {1_000: 0.004, 10_000: 0.010}
ENTRY = 0.002
APPLY = 0.5
COUNTERS = 0.05
LOAD_RATIO = 1.5
LOAD_PEAK = 300e6
BPFILTER_LOAD = 2.4
"""Seconds for a million addresses, measured once on the machine of speed.py."""


@dataclass(frozen=True)
class Aim:
    """One aim, with the figure found and the figure wanted as text."""

    what: str
    found: str
    wanted: str
    met: bool
    here: str = ""
    """The figure wanted at this machine's speed (speed.py), for aims in ns or ms."""


def aims(result: Result) -> list[Aim]:
    """Each aim that this run measured."""
    return [
        *(Aim(*each) for each in packet_aims(result.times)),
        *_changes(result),
        *_scale(result),
        *_loading(result),
        *_commands(result),
        *_interfaces(result),
    ]


def _changes(result: Result) -> Iterator[Aim]:
    changes = result.changes
    if changes is None:
        return
    speed = of_processes(changes)
    for count, limit in REST.items():
        if count in changes.live:
            what = f"one more rule by REST, in the kernel, beside {count:,}"
            yield _under(what, changes.live[count], limit, "s", speed)
        if count in changes.rest and count in changes.nft:
            what = f"one more rule by REST, answered, beside {count:,}"
            yield _below(what, changes.rest[count], changes.nft[count], "`nft add rule`")
    if 10_000 in changes.apply:
        yield _under("apply 10,000 rules, in process", changes.apply[10_000], APPLY, "s", speed)


def _scale(result: Result) -> Iterator[Aim]:
    scale = result.scale
    if scale is None:
        return
    what = f"counters of {scale.rules:,} rules, the kernel's part"
    yield _under(what, scale.counters, COUNTERS, "s")
    for size, seconds in scale.entry_live.items():
        what = f"one more entry by REST, in the kernel, beside {size:,}"
        yield _under(what, seconds, ENTRY, "s", of_processes(result.changes))


def _loading(result: Result) -> Iterator[Aim]:
    found = result.loading
    if found is None:
        return
    ours, bare, nft = (
        median(found.seconds[name]) for name in (loading.COMMAND, loading.C, loading.NFT)
    )
    what = f"`set load` of {found.size:,} addresses"
    yield Aim(
        f"{what}, to a C program's batches",
        f"{ours / bare:.2f} x",
        f"at most {LOAD_RATIO} x",
        ours <= LOAD_RATIO * bare,
    )
    yield _below(what, ours, nft, "`nft -f`")
    yield _below(what, ours, BPFILTER_LOAD, "bpfilter")
    yield _under(f"{what}, peak memory", found.peak[loading.COMMAND], LOAD_PEAK, "B")


def _commands(result: Result) -> Iterator[Aim]:
    commands = result.commands
    if commands is not None:
        yield _under("`xdpwall --help`", commands.help, HELP, "s")
        yield _under("`rule list`, 100 rules, service off", commands.list_off, LIST, "s")
        yield _under("`rule list`, 100 rules, service on", commands.list_on, LIST, "s")
        yield _under("service idle, resident", commands.idle, RESIDENT, "B")
    for memory in result.memory:
        if (memory.family, memory.rules) == ("ipv4", 10):
            yield _under("maps of 10 rules", memory.bytes, MEMORY, "B")


def _interfaces(result: Result) -> Iterator[Aim]:
    m = result.interfaces
    if m is None:
        return
    yield _under("200 interfaces attached by a pattern", m.attach_all, 2.0, "s")
    yield _under("the service's start with 200 interfaces", m.start, 0.5, "s")
    yield _under("GET /interfaces with 400 interfaces", median(m.listing), 0.1, "s")
    yield _under("an interface that comes, not filtered for", median(m.one), 0.05, "s")


def _under(what: str, found: float, limit: float, unit: str, speed: float | None = None) -> Aim:
    if unit == "B":
        return Aim(what, f"{found / 1e6:.1f} MB", f"under {limit / 1e6:.0f} MB", found < limit)
    here = at_this_speed(found, limit, speed, duration)
    return Aim(what, duration(found), f"under {duration(limit)}", found < limit, here)


def _below(what: str, found: float, theirs: float, name: str) -> Aim:
    return Aim(what, duration(found), f"below {name}, {duration(theirs)}", found < theirs)


def duration(seconds: float) -> str:
    """Seconds as text, in ms or s."""
    if seconds >= 0.995:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.02 else f"{seconds * 1000:.1f} ms"
