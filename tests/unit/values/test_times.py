"""The canonical time: one spelling, whatever it is made of, and it reads back."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from xdpwall.values.time_read import parse_moment
from xdpwall.values.times import epoch_ns_text, epoch_seconds, epoch_text, time_text

SECONDS = st.integers(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()))


@given(SECONDS)
def test_seconds_are_spelled_and_read_back(seconds: int) -> None:
    text = epoch_text(seconds)
    assert epoch_seconds(text) == seconds
    assert parse_moment("expires", text) == text


@given(SECONDS, st.integers(0, 10**9 - 1))
def test_a_fraction_is_cut_to_microseconds(seconds: int, rest: int) -> None:
    text = epoch_ns_text(seconds * 10**9 + rest)
    moment = datetime.fromisoformat(text)
    assert text == f"{epoch_text(seconds)[:-1]}.{moment.microsecond:06d}Z"
    assert moment.microsecond == rest // 1000
    assert time_text(moment) == epoch_text(seconds)


def test_years_have_four_digits() -> None:
    assert time_text(datetime(7, 1, 2, 3, 4, 5, 678, UTC)) == "0007-01-02T03:04:05Z"
