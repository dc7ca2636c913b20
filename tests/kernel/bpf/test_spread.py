"""Pieces of work by several threads: each once, and nothing goes on after an error."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from xdpwall.kernel.bpf.spread import spread


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_each_piece_once(count: int) -> None:
    done: list[int] = []
    spread(done.append, range(count))
    assert sorted(done) == list(range(count))


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPUs for two threads, whatever this machine has."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def here() -> bool:
    """Whether this is the thread that called."""
    return threading.current_thread() is threading.main_thread()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("caller", [True, False])
def test_the_first_error_ends_it(caller: bool) -> None:
    both, begun = threading.Barrier(2), list[int]()
    before = threading.enumerate()

    def work(piece: int) -> None:
        begun.append(piece)
        if piece < 2:
            both.wait(30)
            if here() is caller:
                raise OSError(f"piece {piece}")

    with pytest.raises(OSError, match="piece"):
        spread(work, range(1_000_000))
    assert threading.enumerate() == before
    assert len(begun) < 1_000_000


@pytest.mark.usefixtures("two")
def test_ctrl_c_ends_it_when_nothing_is_at_work() -> None:
    both, ended = threading.Barrier(2), list[int]()

    def work(piece: int) -> None:
        both.wait(30)
        if not here():
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            ended.append(piece)

    with pytest.raises(KeyboardInterrupt):
        spread(work, range(2))
    assert len(ended) == 1
