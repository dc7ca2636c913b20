"""Who gives way when there are too many connections: a table of crowds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from xdpwall.api.serving.crowd import BUSY, IDLE, WAITING, Crowd, Rank

MOST, OF_ONE, OF_WAITING = 12, 6, 3


@dataclass(eq=False)
class Caller:
    standing: int
    since: int

    def rank(self) -> Rank:
        return Rank(self.standing, self.since)


@pytest.mark.parametrize(
    ("there", "owner", "standing", "leaving"),
    [
        # (owner, standing, how many) of those who are there, in the order in which they came.
        ([], 1000, WAITING, None),
        ([(1000, WAITING, 2)], 1000, WAITING, None),
        ([(1000, WAITING, 3)], 1000, WAITING, 0),
        ([(1000, WAITING, 3)], 1001, WAITING, None),
        ([(1000, BUSY, 1), (1000, WAITING, 3)], 1000, WAITING, 1),
        ([(None, WAITING, 3)], None, WAITING, 0),
        ([(1000, BUSY, 3)], 1000, WAITING, None),
        ([(1000, BUSY, 5), (1000, IDLE, 1)], 1000, BUSY, 5),
        ([(1000, BUSY, 6)], 1000, BUSY, "itself"),
        ([(0, BUSY, 6)], 0, BUSY, None),
        ([(0, BUSY, 12)], 0, BUSY, "itself"),
        ([(0, BUSY, 11), (0, IDLE, 1)], 0, BUSY, 11),
        ([(1000, BUSY, 6), (1001, BUSY, 6)], 1002, WAITING, 0),
        ([(1000, BUSY, 6), (1001, BUSY, 2), (1001, IDLE, 4)], 1002, WAITING, 0),
        ([(1000, BUSY, 2), (1001, IDLE, 4), (1000, BUSY, 4), (1001, WAITING, 2)], 1002, WAITING, 0),
        ([(1000, BUSY, 1), (1001, BUSY, 6), (1002, BUSY, 5)], 1000, WAITING, 1),
        ([(uid, BUSY, 1) for uid in range(12)], 1002, BUSY, "itself"),
        ([(uid, WAITING, 3) for uid in range(1000, 1004)], 1005, WAITING, 0),
    ],
)  # fmt: skip
def test_who_gives_way(
    there: list[tuple[int | None, int, int]],
    owner: int | None,
    standing: int,
    leaving: int | str | None,
) -> None:
    crowd: Crowd[Caller] = Crowd(MOST, OF_ONE, OF_WAITING)
    members: list[Caller] = []
    for uid, how, count in there:
        for _ in range(count):
            one = Caller(BUSY, len(members))
            assert crowd.enter(one, uid) is None
            members.append(one)
            one.standing = how
    newcomer = Caller(standing, len(members))
    gone = crowd.enter(newcomer, owner)
    wanted = newcomer if leaving == "itself" else None if leaving is None else members[int(leaving)]
    assert gone is wanted
    assert len(crowd) == len(members) + (gone is None)


def test_who_left_leaves_room() -> None:
    crowd: Crowd[Caller] = Crowd(2, 2, 2)
    first, second, third = (Caller(BUSY, number) for number in range(3))
    crowd.enter(first, 0)
    crowd.enter(second, 0)
    crowd.leave(first)
    crowd.leave(first)
    assert crowd.enter(third, 0) is None
    assert len(crowd) == 2
