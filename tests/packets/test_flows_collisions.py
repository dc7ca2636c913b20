"""Flows chosen for one bucket, by somebody who knows the key of the hash: what he can do there, and no more."""

from __future__ import annotations

from ipaddress import IPv4Address

import numpy as np
import pytest

from tests.support.kernel.dataplane import KernelBench
from tests.support.kernel.flows import Flows
from tests.support.oracle.flows.packets import ACK, SYN, TCP, FlowPacket
from xdpwall.abi import FLOW_BUCKET as BUCKET
from xdpwall.dataplane.flow_maps import hash_key
from xdpwall.ruleset.policy import Policy
from xdpwall.values.arrays import Array

HOST, PORT, SPORT = "10.9.0.1", 22, 40_000
CHOSEN = 108


@pytest.fixture
def flows(bench: KernelBench) -> Flows:
    bench.load(["accept tcp/22 in keep"], Policy(ingress="drop", egress="accept keep"))
    made = Flows(bench.dataplane)
    made.flush()
    return made


def buckets_of(sources: Array, key: bytes, buckets: int) -> Array:
    """The buckets of connections from these addresses (n,) u64 to the host, as bpf/flow_key.h has it."""
    one, factor = (np.uint64(n) for n in np.frombuffer(key, "<u8"))
    host = np.uint64(int(IPv4Address(HOST)))
    assert (sources > host).all()
    ports = np.uint64(PORT << 16 | SPORT)

    def mix(word: Array) -> Array:
        word = word * factor
        mixed: Array = word ^ word >> np.uint64(32)
        return mixed

    hashed = mix((host << np.uint64(32) | sources) ^ one)
    hashed = mix(hashed ^ (ports << np.uint64(32) | np.uint64(TCP << 24)))
    return (hashed & np.uint64(buckets - 1)).astype(np.int64)


def of_one_bucket(bench: KernelBench, flows: Flows, others: list[str]) -> tuple[int, list[str]]:
    """A bucket without any of the others, and source addresses that fall into it."""
    buckets, key = flows.table.places // BUCKET, hash_key(bench.dataplane.map_set.maps)
    theirs = buckets_of(
        np.array([int(IPv4Address(one)) for one in others], np.uint64), key, buckets
    )
    sources = np.arange(0x0B000000, 0x0B000000 + 2 * CHOSEN * buckets, dtype=np.uint64)
    found = buckets_of(sources, key, buckets)
    bucket = next(one for one in found.tolist() if one not in theirs)
    chosen = sources[found == bucket][:CHOSEN]
    assert len(chosen) == CHOSEN
    return bucket, [str(IPv4Address(int(one))) for one in chosen]


def syn(source: str) -> FlowPacket:
    return FlowPacket(4, TCP, source, HOST, SPORT, PORT, SYN, seq=99)


def connect(bench: KernelBench, source: str) -> None:
    """All of a handshake."""
    opened = syn(source)
    assert not bench.run("xdp", opened.frame())
    assert not bench.run("tc-egress", opened.back(flags=SYN | ACK, seq=499, ack=100).frame())
    third = FlowPacket(4, TCP, source, HOST, SPORT, PORT, ACK, seq=100, ack=500)
    assert not bench.run("xdp", third.frame())


def test_only_one_bucket_is_touched(bench: KernelBench, flows: Flows) -> None:
    elsewhere = [f"192.0.2.{n}" for n in range(1, 200)]
    bucket, chosen = of_one_bucket(bench, flows, elsewhere)
    for source in elsewhere:
        connect(bench, source)
    before = flows.table.counts()
    for source in chosen:
        assert not bench.run("xdp", syn(source).frame())
    words = flows.table._words("ipv4")
    inside = slice(bucket * BUCKET, (bucket + 1) * BUCKET)
    assert np.count_nonzero(words[inside]) == BUCKET
    assert np.count_nonzero(words) <= len(elsewhere) + BUCKET
    after = flows.table.counts()
    assert after["made"] - before["made"] == CHOSEN
    assert after["evicted_tcp"] - before["evicted_tcp"] == CHOSEN - BUCKET
    assured = {str(flow.origin[0]) for flow in flows.flows() if flow.assured}
    assert assured == set(elsewhere)


def test_the_soonest_to_end_goes_first(bench: KernelBench, flows: Flows) -> None:
    """Half-open ones long before connections; and of connections that which was silent longest."""
    _, chosen = of_one_bucket(bench, flows, [])
    friends, strangers = chosen[:12], chosen[12:100]
    for source in friends:
        connect(bench, source)
        flows.age(10)
    for source in strangers:
        bench.run("xdp", syn(source).frame())
    kept = {str(flow.origin[0]) for flow in flows.flows() if flow.assured}
    assert kept == set(friends)
    # A bucket of nothing but connections: each one more costs the one that would have ended first.
    for source in chosen[100:104]:
        connect(bench, source)
        flows.age(10)
    before = flows.table.counts()["evicted_tcp"]
    everyone = friends + chosen[100:104]
    for number, source in enumerate(chosen[104:108]):
        assert not bench.run("xdp", syn(source).frame())
        left = {str(flow.origin[0]) for flow in flows.flows() if flow.assured}
        assert left == set(everyone[1:])
        assert flows.table.counts()["evicted_tcp"] == before + number + 1
