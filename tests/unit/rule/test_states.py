"""Why a packet is invalid, in words."""

from __future__ import annotations

import pytest

from xdpwall.rule.states import why_invalid


@pytest.mark.parametrize(
    ("proto", "tcp_flags", "icmp_type", "one_end", "words"),
    [
        ("tcp", "ack", None, False, "TCP ACK, no flow, no socket"),
        ("tcp", None, None, False, "TCP, no flow, no socket"),
        ("tcp", "ack", None, True, "from and to one endpoint"),
        ("icmp", None, "echo-reply", False, "nobody asked for it"),
        ("icmpv6", None, "echo-reply", False, "nobody asked for it"),
        ("icmp", None, "redirect", False, "a redirect belongs to no flow"),
        ("icmpv6", None, "packet-too-big", False, "an error about no flow"),
        ("icmp", None, None, False, "no flow"),
        (47, None, None, True, "from and to one endpoint"),
    ],
)
def test_why_invalid(
    proto: str | int, tcp_flags: str | None, icmp_type: str | None, one_end: bool, words: str
) -> None:
    assert why_invalid(proto, tcp_flags, icmp_type, one_end) == words
