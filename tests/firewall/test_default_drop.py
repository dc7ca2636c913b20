"""What a default drop would end is told, with rules that mend it: in namespaces, by real packets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules
from tests.support.packets import frames as f
from tests.support.packets.packets import TEST_ETHERTYPE, Wire, ethernet
from xdpwall.firewall import host_use
from xdpwall.firewall.drop_advice import KNOWN
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.views.flows import FlowFilter

HOST, BOX = "10.9.0.1", "10.9.0.2"
HOST6, BOX6 = "fd00:9::1", "fd00:9::2"
MARK = ethernet(b"the end", ethertype=TEST_ETHERTYPE)


def came(inner: f.Layer) -> bytes:
    """A frame from the box."""
    return f.ether(f.ipv4(inner, src=BOX, dst=HOST))


def sent(inner: f.Layer) -> bytes:
    """A frame from the host."""
    return f.ether(f.ipv4(inner, src=HOST, dst=BOX))


PINGS = {
    "accept icmp/echo-request in limit 20/s burst 5": came(f.icmp(8)),
    "accept icmpv6/echo-request in limit 20/s burst 5": f.ether(
        f.ipv6(f.icmpv6(128), src=BOX6, dst=HOST6)
    ),
}
SERVICES = {
    "accept tcp/22 in": came(f.tcp(sport=50_000, dport=22)),
    "accept tcp/81 to 10.9.0.1 in": came(f.tcp(sport=50_000, dport=81)),
    "accept tcp/8080 in": f.ether(f.ipv6(f.tcp(sport=50_000, dport=8080), src=BOX6, dst=HOST6)),
    "accept udp/68 sport 67 in": came(f.udp(sport=67, dport=68)),
    "accept udp/546 sport 547 in": f.ether(
        f.ipv6(f.udp(sport=547, dport=546), src="fe80::1", dst=HOST6)
    ),
    "accept udp/4789 in": came(f.udp(sport=50_000, dport=4789)),
    "accept udp/51820 in": came(f.udp(sport=51820, dport=51820)),
    "accept proto 112 in": came(f.raw(112, bytes(20))),
    "accept proto 2 in": came(f.raw(2, bytes(8))),
} | PINGS
STATELESS_ANSWERS = {
    "accept udp from 10.9.0.2 sport 53 in": came(f.udp(sport=53, dport=40_000)),
    "accept icmp/destination-unreachable in": came(f.icmp(3, 4)),
    "accept icmpv6/packet-too-big in": f.ether(f.ipv6(f.icmpv6(2), src=BOX6, dst=HOST6)),
    "accept udp from 10.9.0.2 sport 123 in": came(f.udp(sport=123, dport=40_000)),
}
ALONE = SERVICES | STATELESS_ANSWERS
"""With XDP alone: answers over TCP are known by their sockets."""
UDP_SERVED = {
    "accept udp sport 4789 out": sent(f.udp(sport=4789, dport=50_000)),
    "accept udp sport 51820 out": sent(f.udp(sport=51820, dport=51820)),
}
TRACKED = SERVICES | UDP_SERVED
"""With tc egress as well: UDP's, and errors, are known by their flows. What UDP services answer is to make none."""
SERVED = {
    "accept tcp sport 22 out flags ack/ack": sent(f.tcp(sport=22, dport=50_000, flags="syn,ack")),
    "accept tcp from 10.9.0.1 sport 81 out flags ack/ack": sent(
        f.tcp(sport=81, dport=50_000, flags="ack")
    ),
    "accept tcp sport 8080 out flags ack/ack": sent(f.tcp(sport=8080, dport=50_000, flags="ack")),
    "accept udp sport 68 out": sent(f.udp(sport=68, dport=67)),
    "accept udp sport 546 out": f.ether(
        f.ipv6(f.udp(sport=546, dport=547), src="fe80::2", dst="ff02::1:2")
    ),
    "accept icmp/echo-reply out": sent(f.icmp(0)),
    "accept icmpv6/echo-reply out": f.ether(f.ipv6(f.icmpv6(129), src=HOST6, dst=BOX6)),
    "accept proto 112 out": sent(f.raw(112, bytes(20))),
    "accept proto 2 out": sent(f.raw(2, bytes(8))),
}
ASKED = {
    "accept udp/53 to 10.9.0.2 out keep": sent(f.udp(sport=40_000, dport=53)),
    "accept tcp/53 to 10.9.0.2 out keep": sent(f.tcp(sport=40_000, dport=53)),
    "accept tcp/8443 to 10.9.0.2 out keep": sent(f.tcp(sport=40_000, dport=8443)),
    "accept udp/123 to 10.9.0.2 out keep": sent(f.udp(sport=40_000, dport=123)),
}
ERRORS = {one: frame for one, frame in STATELESS_ANSWERS.items() if "icmp" in one}
CLOSED = SERVICES | UDP_SERVED | SERVED | ASKED | ERRORS
"""With a drop policy for what leaves, too."""
EGRESS = UDP_SERVED | SERVED | ASKED


def datagrams(
    stack: ExitStack, port: int, *, family: socket.AddressFamily = socket.AF_INET
) -> socket.socket:
    """A UDP socket on a port of every address."""
    made = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    made.bind(("", port))
    return made


@pytest.fixture
def busy(site6: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The host with a socket of each kind, a resolver and a connection; XDP on."""
    names = tmp_path / "resolv.conf"
    names.write_text(f"# by hand\nnameserver 127.0.0.53\nnameserver {BOX}\noptions edns0\n")
    monkeypatch.setattr(host_use, "RESOLV_CONF", (names, tmp_path / "none"))
    with ExitStack() as stack:
        with site6.box.inside():
            far = stack.enter_context(socket.create_server((BOX, 8443)))
        for address in (("0.0.0.0", 22), (HOST, 81), ("127.0.0.1", 9999)):
            stack.enter_context(socket.create_server(address))
        stack.enter_context(socket.create_server(("::", 8080), family=socket.AF_INET6))
        stack.enter_context(socket.create_connection((BOX, 8443)))
        stack.enter_context(far.accept()[0])
        for port in (68, 4789, 51820, 0):
            joined = datagrams(stack, port)
        group = struct.pack("!4s4s", socket.inet_aton("239.1.2.3"), socket.inet_aton(HOST))
        joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        datagrams(stack, 546, family=socket.AF_INET6)
        datagrams(stack, 0).connect((BOX, 123))
        stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, 112))
        with site6.open() as firewall:
            firewall.attach("veth0")
        yield site6


@pytest.fixture
def tracked(busy: Site) -> Site:
    """The same with tc egress."""
    return with_egress(busy)


def passes(frame: bytes, sender: Wire, receiver: Wire) -> bool:
    """Whether it gets through; what is sent behind it does."""
    receiver.drain()
    sender.send(frame)
    sender.send(MARK)
    found = []
    while (one := receiver.receive()) != MARK:
        assert one is not None
        found.append(one)
    return frame in found


CASES: list[tuple[bool, dict[str, str], dict[str, bytes]]] = [
    (False, {"ingress": "drop"}, ALONE),
    (True, {"ingress": "drop"}, TRACKED),
    (True, {"ingress": "drop", "egress": "drop"}, CLOSED),
]


@pytest.mark.parametrize(("both", "policy", "table"), CASES, ids=["xdp", "both", "closed"])
def test_each_rule_lets_its_packets_pass_and_is_told_no_more(
    busy: Site, both: bool, policy: dict[str, str], table: dict[str, bytes]
) -> None:
    if both:
        busy = with_egress(busy)
    with (
        busy.open() as firewall,
        Wire(busy.host, "veth0") as host,
        Wire(busy.box, "eth0") as box,
    ):
        dry = firewall.set_policy(policy, dry_run=True)
        missing = dry.missing_rules
        assert firewall.policy().to_json()["ingress"] == "accept", "a dry run changes nothing"
        assert sorted(missing) == sorted([*table, KNOWN])
        kept = {"egress": "accept keep"} if both and "egress" not in policy else {}
        assert dry.missing_policy == kept
        outcome = firewall.set_policy(policy | kept)
        assert outcome.missing_rules == missing
        assert outcome.warnings[-1].startswith(f"missing rules not shown: {len(missing) - 12};")
        for sentence in missing:
            frame = table.get(sentence)
            way = (host, box) if sentence in EGRESS else (box, host)
            # What UDP services answer passes by the policy that keeps, and must only make no flow.
            kept_only = bool(kept) and sentence in UDP_SERVED
            if frame is not None:
                assert passes(frame, *way) == kept_only, sentence
                firewall.flush_flows(FlowFilter())
            firewall.add_rules(rules(sentence))
            if frame is not None:
                assert passes(frame, *way), sentence
            if kept_only:
                assert firewall.flows().total == 0
            left = firewall.set_policy(policy | kept, dry_run=True).missing_rules
            assert left == missing[missing.index(sentence) + 1 :]


def with_egress(site: Site) -> Site:
    with site.open() as firewall:
        firewall.attach("veth0", hook="tc", direction="egress")
    return site


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (["accept in"], {*SERVICES, *ERRORS, KNOWN}),
        (["accept out on veth0 keep"], {*EGRESS}),
        (["accept in on eth7"], set()),
        (["accept icmp in", "accept icmpv6 in"], set(PINGS) | set(ERRORS)),
        (["accept tcp/22 from 192.0.2.0/24 in"], {"accept tcp/22 in"}),
        (["accept tcp/1-100 in"], {"accept tcp/22 in", "accept tcp/81 to 10.9.0.1 in"}),
        (["accept tcp/22 flags syn in"], set()),
        (["drop tcp/22 in"], {"accept tcp/22 in"}),
        (["count tcp/22"], set()),
        (["accept tcp/22 in disabled"], set()),
        (["accept state established"], set()),
        (["accept state related,established"], {KNOWN}),
        (["accept icmp/echo-request limit 5/s in"], {"accept icmp/echo-request"}),
        (["drop tcp/22 over 9/m"], set()),
    ],
)
def test_what_a_rule_decides_already_is_not_told(
    tracked: Site, given: list[str], gone: set[str]
) -> None:
    with tracked.open() as firewall:
        firewall.add_rules(rules(*given))
        policy = {"ingress": "drop", "egress": "drop"}
        found = firewall.set_policy(policy, dry_run=True).missing_rules
    told = {one for one in {*CLOSED, KNOWN} if not any(one.startswith(part) for part in gone)}
    if "established" in given[0] and "related" not in given[0]:
        told.discard(KNOWN)
    assert set(found) == told


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (["accept udp sport 53 in"], {"accept udp from 10.9.0.2 sport 53 in"}),
        (["accept udp from @names in"], {"accept udp from 10.9.0.2"}),
        (["accept udp from not @names in"], set()),
    ],
)
def test_answers_that_no_flow_tells_pass_by_other_rules_too(
    busy: Site, given: list[str], gone: set[str]
) -> None:
    with busy.open() as firewall:
        firewall.create_set("names")
        firewall.change_set("names", add=[BOX])
        firewall.add_rules(rules(*given))
        found = firewall.set_policy({"ingress": "drop"}, dry_run=True).missing_rules
    told = {one for one in {*ALONE, KNOWN} if not any(part in one for part in gone)}
    # A rule about the resolver's address alone decides what comes to any UDP port, for one peer.
    if "udp from" in given[0]:
        told = {one for one in told if not one.startswith("accept udp/")}
    assert set(found) == told


def test_apply_and_attach_tell_it_too(busy: Site) -> None:
    ruleset = {"version": 1, "policy": {"ingress": "drop"}, "rules": ["accept tcp in"]}
    wanted = {one for one in ALONE if not one.startswith("accept tcp")}
    with busy.open() as firewall:
        for dry_run in (True, False):
            outcome = firewall.apply(Ruleset.parse(ruleset), dry_run=dry_run)
            assert set(outcome.missing_rules) == wanted
            assert any("path MTU" in line for line in outcome.warnings)
        again = firewall.apply(Ruleset.parse({**ruleset, "rules": []}))
        assert again.missing_rules == [], "the policy was drop before"
        firewall.detach("veth0")
        assert any("path MTU" in line for line in firewall.attach("veth0").warnings)
        assert firewall.set_policy({"ingress": "accept"}).warnings == []


def test_neighbours_are_missing_once_the_policy_judges_them(site6: Site) -> None:
    with site6.open() as firewall:
        firewall.attach("veth0")
        kept = firewall.set_policy({"ingress": "drop"}).missing_rules
        judged = firewall.set_policy({"neighbor_discovery": "judge", "non_ip": "drop"})
    assert set(judged.missing_rules) - set(kept) == {
        "accept ethertype arp",
        "accept icmpv6/router-advertisement in",
        "accept icmpv6/neighbor-solicitation in",
        "accept icmpv6/neighbor-advertisement in",
        "accept icmpv6/mld-listener-query in",
    }


def test_leases_end_without_their_answers(site6: Site, firewall: Firewall) -> None:
    firewall.attach("veth0")
    for address in ("10.9.0.7/24", "fd00:9::7/128"):
        site6.host.ip(f"addr add {address} dev veth0 valid_lft 600 preferred_lft 600")
    found = firewall.set_policy({"ingress": "drop"}, dry_run=True).missing_rules
    assert found[:2] == ["accept udp/68 sport 67 in", "accept udp/546 sport 547 in"]


def test_another_interface_needs_what_one_has(busy: Site) -> None:
    busy.lab.veth(busy.host, "veth1", busy.box, "eth1", address="10.8.0.1/24")
    with busy.open() as firewall:
        firewall.attach("veth1")
        firewall.add_rules(rules("accept tcp/22 in on veth0", "accept in on veth0"))
        found = firewall.set_policy({"ingress": "drop"}).missing_rules
    assert "accept tcp/22 on veth1 in" in found
    assert not any(one.startswith("accept udp from") for one in found), "they come over veth0"


def test_many_peers_of_one_port_get_one_rule(busy: Site) -> None:
    with ExitStack() as stack, busy.open() as firewall:
        for last in (5, 6, 7):
            busy.box.ip(f"addr add 10.9.0.{last}/24 dev eth0")
            datagrams(stack, 0).connect((f"10.9.0.{last}", 123))
        found = firewall.set_policy({"ingress": "drop"}, dry_run=True).missing_rules
    assert [one for one in found if "123" in one] == ["accept udp sport 123 in"]


def test_a_dry_run_names_the_revision_in_force(firewall: Firewall) -> None:
    before = firewall.add_rules(rules("accept icmp")).revision
    assert firewall.set_policy({"ingress": "drop"}, dry_run=True).revision == before
    assert firewall.set_policy({"ingress": "drop"}).revision == before + 1
