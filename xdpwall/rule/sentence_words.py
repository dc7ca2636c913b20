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
_DROPS = "here it is called drop, which ends the packet without an answer"
_ACCEPTS = "here it is called accept"
FOREIGN_ACTIONS = {
    **dict.fromkeys(("deny", "block", "reject", "discard", "refuse", "ban"), _DROPS),
    **dict.fromkeys(("allow", "permit", "pass", "return"), _ACCEPTS),
    "log": "log is a clause: count tcp/22 log",
    "rule": "a sentence begins with its action",
}
"""What other firewalls call an action: the hint for who writes it here. In lower case."""
FOREIGN_CLAUSES = {
    **dict.fromkeys(("source", "src", "saddr", "-s"), "here it is called from"),
    **dict.fromkeys(("destination", "dest", "dst", "daddr", "-d"), "here it is called to"),
    **dict.fromkeys(("iface", "interface", "dev", "via", "-i", "-o"), "here it is called on"),
    **dict.fromkeys(("iif", "iifname"), "here it is: on IFACE in"),
    **dict.fromkeys(("oif", "oifname"), "here it is: on IFACE out"),
    **dict.fromkeys(("ingress", "inbound", "incoming", "input"), "here it is called in"),
    **dict.fromkeys(("egress", "outbound", "outgoing", "output"), "here it is called out"),
    **dict.fromkeys(("port", "ports"), "a port stands behind a slash, tcp/22, or after dport"),
    **dict.fromkeys(
        ("any", "all", "anywhere", "everything", "ip"),
        "what a rule does not name is any: leave it out",
    ),
    **dict.fromkeys(("protocol", "-p"), "the protocol stands right after the action: drop tcp"),
    **dict.fromkeys(("ct", "ctstate", "conntrack"), "here it is called state"),
    **dict.fromkeys(
        ("new", "established", "related", "invalid", "untracked"),
        "a state stands after state: state established,related",
    ),
    **dict.fromkeys(
        ("synproxy", "syncookie", "syncookies", "syn-cookie"), "here it is called cookie"
    ),
    "stateful": "packets that pass by an accept rule make a flow with: keep",
    **dict.fromkeys(("rate", "ratelimit", "rate-limit", "hashlimit"), "here it is called limit"),
    "burst": "it follows a rate: limit 50/s burst 100",
    "per": "it follows a rate: over 6/m per src",
    "ping": "a ping is icmp/echo-request, or icmpv6/echo-request",
    "and": "clauses follow each other without a word between them",
}
"""What other firewalls call a clause: the hint for who writes it here. In lower case."""
