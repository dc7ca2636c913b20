"""Who dropped my packet: each kind of drop once, with its 5-tuple, in one run."""

from __future__ import annotations

import threading

from tests.support.service.tracing import Trace, five_tuple
from tests.trace.conftest import (
    BAD_PORT,
    CLOSED_PORT,
    LAST_PORT,
    NFT_PORT,
    SPORT,
    TC_PORT,
    XDP_PORT,
    Place,
)

NETFILTER = ("nf_hook_slow+", "nft_do_chain+")
"""Where the kernel lets go: in the first until Linux 6.15, then in the second."""


def test_a_trace_that_begins_in_a_flood_blames_nobody_else(place: Place) -> None:
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            place.send(0, XDP_PORT)
            place.send(1, TC_PORT)

    sender = threading.Thread(target=flood)
    sender.start()
    try:
        with Trace(place.firewall, "--count", "200") as trace:
            trace.until(lambda _: len(trace.drops) >= 200)
    finally:
        ended.set()
        sender.join()
    ours = [one for one in trace.drops if one.get("dport") in (XDP_PORT, TC_PORT)]
    assert len(ours) > 100
    assert {one["by"] for one in ours} == {"rule"}


def test_each_drop_once_with_its_5_tuple(place: Place) -> None:
    with Trace(place.firewall) as trace:
        place.send(0, XDP_PORT)
        place.send(1, TC_PORT)
        place.send(0, NFT_PORT)
        place.send(1, CLOSED_PORT)
        place.send(1, BAD_PORT, bad=True)
        place.send(0, LAST_PORT)
        trace.until(lambda drop: drop.get("dport") == LAST_PORT)
        assert trace.interrupt() == 130
    ours = {"by", "rule", "place"}
    for cable, port, expected, function in (
        (0, XDP_PORT, {"by": "rule", "rule": "by-xdp", "place": "xdp", "reason": "XDP"}, ""),
        (1, TC_PORT, {"by": "rule", "rule": "by-tc", "place": "tc-ingress"}, ""),
        (0, NFT_PORT, {"by": "kernel", "reason": "NETFILTER_DROP"}, NETFILTER),
        (1, CLOSED_PORT, {"by": "kernel", "reason": "NO_SOCKET"}, "__udp4_lib_rcv"),
        (1, BAD_PORT, {"by": "kernel", "reason": "UDP_CSUM"}, "__udp4_lib_rcv"),
        (0, LAST_PORT, {"by": "kernel", "reason": "NO_SOCKET"}, "__udp4_lib_rcv"),
    ):
        found = [one for one in trace.drops if one.get("dport") == port]
        assert len(found) == 1, found
        drop = found[0]
        assert expected.items() <= drop.items()
        assert bool(ours & drop.keys() - {"by"}) is (drop["by"] == "rule")
        assert five_tuple(drop) == ("udp", f"10.9.{cable}.2", SPORT, f"10.9.{cable}.1", port)
        assert drop["iface"] == f"eth{cable}"
        assert drop["length"] == 36
        assert drop.get("function", "").startswith(function)
    times = [drop["time"] for drop in trace.drops]
    assert times == sorted(times)
