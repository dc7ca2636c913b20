"""No judgement sees a mix of two generations, and rules that stay are never lost for a packet.

How this shows it: one packet is judged without a pause on one CPU while another alternates between
two rulesets, A and B. Both drop it, A by the rule at position 0 and B by the one at position 1; in
each, the other position holds a rule that cannot match it. Had a judgement taken any of its rows
from A and any from B, their intersection would be empty and the packet would pass; had it taken its
rows from one and the rule's slot from the other, a rule that cannot match would have counted. So
"nothing passed, and the impossible rules counted nothing" means that no judgement saw a mix.
Written into the active copy instead of the idle one, all four cases fail.
"""

from __future__ import annotations

import threading

import pytest

from tests.support.compiling import compile_rules
from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.loading import activate
from tests.support.packets import frames as f
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

FRAME4 = f.ether(f.ipv4(f.udp()))
FRAME6 = f.ether(f.ipv6(f.udp()))
# Every group of fields has a row of its own, so that every kind of row takes part.
HITS = {
    FRAME4: "from 10.0.0.0/24 to 10.0.1.1 sport 1024 on eth0 ttl 64",
    FRAME6: "from 2001:db8::/64 to 2001:db8:1::1 sport 1024 on eth0 ttl 64",
}
MISSES = {
    FRAME4: "from 10.9.0.0/24 to 10.9.1.1 sport 9 on eth9 ttl 9",
    FRAME6: "from 2001:db9::/64 to 2001:db9:1::1 sport 9 on eth9 ttl 9",
}
SWAPS = 150


@pytest.mark.parametrize("frame", HITS, ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("place", ["xdp", "tc-ingress"])
def test_no_judgement_sees_a_mix(bench: KernelBench, place: Place, frame: bytes) -> None:
    hit = Rule.parse(f"drop udp/53 {HITS[frame]}")
    miss = Rule.parse(f"drop udp/54 {MISSES[frame]}")
    number = {"xdp": 1, "tc-ingress": 2}[place]
    bench.load([])
    generations = [
        compile_rules(order, Policy(), [(number, "eth0", "ingress")])
        # Slots: 0 is A's hit, 1 is B's hit, 2 is a rule that cannot match.
        for order in ([(hit, 0), (miss, 2)], [(miss, 2), (hit, 1)])
    ]
    plane = bench.dataplane
    activate(plane, generations[0], 1, lambda: None)
    plane.counters.zero([0, 1, 2])
    program = bench.program(place)
    before = bench.totals(place)
    stop = threading.Event()
    judged = 0

    def judge_without_pause() -> None:
        nonlocal judged
        while not stop.is_set():
            program.test_run(frame, repeat=200_000)
            judged += 200_000

    judge = threading.Thread(target=judge_without_pause)
    judge.start()
    try:
        for n in range(SWAPS):
            activate(plane, generations[(n + 1) % 2], n + 2, lambda: None)
    finally:
        stop.set()
        judge.join()
    by_a, by_b, impossible = plane.counters.read([0, 1, 2])
    after = bench.totals(place)
    assert after.passed == before.passed
    assert impossible == (0, 0)
    assert by_a[0] + by_b[0] == judged == after.dropped.packets - before.dropped.packets
    assert by_a[1] + by_b[1] == judged * len(frame)
    assert min(by_a[0], by_b[0]) > judged // 100, "both generations were judged by"


def test_a_reused_copy_waits_for_its_readers(bench: KernelBench) -> None:
    """A judgement takes 100 ns and a change some ms, so that the test above cannot catch a copy
    written too early; this one shows that the grace period is waited for, while nothing changes."""
    bench.load(["drop udp"])
    bench.load(["drop tcp"])
    plane = bench.dataplane
    active = plane.control.read().copy
    waited: list[bool] = []
    wait = plane.generations.wait_grace_period

    def noting() -> None:
        waited.append(plane.control.read().copy == active)
        wait()

    plane.generations.wait_grace_period = noting  # type: ignore[method-assign]
    try:
        bench.load(["drop icmp"])
    finally:
        plane.generations.wait_grace_period = wait  # type: ignore[method-assign]
    assert waited == [True]


def test_growth_changes_no_verdict(bench: KernelBench) -> None:
    bench.load(["drop udp/53 from 10.0.0.1", "drop udp/53 from 2001:db8::1"])
    small = bench.dataplane.map_set.sizes
    old = bench.program("xdp")
    outgrown = bench.dataplane.map_set
    many = [f"drop udp/53 from 10.{i >> 8}.{i & 255}.7" for i in range(small.positions)]
    many += [f"drop udp/53 from 2001:db8:{i:x}::7" for i in range(1024)]
    seen: list[tuple[int, int]] = []

    rules = [Rule.parse(r) for r in ["drop udp/53 from 10.0.0.1", *many]]
    compiled = compile_rules(
        [(r, i) for i, r in enumerate(rules)], Policy(), [(1, "eth0", "ingress")]
    )
    generations, programs = bench.dataplane.generations, bench.dataplane.programs
    generations.expect(compiled)
    with generations.growing(compiled.needed_sizes), programs.load("xdp", 1) as new:
        # At this moment both map sets are in use: they must agree on everything.
        assert programs.is_current(new)
        assert not programs.is_current(old)
        for frame in (FRAME4, FRAME6, f.ether(f.ipv4(f.udp(dport=54)))):
            seen.append((old.test_run(frame).retval, new.test_run(frame).retval))
    generations.fill(compiled)
    generations.switch(99)
    bench._forget_programs()
    assert seen == [(1, 1), (1, 1), (2, 2)]
    assert bench.dataplane.map_set is not outgrown
    assert bench.dataplane.map_set.sizes.positions > small.positions
    bench.rules = rules
    last = small.positions - 1
    assert bench.run("xdp", f.ether(f.ipv4(f.udp(), src=f"10.{last >> 8}.{last & 255}.7")))
    assert bench.run("xdp", f.ether(f.ipv6(f.udp(), src="2001:db8:3ff::7")))
    assert not bench.run("xdp", f.ether(f.ipv6(f.udp(), src="2001:db8:3ff::8")))
    assert [n for n in bench.dataplane.folder.iterdir() if n.name.startswith("maps-")] == [
        bench.dataplane.folder / "maps-2"
    ]
