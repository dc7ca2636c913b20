"""What a filter of events lets through."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.events.filter import EventFilter
from xdpwall.views.events import PacketEvent

PACKET: dict[str, Any] = {
    "n": 1, "time": "2026-11-21T10:00:00.000000Z", "iface": "eth0", "verdict": "drop", "rule": "r1",
    "log": "watch", "revision": 1, "bytes": 60, "proto": "tcp", "src": "192.0.2.1",
    "dst": "198.51.100.2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "changes", "wanted"),
    [
        ({}, {}, True),
        ({"rule": "r1"}, {}, True),
        ({"rule": "watch"}, {}, True),
        ({"rule": "r2"}, {}, False),
        ({"src": "192.0.2.1"}, {}, True),
        ({"src": "192.0.2.0/24"}, {}, True),
        ({"src": "192.0.3.0/24"}, {}, False),
        ({"src": "0.0.0.0/0"}, {}, True),
        ({"src": "!192.0.2.0/24"}, {}, False),
        ({"src": "!192.0.3.0/24"}, {}, True),
        ({"src": "2001:db8::/32"}, {}, False),
        ({"src": "!2001:db8::/32"}, {}, False),
        ({"src": "2001:db8::/32"}, {"src": "2001:db8::7"}, True),
        ({"src": "192.0.2.1"}, {"src": None}, False),
        ({"dst": "198.51.100.2"}, {}, True),
        ({"iface": "eth0"}, {}, True),
        ({"iface": "!eth0"}, {}, False),
        ({"iface": "eth1"}, {}, False),
        ({"verdict": "drop"}, {}, True),
        ({"verdict": "pass"}, {}, False),
        ({"proto": "tcp"}, {}, True),
        ({"proto": "6"}, {}, True),
        ({"proto": "udp"}, {}, False),
        ({"proto": "89"}, {"proto": 89}, True),
        ({"verdict": "drop", "proto": "udp"}, {}, False),
    ],
)
def test_all_that_is_given_must_hold(
    given: dict[str, str], changes: dict[str, Any], wanted: bool
) -> None:
    event = PacketEvent(**{**PACKET, **changes})
    assert EventFilter.parse(**given).wants(event) is wanted


@pytest.mark.parametrize(
    ("field", "value"),
    [("src", "10.0.0.1/8"), ("dst", "x"), ("iface", ""), ("verdict", "reject"), ("proto", "tpc")],
)
def test_bad_filters_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        EventFilter.parse(**{field: value})
    assert caught.value.field == field
