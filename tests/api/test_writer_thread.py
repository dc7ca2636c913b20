"""Changes are made one after the other, whole, and their ends reach who waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from xdpwall.api.serving.writer_thread import WriterThread

LONG = 60.0


def go(main: Callable[[WriterThread], Awaitable[None]]) -> None:
    async def timed() -> None:
        await asyncio.wait_for(main(WriterThread()), LONG)

    asyncio.run(timed())


def test_one_after_the_other_in_one_thread() -> None:
    async def main(writer: WriterThread) -> None:
        done: list[int] = []
        threads = set()

        def work(number: int) -> int:
            threads.add(threading.get_ident())
            done.append(number)
            return number * 2

        answers = await asyncio.gather(*(writer.run(lambda n=n: work(n)) for n in range(50)))  # type: ignore[misc]
        assert answers == [n * 2 for n in range(50)]
        assert done == list(range(50))
        assert len(threads) == 1 and threading.get_ident() not in threads

    go(main)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_what_it_raises_is_raised_and_the_next_one_runs(kind: type[BaseException]) -> None:
    async def main(writer: WriterThread) -> None:
        def broken() -> None:
            raise kind("so")

        with pytest.raises(kind, match="so"):
            await writer.run(broken)
        assert await writer.run(lambda: 1) == 1

    go(main)


def test_what_a_future_refuses_is_told_too() -> None:
    async def main(writer: WriterThread) -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await writer.run(lambda: next(iter(())))

    go(main)


def test_what_was_begun_is_done_and_what_nobody_waits_for_is_not_begun() -> None:
    async def main(writer: WriterThread) -> None:
        began, may_end, done = threading.Event(), threading.Event(), []

        def slow() -> None:
            began.set()
            assert may_end.wait(LONG)
            done.append("slow")

        first = asyncio.ensure_future(writer.run(slow))
        second = asyncio.ensure_future(writer.run(lambda: done.append("never")))
        await asyncio.sleep(0)
        await asyncio.to_thread(began.wait, LONG)
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled() and second.cancelled()
        may_end.set()
        await writer.run(lambda: done.append("last"))
        assert done == ["slow", "last"]

    go(main)


def test_it_outlives_the_loop_that_asked() -> None:
    writer = WriterThread()
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        may_end.wait(LONG)
        ended.set()

    async def leave() -> None:
        task = asyncio.ensure_future(writer.run(slow))
        await asyncio.to_thread(began.wait, LONG)
        task.cancel()

    asyncio.run(leave())
    may_end.set()
    assert ended.wait(LONG)
    assert asyncio.run(writer.run(lambda: 1)) == 1
