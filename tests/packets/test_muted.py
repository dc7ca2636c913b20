"""A muted attachment lets every packet pass and counts none; the others judge as before."""

from __future__ import annotations

from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.packets import frames as f

FRAME = f.ether(f.ipv4(f.udp()))


def test_one_is_muted_and_the_others_judge(bench: KernelBench) -> None:
    bench.load(["drop udp"])
    control = bench.dataplane.control
    for muted in PLACES:
        control.mute(NUMBERS[muted], 4711)
        assert control.read().muted and control.muted() == {NUMBERS[muted]: 4711}
        for place in PLACES:
            before = bench.totals(place)
            judged = bench.judge(place, FRAME)
            assert judged.dropped == (place != muted)
            assert (bench.totals(place) == before) == (place == muted)
        control.unmute(NUMBERS[muted])
        assert not control.read().muted
        assert bench.run(muted, FRAME)


def test_it_stays_muted_whatever_else_changes(bench: KernelBench) -> None:
    bench.load(["count udp"])
    seen = bench.totals("xdp")
    control = bench.dataplane.control
    control.mute(NUMBERS["xdp"], 4711)
    control.mute(NUMBERS["tc-egress"], 4712)
    bench.load(["drop udp"])
    for on in (False, True):
        control.set_switch(on)
        control.set_tapped(logging=False)
    control.unmute(NUMBERS["tc-egress"])
    assert [bench.run(place, FRAME) for place in PLACES] == [False, True, True]
    assert bench.totals("xdp") == seen
    control.unmute(NUMBERS["xdp"])
    assert [bench.run(place, FRAME) for place in PLACES] == [True, True, True]
