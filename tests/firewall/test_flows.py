"""Flows by real stacks on a cable: a host that drops by default, its connections, and nft beside it."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.firewall.support import BOX6, HOST6, Site, dataplane_of, rules
from tests.support.net.netns import wait_for
from tests.support.net.ping import ping
from xdpwall.dataplane.flow_maps import FLOW_TABLES
from xdpwall.errors import NotFound
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.views.flows import FlowFilter, FlowView

HOST, BOX = "10.9.0.1", "10.9.0.2"
DEFAULT_DROP = (
    "accept tcp/22 keep",
    "accept state established,related",
)
ADDRESSES = {"ipv4": (HOST, BOX), "ipv6": (HOST6, BOX6)}
WAIT = 20.0


@pytest.fixture
def guarded(site6: Site) -> Iterator[Firewall]:
    """A host that drops what comes in unless it is an answer or for port 22."""
    with site6.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules(*DEFAULT_DROP))
        firewall.set_policy({"ingress": "drop", "egress": "accept keep"})
        yield firewall


def listen(address: str, port: int) -> socket.socket:
    """A TCP listener."""
    made = socket.create_server((address, port), family=_family(address))
    made.settimeout(WAIT)
    return made


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def exchange(one: socket.socket, other: socket.socket, size: int = 200_000) -> None:
    """Send bytes both ways at once, and see that they arrive."""
    sent, got = {one: 0, other: 0}, {one: 0, other: 0}
    one.setblocking(False)
    other.setblocking(False)
    while min(got.values()) < size:
        ready, free, _ = select.select([one, other], [s for s in sent if sent[s] < size], [], WAIT)
        assert ready or free, "nothing moves"
        for end in free:
            sent[end] += end.send(b"x" * min(8192, size - sent[end]))
        for end in ready:
            got[end] += len(end.recv(65536))
    one.settimeout(WAIT)
    other.settimeout(WAIT)


def one_flow(firewall: Firewall, **wanted: str | int) -> FlowView:
    (flow,) = firewall.flows(FlowFilter.model_validate(wanted)).flows
    return flow


@pytest.mark.parametrize("family", ADDRESSES)
def test_connections_both_ways(guarded: Firewall, site6: Site, family: str) -> None:
    host, box = ADDRESSES[family]
    with ExitStack() as stack:
        with site6.box.inside():
            far = stack.enter_context(listen(box, 8080))
        near = stack.enter_context(listen(host, 22))
        # Out: by the policy's keep. It half-closes, and still receives.
        mine = stack.enter_context(socket.create_connection((box, 8080), timeout=WAIT))
        theirs = stack.enter_context(far.accept()[0])
        exchange(mine, theirs)
        out = one_flow(guarded, port=8080)
        assert (out.state, out.assured, out.rule) == ("established", True, None)
        assert (out.src, out.dst, out.dport, out.family) == (host, box, 8080, family)
        mine.shutdown(socket.SHUT_WR)
        assert theirs.recv(10) == b""
        theirs.sendall(b"late")
        assert mine.recv(10) == b"late"
        assert one_flow(guarded, port=8080).state == "closing"
        theirs.close()
        assert mine.recv(10) == b""
        wait_for(lambda: one_flow(guarded, port=8080).state == "closed", "both FINs")
        # In: by the rule on port 22.
        with site6.box.inside():
            caller = stack.enter_context(socket.create_connection((host, 22), timeout=WAIT))
        called = stack.enter_context(near.accept()[0])
        exchange(caller, called)
        ssh = one_flow(guarded, port=22)
        assert (ssh.rule, ssh.src, ssh.assured) == (guarded.rules().rules[0].id, box, True)


@pytest.mark.parametrize("family", ADDRESSES)
def test_strangers_do_not_get_in(guarded: Firewall, site6: Site, family: str) -> None:
    host, box = ADDRESSES[family]
    with ExitStack() as stack:
        mine = stack.enter_context(socket.socket(_family(host), socket.SOCK_DGRAM))
        mine.bind((host, 5300))
        mine.settimeout(WAIT)
        with site6.box.inside():
            theirs = stack.enter_context(socket.socket(_family(box), socket.SOCK_DGRAM))
            theirs.bind((box, 5353))
            other = stack.enter_context(socket.socket(_family(box), socket.SOCK_DGRAM))
            other.bind((box, 5354))
        theirs.settimeout(WAIT)
        theirs.sendto(b"unasked", (host, 5300))
        assert not guarded.flows().total
        mine.sendto(b"question", (box, 5353))
        assert theirs.recvfrom(100)[0] == b"question"
        assert one_flow(guarded, proto="udp").state == "new"
        other.sendto(b"from another port", (host, 5300))
        theirs.sendto(b"answer", (host, 5300))
        assert mine.recvfrom(100)[0] == b"answer"
        assert one_flow(guarded, proto="udp").state == "established"
    before = guarded.status().attachments[0].totals.policy_dropped.packets
    assert before == 2
    assert site6.ping(1, host) == 0


@pytest.mark.parametrize("family", ADDRESSES)
def test_errors_about_what_was_sent_are_related(
    guarded: Firewall, site6: Site, family: str
) -> None:
    host, box = ADDRESSES[family]
    with socket.socket(_family(host), socket.SOCK_DGRAM) as mine:
        mine.bind((host, 0))
        mine.connect((box, 9))
        mine.settimeout(WAIT)
        mine.send(b"nobody listens there")
        with pytest.raises(ConnectionRefusedError):
            mine.recv(10)
    answered = ping(site6.host, box, count=2)
    assert answered == 2


def test_a_connection_outlives_its_flow(guarded: Firewall, site6: Site) -> None:
    """After a flush, as after a timeout or a restart of the table, the socket vouches for it."""
    with ExitStack() as stack:
        with site6.box.inside():
            far = stack.enter_context(listen(BOX, 8080))
        mine = stack.enter_context(socket.create_connection((BOX, 8080), timeout=WAIT))
        theirs = stack.enter_context(far.accept()[0])
        exchange(mine, theirs, 1000)
        assert guarded.flush_flows(FlowFilter(port=8080)).flushed == 1
        assert not guarded.flows().total
        theirs.sendall(b"the other side speaks first")
        assert mine.recv(100) == b"the other side speaks first"
        found = guarded.flows()
        assert (found.flows[0].state, found.flows[0].assured) == ("established", True)
        assert found.fill.counts.by_socket == 1
        # Deleting the rules makes no flow: each packet is judged by what is in force.
        guarded.flush()
        theirs.sendall(b"not any more")
        mine.settimeout(0.3)
        with pytest.raises(TimeoutError):
            mine.recv(100)


def test_filters_and_flush(guarded: Firewall, site6: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind((HOST, 4000))
        for port in (7001, 7002, 7003):
            for _ in range(port - 7000):
                mine.sendto(b"x", (BOX, port))
    everything = guarded.flows()
    assert (everything.total, everything.fill.ipv4, everything.fill.tracking) == (3, 3, True)
    top = guarded.flows(top=True, limit=2)
    assert [(one.dport, one.packets) for one in top.flows] == [(7003, 3), (7002, 2)]
    assert top.total == 3
    for wanted, count in (
        (FlowFilter(src="10.9.0.0/24"), 3),
        (FlowFilter(src="10.9.0.2/32"), 0),
        (FlowFilter(dst="10.9.0.2/32", port=7002), 1),
        (FlowFilter(src="::/0"), 0),
        (FlowFilter(proto="tcp"), 0),
        (FlowFilter(state="new"), 3),
        (FlowFilter(state="established"), 0),
        (FlowFilter(rule=guarded.rules().rules[0].id), 0),
    ):
        assert guarded.flows(wanted).total == count, wanted
    with pytest.raises(NotFound):
        guarded.flows(FlowFilter(rule="nothing"))
    assert guarded.flush_flows(FlowFilter(port=7001)).flushed == 1
    assert guarded.flush_flows().flushed == 2
    assert not guarded.flows().total


def connect_to_ssh(site6: Site) -> None:
    """Have the other end open a connection to port 22, and close it."""
    with listen(HOST, 22) as near, site6.box.inside(), socket.create_connection((HOST, 22), WAIT):
        near.accept()[0].close()


def test_a_deleted_rule_says_what_lives_on(guarded: Firewall, site6: Site) -> None:
    ssh = guarded.rules().rules[0].id
    connect_to_ssh(site6)
    (said,) = guarded.delete_rules([ssh]).warnings
    assert "1 flow that it made lives on" in said
    assert "xdpwall flows flush" in said
    assert f"xdpwall flows flush --rule {ssh}" in said
    assert one_flow(guarded, port=22).rule == ssh


def test_explaining_and_guarding_change_no_flow(guarded: Firewall, site6: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.sendto(b"x", (BOX, 7001))
    (flow,) = guarded.flows().flows
    assert flow.sport is not None
    dataplane = dataplane_of(guarded)
    maps = [dataplane.map_set.maps[name].mmap() for name in FLOW_TABLES]
    packets = [
        f"tcp/22 from {BOX} to {HOST} flags syn on veth0 in",
        f"udp/{flow.sport} from {BOX} sport 7001 to {HOST} on veth0 in",
        f"udp/53 from {HOST} to {BOX} on veth0 out",
        f"tcp/80 from {BOX} to {HOST} flags ack on veth0 in",
    ]
    found = guarded.explain(packets).packets
    states = [one.hooks[0].state for one in found]
    assert states == ["new", "established", "new", "invalid"]
    # The guard runs packets of this host's connections through what is to come.
    connect_to_ssh(site6)
    before, counts = [bytes(one) for one in maps], guarded.flows().fill.counts
    guarded.explain(packets, guarded.ruleset()[1])
    guarded.set_policy({"neighbor_discovery": "judge"})
    assert [bytes(one) for one in maps] == before
    assert guarded.flows().fill.counts == counts


def test_what_only_one_direction_shows_is_said(site: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    (outcome,) = firewall.add_rules(rules("accept state established")).warnings
    assert "veth0: flows are seen by its ingress alone" in outcome
    assert "xdpwall attach veth0 --hook tc --direction egress" in outcome
    firewall.attach("veth0", hook="tc", direction="egress")
    assert not [one for one in firewall.status().warnings if "flows are seen" in one]
    fill = firewall.status().flows
    assert fill is not None and fill.size == 1 << 18


def test_without_flows_nothing_is_there_for_them(firewall: Firewall, site: Site) -> None:
    firewall.attach("veth0")
    firewall.add_rules(rules("drop icmp"))
    assert firewall.status().flows is None
    assert not firewall.flows().fill.tracking
    rule = firewall.add_rules(rules("accept tcp/22 keep")).rules[0]
    assert firewall.flows().fill.tracking
    firewall.delete_rules([rule.id])
    firewall.apply(Ruleset.parse(firewall.ruleset()[1].to_json()))
    assert firewall.policy().egress == "accept"


NFT = """
table inet judge {
  counter new {}
  counter established {}
  counter related {}
  counter invalid {}
  counter untracked {}
  chain in {
    type filter hook prerouting priority -150;
    iifname veth0 ct state new counter name new
    iifname veth0 ct state established counter name established
    iifname veth0 ct state related counter name related
    iifname veth0 ct state invalid counter name invalid
    iifname veth0 ct state untracked counter name untracked
  }
  chain out { type filter hook output priority 0; ct state new accept; }
}
"""


def test_nftables_says_the_same_of_the_same_traffic(site6: Site) -> None:
    states = ("new", "established", "related", "invalid", "untracked")
    site6.host.run("nft", NFT)
    with site6.open() as firewall, ExitStack() as stack:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.set_policy({"ingress": "accept keep", "egress": "accept keep"})
        firewall.add_rules(rules(*(f"count state {state} on veth0 in" for state in states)))
        site6.host.run("nft", "reset", "counters")

        def judged() -> list[tuple[int, int]]:
            found = json.loads(site6.host.run("nft", "-j", "list", "counters"))["nftables"]
            counts = {
                o["counter"]["name"]: o["counter"]["packets"] for o in found if "counter" in o
            }
            mine = {str(rule.state): rule.packets for rule in firewall.rules().rules}
            return [(mine[state], counts[state]) for state in states]

        for host, box in ADDRESSES.values():
            with site6.box.inside():
                far = stack.enter_context(listen(box, 8080))
            near = stack.enter_context(listen(host, 22))
            for server, address, inside in ((far, box, False), (near, host, True)):
                with ExitStack() as where:
                    if inside:
                        where.enter_context(site6.box.inside())
                    client = socket.create_connection(server.getsockname()[:2], timeout=WAIT)
                accepted = server.accept()[0]
                exchange(client, accepted)
                client.shutdown(socket.SHUT_WR)
                assert accepted.recv(1) == b""
                accepted.close()
                assert client.recv(1) == b"", address
                client.close()
            with socket.socket(_family(host), socket.SOCK_DGRAM) as mine:
                mine.connect((box, 9))
                mine.settimeout(WAIT)
                mine.send(b"x")
                with pytest.raises(ConnectionRefusedError):
                    mine.recv(10)
            assert ping(site6.host, box, count=2) == 2
            assert ping(site6.box, host, count=2) == 2
        # What ends a connection may still be on its way.
        wait_for(lambda: all(mine == theirs for mine, theirs in judged()), "the same counts")
        assert judged()[1][0] > 50 and judged()[2][0] >= 2
