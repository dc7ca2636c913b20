"""The reference tracker: every rule of the semantics as a sentence of Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from .packets import ACK, FIN, ICMP, ICMPV6, IGMP, RST, SCTP, SYN, TCP, UDP, FlowPacket

State = Literal["new", "established", "related", "invalid", "untracked"]
Key = tuple[object, ...]
Side = tuple[str, int]
TIMEOUTS = {
    "tcp_new": 30,
    "tcp_one_side": 300,
    "tcp": 8000,
    "tcp_fin": 120,
    "tcp_fins": 30,
    "tcp_reset": 10,
    "udp": 30,
    "udp_replied": 120,
    "icmp": 30,
    "other": 600,
}
WINDOW = 256 * 1024


@dataclass
class Flow:
    """What is remembered of one flow."""

    proto: str
    origin: object
    deadline: int = 0
    replied: bool = False
    fins: set[object] = field(default_factory=set)
    reset: bool = False
    assured: bool = False
    picked_up: bool = False
    syn_ack: int | None = None
    """The number that the opener acknowledges."""

    @property
    def over(self) -> bool:
        return self.reset or len(self.fins) == 2

    @property
    def timeout(self) -> int:
        if self.proto == "udp":
            return TIMEOUTS["udp_replied" if self.replied else "udp"]
        if self.proto != "tcp":
            return TIMEOUTS["icmp" if self.proto == "icmp" else "other"]
        if self.reset:
            return TIMEOUTS["tcp_reset"]
        if not self.assured:
            return TIMEOUTS["tcp_one_side" if self.picked_up else "tcp_new"]
        if len(self.fins) == 2:
            return TIMEOUTS["tcp_fins"]
        return TIMEOUTS["tcp_fin" if self.fins else "tcp"]


@dataclass(frozen=True)
class TrackedRule:
    """A rule: what it matches but for the state, the states it wants, what it does."""

    action: Literal["accept", "drop", "count"]
    matches: Callable[[FlowPacket], bool] = lambda packet: True
    states: frozenset[str] | None = None
    keep: bool = False


@dataclass(frozen=True)
class Judged:
    """What became of a packet; `state` is None where nobody asked."""

    passes: bool
    state: State | None
    counted: tuple[int, ...] = ()


class Tracker:
    """Flows and a ruleset. Time stands still but for move()."""

    def __init__(
        self, rules: Sequence[TrackedRule], policies: dict[bool, tuple[bool, bool]]
    ) -> None:
        """`policies`: by egress, whether what no rule decides passes, and whether by keep."""
        self.rules = rules
        self.policies = policies
        self.now = 0
        self.flows: dict[Key, Flow] = {}

    def move(self, seconds: int) -> None:
        """Let time go by."""
        self.now += seconds
        for key in [key for key, flow in self.flows.items() if flow.deadline < self.now]:
            del self.flows[key]

    def judge(
        self, packet: FlowPacket, *, egress: bool, among: Sequence[int] | None = None
    ) -> Judged:
        """Judge a packet, and change flows by it. `among`: the rules that match but for the state, where that
        is known already."""
        asked: State | None = None
        counted = []
        passes, keep = self.policies[egress]
        if among is None:
            among = [n for n, rule in enumerate(self.rules) if rule.matches(packet)]
        for number in among:
            rule = self.rules[number]
            if rule.states is not None:
                asked = asked or self.state(packet)
                if asked not in rule.states:
                    continue
            counted.append(number)
            if rule.action != "count":
                passes, keep = rule.action == "accept", rule.keep
                break
        if passes and (asked or keep):
            self._track(packet, asked or self.state(packet), keep, egress)
        return Judged(passes, asked, tuple(counted))

    # -- the state -------------------------------------------------------------------------------

    def state(self, packet: FlowPacket) -> State:
        """2.1, "The state of a packet"; no socket is anywhere."""
        if packet.family == 4 and packet.proto == IGMP:
            return "untracked"
        if packet.is_icmp and not _is_echo(packet):
            return self._state_of_icmp(packet)
        key = key_of(packet)
        if key is None:
            return "invalid"
        flow = self.flows.get(key)
        if flow is None:
            return self._state_without_flow(packet)
        if packet.fragment != "later" and _is_syn(packet) and flow.over:
            return "new"
        if side_of(packet) != flow.origin or flow.replied:
            return "established"
        return "new"

    def _state_of_icmp(self, packet: FlowPacket) -> State:
        if packet.icmp_type in ((4, 5) if packet.family == 4 else ()):
            return "invalid"
        if packet.icmp_type not in ((3, 11, 12) if packet.family == 4 else (1, 2, 3, 4)):
            return "untracked"
        quote = packet.quote
        if packet.fragment == "later" or quote is None or quote.fragment == "later":
            return "invalid"
        if ip_address(quote.src) != ip_address(packet.dst):
            return "invalid"
        if quote.is_icmp and not _is_echo(quote):
            return "invalid"
        return "related" if key_of(quote) in self.flows else "invalid"

    @staticmethod
    def _state_without_flow(packet: FlowPacket) -> State:
        if packet.proto == TCP:
            opens = packet.fragment != "later" and _is_syn(packet)
            return "new" if opens else "invalid"
        if packet.is_icmp and packet.icmp_type in (0, 129):
            return "invalid"
        return "new"

    # -- flows -----------------------------------------------------------------------------------

    def _track(self, packet: FlowPacket, state: State, keep: bool, egress: bool) -> None:
        if packet.is_icmp and not _is_echo(packet) or state == "untracked":
            return
        key = key_of(packet)
        if key is None:
            return
        flow = self.flows.get(key)
        if flow is None:
            if packet.fragment != "later":
                self._make(key, packet, state, keep, egress)
            return
        if state == "new" and flow.over and _is_syn(packet) and packet.fragment != "later":
            if keep:
                self._make(key, packet, state, keep, egress)
            else:
                flow.deadline = self.now + flow.timeout
            return
        self._change(flow, packet)

    def _make(self, key: Key, packet: FlowPacket, state: State, keep: bool, egress: bool) -> None:
        flow = Flow(_proto_name(packet), side_of(packet))
        flags = packet.flags
        if state != "new":
            lasting = flags & ACK and not flags & (SYN | RST | FIN)
            if not (packet.proto == TCP and egress and lasting):
                return
            flow.picked_up = True
        if keep:
            self.flows[key] = flow
            flow.deadline = self.now + flow.timeout

    def _change(self, flow: Flow, packet: FlowPacket) -> None:
        reply = side_of(packet) != flow.origin
        flow.replied |= reply
        if packet.proto == TCP and packet.fragment != "later":
            self._change_tcp(flow, packet, reply)
            opening = packet.flags & SYN and not packet.flags & (RST | FIN)
            if flow.assured and not flow.over and opening:
                return
        flow.deadline = self.now + flow.timeout

    @staticmethod
    def _change_tcp(flow: Flow, packet: FlowPacket, reply: bool) -> None:
        flags = packet.flags
        if flow.picked_up:
            flow.assured |= reply
        elif not flow.assured and flags & ACK:
            if reply and flags & SYN and not flags & (RST | FIN):
                flow.syn_ack = (packet.seq + 1) % 2**32
            elif not reply and flow.syn_ack is not None:
                flow.assured = (packet.ack - flow.syn_ack) % 2**32 <= WINDOW
        if flags & FIN:
            flow.fins.add(side_of(packet))
        if flags & RST:
            flow.reset = True
        elif not flags & SYN:
            flow.reset = False


def _is_syn(packet: FlowPacket) -> bool:
    return packet.proto == TCP and packet.flags & (SYN | ACK | RST | FIN) == SYN


def _is_echo(packet: FlowPacket) -> bool:
    return packet.icmp_type in ((0, 8) if packet.family == 4 else (128, 129))


def _asks(packet: FlowPacket) -> bool:
    return packet.icmp_type in (8, 128)


def _proto_name(packet: FlowPacket) -> str:
    if packet.is_icmp:
        return "icmp"
    return {TCP: "tcp", UDP: "udp"}.get(packet.proto, "other")


def _sides(packet: FlowPacket) -> tuple[Side, Side]:
    """The source's and the destination's (address, port)."""
    src, dst = str(ip_address(packet.src)), str(ip_address(packet.dst))
    if packet.is_icmp:
        return (
            ((src, packet.ident), (dst, -1)) if _asks(packet) else ((src, -1), (dst, packet.ident))
        )
    if packet.proto in (TCP, UDP, SCTP):
        return (src, packet.sport), (dst, packet.dport)
    return (src, 0), (dst, 0)


def side_of(packet: FlowPacket) -> Side:
    """Who sent it."""
    return _sides(packet)[0]


def key_of(packet: FlowPacket) -> Key | None:
    """The key of a flow; None where both ends are one."""
    one, other = _sides(packet)
    return None if one == other else (packet.family, packet.proto, frozenset((one, other)))


__all__ = ["ICMP", "ICMPV6", "Flow", "Judged", "State", "TrackedRule", "Tracker", "key_of"]
