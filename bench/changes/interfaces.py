"""Time attachments by policy: 200 interfaces at once, one that comes, a burst of 100, the service's start and
its list of interfaces."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from bench.instance import PATIENCE, BenchFailed, ServedInstance, Service
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.ruleset import Ruleset

COUNT, BURST, ROUNDS = 200, 100, 5
PATTERN = "many*"


@dataclass
class InterfaceTimes:
    """Seconds; COUNT veths with their peers."""

    attach_all: float = 0.0
    start: float = 0.0
    """From the fork of the service to its first answer, with all attached."""
    listing: list[float] = field(default_factory=list)
    """Of GET /interfaces, in each round."""
    one: list[float] = field(default_factory=list)
    """For how long an interface that came was not filtered, as the service measured it."""
    burst: float = 0.0
    """The longest of BURST that came at once."""


def measure(instance: ServedInstance) -> InterfaceTimes:
    """Make the interfaces, attach them, and take all away again."""
    found = InterfaceTimes()
    made = _make(instance, "many", COUNT)
    try:
        with instance.opened() as firewall:
            firewall.apply(Ruleset.parse({"version": 1, "rules": ["drop icmp"]}))
            begun = time.perf_counter()
            done = firewall.want(AttachmentSpec(PATTERN))
            found.attach_all = time.perf_counter() - begun
            if len(done.attached) != COUNT:
                raise BenchFailed(f"{len(done.attached)} of {COUNT} interfaces were attached")
        with instance.service() as service:
            found.start = service.started
            found.listing = [service.call("GET", "/interfaces")[0] for _ in range(ROUNDS)]
            for number in range(ROUNDS):
                made += _make(instance, f"manyone{number}", 1)
                opened = _wait(service, COUNT + number + 1)
                found.one.append(opened[made[-1]])
            burst = _make(instance, "manyb", BURST)
            made += burst
            opened = _wait(service, COUNT + ROUNDS + BURST)
            found.burst = max(opened[name] for name in burst)
        with instance.opened() as firewall:
            firewall.detach(PATTERN)
    finally:
        _batch(instance, [f"link del {name}" for name in made])
    return found


def _make(instance: ServedInstance, name: str, count: int) -> list[str]:
    names = [f"{name}-{number}" for number in range(count)]
    _batch(instance, [f"link add {one} type veth peer name p{one}" for one in names])
    return names


def _batch(instance: ServedInstance, lines: list[str]) -> None:
    file = instance.folder / "interfaces.batch"
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
    instance.space.run("ip", "-force", "-batch", str(file))


def _wait(service: Service, count: int) -> dict[str, float]:
    """Wait until so many are attached; seconds for which each that came was not filtered."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        rows: list[dict[str, Any]] = service.call("GET", "/status")[1]["attachments"]
        opened = {row["iface"]: row["last_open"] for row in rows if row.get("last_open")}
        if sum(row["iface"].startswith("many") for row in rows) == count:
            return {name: spell["seconds"] for name, spell in opened.items()}
        time.sleep(0.05)
    raise BenchFailed(f"{count} interfaces were not attached within {PATIENCE:.0f} s")
