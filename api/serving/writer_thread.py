"""The one thread in which changes are made, fed by the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Job(NamedTuple):
    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


class WriterThread:
    """A thread that runs calls one after the other. It is a daemon thread: closing the firewall
    waits for the call that runs then.

    Not anyio's threads: to lend one takes as long as half of what a small change writes.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """Run `call` in the thread; return or raise what it does.

        A cancelled call that has begun is finished; one that has not begun is dropped.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="xdpwall-write", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Job(call, loop, answer))
        return await answer

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work.answer.cancelled():
                continue
            result, error = None, None
            try:
                result = work.call()
            except BaseException as caught:  # noqa: BLE001  # it is the caller's
                error = caught
            with suppress(RuntimeError):  # the loop has ended, and who waited with it
                work.loop.call_soon_threadsafe(_resolve, work.answer, result, error)
            del work, result, error  # or they would live until the next change


def _resolve(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():  # who waited was cancelled
        return
    if error is None:
        answer.set_result(result)
    elif isinstance(error, StopIteration):  # which a future refuses: who waits would wait for ever
        answer.set_exception(RuntimeError(f"a change ended with {error!r}"))
    else:
        answer.set_exception(error)
