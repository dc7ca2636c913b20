"""The names of a rule's fields, in the order in which a rule prints them. Tables only.

`rule list` reads them too, so nothing is imported here.
"""

from __future__ import annotations

RULE_FIELDS = (
    *("id", "action", "iface", "direction", "ethertype", "family", "proto", "src", "dst"),
    *("sport", "dport", "icmp_type", "icmp_code", "tcp_flags", "vlan", "length", "ttl"),
    *(
        "fragment",
        "state",
        "limit",
        "over",
        "keep",
        "cookie",
        "expires",
        "enabled",
        "log",
        "comment",
    ),
)

RATE_FIELDS = ("limit", "over")

MATCH_FIELDS = tuple(
    name
    for name in RULE_FIELDS
    if name not in ("id", "keep", "cookie", "expires", "enabled", "log", "comment")
)
"""The fields, `action` among them, whose change starts a rule's counters anew."""

IP_FIELDS = tuple(
    name
    for name in MATCH_FIELDS
    if name not in ("action", "iface", "direction", "ethertype", "vlan", *RATE_FIELDS)
)
"""The fields that only IP packets have."""

READ_ONLY_FIELDS = (
    *(
        "text",
        "position",
        "packets",
        "bytes",
        "limited",
        "answered",
        "last_hit",
        "created",
        "expired",
    ),
)
"""What a rule that is read back has besides: its sentence, place, counters and times."""
