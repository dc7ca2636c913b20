"""The rate of drops with events off and on: one stream over a veth, everything else equal.

A reader empties the ring buffer ten times a second meanwhile, as the service does, on the other
CPU. Each way is timed once in every round, so that a noisy moment hits all of them.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.packets.objects import compile_object
from bench.packets.rounds import pinned, ratios
from bench.packets.stream import add_veth, sender
from tests.support.kernel.dataplane import KernelBench
from tests.support.net.netns import Lab
from tests.support.packets import frames as f
from xdpwall.kernel.bpf.ringbuf import RingBuffer
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.views.events import EventSettings

ROUNDS = 21
OFF = "events off"
USUAL = "every drop logged, 100 a second of a rule"
WAYS: Mapping[str, EventSettings] = {
    OFF: EventSettings(enabled=False),
    USUAL: EventSettings(log_drops=True),
    "one drop in 100 logged, without a limit": EventSettings(
        log_drops=True, sample=100, rate=1_000_000
    ),
    "every drop logged, without a limit": EventSettings(log_drops=True, rate=1_000_000),
}


@dataclass(frozen=True)
class EventCost:
    """The cost of one way of logging."""

    way: str
    rate: float
    """Drops a second on one core: sender, veth and filter together."""
    share: float
    """Of the rate with events off: the median of the ratios within each round."""


@dataclass(frozen=True)
class EventCosts:
    """Every way, OFF first."""

    ways: tuple[EventCost, ...]
    accounted: bool
    """Whether each drop was counted as sent, lost, sampled out or over the rate."""


def measure(rounds: int = ROUNDS) -> EventCosts:
    """Measure every way `rounds` times; takes about 15 s and needs root."""
    lab = Lab("bench/events")
    lab.clean()
    try:
        with ExitStack() as stack:
            return _measure(lab, stack, rounds)
    finally:
        lab.clean()


def _measure(lab: Lab, stack: ExitStack, rounds: int) -> EventCosts:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    frames = [f.ether(f.ipv4(f.udp(sport=1024 + n), src=f"192.0.2.{n}"), pad=60) for n in range(64)]
    by = stack.enter_context(sender(compile_object("driver", folder), frames))
    bench = stack.enter_context(KernelBench(lab.bpffs))
    bench.load(["drop udp"])
    veth = add_veth(lab.namespace("sends"), lab.namespace("recv"), "r0")
    index = veth.space.index(veth.far)
    with veth.space.inside():
        xdp_attach(index, bench.program("xdp").fileno(), "native", if_noexist=False)
    plane = bench.dataplane
    stack.enter_context(_reading(bench))
    stack.enter_context(pinned())
    timer = veth.timer(by)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    accounted = True
    for number in range(rounds):
        for way in list(WAYS)[:: -1 if number % 2 else 1]:
            plane.control.set_events(WAYS[way], logging=False)
            before, dropped = plane.events.counts(), bench.totals("xdp").dropped.packets
            times[way].append(timer())
            after = plane.events.counts()
            rose = sum(after.to_json().values()) - sum(before.to_json().values())
            dropped = bench.totals("xdp").dropped.packets - dropped
            accounted &= rose == (0 if way == OFF else dropped)
    return EventCosts(
        tuple(
            EventCost(way, 1e9 / median(found), 1 / median(ratios(found, times[OFF])))
            for way, found in times.items()
        ),
        accounted,
    )


@contextmanager
def _reading(bench: KernelBench) -> Iterator[None]:
    """Empty the ring buffer ten times a second, in a thread."""
    ending = threading.Event()

    def run() -> None:
        with closing(RingBuffer(bench.dataplane.events.ring)) as ring:
            while not ending.wait(0.1):
                while ring.read(0):
                    pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


if __name__ == "__main__":
    costs = measure()
    for one in costs.ways:
        print(f"{one.rate / 1e6:6.2f} Mpps  {one.share:6.1%}  {one.way}")
    if not costs.accounted:
        sys.exit("error: some drops were counted neither as sent nor as lost, sampled or limited")
