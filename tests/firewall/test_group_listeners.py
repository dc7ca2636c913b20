"""Sockets bound to an address of many hosts: what comes to it is named, and nothing is said to leave from it."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from tests.firewall.support import Site, rules

ALONE, BROADCAST, GROUP = "10.9.0.1", "10.9.0.255", "224.0.0.251"
WANTED = {
    "accept udp/9001 to 10.9.0.1 in",
    "accept udp from 10.9.0.1 sport 9001 out",
    "accept udp/9002 to 10.9.0.255 in",
    "accept udp sport 9002 out",
    "accept udp/9003 to 224.0.0.251 in",
    "accept udp sport 9003 out",
}


def test_answers_of_a_group_leave_from_another_address(site: Site) -> None:
    with ExitStack() as stack:
        made = {}
        with site.host.inside():
            for port, address in enumerate((ALONE, BROADCAST, GROUP), 9001):
                one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                one.bind((address, port))
                made[port] = one
        firewall = stack.enter_context(site.open())
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        found = firewall.set_policy({"ingress": "drop"}, dry_run=True).missing_rules
        assert {one for one in found if "/900" in one or "sport 900" in one} == WANTED
        firewall.add_rules(rules(*WANTED))
        firewall.set_policy({"ingress": "drop", "egress": "accept keep"})
        for one in made.values():
            one.sendto(b"answer", ("10.9.0.2", 50_000))
        assert [flow for flow in firewall.flows().flows if flow.dport == 50_000] == []
        left = firewall.set_policy({"ingress": "drop"}, dry_run=True).missing_rules
        assert not [one for one in left if "900" in one]


def test_the_advice_of_rules_names_no_group_as_a_source(site: Site) -> None:
    with site.open() as firewall:
        firewall.set_policy({"egress": "accept keep"})
        for dst, source in ((GROUP, ""), ("239.0.0.0/8", ""), (ALONE, f" from {ALONE}")):
            outcome = firewall.add_rules(rules(f"accept udp/53 to {dst} in"))
            assert f"rule add accept udp{source} sport 53 out" in str(outcome)
            firewall.flush()
