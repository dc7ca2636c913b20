"""The words of the sentence: actions, and the field of each clause. Tables only."""

from __future__ import annotations

ACTIONS = ("drop", "accept", "count")
VALUED = {
    "from": ("src", "an address, a prefix or @set"),
    "to": ("dst", "an address, a prefix or @set"),
    "sport": ("sport", "a port, a range or a list"),
    "dport": ("dport", "a port, a range or a list"),
    "on": ("iface", "the name of an interface"),
    "vlan": ("vlan", "a VLAN id or none"),
    "flags": ("tcp_flags", "WANT/MASK, like syn/syn,ack"),
    "length": ("length", "a number or a range"),
    "ttl": ("ttl", "a number or a range"),
    "ethertype": ("ethertype", "arp, any or a number like 0x88cc"),
    "state": ("state", "one or more of new, established, related, invalid, untracked"),
    "limit": ("limit", "a rate like 50/s, 6/m or 10MB/s"),
    "over": ("over", "a rate like 50/s, 6/m or 10MB/s"),
    "for": ("expires", "a duration like 10m"),
    "until": ("expires", "a time like 2026-11-21T10:00:00Z"),
    "comment": ("comment", 'text in quotes: comment "no pings"'),
}
"""Clause words that take the next word: the field, and what stands there."""
BARE: dict[str, tuple[str, object]] = {
    "ipv4": ("family", "ipv4"),
    "ipv6": ("family", "ipv6"),
    "in": ("direction", "ingress"),
    "out": ("direction", "egress"),
    "unfragmented": ("fragment", False),
    "keep": ("keep", True),
    "cookie": ("cookie", True),
    "log": ("log", True),
    "disabled": ("enabled", False),
}
"""Clause words that stand alone: the field and its value."""
FIELD_OF_WORD = {word: field for word, (field, _) in (VALUED | BARE).items()}
"""The field of each clause word."""
RATED = {
    "burst": "a number of packets like 20, or of bytes like 66kB",
    "per": "src, or src/N for wider networks",
}
"""Words that may follow the rate of `limit` and `over`, each with what it takes."""
NEGATABLE = ("from", "to", "sport", "dport", "on", "vlan", "state")
CLAUSES = (
    *("ipv4", "ipv6", "from", "to", "sport", "dport", "on", "in", "out", "vlan", "flags"),
    *("length", "ttl", "fragment", "unfragmented", "ethertype", "state", "limit", "over"),
    *("keep", "cookie", "log"),
    *("disabled", "for", "until", "comment"),
)
