"""Two CPUs make, refresh and look up flows while another thread lists and flushes them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.support.kernel.dataplane import DROPPED, KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import ACK, SYN, TCP, UDP, FlowPacket
from xdpwall.ruleset.policy import Policy

ROUNDS = 60
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
        for _ in range(ROUNDS):
            jiffies = bench.dataplane.control.jiffies()
            places = flows.table.live("ipv4", jiffies)
            for flow in flows.table.read("ipv4", places[:50], jiffies):
                assert (flow.proto, flow.reply[1]) in ((UDP, 53), (UDP, 4000))
            flows.flush()
            flows.table.sweep(jiffies)
            threading.Event().wait(0.02)
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
