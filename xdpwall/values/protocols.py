"""Names of protocols, ICMP types and codes, and TCP flags. Pure tables and look-ups.

Sources: the IANA registries "Protocol Numbers", "ICMP Parameters" and "ICMPv6 Parameters".
"""

from __future__ import annotations

from types import MappingProxyType

PROTOCOLS = MappingProxyType(
    {
        "icmp": 1,
        "ipip": 4,
        "tcp": 6,
        "udp": 17,
        "gre": 47,
        "esp": 50,
        "ah": 51,
        "icmpv6": 58,
        "sctp": 132,
    }
)
PROTOCOL_NAMES = MappingProxyType({number: name for name, number in PROTOCOLS.items()})
PORT_PROTOCOLS = ("tcp", "udp", "sctp")
ICMP_PROTOCOLS = ("icmp", "icmpv6")

ICMP_TYPES = MappingProxyType(
    {
        "icmp": {
            "echo-reply": 0,
            "destination-unreachable": 3,
            "source-quench": 4,
            "redirect": 5,
            "echo-request": 8,
            "router-advertisement": 9,
            "router-solicitation": 10,
            "time-exceeded": 11,
            "parameter-problem": 12,
            "timestamp-request": 13,
            "timestamp-reply": 14,
            "extended-echo-request": 42,
            "extended-echo-reply": 43,
        },
        "icmpv6": {
            "destination-unreachable": 1,
            "packet-too-big": 2,
            "time-exceeded": 3,
            "parameter-problem": 4,
            "echo-request": 128,
            "echo-reply": 129,
            "mld-listener-query": 130,
            "mld-listener-report": 131,
            "mld-listener-done": 132,
            "router-solicitation": 133,
            "router-advertisement": 134,
            "neighbor-solicitation": 135,
            "neighbor-advertisement": 136,
            "redirect": 137,
            "router-renumbering": 138,
            "mld2-listener-report": 143,
            "extended-echo-request": 160,
            "extended-echo-reply": 161,
        },
    }
)
ICMP_TYPE_NAMES = MappingProxyType(
    {proto: {n: name for name, n in types.items()} for proto, types in ICMP_TYPES.items()}
)

ICMP_CODES = MappingProxyType(
    {
        ("icmp", 3): {
            "net-unreachable": 0,
            "host-unreachable": 1,
            "protocol-unreachable": 2,
            "port-unreachable": 3,
            "fragmentation-needed": 4,
            "source-route-failed": 5,
            "net-unknown": 6,
            "host-unknown": 7,
            "net-prohibited": 9,
            "host-prohibited": 10,
            "admin-prohibited": 13,
        },
        ("icmp", 5): {"net-redirect": 0, "host-redirect": 1},
        ("icmp", 11): {"ttl-exceeded": 0, "reassembly-timeout": 1},
        ("icmpv6", 1): {
            "no-route": 0,
            "admin-prohibited": 1,
            "beyond-scope": 2,
            "address-unreachable": 3,
            "port-unreachable": 4,
            "failed-policy": 5,
            "reject-route": 6,
        },
        ("icmpv6", 3): {"hop-limit-exceeded": 0, "reassembly-timeout": 1},
        ("icmpv6", 4): {"erroneous-header": 0, "unknown-header": 1, "unknown-option": 2},
    }
)
"""By (protocol, type): names that are read; a code is always printed as a number."""

TCP_FLAGS = MappingProxyType(
    {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
)
"""Bits of the flag byte, in the order in which they are printed."""


def icmp_type_number(proto: str, value: str | int) -> int:
    """The number of a canonical icmp_type."""
    return value if isinstance(value, int) else ICMP_TYPES[proto][value]


def flag_names(bits: int) -> str:
    """`fin,syn` for 3; `none` for 0."""
    return ",".join(name for name, bit in TCP_FLAGS.items() if bits & bit) or "none"
