"""The table of attacks: the frames, the rule that they try to dodge, and why they cannot.

docs/concepts/how-a-packet-is-judged.md shows it; test_attacks.py tries each of them on a real veth.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.kernel.attached_dataplane import Hook
from tests.support.packets import frames as f
from xdpwall.ruleset.policy import Policy

ALL = -1


@dataclass(frozen=True)
class Attack:
    """One row. Every fragment, port and connection is the attempt's own, by its number."""

    name: str
    rule: str
    frames: Callable[[int], list[bytes]]
    alone: str
    """What Linux does where the firewall is off: REACHES, NOT_IP, UNDELIVERED, or the counter that rises."""
    why: str
    dropped: int = ALL
    """How many of the frames are dropped; the others are harmless alone."""

    unseen_at_tc: int = 0
    """How many of those Linux drops before tc could."""

    @property
    def policy(self) -> Policy:
        """An accept rule is attacked under a drop policy."""
        return Policy(ingress="drop" if self.rule.startswith("accept") else "accept")

    def dropped_of(self, frames: int, hook: Hook = "xdp native") -> int:
        """How many of so many frames are dropped there."""
        dropped = frames if self.dropped == ALL else self.dropped
        return dropped - self.unseen_at_tc if hook == "tc ingress" else dropped


def v4(inner: f.Layer, n: int = 1, **kw: object) -> bytes:
    return f.ether(f.ipv4(inner, ident=n, **kw))  # type: ignore[arg-type]


def v6(inner: f.Layer, **kw: object) -> bytes:
    return f.ether(f.ipv6(inner, **kw))  # type: ignore[arg-type]


def udp(port: int = 53, size: int = 8) -> f.Layer:
    return f.udp(b"attack! " * (size // 8), dport=port)


def tcp(n: int, flags: str = "syn", *, family: int = 4, payload: bytes = b"") -> f.Layer:
    """A segment to port 53 from a port of the attempt's own, checksum right."""
    plain = f.tcp(payload, sport=20000 + n, dport=53, flags=flags).data
    src, dst = ("0a000001", "0a000101") if family == 4 else (SRC6, DST6)
    pseudo = bytes.fromhex(src + dst) + struct.pack("!II", len(plain), 6)
    return f.Layer(6, plain[:16] + struct.pack("!H", f.checksum(pseudo + plain)) + plain[18:])


SRC6, DST6 = "20010db8000000000000000000000001", "20010db8000100000000000000000001"


def ping6(payload: bytes = b"ping") -> f.Layer:
    plain = f.icmpv6(payload=payload).data
    pseudo = bytes.fromhex(SRC6 + DST6) + struct.pack("!II", len(plain), 58)
    return f.Layer(58, plain[:2] + struct.pack("!H", f.checksum(pseudo + plain)) + plain[4:])


def part(inner: f.Layer, start: int, end: int | None = None) -> f.Layer:
    return replace(inner, data=inner.data[start:end])


def pieces4(inner: f.Layer, n: int, *cuts: int) -> list[bytes]:
    """An IPv4 datagram cut at these bytes."""
    edges = [0, *cuts, len(inner.data)]
    return [
        v4(part(inner, a, b), n, offset=a // 8, more=b < len(inner.data))
        for a, b in itertools.pairwise(edges)
    ]


def pieces6(inner: f.Layer, n: int, *cuts: int) -> list[bytes]:
    """The same of IPv6."""
    edges = [0, *cuts, len(inner.data)]
    return [piece6(inner, n, a, b, more=b < len(inner.data)) for a, b in itertools.pairwise(edges)]


def piece6(inner: f.Layer, n: int, start: int, end: int, *, more: bool) -> bytes:
    return v6(f.fragment6(part(inner, start, end), offset=start // 8, more=more, ident=n))
