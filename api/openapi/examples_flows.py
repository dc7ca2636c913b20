"""Example answers of /flows."""

from __future__ import annotations

from typing import Any

FILL: dict[str, Any] = {
    "tracking": True,
    "size": 262144,
    "ipv4": 1,
    "ipv6": 0,
    "counts": {
        "made": 12,
        "by_socket": 1,
        "evicted": {"tcp": 0, "udp": 0, "icmp": 0, "other": 0},
        "lost": 0,
        "invalid": 4,
    },
}
FLOWS: dict[str, Any] = {
    "total": 1,
    "fill": FILL,
    "flows": [
        {
            "family": "ipv4",
            "proto": "tcp",
            "src": "10.0.0.5",
            "sport": 40312,
            "dst": "203.0.113.80",
            "dport": 443,
            "state": "established",
            "assured": True,
            "age": 73,
            "expires": 7998,
            "packets": 412,
        }
    ],
}
FLUSHED: dict[str, Any] = {"flushed": 3}
SIZED = {"places": 1048576, "in_force": True, "warnings": []}
