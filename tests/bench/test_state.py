"""The benchmark of state and rates times what its table says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.packets.objects import compile_object
from bench.packets.test_run import WrongVerdict
from bench.state import contenders
from bench.state.__main__ import report
from bench.state.contenders import Contenders, Row
from bench.state.frames import answering, asking, peer, stray
from tests.support.net.netns import Lab

SENT = 1 << 11


@pytest.fixture
def to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contenders]:
    monkeypatch.setattr(contenders, "MOST_SENT", SENT)
    lab = Lab("tests/bench/state")
    lab.clean()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        yield Contenders(stack, lab, compile_object("driver", Path(folder)))
    lab.clean()


def test_no_two_flows_are_alike() -> None:
    assert len({peer(n) for n in range(1 << 17)}) == 1 << 17
    for frames in (asking(64), answering(64), stray(64)):
        assert {len(frame) for frame in frames} == {60}
        assert len(set(frames)) == 64
    assert asking(4, first=4) == asking(8)[4:]


def test_both_are_timed_on_flows_that_they_know(to: Contenders) -> None:
    frames = asking(32)
    to.ours("ours", None, ["accept udp state established"], frames, flows=32)
    chain = "type filter hook prerouting priority -150;"
    text = f"table inet t {{ chain c {{ {chain} ct state established counter accept\n}}\n}}\n"
    to.nft("theirs", "ours", text, frames, flows=32)
    for row in to.rows:
        row.times = [row.sends() for _ in range(2)]
        assert min(row.times) > 0
    assert "| theirs" in report(to.rows)


def test_what_is_not_judged_as_the_row_says_is_not_timed(to: Contenders) -> None:
    with pytest.raises(WrongVerdict, match="unknown: drops"):
        to.ours("unknown", None, ["accept udp state established"], asking(32))


def test_a_difference_is_taken_round_by_round() -> None:
    rows = [Row("base", None, int, [10, 30, 20]), Row("more", "base", int, [15, 31, 24])]
    last = report(rows).splitlines()[-1].split("|")
    assert [cell.strip() for cell in last[4:6]] == ["+5", "+4"]
