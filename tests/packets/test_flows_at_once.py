"""Two CPUs make, refresh and look up flows while another thread lists and flushes them: for FLOWS_SECONDS
(make test-flows: a minute)."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.kernel.dataplane import DROPPED, KernelBench
from tests.support.kernel.flows import Flows
from tests.support.kernel.packet_flood import PacketFlood, Spoofed
from tests.support.oracle.flows.packets import ACK, SYN, TCP, UDP, FlowPacket
from xdpwall.ruleset.policy import Policy

SECONDS = float(os.environ.get("FLOWS_SECONDS", "3"))
FLOWS = 400


def test_no_false_established_and_no_lost_flush(bench: KernelBench) -> None:
    """What never went out is never let in, whatever is made and flushed at the time; a flow that was
    flushed is not brought back by a packet that was moving its deadline."""
    bench.load(["accept state established"], Policy(ingress="drop", egress="accept keep"))
    flows = Flows(bench.dataplane)
    flows.flush()
    asked = [
        FlowPacket(4, UDP, "10.0.0.1", f"10.1.{n // 250}.{n % 250 + 1}", 4000, 53)
        for n in range(FLOWS)
    ]
    out = [one.frame() for one in asked]
    answers = [one.back().frame() for one in asked]
    # Of the same addresses, from another port; and segments of connections that nobody opened.
    never = [one.back(sport=54).frame() for one in asked]
    never += [
        FlowPacket(4, TCP, one.dst, one.src, 443, 4000, flags).frame()
        for one in asked[:50]
        for flags in (ACK, SYN | ACK)
    ]
    egress, xdp = bench.program("tc-egress"), bench.program("xdp")
    stop = threading.Event()

    def ask() -> int:
        passed = 0
        while not stop.is_set():
            for frame in out:
                passed += egress.test_run(frame).retval != DROPPED["tc-egress"]
        return passed

    def answer() -> tuple[int, int]:
        good = false = 0
        while not stop.is_set():
            for frame in answers:
                good += xdp.test_run(frame).retval != DROPPED["xdp"]
            for frame in never:
                false += xdp.test_run(frame).retval != DROPPED["xdp"]
        return good, false

    with ThreadPoolExecutor(3) as pool:
        making, reading, again = pool.submit(ask), pool.submit(answer), pool.submit(ask)
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                jiffies = bench.dataplane.control.jiffies()
                places = flows.table.live("ipv4", jiffies)
                for flow in flows.table.read("ipv4", places[:50], jiffies):
                    assert (flow.proto, flow.reply[1]) in ((UDP, 53), (UDP, 4000))
                flows.flush()
                flows.table.sweep(jiffies)
                threading.Event().wait(0.02)
        finally:
            stop.set()
        good, false = reading.result()
        assert making.result() and again.result()
    assert good and not false
    # Two CPUs that make one flow at once make it twice: both are flushed.
    flows.flush()
    assert not flows.flows()
    assert bench.run("xdp", answers[0])
    counts = flows.table.counts()
    assert counts["made"] > FLOWS
    assert not counts["evicted_tcp"]


def test_millions_at_once(bench: KernelBench) -> None:
    """The same by runs of 50,000 packets: a CPU makes flows and answers them all the while, the other lets in
    what was never asked for, and this thread flushes whenever it gets the turn."""
    bench.load(
        ["accept udp sport 54 state established,related in", "accept state established in"],
        Policy(ingress="drop", egress="accept keep"),
    )
    flows = Flows(bench.dataplane)
    flows.flush()
    asked = FlowPacket(4, UDP, "10.0.0.1", "10.1.0.0", 4000, 53)
    stop = threading.Event()
    for place in ("xdp", "tc-egress"):
        bench.program(place)

    def ask(flood: PacketFlood) -> None:
        while not stop.is_set():
            flood.send("tc-egress", asked, 50_000, Spoofed(side="dst", port=False))
            flood.send("xdp", asked.back(), 50_000, Spoofed(port=False))

    def intrude(flood: PacketFlood) -> None:
        while not stop.is_set():
            flood.send("xdp", asked.back(sport=54), 50_000, Spoofed(port=False))
            flood.send("xdp", asked.back(), 50_000, Spoofed(port=False))

    with PacketFlood(bench) as one, PacketFlood(bench) as other, ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, one), pool.submit(intrude, other)]
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                flows.flush()
                flows.table.sweep(bench.dataplane.control.jiffies())
                stop.wait(0.001)
        finally:
            stop.set()
        for each in running:
            each.result()
    (false, _), (answered, _) = bench.counters()
    assert answered > 1000 and not false
    flows.flush()
    assert not flows.flows()
    before = flows.table.counts()["made"]
    with PacketFlood(bench) as flood:
        flood.send("xdp", asked.back(), 50_000, Spoofed(port=False))
    assert bench.counters()[1][0] == answered
    assert flows.table.counts()["made"] == before
