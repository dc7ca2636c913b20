"""Compare a case sent over a veth with the verdicts of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.kernel.dataplane import NUMBERS
from tests.support.net.netns import wait_for
from tests.support.oracle.duel.case import Case
from tests.support.oracle.duel.duel import TOTALS, Judge, Rises
from tests.support.oracle.reference.judge import Attachment, Ruling, judge
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.taps import Seen, beside
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.terms import Place

KERNEL_UNTAGS = (b"\x81\x00", b"\x88\xa8")
NEEDED_TO_UNTAG = 20
"""An Ethernet header, a tag and two bytes more: the kernel drops shorter tagged frames itself."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame as a program receives it."""

    frame: bytes
    stripped: int | None
    """The TCI of the tag beside it that the program can see."""


def delivery(place: Place, frame: bytes) -> Delivery | None:
    """What becomes of a stamped frame on its way to the program; None: the kernel drops it.

    Before tc ingress the kernel takes the outer 802.1Q or 802.1ad tag off the frame, unless one
    travels beside it already. XDP comes before that, and sees no tag beside.
    """
    tci = beside(frame)
    if place == "xdp":
        return Delivery(frame, None)
    if place == "tc-ingress" and tci is None and frame[12:14] in KERNEL_UNTAGS:
        if len(frame) < NEEDED_TO_UNTAG:
            return None
        return Delivery(frame[:12] + frame[16:], int.from_bytes(frame[14:16], "big"))
    return Delivery(frame, tci)


def goes_on(place: Place, frame: bytes) -> bool:
    """Whether the tap behind our program would see the frame if ours passes it."""
    if place != "xdp" or beside(frame) is not None:
        return True
    return frame[12:14] not in KERNEL_UNTAGS or len(frame) >= NEEDED_TO_UNTAG


class WireMatch:
    """Sends cases and compares. All steps of a case are at one place.

    `by` is the reference, so that a test can plant a wrong one.
    """

    def __init__(self, bench: WireBench, by: Judge = judge) -> None:
        self.bench = bench
        self.by = by

    def run(self, case: Case, *, paged: bool = False) -> list[Ruling | None]:
        """AssertionError names what differs; else the rulings, None for what the kernel drops."""
        place = case.steps[0].place
        assert all(step.place == place for step in case.steps)
        frames = [step.frame for step in case.steps]
        deliveries = [delivery(place, frame) for frame in frames]
        wanted = self._rulings(case, place, deliveries)
        self._load(case)
        rose = self._send(place, frames, sum(d is not None for d in deliveries), paged)
        wrong = [
            f"frame {i} ({frame.hex()}): {fault}; reference: {ruling.why if ruling else 'gone'}"
            for i, (frame, d, ruling) in enumerate(zip(frames, deliveries, wanted, strict=True))
            if (fault := _fault(place, frame, d, ruling, self.bench.taps[i]))
        ]
        assert not wrong, "\n".join([*wrong[:5], case.as_code() if len(frames) < 5 else ""])
        if rose != (right := _expected(place, deliveries, wanted)):
            self._explain(case, deliveries, wanted, paged)
            raise AssertionError(f"kernel {rose}\nreference {right}\nbut not frame by frame")
        return wanted

    def _rulings(
        self, case: Case, place: Place, deliveries: Sequence[Delivery | None]
    ) -> list[Ruling | None]:
        memory = FragmentMemory()
        where = Attachment(self.bench.iface, "egress" if place == "tc-egress" else "ingress")
        return [
            None
            if d is None
            else self.by(
                d.frame,
                case.rules,
                case.policy,
                where,
                memory,
                stripped=None if d.stripped is None else d.stripped & 0xFFF,
            )
            for d in deliveries
        ]

    def _load(self, case: Case) -> None:
        self.bench.load(case.rules, case.policy)
        self.forget()

    def forget(self) -> None:
        """Empty the fragment memory."""
        with Map.open_pinned(self.bench.dataplane.folder / "maps" / "fragments") as memory:
            for key in list(memory.keys()):
                memory.delete(key)

    def _send(self, place: Place, frames: Sequence[bytes], judged: int, paged: bool) -> Rises:
        self.bench.taps.clear()
        before = self._read(place)
        seen = self.bench.totals(place).seen.packets + judged
        self.bench.send(place, frames, paged=paged)
        wait_for(
            lambda: self.bench.totals(place).seen.packets >= seen, f"{judged} judged at {place}"
        )
        after = self._read(place)
        rises = {n: (after[n][0] - before[n][0], after[n][1] - before[n][1]) for n in after}
        return {name: rise for name, rise in rises.items() if rise != (0, 0)}

    def _read(self, place: Place) -> Rises:
        found = {f"rule {i + 1}": pair for i, pair in enumerate(self.bench.counters())}
        (totals,) = self.bench.dataplane.counters.read_totals([NUMBERS[place]])
        for name in TOTALS:
            count = getattr(totals, name)
            found[name] = (count.packets, count.bytes)
        return found

    def _explain(
        self,
        case: Case,
        deliveries: Sequence[Delivery | None],
        wanted: Sequence[Ruling | None],
        paged: bool,
    ) -> None:
        """Send it again frame by frame; AssertionError at the first that counts differently."""
        self._load(case)
        for i, step in enumerate(case.steps):
            d, ruling = deliveries[i], wanted[i]
            rose = self._send(step.place, [step.frame], int(d is not None), paged)
            right = _expected(step.place, [d], [ruling])
            assert rose == right, (
                f"frame {i} ({step.frame.hex()}) as {d}\nkernel {rose}\nreference {right}\n"
                f"{ruling.why if ruling else ''}"
            )


def _fault(
    place: Place, frame: bytes, d: Delivery | None, ruling: Ruling | None, seen: Seen
) -> str | None:
    """The first deviation in what the taps saw, as text."""
    if d is None or ruling is None:
        return f"came to the program: {seen}" if seen.before or seen.after else None
    arrives = int(not ruling.dropped and goes_on(place, frame))
    if seen.after != arrives:
        return f"went on {seen.after} times and not {arrives}"
    if place != "xdp" and (seen.before, seen.size, seen.vlan) != (1, len(d.frame), d.stripped):
        return f"came as {seen} and not as {d}"
    return None


def _expected(
    place: Place, deliveries: Sequence[Delivery | None], wanted: Sequence[Ruling | None]
) -> Rises:
    rises: Rises = {}
    for d, ruling in zip(deliveries, wanted, strict=True):
        if d is None or ruling is None:
            continue
        names = [f"rule {index + 1}" for index in ruling.counted]
        names += ["seen", "dropped" if ruling.dropped else "passed"]
        names += ["malformed"] * ruling.malformed + ["policy_dropped"] * ruling.policy_dropped
        for name in names:
            packets, size = rises.get(name, (0, 0))
            rises[name] = (packets + 1, size + len(d.frame))
    return rises
