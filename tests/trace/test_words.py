"""What the command prints: for people, filtered, with stacks, as a summary."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.kernel.clang import compile_bpf
from tests.support.net.netns import wait_for
from tests.support.packets import frames as f
from tests.support.service.tracing import Trace, five_tuple
from tests.trace.conftest import CLOSED_PORT, LAST_PORT, NFT_PORT, SPORT, TC_PORT, XDP_PORT, Place
from xdpwall.dataplane.dataplane import Dataplane

_ABORTED = 'SEC("xdp") int aborted(struct xdp_md *ctx) { return XDP_ABORTED; }'


@pytest.fixture(scope="module")
def mode() -> str:
    return "generic"


def send_all(place: Place) -> None:
    """One of each, and one more by which the end is known."""
    for cable, port in ((0, XDP_PORT), (1, TC_PORT), (0, NFT_PORT), (1, CLOSED_PORT)):
        place.send(cable, port)
    place.send(0, LAST_PORT)


FILTERS = {
    "--iface eth0 --src !10.9.1.0/24": [XDP_PORT, NFT_PORT, LAST_PORT],
    "--iface !eth1 --dst 10.9.0.1 --proto 17": [XDP_PORT, NFT_PORT, LAST_PORT],
    f"--src 10.9.1.0/24 --dport {TC_PORT}": [TC_PORT],
    "--reason netfilter_drop --reason SKB_DROP_REASON_XDP": [XDP_PORT, NFT_PORT],
}


def test_filters(place: Place) -> None:
    with ExitStack() as stack:
        traces = {
            words: stack.enter_context(Trace(place.firewall, *words.split(), wait=False))
            for words in FILTERS
        }
        for trace in traces.values():
            trace.wait_until_ready()
        send_all(place)
        for words, trace in traces.items():
            trace.until(partial(is_last, FILTERS[words][-1]))
            assert trace.interrupt() == 130
            assert [one["dport"] for one in trace.drops if mine(one)] == FILTERS[words], words


def is_last(port: int, drop: dict[str, Any]) -> bool:
    """The last of those that are waited for."""
    return mine(drop) and drop["dport"] == port


def mine(drop: dict[str, Any]) -> bool:
    """Not of another suite on this machine: a filter may want its packets too."""
    return drop.get("sport") == SPORT and drop["dst"].startswith(("10.9.", "2001:db8:"))


def test_ipv6_filters(place: Place) -> None:
    near, wall = "2001:db8::2", "2001:db8::1"
    with (
        Trace(
            place.firewall, "--dst", "2001:db8::/32", "--dport", str(XDP_PORT), wait=False
        ) as one,
        Trace(place.firewall, "--src", near, "--proto", "udp") as both,
    ):
        one.wait_until_ready()
        for port in (XDP_PORT, LAST_PORT):
            packet = f.ipv6(f.udp(sport=SPORT, dport=port), src=near, dst=wall)
            assert place.wires[0].send(f.ether(packet))
        both.until(partial(is_last, LAST_PORT))
        one.until(partial(is_last, XDP_PORT))
        assert (one.interrupt(), both.interrupt()) == (130, 130)
    first, second = (five_tuple(drop) for drop in both.drops)
    assert first == ("udp", near, SPORT, wall, XDP_PORT)
    assert second == ("udp", near, SPORT, wall, LAST_PORT)
    assert [drop["by"] for drop in both.drops] == ["rule", "kernel"]
    assert [five_tuple(drop) for drop in one.drops] == [first]


def test_rules_change_meanwhile(place: Place) -> None:
    with (
        place.space.inside(),
        Trace(place.firewall, "--proto", "udp", "--src", "10.9.0.2") as trace,
    ):
        place.firewall.done("rule", "add", f"drop udp/{CLOSED_PORT} on eth0", "--id", "late")
        place.send(0, CLOSED_PORT)
        assert trace.until(partial(is_last, CLOSED_PORT))["rule"] == "late"
        place.firewall.done("off")
        place.send(0, XDP_PORT)
        assert trace.until(partial(is_last, XDP_PORT))["by"] == "kernel"
        place.firewall.done("on")
        place.firewall.done("rule", "delete", "late")
        place.send(0, XDP_PORT)
        place.send(0, CLOSED_PORT)
        place.send(0, LAST_PORT)
        trace.until(partial(is_last, LAST_PORT))
    told = [(drop["dport"], drop.get("rule")) for drop in trace.drops if mine(drop)]
    assert told[2:4] == [(XDP_PORT, "by-xdp"), (CLOSED_PORT, None)]


def test_one_packet_in_a_flood_of_others(place: Place) -> None:
    with Trace(place.firewall, "--src", "10.9.0.77", "-c", "2") as trace:
        for n in range(2000):
            place.send(0, XDP_PORT)
            if n in (500, 1500):
                place.send(0, XDP_PORT, src="10.9.0.77")
        assert trace.end() == 0
    assert [five_tuple(one) for one in trace.drops] == [
        ("udp", "10.9.0.77", SPORT, "10.9.0.1", XDP_PORT)
    ] * 2
    assert b"not seen" not in trace.words


def test_the_sender_of_what_we_drop_on_its_way_out(place: Place) -> None:
    def send() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("10.9.1.1", SPORT))
            sender.sendto(b"payload.", ("10.9.1.2", TC_PORT))
        return os.getpid()

    place.space.ip("neigh replace 10.9.1.2 lladdr 02:00:00:00:00:0a dev eth1")
    with Trace(place.firewall, "--reason", "TC_EGRESS", "--stack", "--src", "10.9.1.1") as trace:
        pid = place.space.call(send)
        drop = trace.until(lambda one: one.get("dport") == TC_PORT)
    assert (drop["by"], drop["rule"], drop["place"]) == ("rule", "by-egress", "tc-egress")
    assert five_tuple(drop) == ("udp", "10.9.1.1", SPORT, "10.9.1.2", TC_PORT)
    assert drop["pid"] == pid
    assert drop["process"] == Path("/proc/self/comm").read_text().strip()
    assert drop["stack"][0] == drop["function"]
    functions = [frame.partition("+")[0] for frame in drop["stack"]]
    assert {"udp_sendmsg", "ip_finish_output2"} <= set(functions)
    assert not any(name.startswith("bpf_trace_run") for name in functions)


def test_people_read_a_line(place: Place) -> None:
    args = ("--src", "10.9.0.0/16", "--proto", "udp", "-c", "4", "--stack")
    with Trace(place.firewall, *args, output="table") as trace:
        send_all(place)
        assert trace.end() == 0
    time = r"\d\d:\d\d:\d\d\.\d{6}"
    packet = r"udp 10\.9\.\d\.2:4719 > 10\.9\.\d\.1:{} length 36 ttl 64"
    process = r"( \[.+ \d+\])?"
    for port, who in (
        (XDP_PORT, r"rule by-xdp \(xdp\)"),
        (TC_PORT, r"rule by-tc \(tc-ingress\)"),
        (NFT_PORT, r"NETFILTER_DROP in (nf_hook_slow|nft_do_chain)\+0x[0-9a-f]+"),
        (CLOSED_PORT, r"NO_SOCKET in __udp4_lib_rcv\+0x[0-9a-f]+"),
    ):
        line = f"^{time} eth\\d {packet.format(port)}: {who}{process}$"
        assert re.search(line, trace.text, re.MULTILINE), (line, trace.text)
    assert re.search(r"^    ip_local_deliver_finish\+0x", trace.text, re.MULTILINE)


def test_summary_counts_by_reason_and_function(place: Place) -> None:
    wanted = ("--summary", "--src", "10.9.0.0/16", "--proto", "udp", "-c", "301")
    with Trace(place.firewall, *wanted) as trace:
        for _ in range(100):
            place.send(0, XDP_PORT)
            place.send(1, TC_PORT)
            place.send(0, NFT_PORT)
        place.send(0, LAST_PORT)
        assert trace.end() == 0
    summary = json.loads(trace.text)
    assert (summary["packets"], summary["lost"]) == (301, 0)
    found = {
        (one["by"], one.get("rule"), one["reason"]): (one["packets"], one.get("function"))
        for one in summary["drops"]
    }
    assert {key: packets for key, (packets, _) in found.items()} == {
        ("rule", "by-xdp", "XDP"): 100,
        ("rule", "by-tc", "TC_INGRESS"): 100,
        ("kernel", None, "NETFILTER_DROP"): 100,
        ("kernel", None, "NO_SOCKET"): 1,
    }
    assert found["kernel", None, "NO_SOCKET"][1] == "__udp4_lib_rcv"


def test_every_drop_of_a_flood_is_counted_or_told_as_lost(place: Place) -> None:
    def dropped() -> int:
        rules = place.firewall.json("rule", "list")["rules"]
        return next(int(rule["packets"]) for rule in rules if rule["id"] == "by-xdp")

    sent = 10_000
    with place.space.inside():
        before = dropped()
        with Trace(place.firewall, "--summary", "--src", "10.9.0.0/16", "--proto", "udp") as trace:
            begun = time.monotonic()
            # What comes in its first moments may be left out, since two sources begin apart.
            wait_for(lambda: time.monotonic() > begun + 0.5, "both sources of drops are watched")
            for _ in range(sent):
                place.send(0, XDP_PORT)
            wait_for(lambda: dropped() == before + sent, "the flood has been dropped")
            assert trace.interrupt() == 130
    summary = json.loads(trace.text)
    assert 0 < summary["packets"] <= sent
    assert summary["packets"] + summary["lost"] >= sent


def test_a_program_that_fails_is_told(place: Place, tmp_path: Path) -> None:
    program = compile_bpf(tmp_path, _ABORTED)
    place.near.ip(f"link set eth1 xdpgeneric obj {program} sec xdp")
    try:
        with Trace(place.firewall) as trace:
            send_from_wall(place)
            drop = trace.until(lambda one: one["by"] == "xdp-exception")
    finally:
        place.near.ip("link set eth1 xdpgeneric off")
    assert (drop["reason"], drop["iface"], drop["netns"]) == ("ABORTED", "eth1", place.near.inode)
    assert drop["program"] > 0


def send_from_wall(place: Place) -> None:
    """Any packet, out of eth1."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"payload.", ("10.9.1.2", 7))

    place.space.ip("neigh replace 10.9.1.2 lladdr 02:00:00:00:00:0a dev eth1")
    place.space.call(send)


def test_nothing_is_left_for_packets_to_pay(place: Place) -> None:
    """After a trace its slot is free; one that was killed leaves it to the next."""

    def in_use() -> tuple[list[int], bool]:
        dataplane = Dataplane(place.firewall.bpffs)
        dataplane.open()
        try:
            return dataplane.taps.in_use(), dataplane.control.read().events
        finally:
            dataplane.close()

    assert in_use() == ([], False)
    with Trace(place.firewall) as one, Trace(place.firewall) as other:
        assert in_use() == ([0, 1], True)
        one.kill()
        other.kill()
    assert in_use() == ([0, 1], True)
    with Trace(place.firewall, "-c", "1", "--dport", str(XDP_PORT)) as trace:
        assert in_use() == ([0], True)
        place.send(0, XDP_PORT)
        assert trace.end() == 0
    assert in_use() == ([], False)
