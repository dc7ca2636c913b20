"""Events by test-run: what a record says of each kind of packet, and where every packet went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.packets import frames as f
from xdpwall import abi
from xdpwall.closing import Closing
from xdpwall.events.decode import HEAD, Decoder
from xdpwall.kernel.bpf.ringbuf import RingBuffer
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place
from xdpwall.views.events import EventCounts, EventSettings, PacketEvent

ALWAYS = EventSettings(rate=1_000_000)
DNS = f.ether(f.ipv4(f.udp(dport=53), src="192.0.2.1", dst="198.51.100.2", ttl=7))
SYN = f.ether(f.ipv6(f.tcp(dport=22, flags="syn,ack"), src="2001:db8::7", hops=3))
PING = f.ether(f.tag(f.ipv4(f.icmp(3, 1)), 100))
ARP = f.ether(f.arp(), pad=60)
CUT = f.ether(f.ipv4(f.Layer(6, b"\x00\x50")))
LATER = f.ether(f.ipv4(f.udp(), offset=100, ident=4711))
DEEP = f.ether(f.tag(f.tag(f.tag(f.ipv4(f.udp()), 3), 2), 1))


class Reports(Closing):
    """A bench whose ring buffer is read."""

    def __init__(self, bench: KernelBench) -> None:
        self.bench = bench
        self.ring = RingBuffer(bench.dataplane.events.ring)
        self.before = EventCounts()
        self._decoder = Decoder(
            lambda number: ("eth0", next(p for p, n in NUMBERS.items() if n == number)),
            lambda slot, revision: f"slot{slot}",
        )

    def load(
        self, *rules: str, settings: EventSettings = ALWAYS, policy: Policy | None = None
    ) -> None:
        """These rules and settings; what was reported before is forgotten."""
        self.bench.load(rules, policy)
        self.set(settings)
        while self.ring.read(0):
            pass
        self.before = self.bench.dataplane.events.counts()

    def set(self, settings: EventSettings) -> None:
        """Change the settings."""
        logging = any(rule.log for rule in self.bench.rules)
        self.bench.dataplane.control.set_events(settings, logging=logging)

    def run(self, frame: bytes, place: Place = "xdp", times: int = 1) -> list[PacketEvent]:
        """Judge a frame; what was reported of it."""
        self.bench.program(place).test_run(frame, repeat=times)
        boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        found = []
        while records := self.ring.read(0):
            found += [self._decoder.decode(record, boot) for record in records]
        return found

    def one(self, frame: bytes, place: Place = "xdp") -> dict[str, Any]:
        """The only event of one frame, without what differs from run to run."""
        (event,) = self.run(frame, place)
        moment = event.time
        assert abs(time.time() - _seconds(moment)) < 60
        assert event.data is None or frame.hex().startswith(event.data)
        return event.model_dump(
            exclude_none=True, exclude={"n", "time", "revision", "data", "iface", "packets"}
        )

    def close(self) -> None:
        """Read no more."""
        self.ring.close()

    def counted(self) -> dict[str, int]:
        """What became of the packets since load()."""
        now = self.bench.dataplane.events.counts().to_json()
        return {name: value - getattr(self.before, name) for name, value in now.items()}


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()


@pytest.fixture
def reports(bench: KernelBench) -> Iterator[Reports]:
    with Reports(bench) as made:
        yield made


def test_the_record_is_as_long_as_the_header_says() -> None:
    assert abi.EVENT.fields is not None
    assert HEAD.size == abi.EVENT.fields["data"][1]


MACS = {"src_mac": "02:00:00:00:00:0a", "dst_mac": "02:00:00:00:00:0b"}
CALM = {"malformed": False, "stripped": False}


@pytest.mark.parametrize("place", PLACES)
def test_what_a_record_says(reports: Reports, place: Place) -> None:
    reports.load("drop udp log", "accept tcp log", "drop icmp log", "drop ethertype arp log")
    where = {"place": place, "direction": "egress" if place == "tc-egress" else "ingress"}
    assert reports.one(DNS, place) == {
        **where, **MACS, **CALM, "verdict": "drop", "rule": "slot0", "log": "slot0",
        "bytes": len(DNS), "length": 36, "ethertype": "0x0800", "family": "ipv4", "proto": "udp",
        "src": "192.0.2.1", "dst": "198.51.100.2", "sport": 1024, "dport": 53, "ttl": 7,
    }  # fmt: skip
    assert reports.one(SYN, place) == {
        **where, **MACS, **CALM, "verdict": "pass", "rule": "slot1", "log": "slot1",
        "bytes": len(SYN), "length": 60, "ethertype": "0x86dd", "family": "ipv6", "proto": "tcp",
        "src": "2001:db8::7", "dst": "2001:db8:1::1", "sport": 1024, "dport": 22, "ttl": 3,
        "tcp_flags": "syn,ack",
    }  # fmt: skip
    assert reports.one(PING, place) == {
        **where, **MACS, **CALM, "verdict": "drop", "rule": "slot2", "log": "slot2", "vlan": 100,
        "bytes": len(PING), "length": 32, "ethertype": "0x0800", "family": "ipv4", "proto": "icmp",
        "src": "10.0.0.1", "dst": "10.0.1.1", "ttl": 64, "icmp_code": 1,
        "icmp_type": "destination-unreachable",
    }  # fmt: skip
    assert reports.one(ARP, place) == {
        **where, **MACS, **CALM, "verdict": "drop", "rule": "slot3", "log": "slot3",
        "bytes": 60, "ethertype": "arp",
    }  # fmt: skip


def test_what_cannot_be_read_is_left_out(reports: Reports) -> None:
    reports.load("drop tcp/22 log", "drop udp log", "drop ethertype any log")
    cut = reports.one(CUT)
    assert (cut["malformed"], cut["rule"], cut["proto"]) == (True, "slot0", "tcp")
    assert not {"sport", "dport", "tcp_flags"} & set(cut)
    later = reports.one(LATER)
    assert (later["fragment"], later["proto"]) == ("later", "udp")
    assert not {"sport", "dport"} & set(later)
    deep = reports.one(DEEP)
    assert (deep["vlan"], deep["malformed"]) == (1, True)
    assert not {"family", "proto", "src", "length", "ethertype"} & set(deep)


def test_a_count_rule_reports_and_another_decides(reports: Reports) -> None:
    reports.load("count udp log", "count ipv4 log", "drop udp/53")
    found = reports.one(DNS)
    assert (found["log"], found["rule"], found["verdict"]) == ("slot0", "slot2", "drop")
    found = reports.one(PING)
    assert (found["log"], found["verdict"]) == ("slot1", "pass")
    assert "rule" not in found, "the policy decided"
    assert reports.counted() == {"sent": 2, "lost": 0, "sampled": 0, "limited": 0}


def test_every_drop_or_those_of_rules(reports: Reports) -> None:
    reports.load("drop udp", "accept tcp", policy=Policy(ingress="drop"))
    assert reports.run(DNS) == []
    assert not reports.bench.dataplane.control.read().events, "a packet pays one test of a bit"
    reports.set(EventSettings(log_drops=True))
    assert reports.bench.dataplane.control.read().events
    found = reports.one(DNS)
    assert (found["rule"], "log" in found) == ("slot0", False)
    assert reports.run(SYN) == []
    assert "rule" not in reports.one(PING), "dropped by the policy"
    reports.set(EventSettings(log_drops=True, enabled=False))
    assert not reports.bench.dataplane.control.read().events
    assert reports.run(DNS) == []
    assert reports.counted() == {"sent": 2, "lost": 0, "sampled": 0, "limited": 0}


def test_the_bit_follows_rules_and_survives_other_changes(reports: Reports) -> None:
    plane = reports.bench.dataplane
    reports.load("drop udp")
    assert not plane.control.read().events
    reports.load("drop udp log")
    assert plane.control.read().events
    plane.control.set_switch(False)
    now = plane.control.read()
    assert now == abi.Control(now.copy, False, now.revision, True)
    assert reports.run(DNS) == [], "switched off"
    plane.control.set_switch(True)
    assert len(reports.run(DNS)) == 1
    reports.load("drop udp log", settings=EventSettings(enabled=False))
    assert not plane.control.read().events
    reports.bench.load(["drop udp log"])
    assert not plane.control.read().events, "a new ruleset asks the settings"


@pytest.mark.parametrize("wanted", [0, 1, 20, 128, 256])
def test_bytes_of_the_frame(reports: Reports, wanted: int) -> None:
    reports.load("drop udp log", settings=EventSettings(bytes=wanted))
    for size in (8, 300):
        frame = f.ether(f.ipv4(f.udp(bytes(range(8)) * (size // 8))))
        (event,) = reports.run(frame)
        if wanted <= 14:
            assert event.data is None, "the header alone is no payload"
        else:
            assert event.data == frame[:wanted].hex()
        assert event.src_mac == "02:00:00:00:00:0a"


@pytest.mark.parametrize("place", PLACES)
def test_a_jumbo_frame(reports: Reports, place: Place) -> None:
    reports.load("drop udp log")
    frame = f.ether(f.ipv4(f.udp(b"jumbo..." * 370)))
    (event,) = reports.run(frame, place)
    assert (event.bytes, event.data) == (len(frame), frame[:128].hex())


def test_the_rate_is_each_rules_own(reports: Reports) -> None:
    # Slots of their own: the shares of the first ones may be used up by the tests before.
    others = [f"drop ethertype {0x8900 + n:#x}" for n in range(20)]
    reports.load(*others, "drop udp log", "drop tcp log", settings=EventSettings(rate=10))
    for frame in (DNS, SYN):
        begun = time.monotonic()
        found = len(reports.run(frame, times=5000))
        # A second may begin at any moment of the run.
        assert 10 <= found <= 10 * (int(time.monotonic() - begun) + 2)
    counts = reports.counted()
    assert counts["sent"] + counts["limited"] == 10_000
    assert counts["lost"] == counts["sampled"] == 0


def test_a_new_second_brings_a_new_share(reports: Reports) -> None:
    reports.load("drop udp log", settings=EventSettings(rate=1))
    deadline = time.monotonic() + 60
    while len(found := reports.run(DNS)) == 0 or reports.counted()["sent"] < 3:
        assert time.monotonic() < deadline, found
    assert reports.counted()["limited"] > 0


def test_one_in_so_many(reports: Reports) -> None:
    reports.load("drop udp log", settings=ALWAYS.model_copy(update={"sample": 100}))
    found = reports.run(DNS, times=20_000)
    counts = reports.counted()
    assert len(found) == counts["sent"]
    assert counts["sent"] + counts["sampled"] == 20_000
    assert 100 <= counts["sent"] <= 300, "200 are expected, with a deviation of 14"


def test_a_full_buffer_loses_and_counts(reports: Reports) -> None:
    reports.load("drop udp log")
    found = reports.run(DNS, times=20_000)
    counts = reports.counted()
    assert len(found) == counts["sent"] > 1000
    assert counts["lost"] == 20_000 - counts["sent"]
    assert len(reports.run(DNS)) == 1, "room again"


@pytest.mark.parametrize(
    "wanted",
    [
        EventSettings(),
        EventSettings(enabled=False, log_drops=True, sample=7, rate=3, bytes=0),
        EventSettings(sample=10_000, rate=1_000_000, bytes=256),
    ],
)
def test_settings_read_back(bench: KernelBench, wanted: EventSettings) -> None:
    bench.dataplane.control.set_events(wanted, logging=False)
    assert bench.dataplane.events.read() == wanted
