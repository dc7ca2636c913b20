"""Names out of packets' surroundings are anybody's to choose: they move no cursor, end no line."""

from __future__ import annotations

from typing import Any

import pytest

from xdpwall.cli.options import invocation
from xdpwall.cli.terminal import drop_line
from xdpwall.cli.terminal.event_line import event_words
from xdpwall.cli.terminal.packet_line import packet_words
from xdpwall.views.drops import Drop
from xdpwall.views.events import PacketEvent

EVIL = "\x1b[2J\x07\n00:00 lies\u202e"
SHOWN = "\\x1b[2J\\x07\\n00:00 lies\\u202e"


@pytest.mark.parametrize("name", ["iface", "process"])
def test_a_traced_drop_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    fields: dict[str, Any] = {"iface": "eth0", "process": "nc", "pid": 7, "function": "f"}
    drop = Drop(
        by="kernel", time="2026-11-21T10:00:00.000001Z", reason="R", **fields | {name: EVIL}
    )
    invocation.set_new()
    drop_line.drop_printer()(drop)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and SHOWN in said and "\x1b" not in said


def test_states_and_answers_are_told() -> None:
    """By events and traces in the same words, behind the packet's headers."""
    seen: dict[str, Any] = {"family": "ipv4", "proto": "tcp", "src": "192.0.2.1", "sport": 5}
    seen |= {"dst": "192.0.2.2", "dport": 443, "tcp_flags": "syn", "state": "new"}
    event = PacketEvent(
        n=1, time="t", iface="eth0", verdict="pass", revision=1, bytes=60, answered=True, **seen
    )
    words = "tcp 192.0.2.1:5 > 192.0.2.2:443 syn state new"
    assert event_words(event).endswith(f"{words} answered")
    assert " ".join(packet_words(Drop(by="policy", time="t", **seen), [])) == words
    stray = Drop(by="policy", time="t", **seen | {"tcp_flags": "fin,ack", "state": "invalid"})
    assert "state invalid (TCP FIN,ACK, no flow, no socket)" in " ".join(packet_words(stray, []))


def test_an_event_is_one_line() -> None:
    event = PacketEvent(n=1, time="t", iface=EVIL, verdict="drop", revision=1, bytes=60)
    assert SHOWN in event_words(event) and "\n" not in event_words(event)
