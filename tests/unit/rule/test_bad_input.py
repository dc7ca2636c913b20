"""Bad input for every field: the error names the field, the value, and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.field_names import RULE_FIELDS
from xdpwall.rule.rule import Rule

BAD: list[tuple[str, object, dict[str, Any], str]] = [
    ("id", "No Ping", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("id", "", {}, "1 to 32"),
    ("id", "a" * 33, {}, "1 to 32"),
    ("id", 5, {}, "in quotes"),
    ("action", "reject", {}, "drop or accept or count"),
    ("action", "DENY", {}, "drop or accept or count"),
    ("action", True, {}, "drop or accept or count"),
    ("iface", "", {}, "1 to 15 bytes"),
    ("iface", "a-very-long-name", {}, "1 to 15 bytes"),
    ("iface", "eth 0", {}, "without blanks"),
    ("iface", "eth0\x00", {}, "without blanks"),
    ("iface", "eth/0", {}, "without / and :"),
    ("iface", "..", {}, "like eth0"),
    ("iface", "!!eth0", {}, "like eth0"),
    ("iface", 7, {}, "in quotes"),
    ("direction", "in", {}, "ingress or egress"),
    ("ethertype", "ipv4", {}, "use family"),
    ("ethertype", 0x86DD, {}, "family: ipv6"),
    ("ethertype", "0x0800", {}, "family: ipv4"),
    ("ethertype", 1500, {}, "0x0600 to 0xffff"),
    ("ethertype", 65536, {}, "0x0600 to 0xffff"),
    ("ethertype", "lldp", {}, "0x0600 to 0xffff"),
    ("ethertype", True, {}, "0x0600 to 0xffff"),
    ("family", "inet", {}, "ipv4 or ipv6"),
    ("family", 4, {}, "ipv4 or ipv6"),
    ("proto", "tpc", {}, "0 to 255"),
    ("proto", 256, {}, "0 to 255"),
    ("proto", -1, {}, "0 to 255"),
    ("proto", "06", {}, "0 to 255"),
    ("proto", 6.0, {}, "0 to 255"),
    ("proto", 1 << 70000, {}, "0 to 255"),
    ("src", "10.0.0.5/8", {}, "10.0.0.0/8 (the network) or 10.0.0.5/32 (the one address)"),
    ("src", "2001:db8::1/32", {}, "2001:db8::/32 (the network) or 2001:db8::1/128"),
    ("src", "010.0.0.1", {}, "10.0.0.1 if the numbers are decimal"),
    ("src", "10.0.0.0/255.0.0.0", {}, "10.0.0.0/8"),
    ("src", "10.0.0.0/0.255.255.255", {}, "10.0.0.0/8"),
    ("src", "10.0.0.0/255.0.255.0", {}, "a prefix length"),
    ("src", "10.0.0.0/33", {}, "0 to 32"),
    ("src", "10.0.0.0/08", {}, "0 to 32"),
    ("src", "10.0.0.0/", {}, "0 to 32"),
    ("src", "::/129", {}, "0 to 128"),
    ("src", "10.1/16", {}, "in full"),
    ("src", "10.0.0.256", {}, "an address or a prefix"),
    ("src", "::ffff:10.0.0.1", {}, "the IPv4 spelling, 10.0.0.1"),
    ("src", "::ffff:10.0.0.0/104", {}, "10.0.0.0/8"),
    ("src", "fe80::1%eth0", {}, "fe80::1"),
    ("src", "[2001:db8::1]", {}, "2001:db8::1"),
    ("src", "2001:db8:::1", {}, "an address or a prefix"),
    ("src", "10.0.0.1,10.0.0.2", {}, "one address or prefix"),
    ("src", "10.0.0.1-10.0.0.9", {}, "an address or a prefix"),
    ("src", "10.0.0.*", {}, "an address or a prefix"),
    ("src", "example.org", {}, "an address or a prefix"),
    ("src", "any", {}, "leave src out"),
    ("src", "١٠.0.0.1", {}, "an address or a prefix"),
    ("src", "", {}, "leave src out"),
    ("src", 10, {}, "in quotes"),
    ("src", "@Friends", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("src", "@", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("dst", "!@-friends", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("dst", "@friends/24", {}, "1 to 32 of a-z, 0-9, _ and -"),
    ("dst", "10.0.0.5/8", {}, "10.0.0.0/8"),
    ("dst", None, {}, "no dst at all"),
    ("sport", "gopher", {"proto": "tcp"}, "0 to 65535"),
    ("sport", 70000, {"proto": "tcp"}, "0 to 65535"),
    ("sport", -1, {"proto": "tcp"}, "0 to 65535"),
    ("sport", "70000", {"proto": "tcp"}, "0 to 65535"),
    ("sport", True, {"proto": "tcp"}, "0 to 65535"),
    ("sport", "80,", {"proto": "tcp"}, "0 to 65535"),
    ("sport", "90-80", {"proto": "tcp"}, "0 to 65535"),
    ("sport", 53, {}, "tcp, udp or sctp"),
    ("dport", 53, {"proto": "icmp"}, "tcp, udp or sctp"),
    ("dport", "080", {"proto": "tcp"}, "0 to 65535"),
    ("dport", "!", {"proto": "tcp"}, "0 to 65535"),
    ("icmp_type", 8, {}, "icmp or icmpv6"),
    ("icmp_type", 8, {"proto": "tcp"}, "icmp or icmpv6"),
    ("icmp_type", "ping", {"proto": "icmp"}, "a name or 0 to 255"),
    ("icmp_type", 256, {"proto": "icmp"}, "0 to 255"),
    ("icmp_type", None, {"proto": "icmp"}, "no icmp_type at all"),
    ("icmp_code", 1, {"proto": "icmp"}, "icmp_type beside it"),
    ("icmp_code", 1, {}, "icmp or icmpv6"),
    ("icmp_code", "port", {"proto": "icmp", "icmp_type": 3}, "port-unreachable"),
    ("icmp_code", 256, {"proto": "icmp", "icmp_type": 3}, "0 to 255"),
    ("tcp_flags", "syn/syn", {}, "tcp beside it"),
    ("tcp_flags", "syn/syn", {"proto": "udp"}, "tcp beside it"),
    ("tcp_flags", "none", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", "syn/ack", {"proto": "tcp"}, "syn/syn,ack"),
    ("tcp_flags", "sin/syn", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", "", {"proto": "tcp"}, "WANT/MASK"),
    ("tcp_flags", 2, {"proto": "tcp"}, "WANT/MASK"),
    ("vlan", 4096, {}, "0 to 4095"),
    ("vlan", "!4096", {}, "0 to 4095"),
    ("vlan", "all", {}, "0 to 4095"),
    ("vlan", False, {}, "0 to 4095"),
    ("length", 65576, {}, "0 to 65575"),
    ("length", "9-1", {}, "1-9"),
    ("length", "big", {}, "a number or a range"),
    ("ttl", 256, {}, "0 to 255"),
    ("ttl", "1-256", {}, "0 to 255"),
    ("ttl", "-1", {}, "a number or a range"),
    ("fragment", "middle", {}, "true, false, first or later"),
    ("fragment", 1, {}, "true, false, first or later"),
    ("expires", "tomorrow", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-11-21", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-11-21T10:00:00", {}, "2026-11-21T10:00:00Z"),
    ("expires", "2026-02-30T10:00:00Z", {}, "2026-11-21T10:00:00Z"),
    ("expires", "0001-01-01T00:00:00+23:00", {}, "2026-11-21T10:00:00Z"),
    ("expires", "10", {}, "10m"),
    ("expires", "0s", {}, "1 second"),
    ("expires", "999999w", {}, "100 years"),
    ("expires", 600, {}, "10m"),
    ("enabled", "yes", {}, "true or false"),
    ("enabled", 1, {}, "true or false"),
    ("log", "yes", {}, "true or false"),
    ("log", 1, {}, "true or false"),
    ("comment", "x" * 257, {}, "256"),
    ("comment", "a\nb", {}, "one line"),
    ("comment", "a\u202eb", {}, "one line"),
    ("comment", "a\ud800b", {}, "one line"),
    ("comment", 5, {}, "256 characters"),
    ("family", "ipv6", {"proto": "icmp"}, "proto: icmpv6"),
    ("family", "ipv4", {"proto": "icmpv6"}, "proto: icmp"),
    ("src", "2001:db8::1", {"proto": "icmp"}, "proto: icmpv6"),
    ("dst", "10.0.0.1", {"proto": 58}, "proto: icmp"),
    ("dst", "10.0.0.1", {"src": "2001:db8::1"}, "one family"),
    ("family", "ipv6", {"src": "10.0.0.1"}, "one family"),
    ("family", "ipv4", {"ethertype": "any"}, "family or ethertype, not both"),
    ("proto", "udp", {"ethertype": "arp"}, "proto or ethertype, not both"),
    ("src", "10.0.0.1", {"ethertype": "arp"}, "src or ethertype, not both"),
    ("ttl", 4, {"ethertype": "0x88cc"}, "ttl or ethertype, not both"),
    ("fragment", False, {"ethertype": "0x88cc"}, "fragment or ethertype, not both"),
    ("packets", 5, {}, "without packets"),
    ("position", 1, {}, "without position"),
    ("port", 80, {}, "known: id, action"),
]


@pytest.mark.parametrize(
    ("field", "value", "beside", "right"),
    BAD,
    ids=[f"{field}-{index}" for index, (field, *_) in enumerate(BAD)],
)
def test_bad_input_is_named_and_answered(
    field: str, value: object, beside: dict[str, Any], right: str
) -> None:
    obj = {"action": "drop", **beside, field: value}
    with pytest.raises(InvalidInput) as caught:
        Rule.parse(obj)
    error = caught.value
    assert error.field == field
    assert error.message.startswith(f"{field}: ")
    assert right in error.message
    assert len(error.message) < 400
    if isinstance(value, str):
        shown = value.lstrip("!")[:40] if "not in this version" in right else repr(value)[:30]
        assert shown in error.message
    if "not in this version" in right:
        assert error.code == "not-in-this-version"


def test_the_table_leaves_no_field_out() -> None:
    assert {field for field, *_ in BAD} >= set(RULE_FIELDS)
