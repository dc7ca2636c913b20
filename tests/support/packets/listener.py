"""Multicast listener discovery, and what only looks like it: tables of frames by name."""

from __future__ import annotations

from tests.support.packets import frames as f

TYPES = (130, 131, 132, 143)
"""Query, MLDv1 report and done, MLDv2 report."""
ALERT, PADN = b"\5\2\0\0", b"\1\0"


def hop_by_hop(options: bytes, inner: f.Layer, *, units: int | None = None) -> f.Layer:
    """A hop-by-hop header with these options, of which there are 6 bytes, or 14, ..."""
    size = len(options) // 8 if units is None else units
    return f.Layer(0, bytes([inner.number, size]) + options + inner.data)


def listener(
    kind: int = 130,
    options: bytes = ALERT + PADN,
    *,
    units: int | None = None,
    src: str = "fe80::1",
    hops: int = 1,
    payload: int | None = None,
) -> bytes:
    """A message to all nodes, as it should be but for what is said."""
    inner = hop_by_hop(options, message(kind), units=units)
    return v6(inner, src=src, hops=hops, payload=payload)


def message(kind: int = 130) -> f.Layer:
    return f.icmpv6(kind, payload=bytes(16))


def v6(inner: f.Layer, *, src: str = "fe80::1", hops: int = 1, payload: int | None = None) -> bytes:
    return f.ether(f.ipv6(inner, src=src, dst="ff02::1", hops=hops, payload=payload))


LISTENER: dict[str, bytes] = {
    **{f"type {kind}": listener(kind) for kind in TYPES},
    "padding in front": listener(options=PADN + ALERT),
    "two Pad1 behind": listener(options=ALERT + b"\0\0"),
    "two Pad1 in front": listener(options=b"\0\0" + ALERT),
    "a Pad1 on either side": listener(options=b"\0" + ALERT + b"\0"),
    "from ::": listener(143, src="::"),
    "from the last link-local address": listener(src="febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "another code": v6(hop_by_hop(ALERT + PADN, f.icmpv6(130, 7, bytes(16)))),
}
"""Accepted under a drop policy."""

CUT: dict[str, bytes] = {
    "type and code and no more": listener()[: 14 + 40 + 8 + 2],
    "a payload length of type and code": listener(payload=10),
}
"""Accepted as well, as neighbor discovery is: the rest is for the host to refuse."""

ALMOST: dict[str, bytes] = {
    **{f"type {kind}": listener(kind) for kind in (0, 128, 129, 133, 135, 142, 144, 255)},
    **{f"hop limit {hops}": listener(hops=hops) for hops in (0, 2, 64, 255)},
    **{
        f"from {src}": listener(src=src)
        for src in (
            *("2001:db8::1", "fec0::1", "fe7f:ffff::1", "::1", "::1:0:0:0", "ff02::1", "7e80::1"),
            *("::ffff:10.0.0.1", "0:1::", "0:0:1::"),
        )
    },
    "router alert of value 1 (RSVP)": listener(options=b"\5\2\0\1" + PADN),
    "router alert of value 256": listener(options=b"\5\2\1\0" + PADN),
    "router alert of length 0": listener(options=b"\5\0" + bytes(4)),
    "router alert of length 4": listener(options=b"\5\4" + bytes(4)),
    "another option": listener(options=b"\x1e\2\0\0" + PADN),
    "router alert of another action": listener(options=b"\x45\2\0\0" + PADN),
    "padding only": listener(options=b"\1\4" + bytes(4)),
    "router alert and another option": listener(options=ALERT + b"\x1e\0"),
    "router alert inside padding": listener(options=b"\1\4" + ALERT),
    "padding past the header": listener(options=ALERT + b"\1\1"),
    "padding cut off": listener(options=ALERT + b"\0\1"),
    "jumbo payload option": listener(options=b"\xc2\4\0\0\0\x20", payload=0),
    "jumbogram with a router alert": listener(payload=0),
    "16 bytes of hop-by-hop header": listener(options=ALERT + b"\1\x08" + bytes(8)),
    "the same, the router alert last": listener(options=b"\1\x08" + bytes(8) + ALERT),
    "its last 8 bytes as a header": listener(options=b"\1\x0c\0\0\0\0\x3a\0" + ALERT + PADN),
    "two router alerts": listener(options=ALERT + ALERT + b"\1\4" + bytes(4)),
    "a length of 16 bytes in the message": listener(units=1),
    "no hop-by-hop header": v6(message()),
    "destination options instead": v6(
        f.Layer(60, hop_by_hop(ALERT + PADN, message()).data),
    ),
    "destination options between": v6(hop_by_hop(ALERT + PADN, f.option(60, message()))),
    "destination options in front": v6(f.option(60, hop_by_hop(ALERT + PADN, message()))),
    "a second hop-by-hop header": v6(
        hop_by_hop(ALERT + PADN, hop_by_hop(ALERT + PADN, message())),
    ),
    "an atomic fragment header": v6(hop_by_hop(ALERT + PADN, f.fragment6(message()))),
    "an atomic fragment header in front": v6(f.fragment6(hop_by_hop(ALERT + PADN, message()))),
    "a first fragment": v6(hop_by_hop(ALERT + PADN, f.fragment6(message(), more=True))),
    "a later fragment": v6(hop_by_hop(ALERT + PADN, f.fragment6(message(), offset=3, ident=2))),
    "UDP behind it": v6(hop_by_hop(ALERT + PADN, f.udp())),
    "ICMP behind it": v6(hop_by_hop(ALERT + PADN, f.raw(1, message().data))),
    "ends behind the type": listener()[: 14 + 40 + 8 + 1],
    "ends behind the hop-by-hop header": listener()[: 14 + 40 + 8],
    "ends in the hop-by-hop header": listener()[: 14 + 40 + 7],
    "a payload length that ends behind the type": listener(payload=9),
    "a payload length of the hop-by-hop header": listener(payload=8),
    "a payload length that ends in it": listener(payload=7),
}
"""Judged as any other packet."""
