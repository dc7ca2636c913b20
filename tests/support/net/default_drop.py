"""A host whose ingress is dropped by default and whose egress keeps flows, with the real service.

    host veth0 -------- near  router  far -------- eth0 world
    10.9.0.1            10.9.0.254    10.8.0.254   10.8.0.2
    fd00:9::1           fd00:9::fe    fd00:8::fe   fd00:8::2

Between router and the two others no packet of more than 1,300 bytes passes, though every interface says
1,500: both have to find out.
"""

from __future__ import annotations

import functools
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

from tests.support.kernel.flows import Flows
from tests.support.net.netns import Lab, wait_for
from tests.support.net.ping import ping
from tests.support.service.service import Service
from xdpwall.dataplane.dataplane import Dataplane

Family = Literal["ipv4", "ipv6"]
HOST: dict[Family, str] = {"ipv4": "10.9.0.1", "ipv6": "fd00:9::1"}
WORLD: dict[Family, str] = {"ipv4": "10.8.0.2", "ipv6": "fd00:8::2"}
ROUTER: dict[Family, str] = {"ipv4": "10.9.0.254", "ipv6": "fd00:9::fe"}
FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
PATH_MTU = 1300
RULES = {
    "ssh": "accept tcp/22 in keep",
    "established": "accept state established in",
    "related": "accept state related in",
    "ping4": "accept icmp/echo-request in",
    "ping6": "accept icmpv6/echo-request in",
}


class DefaultDropHost:
    """The namespaces, the service on the host, and the flow table as the kernel has it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.host, self.router, self.world = map(lab.namespace, ("host", "router", "world"))
        lab.veth(self.host, "veth0", self.router, "near", **_addresses(HOST, ROUTER))
        far: dict[Family, str] = {"ipv4": "10.8.0.254", "ipv6": "fd00:8::fe"}
        lab.veth(self.world, "eth0", self.router, "far", **_addresses(WORLD, far))
        for space, iface, port, gates, own in (
            (self.host, "veth0", "near", ROUTER, HOST),
            (self.world, "eth0", "far", far, WORLD),
        ):
            space.ip(f"addr add {own['ipv6']}/64 dev {iface} nodad")
            self.router.ip(f"addr add {gates['ipv6']}/64 dev {port} nodad")
            # Whoever forwards asks for neighbours from there.
            self.router.ip(f"addr add fe80::fe/64 dev {port} nodad")
            for gate in gates.values():
                space.ip(f"route add default via {gate}")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        # As many errors as there are causes.
        self.router.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        for iface, ends in (("near", HOST), ("far", WORLD)):
            for address in ends.values():
                self.router.ip(f"route add {address} dev {iface} mtu lock {PATH_MTU}")
        self.service = Service(self.host, folder, lab.bpffs)
        self._stack = ExitStack()
        self._before: dict[str, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.service)
            for place in ("xdp", "tc-egress"):
                made = self.service.call("PUT", f"/interfaces/veth0/attachments/{place}", {})
                assert made.status == 201, made.content
            self.reset()
            for family in FAMILIES:
                wait_for(functools.partial(ping, self.host, WORLD[family], patience=1), "a way")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reset(self, *more: dict[str, str]) -> None:
        """The rules that every test begins with, `more` behind them, and no flows."""
        rules = [{"id": name, "text": text} for name, text in RULES.items()]
        policy = {"ingress": "drop", "egress": "accept keep"}
        done = self.service.call(
            "PUT", "/ruleset", {"version": 1, "policy": policy, "rules": [*rules, *more]}
        )
        assert done.status == 200, done.content
        self.flush()
        self._before = self._packets()

    def flush(self) -> None:
        """Forget all flows."""
        assert self.service.call("DELETE", "/flows").status == 200

    def flows(self, **wanted: str | int) -> list[dict[str, Any]]:
        """Live flows, by the filters of GET /flows."""
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        done = self.service.call("GET", f"/flows?{query}")
        assert done.status == 200, done.content
        listed: list[dict[str, Any]] = done.json["flows"]
        return listed

    def flow(self, **wanted: str | int) -> dict[str, Any]:
        """The one flow that the filters let through. Two packets at once may have made it twice."""
        found = self.flows(**wanted)
        assert (
            len({(one["src"], one.get("sport"), one["dst"], one.get("dport")) for one in found})
            == 1
        )
        return max(found, key=lambda one: int(one["packets"]))

    def counts(self) -> dict[str, int]:
        """The counters of the flow table."""
        counts: dict[str, int] = self.service.call("GET", "/flows").json["fill"]["counts"]
        return counts

    def counted(self, rule: str) -> int:
        """Packets of a rule since the reset."""
        return self._packets()[rule] - self._before[rule]

    def _packets(self) -> dict[str, int]:
        return {
            one["id"]: one["packets"] for one in self.service.call("GET", "/rules").json["rules"]
        }

    def dropped(self) -> int:
        """Packets that the policy dropped on their way in."""
        found = self.service.call("GET", "/status").json["attachments"]
        (xdp,) = (one for one in found if one["place"] == "xdp")
        packets: int = xdp["totals"]["policy_dropped"]["packets"]
        return packets

    def age(self, seconds: int) -> None:
        """Let all flows be so much older."""
        dataplane = Dataplane(self.service.settings.bpffs)
        dataplane.open()
        try:
            Flows(dataplane).age(seconds)
        finally:
            dataplane.close()

    def forget_paths(self) -> None:
        """Nobody knows how narrow the path is."""
        for space in (self.host, self.world):
            space.ip("route flush cache")
            space.ip("-6 route flush cache")


def family_of(address: str) -> socket.AddressFamily:
    """Of a socket for it."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _addresses(one: dict[Family, str], other: dict[Family, str]) -> dict[str, str]:
    return {"address": f"{one['ipv4']}/24", "peer_address": f"{other['ipv4']}/24"}
