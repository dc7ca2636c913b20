"""When an attachment is said to see nothing."""

from __future__ import annotations

import pytest

from xdpwall.attach.sight import (
    ENOUGH,
    INTERVAL,
    WINDOW,
    Sample,
    Sight,
    can_be_compared,
    sees_nothing,
)
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Place

ROW = Attachment("eth0", "xdp", 2, "auto", 0, "2026-12-01T08:00:00Z", "native")
Samples = list[tuple[int, int] | tuple[int, int, int] | None]


def told(samples: Samples, every: float = INTERVAL) -> list[int]:
    """What is unseen after each: (seen, received), (seen before, received, seen), or no sample."""
    sight, found = Sight(), []
    for number, one in enumerate(samples):
        there = {}
        if one is not None:
            there[ROW] = Sample(*one) if len(one) == 3 else Sample(one[0], one[1], one[0])
        sight.note(number * every, there)
        found.append(sight.unseen(ROW))
    return found


@pytest.mark.parametrize(
    ("samples", "unseen"),
    [
        # Nothing seen while packets come: known once two samples have met new ones.
        ([(0, 0), (0, 100), (0, 200), (0, 300)], [0, 0, 200, 300]),
        ([(7, 50), (7, 60), (7, 70), (7, 80)], [0, 0, 20, 30]),
        ([(0, 0), (0, 9), (0, 18), (0, 27)], [0, 0, 0, 27]),
        # One burst that a card tells late, or that came while it was switched off and on.
        ([(0, 0), (0, 100), (0, 100), (0, 100)], [0, 0, 0, 0]),
        # Seen, however little.
        ([(0, 0), (1, 100), (2, 200), (3, 300)], [0, 0, 0, 0]),
        ([(0, 0), (0, 100), (1, 200), (1, 300)], [0, 0, 0, 0]),
        # Idle.
        ([(5, 5), (5, 5), (5, 5)], [0, 0, 0]),
        # Seen between the first reading of SEEN and that of the interface.
        ([(0, 50, 50), (50, 50, 50), (50, 50, 50), (50, 50, 50)], [0, 0, 0, 0]),
        # Received between the first reading of SEEN and the last.
        ([(0, 0, 40), (40, 40, 40), (40, 40, 40)], [0, 0, 0]),
        # Known, and then quiet: still so, until it sees a packet.
        ([(0, 0), (0, 100), (0, 200), (0, 200), (1, 201), (1, 201)], [0, 0, 200, 200, 0, 0]),
        # Not in place, or switched off, for a moment: it begins anew.
        ([(0, 0), (0, 100), None, (0, 200), (0, 300), (0, 400)], [0, 0, 0, 0, 0, 200]),
        # The interface's counter was reset.
        ([(0, 900), (0, 910), (0, 5), (0, 10), (0, 26)], [0, 0, 0, 0, 21]),
    ],
)
def test_told(samples: Samples, unseen: list[int]) -> None:
    assert told(samples) == unseen


def test_a_frame_now_and_then_is_none(  # flow control, which a card counts and keeps to itself
) -> None:
    seconds = WINDOW / (ENOUGH - 2)
    assert set(told([(0, number) for number in range(10 * ENOUGH)], every=seconds)) == {0}
    assert told([(0, number) for number in range(10 * ENOUGH)], every=seconds / 2)[-1] > 0


def test_each_is_found_once() -> None:
    sight = Sight()
    found = [sight.note(n * INTERVAL, {ROW: Sample(0, 100 * n, 0)}) for n in range(5)]
    assert found == [[], [], [ROW], [], []]


@pytest.mark.parametrize(
    ("place", "kind", "beside", "compared"),
    [
        ("xdp", None, True, True),
        ("xdp", "veth", True, True),
        ("tc-ingress", None, False, True),
        ("tc-ingress", None, True, False),
        ("tc-egress", None, False, False),
        ("xdp", "bond", True, False),
        ("tc-ingress", "team", False, False),
    ],
)
def test_what_can_be_compared(place: Place, kind: str | None, beside: bool, compared: bool) -> None:
    row = Attachment("eth0", place, 2, None, 0, "", None, kind)
    assert can_be_compared(row, xdp_beside=beside) == compared


def test_the_cure_is_that_of_the_mode() -> None:
    assert sees_nothing(ROW) == (
        "eth0 xdp: sees nothing: the interface receives packets, and this program is handed none of "
        "them; `xdpwall detach eth0 --hook xdp`, then `xdpwall attach eth0 --mode generic`"
    )
