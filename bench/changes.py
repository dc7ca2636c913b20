"""What a change costs: one more rule, a whole ruleset; in process, over REST, by a command."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median

from xdpwall import rulesetfile
from xdpwall.firewall import Firewall
from xdpwall.model import Rule, Ruleset

from .instance import Instance, Service
from .rules import rules

IFACE = "v0"
ONE_MORE = (10, 100, 1_000)
APPLIED = (1_000, 10_000)
TIMES = 9
_PAUSE = 0.1
"""Seconds between changes that are to find the service settled, as a person's would."""
_EXTRA = {"action": "drop", "proto": "tcp", "dport": "8080"}


@dataclass
class Changes:
    """Seconds, by the number of rules in force or applied; medians where taken several times."""

    firewall: dict[int, float] = field(default_factory=dict)
    rest: dict[int, float] = field(default_factory=dict)
    rest_at_once: dict[int, float] = field(default_factory=dict)
    """Each change right after the one before."""
    apply: dict[int, float] = field(default_factory=dict)
    """In process, from no rule, the maps still small."""
    apply_again: dict[int, float] = field(default_factory=dict)
    """In process, with one rule more than what is in force."""
    apply_command: dict[int, float] = field(default_factory=dict)
    """`xdpwall apply FILE.yaml` without the service, from no rule."""


@dataclass
class Commands:
    """Seconds of commands and bytes of the service."""

    help: float = 0.0
    list_off: float = 0.0
    list_on: float = 0.0
    start: float = 0.0
    idle: int = 0
    used: int = 0
    """Resident after the changes of this bench, 1,000 rules in force."""


LISTED = 100
"""Rules in force when commands are timed and the service is weighed."""


def measure(instance: Instance) -> tuple[Changes, Commands]:
    """Attach to IFACE and time everything. Maps never shrink, so 10,000 rules come last."""
    changes, commands = Changes(), Commands()
    with instance.space.inside(), Firewall.open(instance.settings) as firewall:
        firewall.attach(IFACE)
        _apply(firewall, APPLIED[0], changes)
        for count in ONE_MORE:
            firewall.apply(_ruleset(count))
            changes.firewall[count] = _one_more(firewall)
        firewall.apply(_ruleset(LISTED))
    commands.help = median(instance.command("--help") for _ in range(TIMES))
    commands.list_off = median(instance.command("rule", "list") for _ in range(TIMES))
    with instance.service() as service:
        commands.start = service.started
        service.call("GET", "/healthz")
        commands.idle = service.resident()
        commands.list_on = median(instance.command("rule", "list") for _ in range(TIMES))
        for count in ONE_MORE:
            service.call("PUT", "/ruleset", _ruleset(count).to_json())
            changes.rest[count] = _one_more_by_rest(service, _PAUSE)
            changes.rest_at_once[count] = _one_more_by_rest(service, 0)
        commands.used = service.resident()
    _apply_by_command(instance, APPLIED[0], changes)
    with instance.space.inside(), Firewall.open(instance.settings) as firewall:
        _apply(firewall, APPLIED[1], changes)
    _apply_by_command(instance, APPLIED[1], changes)
    return changes, commands


def _apply(firewall: Firewall, count: int, changes: Changes) -> None:
    firewall.flush()
    changes.apply[count] = _seconds(firewall, _ruleset(count))
    changes.apply_again[count] = _seconds(firewall, _ruleset(count + 1))


def _seconds(firewall: Firewall, wanted: Ruleset) -> float:
    start = time.perf_counter()
    firewall.apply(wanted)
    return time.perf_counter() - start


def _apply_by_command(instance: Instance, count: int, changes: Changes) -> None:
    path = instance.folder / f"{count}.yaml"
    path.write_text(rulesetfile.dump(_ruleset(count)), encoding="utf-8")
    instance.command("rule", "flush", "--yes")
    changes.apply_command[count] = instance.command("apply", str(path), "--force")


def _one_more(firewall: Firewall) -> float:
    extra = Rule.parse(_EXTRA)
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        outcome = firewall.add_rules([extra])
        times.append(time.perf_counter() - start)
        firewall.delete_rules([rule.id for rule in outcome.rules])
    return median(times)


def _one_more_by_rest(service: Service, pause: float) -> float:
    times = []
    for _ in range(TIMES):
        time.sleep(pause)
        seconds, answer = service.call("POST", "/rules", _EXTRA)
        times.append(seconds)
        service.call("DELETE", f"/rules/{answer['id']}")
    return median(times)


def _ruleset(count: int) -> Ruleset:
    return Ruleset.parse({"version": 1, "rules": rules(count, "ipv4")})
