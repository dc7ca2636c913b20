"""IPv6 through a switch that snoops: it forgets a host that does not answer its queries.

other                 switch                       host
eth0, fd00::2 ------- br0 [the querier] ---------- eth0, fd00::1 [drop by default]
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.net.ping import ping
from tests.support.service.service import Service

SECOND = 100
"""In the units of the bridge's intervals."""
QUERIES, MEMBERSHIP = SECOND, 3 * SECOND
"""From query to query, and from a report until its port is forgotten."""
GROUP = "ff02::1:ff00:1"
"""The solicited-node group of fd00::1 (RFC 4291)."""
ADDRESSES = {"host": ("fd00::1", "10.0.0.1"), "other": ("fd00::2", "10.0.0.2")}
PLACES = ("xdp", "tc-ingress", "tc-egress")


class Network:
    """The three namespaces, and the service on the host."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.switch = lab.namespace("switch")
        self.switch.ip(
            "link add br0 type bridge forward_delay 0 mcast_snooping 1"
            f" mcast_mld_version 2 mcast_stats_enabled 1 mcast_query_interval {QUERIES}"
            f" mcast_membership_interval {MEMBERSHIP} mcast_query_response_interval {SECOND // 2}"
            f" mcast_startup_query_interval {QUERIES}"
        )
        self.switch.ip("addr add fe80::3/64 dev br0 nodad")
        self.switch.ip("link set br0 up")
        # It floods for one response interval from here on, which was 10 s until it was set.
        self.switch.ip("link set br0 type bridge mcast_querier 1")
        self.host, self.other = (self._station(lab, name) for name in ADDRESSES)
        self.service = Service(self.host, folder, lab.bpffs)

    def _station(self, lab: Lab, name: str) -> Namespace:
        """A namespace on the switch's port of that name."""
        space = lab.namespace(name)
        six, four = ADDRESSES[name]
        link_local = six.replace("fd00", "fe80")
        lab.veth(self.switch, name, space, "eth0", master="br0")
        for address in (f"{link_local}/64", f"{six}/64", f"{four}/24"):
            space.ip(f"addr add {address} dev eth0{' nodad' * (':' in address)}")
        return space

    def filter(self, place: str, rules: list[str]) -> None:
        """Attach, and drop by default."""
        made = self.service.call("PUT", f"/interfaces/eth0/attachments/{place}", {})
        assert made.status == 201, made.content
        body = {"version": 1, "policy": {"ingress": "drop", "egress": "drop"}, "rules": rules}
        done = self.service.call("PUT", "/ruleset", body)
        assert done.status == 200, done.content

    def is_known(self) -> bool:
        """Does the switch know the host's group on the host's port?"""
        listed = json.loads(self.switch.run("bridge", "-j", "mdb", "show", "dev", "br0"))
        return any(e["grp"] == GROUP and e["port"] == "host" for e in listed[0]["mdb"])

    def queries(self) -> int:
        """How many the switch has sent to the host's port."""
        listed = json.loads(self.switch.ip("-j link xstats type bridge_slave dev host"))
        sent: int = listed[0]["multicast"]["mld_queries"]["tx_v2"]
        return sent

    def pass_queries(self, count: int) -> None:
        """Return when the switch has sent so many more."""
        before = self.queries()
        wait_for(lambda: self.queries() >= before + count, f"{count} queries", every=0.1)

    def finds_the_host(self, *, over: tuple[str, str] | None = None) -> bool:
        """Is a ping answered by a host whose link-layer address is to be asked for?"""
        self.other.ip("-6 neigh flush dev eth0")
        return ping(self.other, ADDRESSES["host"][0], over=over) == 1


@pytest.fixture
def network(lab: Lab, tmp_path: Path) -> Iterator[Network]:
    made = Network(lab, tmp_path)
    with made.service:
        wait_for(made.is_known, "the switch has the host's report")
        yield made


@pytest.mark.parametrize("place", PLACES)
def test_the_host_is_found_after_three_membership_intervals(network: Network, place: str) -> None:
    network.filter(place, ["accept icmpv6/echo-request", "accept icmpv6/echo-reply"])
    assert network.finds_the_host()
    network.pass_queries(3 * MEMBERSHIP // QUERIES + 1)
    assert network.is_known()
    assert network.finds_the_host()


def test_a_rule_on_queries_is_obeyed_and_the_switch_forgets_the_host(network: Network) -> None:
    """So the switch of the test does withhold what nobody reported."""
    network.filter("xdp", ["drop icmpv6/130", "accept icmpv6/echo-request"])
    wait_for(lambda: not network.is_known(), "the switch forgets")
    over = ("eth0", ADDRESSES["host"][1])
    wait_for(lambda: not network.finds_the_host(over=over), "solicitations are withheld")
