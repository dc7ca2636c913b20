"""What the formats of the OpenAPI document mean, for schemathesis to draw from: words of the grammar
that JSON Schema has no words for."""

from __future__ import annotations

import base64

import schemathesis
from hypothesis import strategies as st

from xdpwall.sets.entries import Entries

_OCTET = st.integers(0, 255)
_ADDRESS4 = st.builds("{}.{}.{}.{}".format, _OCTET, _OCTET, _OCTET, _OCTET)
_ADDRESS6 = st.builds("2001:db8::{:x}".format, st.integers(1, 0xFFFF))
ADDRESS = _ADDRESS4 | _ADDRESS6
PREFIX = st.builds("{}.0.0.0/8".format, _OCTET) | st.builds("{}.{}.0.0/16".format, _OCTET, _OCTET)
ENTRY = ADDRESS | PREFIX | st.builds("2001:db8:{:x}::/48".format, st.integers(1, 0xFFFF))
INTERFACE = st.sampled_from(("eth1", "docker0", "lo", "nope", "br-0.12"))
_SELECTOR = INTERFACE | st.sampled_from(("veth*", "*", "ports:docker0"))
_PORTS = st.sampled_from(("22", "80,443", "8000-8100", "!53"))
FORMATS = {
    "one-line": st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126))
    | st.just("né"),
    "sentence": st.builds(
        "{} {} {}".format,
        st.sampled_from(("drop", "accept", "count")),
        st.sampled_from(("tcp/22", "udp", "icmp", "ipv6", "from 10.0.0.0/8", "ethertype arp")),
        st.sampled_from(("", "in", "out", "on eth1", "log", "disabled", 'comment "it is so"')),
    ),
    "packet": st.builds(
        "{} {} {}".format,
        st.sampled_from(("tcp/22", "udp from 10.0.0.1 to 10.0.0.2/53", "icmp", "ethertype arp")),
        st.sampled_from(("", "in", "out")),
        st.sampled_from(("", "on eth1", "vlan 7")),
    ),
    "interface": INTERFACE,
    "interface-match": _SELECTOR
    | _SELECTOR.map("!{}".format)
    | st.sampled_from(("container:web", "network:backend")),
    "address-match": st.builds("{}{}".format, st.sampled_from(("", "!")), ENTRY) | st.just("@bad"),
    "tcp-flags": st.sampled_from(("syn", "syn/syn,ack", "none/fin,syn,rst")),
    "proto": st.sampled_from(("tcp", "udp", "icmp", "icmpv6", "gre", "47")),
    "sport": _PORTS,
    "dport": _PORTS,
    "icmp_type": st.sampled_from(("echo-request", "8")),
    "icmp_code": st.sampled_from(("0", "3")),
    "vlan": st.sampled_from(("none", "!none", "100", "!100")),
    "length": st.sampled_from(("100", "40-100")),
    "ttl": st.sampled_from(("1", "1-64")),
    "ethertype": st.sampled_from(("arp", "any", "0x88cc")),
    "address": ADDRESS,
    "network": ADDRESS | PREFIX,
    "timeout": st.sampled_from(("30", "90s", "10m", "1h30m")),
    "state": st.sampled_from(("new", "established,related", "!invalid", "untracked, new")),
    "entry": ENTRY,
    "expiry": st.sampled_from(("10m", "2h", "1d", "2099-01-01T00:00:00Z")),
    "packed-set": st.lists(ADDRESS, max_size=20).map(
        lambda texts: base64.b64encode(Entries.of(texts).pack()).decode()
    ),
}


def register_formats() -> None:
    """Tell schemathesis."""
    for name, strategy in FORMATS.items():
        schemathesis.openapi.format(name, strategy)
