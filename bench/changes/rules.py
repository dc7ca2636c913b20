"""Time one more rule and a whole ruleset: in process, over REST and by a command."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from bench.instance import BenchFailed, ServedInstance, Service
from bench.packets.nft_syntax import nft_line, nft_table
from bench.packets.rulesets import rules
from xdpwall.abi import Control
from xdpwall.firewall.facade import Facade
from xdpwall.formats import ruleset_file
from xdpwall.kernel.bpf.maps import Map
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.ruleset import Ruleset

IFACE = "v0"
ONE_MORE = (10, 1_000, 10_000)
APPLIED = (1_000, 10_000)
LISTED = 100
"""Rules in force when commands and the service's memory are measured."""
TIMES = 15
FEW = 5
"""How often what takes long is repeated."""
PAUSE = 0.1
"""Seconds between changes, so that each finds the housekeeping of the last one done."""
BURST, AT_ONCE = 64, 8
"""Changes of a burst, and the number of connections that make them."""
PATIENCE = 6.0
"""Seconds after which repeating ends, after FEW times at least."""
_EXTRA = {"action": "drop", "proto": "tcp", "dport": "8080"}


@dataclass
class Changes:
    """Seconds, by the number of rules in force or applied; medians where taken several times."""

    firewall: dict[int, float] = field(default_factory=dict)
    live: dict[int, float] = field(default_factory=dict)
    """By a request to the service: until the rule is in force in the kernel."""
    rest: dict[int, float] = field(default_factory=dict)
    """The same requests: until they are answered."""
    rest_at_once: dict[int, float] = field(default_factory=dict)
    """Each change right after the one before."""
    burst: dict[int, float] = field(default_factory=dict)
    """Per change, of BURST made over AT_ONCE connections."""
    nft: dict[int, float] = field(default_factory=dict)
    """`nft add rule`, the whole command in its namespace."""
    apply: dict[int, float] = field(default_factory=dict)
    """In process, from no rule."""
    apply_again: dict[int, float] = field(default_factory=dict)
    """In process, with one rule more than what is in force."""
    apply_command: dict[int, float] = field(default_factory=dict)
    """`xdpwall apply FILE.yaml` without the service, from no rule."""
    nft_apply: dict[int, float] = field(default_factory=dict)
    """`nft -f` of the same rules."""


@dataclass
class Commands:
    """Seconds of commands and bytes of the service."""

    help: float = 0.0
    list_off: float = 0.0
    list_on: float = 0.0
    start: float = 0.0
    idle: int = 0
    used: int = 0
    """Resident memory after the changes of this bench, 10,000 rules in force."""


def measure(instance: ServedInstance) -> tuple[Changes, Commands]:
    """Attach to IFACE, then time changes and commands."""
    changes, commands = Changes(), Commands()
    with instance.opened() as firewall:
        firewall.attach(IFACE)
        for count in APPLIED:
            _apply(firewall, count, changes)
        for count in ONE_MORE:
            firewall.apply(ruleset(count))
            changes.firewall[count] = _one_more(firewall)
        firewall.apply(ruleset(LISTED))
    commands.help = repeated(lambda: instance.command("--help"))
    commands.list_off = repeated(lambda: instance.command("rule", "list"))
    with instance.service() as service:
        service.call("GET", "/healthz")  # what it imports has bytecode from now on, as installed
    with instance.service() as service:
        commands.start = service.started
        service.call("GET", "/healthz")
        commands.idle = service.resident()
        commands.list_on = repeated(lambda: instance.command("rule", "list"))
        for count in ONE_MORE:
            service.call("PUT", "/ruleset", ruleset(count).to_json())
            check_live(instance, service)
            changes.live[count], changes.rest[count] = _one_more_by_rest(instance, service)
            changes.rest_at_once[count] = repeated(lambda: _add_and_delete(service))
            changes.burst[count] = burst(lambda _: _add_and_delete(service)) / 2
        commands.used = service.resident()
    for count in APPLIED:
        _apply_by_command(instance, count, changes)
    _nft(instance, changes)
    return changes, commands


def check_live(instance: ServedInstance, service: Service) -> None:
    """Check that a change is in force when it is answered: the control word has its revision."""
    _, answer = service.call("POST", "/rules", _EXTRA)
    with Map.open_pinned(instance.settings.bpffs / "maps" / "control") as control:
        word = int.from_bytes(control.lookup(0) or b"", "little")
    revision = Control.unpack(word).revision
    if revision != answer["revision"]:
        raise BenchFailed(f"revision {answer['revision']} answered, {revision} in the kernel")
    service.call("DELETE", f"/rules/{answer['id']}")


def burst(change: Callable[[int], object]) -> float:
    """Call `change` BURST times in AT_ONCE threads, fewer where it is slow; seconds per call."""
    end = time.perf_counter() + PATIENCE

    def patient(number: int) -> bool:
        if number >= 2 * AT_ONCE and time.perf_counter() > end:
            return False
        change(number)
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        start = time.perf_counter()
        done = sum(pool.map(patient, range(BURST)))
        return (time.perf_counter() - start) / done


def repeated(what: Callable[[], float], times: int = TIMES) -> float:
    """The median of `times` calls, of FEW where they take long."""
    found: list[float] = []
    start = time.perf_counter()
    while len(found) < FEW or (len(found) < times and time.perf_counter() - start < PATIENCE):
        found.append(what())
    return median(found)


def ruleset(count: int) -> Ruleset:
    """An access list of `count` rules."""
    return Ruleset.parse({"version": 1, "rules": rules("acl", count, "ipv4")})


def _add_and_delete(service: Service, pause: float = 0) -> float:
    seconds, answer = service.call("POST", "/rules", _EXTRA)
    time.sleep(pause)
    service.call("DELETE", f"/rules/{answer['id']}")
    return seconds


def _apply(firewall: Facade, count: int, changes: Changes) -> None:
    empty, whole, more = (
        Ruleset.parse({"version": 1, "rules": []}),
        ruleset(count),
        ruleset(count + 1),
    )
    first, again = [], []
    for _ in range(FEW):
        firewall.apply(empty)
        first.append(_seconds(firewall, whole))
        again.append(_seconds(firewall, _one_added(whole, more)))
    changes.apply[count], changes.apply_again[count] = median(first), median(again)


def _one_added(whole: Ruleset, more: Ruleset) -> Ruleset:
    return Ruleset.parse(
        {"version": 1, "rules": [*(r.to_json() for r in whole.rules), more.rules[-1].to_json()]}
    )


def _seconds(firewall: Facade, wanted: Ruleset) -> float:
    start = time.perf_counter()
    firewall.apply(wanted)
    return time.perf_counter() - start


def _apply_by_command(instance: ServedInstance, count: int, changes: Changes) -> None:
    path = instance.folder / f"{count}.yaml"
    path.write_text(ruleset_file.dump_ruleset(ruleset(count)), encoding="utf-8")
    times = []
    for _ in range(FEW):
        instance.command("rule", "flush", "--yes")
        times.append(instance.command("apply", str(path), "--force"))
    changes.apply_command[count] = median(times)


def _one_more(firewall: Facade) -> float:
    extra = Rule.parse(_EXTRA)

    def once() -> float:
        start = time.perf_counter()
        outcome = firewall.add_rules([extra])
        seconds = time.perf_counter() - start
        firewall.delete_rules([rule.id for rule in outcome.rules])
        return seconds

    return repeated(once)


def _one_more_by_rest(instance: ServedInstance, service: Service) -> tuple[float, float]:
    """Medians (in force in the kernel, answered), of different requests in turn: polling the kernel
    would delay the answer."""
    found: list[float] = []

    def once() -> float:
        time.sleep(PAUSE)
        answered = _add_and_delete(service, PAUSE)
        time.sleep(PAUSE)
        before = bytes(word[:8])
        times = service.request(
            "POST", "/rules", _EXTRA, live=lambda: word[:8] != before, rest=answered / 2
        )
        time.sleep(PAUSE)
        service.call("DELETE", f"/rules/{times.answer['id']}")
        found.append(times.live)
        return answered

    with Map.open_pinned(instance.settings.bpffs / "maps" / "control") as control:
        word = control.mmap()
        answered = repeated(once)
    return median(found), answered


def _nft(instance: ServedInstance, changes: Changes) -> None:
    extra = nft_line(_EXTRA, "ipv4").split()
    for count in sorted({*ONE_MORE, *APPLIED}):
        path = instance.folder / f"{count}.nft"
        lines = [nft_line(rule, "ipv4") for rule in rules("acl", count, "ipv4")]
        path.write_text(nft_table(IFACE, lines, "accept"), encoding="ascii")
        loads = []
        for _ in range(FEW):
            loads.append(_timed(instance, ["nft", "-f", str(path)]))
            if len(loads) < FEW:
                instance.space.run("nft", "delete", "table", "netdev", "bench")
        add = ["nft", "add", "rule", "netdev", "bench", "c", *extra]
        changes.nft_apply[count] = median(loads)
        changes.nft[count] = repeated(functools.partial(_timed, instance, add))
        instance.space.run("nft", "delete", "table", "netdev", "bench")


def _timed(instance: ServedInstance, argv: Sequence[str]) -> float:
    start = time.perf_counter()
    instance.space.run(*argv)
    return time.perf_counter() - start
