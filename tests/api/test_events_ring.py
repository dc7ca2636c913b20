"""The buffer of events: bounded, and honest about what it has forgotten."""

from __future__ import annotations

import pytest

from xdpwall.api.stream.ring import EventRing


def filled(count: int, *, most: int = 5, most_bytes: int = 10_000, size: int = 2) -> EventRing:
    ring = EventRing(most=most, most_bytes=most_bytes)
    for _ in range(count):
        ring.append("counters", b"x" * size)
    return ring


def test_a_reader_goes_from_event_to_event() -> None:
    ring = filled(3)
    assert ring.after(0) == f"id: {ring.id_of(1)}\nevent: counters\ndata: xx\n\n".encode()
    assert ring.after(2).startswith(f"id: {ring.id_of(3)}\n".encode())
    assert ring.after(3) == b""


def test_the_oldest_are_forgotten_by_number_and_by_bytes() -> None:
    for ring in (filled(20), filled(20, most=100, most_bytes=700, size=100)):
        assert ring.newest == 20
        assert 15 <= ring.oldest <= 16
        assert ring.after(ring.oldest - 1)
        for gone in (0, ring.oldest - 2):
            with pytest.raises(KeyError):
                ring.after(gone)


def test_one_huge_event_is_kept_all_the_same() -> None:
    ring = filled(3, most_bytes=100, size=5000)
    assert (ring.oldest, ring.newest) == (3, 3)


def test_ids_lead_back_as_long_as_what_follows_is_known() -> None:
    ring = filled(8)
    assert [ring.number_of(ring.id_of(number)) for number in (0, 2, 3, 8, 9)] == [
        None, None, 3, 8, None,
    ]  # fmt: skip
    assert ring.number_of(None) is None
    assert EventRing().number_of(ring.id_of(0)) is None
    assert ring.number_of(ring.id_of(0).replace("0", "٠")) is None


def test_another_run_has_other_ids() -> None:
    assert filled(1).id_of(1) != filled(1).id_of(1)
