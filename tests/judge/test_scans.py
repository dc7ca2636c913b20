"""What nmap sees of a host that drops by default is what it sees of one with nftables' ruleset of the kind.

One box looks at two hosts at once, of which the one has our programs and the other has nft; six kinds of
scan, IPv4 and IPv6. 22 and 53 are offered, 23 and 54 are let through and nobody is there, the others are
dropped though somebody listens.
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.net.netns import Lab, Namespace
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.settings import Settings

RULES = (
    *("accept tcp/22-23 in keep", "accept udp/53-54 in keep", "accept state established,related"),
    *("accept icmp/echo-request in", "accept icmpv6/echo-request in"),
)
NFT = """
table inet filter {
  chain in {
    type filter hook input priority 0; policy drop;
    tcp dport 22-23 accept
    udp dport 53-54 accept
    ct state established,related accept
    icmp type echo-request accept
    icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
"""
DROPPED = {"80": "filtered", "81": "filtered"}
UNSURE = "open|filtered"
STEALTHY = {"22": UNSURE, "23": "closed", "80": UNSURE, "81": UNSURE}
SEEN = {
    "-sS": {"22": "open", "23": "closed", **DROPPED},
    "-sA": {"22": "unfiltered", "23": "unfiltered", **DROPPED},
    **{kind: STEALTHY for kind in ("-sF", "-sN", "-sX")},
    "-sU": {"53": "open", "54": "closed", "123": UNSURE},
}
"""By kind of scan: port -> what nmap says of it."""
HOSTS = {"ours": "9", "nft": "10"}


class ScannedHosts:
    """Both hosts and the box."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.box = lab.namespace("box")
        self.spaces = {name: lab.namespace(name) for name in HOSTS}
        for name, number in HOSTS.items():
            lab.veth(self.spaces[name], "veth0", self.box, name, address=f"10.0.{number}.1/24",
                     peer_address=f"10.0.{number}.2/24")  # fmt: skip
            self.spaces[name].ip(f"addr add fd00:{number}::1/64 dev veth0 nodad")
            self.box.ip(f"addr add fd00:{number}::2/64 dev {name} nodad")
            # As many port unreachables as there are scans.
            self.spaces[name].run(
                "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"
            )
            self._serve(self.spaces[name], stack)

    @staticmethod
    def _serve(space: Namespace, stack: ExitStack) -> None:
        with space.inside():
            for port in (22, 80):
                stack.enter_context(
                    socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
                )
            udp = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        udp.bind(("::", 53))
        udp.settimeout(0.2)
        stop = threading.Event()

        def answer() -> None:
            while not stop.is_set():
                try:
                    words, address = udp.recvfrom(1000)
                    udp.sendto(words or b"x", address)
                except OSError:
                    continue

        thread = threading.Thread(target=answer)
        thread.start()
        stack.callback(thread.join)
        stack.callback(stop.set)

    def scan(self, family: str) -> dict[str, dict[str, dict[str, str]]]:
        """Host -> kind of scan -> port -> what nmap says, all scans at once."""
        targets = {
            name: f"10.0.{n}.1" if family == "ipv4" else f"fd00:{n}::1" for name, n in HOSTS.items()
        }
        running = {}
        for kind, ports in SEEN.items():
            argv = ["nmap", *(["-6"] if family == "ipv6" else []), kind, "-n", "-Pn", "-oG", "-"]
            argv += ["--max-retries", "3", "--initial-rtt-timeout", "700ms", "-p", ",".join(ports)]
            running[kind] = subprocess.Popen(
                self.box.argv(*argv, *targets.values()), stdout=subprocess.PIPE, text=True
            )
        said: dict[str, dict[str, dict[str, str]]] = {name: {} for name in targets}
        for kind, process in running.items():
            text, _ = process.communicate(timeout=120)
            for name, address in targets.items():
                found = re.search(rf"Host: {re.escape(address)} .*Ports: (.*)", text)
                assert found, text
                parts = [one.split("/") for one in found[1].split("\t")[0].split(", ")]
                said[name][kind] = {part[0]: part[1] for part in parts}
        return said


@pytest.fixture
def scanned(lab: Lab, tmp_path: Path) -> Iterator[tuple[ScannedHosts, Firewall]]:
    with ExitStack() as stack:
        hosts = ScannedHosts(lab, stack)
        hosts.spaces["nft"].run("nft", NFT)
        with hosts.spaces["ours"].inside():
            settings = Settings(tmp_path / "state", lab.bpffs / "fw", tmp_path / "socket")
            firewall = stack.enter_context(Firewall.open(settings))
            firewall.attach("veth0")
            firewall.attach("veth0", hook="tc", direction="egress")
            firewall.add_rules([Rule.parse(text) for text in RULES])
            firewall.set_policy({"ingress": "drop", "egress": "accept keep"})
            yield hosts, firewall


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_scans_see_what_they_see_of_nftables(
    scanned: tuple[ScannedHosts, Firewall], family: str
) -> None:
    hosts, firewall = scanned
    seen = hosts.scan(family)
    assert seen["ours"] == seen["nft"] == SEEN
    # Only what is offered made a flow, whatever flags were sent.
    assert {flow.dport for flow in firewall.flows().flows} <= {22, 23, 53, 54}
