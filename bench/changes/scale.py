"""Time the counters of a full ruleset, and one entry more in a set of a million."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median

from bench.changes.rules import IFACE, PAUSE, TIMES, burst, repeated, ruleset
from bench.instance import ServedInstance, Service
from bench.packets.nft_syntax import nft_set, nft_table
from bench.packets.set_entries import entries
from bench.packets.sets import NAME, RULE
from bench.packets.wire import run_with_input
from tests.support.oracle.classbench.generate import ruleset as generated
from tests.support.oracle.classbench.shapes import Kind
from xdpwall.check.findings import find_faults
from xdpwall.check.members import Members
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.set_hash4 import SET4_MAPS, SetHash4
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.bpffs import pin_numbers
from xdpwall.kernel.bpf.maps import Map
from xdpwall.limits import MAX_RULES
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.ruleset.ruleset import Ruleset

SIZES = (1_000, 1_000_000)
CHECKED = 10_000
KINDS: tuple[Kind, ...] = ("acl", "fw", "ipc")
ACTIONS = {"drop": 0.66, "accept": 0.32, "count": 0.02}


@dataclass
class Scale:
    """Medians in seconds; dictionaries are by size of the set."""

    rules: int = MAX_RULES
    counters: float = 0.0
    """Of GET /stats and GET /rules the kernel's part: every rule's packets and bytes, of all CPUs."""
    stats: float = 0.0
    """GET /stats."""
    listed: float = 0.0
    """GET /rules."""
    entry_live: dict[int, float] = field(default_factory=dict)
    """Until it is in the kernel."""
    entry: dict[int, float] = field(default_factory=dict)
    """Until it is answered."""
    entry_at_once: dict[int, float] = field(default_factory=dict)
    entry_burst: dict[int, float] = field(default_factory=dict)
    check: dict[str, float] = field(default_factory=dict)
    """Faults of CHECKED generated rules of a kind found, by kind."""
    nft: dict[int, float] = field(default_factory=dict)
    """`nft add element`, the whole command in its namespace."""


def measure(instance: ServedInstance) -> Scale:
    """Time both on an instance attached to IFACE."""
    found = Scale()
    with instance.opened() as firewall:
        if not any(a.iface == IFACE for a in firewall.status().attachments):
            firewall.attach(IFACE)
        firewall.apply(ruleset(MAX_RULES))
    plane = Dataplane(instance.settings.bpffs)
    plane.open()
    try:
        found.counters = _median(lambda: plane.counters.read(range(MAX_RULES)))
    finally:
        plane.close()
    with instance.service() as service:
        found.stats = repeated(lambda: service.call("GET", "/stats")[0])
        found.listed = repeated(lambda: service.call("GET", "/rules")[0])
    for kind in KINDS:
        found.check[kind] = _check(kind)
    for size in SIZES:
        _set(instance, size, found)
    return found


def _check(kind: Kind) -> float:
    made = generated(kind, CHECKED, 1, families=("ipv4", "ipv6"), actions=ACTIONS, spice=0.05)
    rules = [Rule.parse(one) for one in made]
    start = time.perf_counter()
    find_faults(rules, Policy(), Members({}))
    return time.perf_counter() - start


def _set(instance: ServedInstance, size: int, found: Scale) -> None:
    held = entries("addresses", size, "ipv4")
    with instance.opened() as firewall:
        firewall.replace_set(NAME, held)
        firewall.apply(Ruleset.parse({"version": 1, "rules": [{"text": RULE}]}))
    outsiders = [str(IPv4Address((240 << 24) + n)) for n in range(5 * TIMES + 256)]
    with instance.service() as service:
        watch = _TableWatch(instance.settings.bpffs)
        spaced = [_spaced(watch, service, *outsiders[n : n + 2]) for n in range(0, 2 * TIMES, 2)]
        found.entry_live[size] = median(live for live, _ in spaced)
        found.entry[size] = median(answered for _, answered in spaced)
        at_once = outsiders[2 * TIMES : 3 * TIMES]
        found.entry_at_once[size] = median(_add(service, address) for address in at_once)
        rest = outsiders[3 * TIMES :]
        found.entry_burst[size] = burst(lambda n: _add(service, rest[n]))
    table = nft_table(IFACE, [], "accept", nft_set("s", "ipv4", held.texts(), interval=False))
    run_with_input(instance.space, table, "nft", "-f", "-")
    times = []
    for address in outsiders[:TIMES]:
        start = time.perf_counter()
        instance.space.run("nft", "add", "element", "netdev", "bench", "s", f"{{ {address} }}")
        times.append(time.perf_counter() - start)
    found.nft[size] = median(times)
    instance.space.run("nft", "delete", "table", "netdev", "bench")


class _TableWatch:
    """The kernel's table of addresses, which may be replaced by a larger one."""

    def __init__(self, pins: Path) -> None:
        self._pins, self._number = pins, 0
        self._table: SetHash4 | None = None

    def holds(self, key: bytes) -> bool:
        """Whether the address is in it."""
        newest = max(pin_numbers(self._pins, "maps-"))
        if newest != self._number:
            with suppress(XdpwallError):  # it is just being made
                folder = self._pins / f"maps-{newest}"
                self._table = SetHash4.of({n: Map.open_pinned(folder / n) for n in SET4_MAPS})
                self._number = newest
        return self._table is not None and self._table.lookup(key) is not None


def _spaced(watch: _TableWatch, service: Service, one: str, other: str) -> tuple[float, float]:
    """Seconds (in the kernel, answered), of two requests: polling would delay the answer."""
    time.sleep(PAUSE)
    answered = _add(service, one)
    time.sleep(PAUSE)
    key = IPv4Address(other).packed
    times = service.request(
        "POST",
        f"/sets/{NAME}/entries",
        {"add": [other]},
        live=lambda: watch.holds(key),
        rest=answered / 2,
    )
    return times.live, answered


def _add(service: Service, address: str) -> float:
    return service.call("POST", f"/sets/{NAME}/entries", {"add": [address]})[0]


def _median(what: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        what()
        times.append(time.perf_counter() - start)
    return median(times)
