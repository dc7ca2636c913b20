"""Flows: what the kernel remembers of the packets between two endpoints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xdpwall.values.inputs import invalid

from .base import View

FLOW_STATES = ("new", "established", "closing", "closed")
FlowState = Literal["new", "established", "closing", "closed"]
"""`new`: no reply yet; `closing`: one side has sent a FIN; `closed`: both have, or a reset was seen."""
DEFAULT_PLACES = 262_144
"""Of a family, unless set (abi.FLOW_PLACES)."""
LEAST_PLACES, MOST_PLACES = 1_024, 16_777_216
"""36 bytes a place for IPv4 and 68 for IPv6: 1.7 GB at most."""
MOST_LISTED = 10_000
"""Flows in one answer."""


def check_places(places: int) -> None:
    """InvalidInput unless it is a power of two within the bounds."""
    if not LEAST_PLACES <= places <= MOST_PLACES or places & (places - 1):
        raise invalid(
            "places",
            places,
            "is no size of a flow table",
            f"a power of two from {LEAST_PLACES:,} to {MOST_PLACES:,}",
        )


class FlowView(View):
    """One flow, in the direction of the packet that made it."""

    family: Literal["ipv4", "ipv6"]
    proto: str | int
    src: str
    sport: int | None = None
    """Absent, as `dport`, where the protocol has none."""
    dst: str
    dport: int | None = None
    ident: int | None = None
    """An echo's identifier."""
    state: FlowState
    assured: bool = False
    """TCP: both sides take part, as far as can be told."""
    age: int | None = None
    """Seconds since it was made; absent during TCP's handshake."""
    expires: int
    """Seconds until it is forgotten, without another packet."""
    packets: int
    rule: str | None = None
    """The rule whose `keep` made it, or that looked the state up, also when it is deleted; absent: the policy, or it is
    not known for sure any more."""
    iface: str | None = None
    """The interface, where an address is link-local."""


class FlowCounts(View):
    """Since the tables were made. They only rise."""

    made: int = 0
    by_socket: int = 0
    """Those of `made` that a socket of this host vouched for."""
    evicted: dict[str, int] = Field(default_factory=dict)
    """By protocol: forgotten before their time, for want of room."""
    lost: int = 0
    """Not made, as two CPUs wanted one place at once."""
    invalid: int = 0
    """Packets that were found `invalid`."""


class FlowFill(View):
    """How full the tables are."""

    tracking: bool = False
    """Whether a rule in force has `state` or `keep`, or a policy says `accept keep`."""
    size: int = 0
    """Places of each family."""
    ipv4: int = 0
    ipv6: int = 0
    counts: FlowCounts = FlowCounts()
    timeouts: dict[str, int] = Field(default_factory=dict)
    """Seconds, by name: those that the ruleset in force sets."""


class FlowList(View):
    """`xdpwall flows`, GET /flows."""

    total: int
    """Those that the filter lets through; `flows` may be fewer."""
    fill: FlowFill
    flows: list[FlowView]


class FlowsFlushed(View):
    """The answer to a flush."""

    flushed: int


class FlowsSized(View):
    """The answer to a new size."""

    places: int
    """Of each family, as asked for."""
    in_force: bool
    """Whether the tables in the kernel have them; False where none are used, and where they are larger."""
    warnings: list[str] = []


class FlowFilter(View):
    """Which flows; what is absent is any."""

    proto: str | int | None = None
    src: str | None = None
    """An address or prefix of the origin."""
    dst: str | None = None
    port: int | None = None
    """Of either side."""
    state: FlowState | None = None
    rule: str | None = None

    def query(self) -> dict[str, str | None]:
        """As REST takes it."""
        words = {"proto": self.proto, "from": self.src, "to": self.dst, "port": self.port}
        words |= {"state": self.state, "rule": self.rule}
        return {name: None if value is None else str(value) for name, value in words.items()}


ANY_FLOW = FlowFilter()


def parse_flow_filter(
    *,
    proto: str | None = None,
    src: str | None = None,
    dst: str | None = None,
    port: str | int | None = None,
    state: str | None = None,
    rule: str | None = None,
) -> FlowFilter:
    """Parse a filter; InvalidInput names the field as `xdpwall flows` and REST have it."""
    from ipaddress import ip_network

    from xdpwall.values.inputs import parse_choice, parse_number
    from xdpwall.values.protocols import PROTOCOL_NAMES, PROTOCOLS

    found: dict[str, object] = {"rule": rule}
    if proto is not None:
        number = PROTOCOLS.get(proto)
        if number is None:
            wanted = f"{', '.join(PROTOCOLS)} or a number from 0 to 255"
            number = parse_number("proto", proto, 0, 255, wanted)
        found["proto"] = PROTOCOL_NAMES.get(number, number)
    for name, field, text in (("src", "from", src), ("dst", "to", dst)):
        if text is not None:
            try:
                found[name] = str(ip_network(text))
            except ValueError as error:
                raise invalid(field, text, "is no address or prefix", hint=str(error)) from None
    if port is not None:
        found["port"] = parse_number("port", port, 0, 65535, "a port from 0 to 65535")
    if state is not None:
        found["state"] = parse_choice("state", state, FLOW_STATES)
    return FlowFilter.model_validate(found)
